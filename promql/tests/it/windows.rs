//! Functions of windows, each against values worked out by hand.

use super::script::{run, run_with};
use pingup_promql::{Edition, Options};

#[test]
fn windows_exclude_the_moment_they_start_at() {
    let script = "every 1m\nup 1+1x6\nat 3m: count_over_time(up[2m])\n  {} ";
    run(&format!("{script}2"));
    let before = Options { edition: Edition::Prometheus2, ..Options::default() };
    run_with(&format!("{script}3"), &before);
    let script = "every 1m\nup 1+1x6\nat 3m: count_over_time(up[2m:1m])\n  {} ";
    run(&format!("{script}2"));
    run_with(&format!("{script}3"), &before);
}

#[test]
fn summaries_of_a_window() {
    run(r#"
every 1m
m 3 1 NaN 4 1 5
n 1 2 3 4 5 6
at 5m: count_over_time(m[6m])
  {} 6
at 1m: sum_over_time(m[6m])
  {} 4
at 5m: sum_over_time(m[6m])
  {} NaN
at 5m: avg_over_time(n[6m])
  {} 3.5
at 5m: min_over_time(m[6m])
  {} 1
at 5m: max_over_time(m[6m])
  {} 5
at 5m: last_over_time(m[6m])
  {__name__="m"} 5
at 5m: first_over_time(m[6m])
  {__name__="m"} 3
at 5m: present_over_time(m[6m])
  {} 1
at 5m: stdvar_over_time(n[6m])
  {} 2.9166666666666665
at 3m: stddev_over_time(n[4m])
  {} 1.118033988749895
at 5m: quantile_over_time(0.5, n[6m])
  {} 3.5
at 5m: quantile_over_time(1.2, n[6m])
  {} +Inf
  warns quantile value should be between 0 and 1, got 1.2
at 5m: changes(m[6m])
  {} 5
at 5m: resets(m[6m])
  {} 2
at 30m: sum_over_time(n[6m])
  nothing
"#);
}

#[test]
fn counters_and_gauges_change() {
    run(r#"
every 15s
c_total 0+15x41
r_total 0 60 120 0 60
g 10 7 7 1
at 10m: rate(c_total[5m])
  {} 1
at 10m: increase(c_total[5m])
  {} 300
at 60s: increase(r_total[75s])
  {} 180
at 60s: irate(r_total[5m])
  {} 4
at 45s: irate(r_total[5m])
  {} 0
at 45s: idelta(r_total[5m])
  {} -120
at 45s: delta(g[45s])
  {} -9
at 45s: delta(g[1s])
  nothing
at 45s: rate(g[2m])
  {} 0.07777777777777778
  informs name does not end in _total/_sum/_count/_bucket: "g"
"#);
}

#[test]
fn a_line_through_samples() {
    run(r#"
every 1m
g 0+60x10
h 5 5 5
at 9m: deriv(g[5m])
  {} 1
at 9m: predict_linear(g[5m], 3600)
  {} 4140
at 2m: deriv(h[5m])
  {} 0
at 0s: deriv(h[5m])
  nothing
from 8m to 9m by 1m: predict_linear(g[5m], time())
  {} 960@480 1080@540
"#);
}

#[test]
fn absence_is_told_over_time() {
    run(r#"
every 1m
up{job="a"} 1 _ _ _ 1
up{job="b"} _ 1
from 0s to 5m by 1m: absent_over_time(up{job="a", zone="x", job="b", kind=~"y"}[1m])
  {zone="x"} 1@0 1@60 1@120 1@180 1@240 1@300
from 0s to 5m by 1m: absent_over_time(up{job=~"a|b", instance="i"}[90s])
  {instance="i"} 1@0 1@60 1@120 1@180 1@240 1@300
from 0s to 5m by 1m: absent_over_time(up{job=~"a|b"}[90s])
  {} 1@180
from 0s to 5m by 1m: absent_over_time(up[90s:30s])
  nothing
from 0s to 5m by 1m: absent_over_time(nothing{a="b"}[90s:30s])
  {} 1@0 1@60 1@120 1@180 1@240 1@300
"#);
}

#[test]
fn absence_does_not_mind_how_many_are_called_the_same() {
    run(r#"
every 1m
a{x="1"} 5
b{x="1"} 6
from 0s to 1m by 1m: absent_over_time({__name__=~"a|b", x="1"}[1m])
  {x="1"} 1@60
from 0s to 6m by 6m: absent_over_time({__name__=~"a|b", x="1"}[1m:])
  {} 1@360
at 0s: present_over_time({__name__=~"a|b"}[1m])
  fails same labelset
at 0s: present_over_time({__name__=~"a|b"}[1m:])
  fails same labelset
"#);
}

#[test]
fn sliding_and_computing_anew_agree() {
    run(r#"
every 15s
g 1 5 2 2 NaN 9 0 3 3 8 1 7 6 4 2 5
from 60s to 225s by 15s: sum_over_time(g[30s]) - sum_over_time(g[30s:15s])
  {} NaN@60 NaN@75 0@90 0@105 0@120 0@135 0@150 0@165 0@180 0@195 0@210 0@225
from 105s to 225s by 15s: max_over_time(g[60s])
  {} 9@105 9@120 8@135 8@150 8@165 8@180 7@195 7@210 6@225
from 105s to 225s by 15s: min_over_time(g[1m])
  {} 0@105 0@120 0@135 1@150 1@165 1@180 1@195 2@210 2@225
from 120s to 225s by 15s: avg_over_time(g[1m])
  {} 3.75@120 3.5@135 3.75@150 4.75@165 5.5@180 4.5@195 4.75@210 4.25@225
"#);
}

#[test]
fn parameters_may_be_made_of_series() {
    run(r#"
every 1m
g 1+1x10
q 0 0.5 1 _x7
from 0s to 2m by 1m: quantile_over_time(scalar(q), g[3m])
  {} 1@0 1.5@60 3@120
at 2m: quantile_over_time(scalar(max_over_time(q[2m])), g[3m])
  {} 3
at 2m: sum_over_time(quantile_over_time(scalar(q), g[3m])[3m:1m])
  {} 5.5
at 2m: quantile_over_time(scalar(quantile_over_time(scalar(q), q[3m])), g[3m])
  {} 3
"#);
}

#[test]
fn subqueries_are_evaluated_step_by_step() {
    run(r#"
every 1m
c_total 0+60x30
at 20m: max_over_time(rate(c_total[5m])[10m:1m])
  {} 1
at 10m: sum_over_time(sum_over_time(c_total[2m:1m])[2m:1m])
  {} 2160
at 10m: count_over_time(c_total[5m:])
  {} 5
at 10m: count_over_time(vector(1)[90s:20s])
  {} 5
at 10m: count_over_time(c_total[1m:1h])
  nothing
at 1h: count_over_time(vector(1)[1m:1h])
  {} 1
"#);
}
