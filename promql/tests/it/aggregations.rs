//! Aggregations.

use super::script::run;

const SERIES: &str = r#"
every 1m
m{job="a", i="1"} 1 5
m{job="a", i="2"} 3 NaN
m{job="b", i="1"} 10 _
"#;

#[test]
fn groups_become_one() {
    run(&format!(
        r#"{SERIES}
at 0s: sum(m)
  {{}} 14
at 0s: sum by (job) (m)
  {{job="a"}} 4
  {{job="b"}} 10
at 0s: sum without (i) (m)
  {{job="a"}} 4
  {{job="b"}} 10
at 0s: avg by (job) (m)
  {{job="a"}} 2
  {{job="b"}} 10
at 0s: count(m) by (i)
  {{i="1"}} 2
  {{i="2"}} 1
at 0s: group(m)
  {{}} 1
at 0s: stddev(m)
  {{}} 3.858612300930075
at 0s: stdvar by (job) (m)
  {{job="a"}} 1
  {{job="b"}} 0
at 0s: sum by (__name__) (m)
  {{__name__="m"}} 14
at 0s: sum by (nowhere) (m)
  {{}} 14
at 0s: quantile(0.5, m)
  {{}} 3
at 0s: quantile by (job) (0.5, m)
  {{job="a"}} 2
  {{job="b"}} 10
at 0s: quantile(-1, m)
  {{}} -Inf
  warns quantile value should be between 0 and 1, got -1
at 0s: sum(nothing)
  nothing
at 1m: min by (job) (m)
  {{job="a"}} 5
  {{job="b"}} 10
at 1m: max(m)
  {{}} 10
at 1m: sum by (job) (m)
  {{job="a"}} NaN
  {{job="b"}} 10
from 0s to 6m by 6m: count(m)
  {{}} 3@0
from 0s to 1m by 1m: stdvar(m)
  {{}} 14.88888888888889@0 NaN@60
"#
    ));
}

#[test]
fn sums_lose_nothing_and_means_do_not_overflow() {
    run(r#"
every 1m
m{i="1"} 1e100
m{i="2"} 1
m{i="3"} -1e100
n{i="1"} 1.7e308
n{i="2"} 1.7e308
at 0s: sum(m)
  {} 1
at 0s: avg(m) * 3
  {} 1
at 0s: avg(n)
  {} 1.7e+308
at 0s: sum(n)
  {} +Inf
"#);
}

#[test]
fn the_best_keep_their_names() {
    run(r#"
every 1m
m{job="a", i="1"} 1 5
m{job="a", i="2"} 3 NaN
m{job="a", i="3"} 2 2
m{job="b", i="1"} 10 10
at 0s in order: topk(2, m)
  {__name__="m", i="1", job="b"} 10
  {__name__="m", i="2", job="a"} 3
at 0s in order: bottomk(2, m)
  {__name__="m", i="1", job="a"} 1
  {__name__="m", i="3", job="a"} 2
at 0s: topk by (job) (1, m)
  {__name__="m", i="1", job="b"} 10
  {__name__="m", i="2", job="a"} 3
at 1m in order: topk(4, m)
  {__name__="m", i="1", job="b"} 10
  {__name__="m", i="1", job="a"} 5
  {__name__="m", i="3", job="a"} 2
  {__name__="m", i="2", job="a"} NaN
at 1m in order: bottomk(9, m)
  {__name__="m", i="3", job="a"} 2
  {__name__="m", i="1", job="a"} 5
  {__name__="m", i="1", job="b"} 10
  {__name__="m", i="2", job="a"} NaN
from 0s to 1m by 1m: topk(1, m{job="a"})
  {__name__="m", i="1", job="a"} 5@60
  {__name__="m", i="2", job="a"} 3@0
from 0s to 1m by 1m: topk(scalar(m{i="3"}) - 1 + time() / 60, m{job="a"})
  {__name__="m", i="1", job="a"} 5@60
  {__name__="m", i="2", job="a"} 3@0
  {__name__="m", i="3", job="a"} 2@60
at 0s: topk(0, m)
  nothing
at 0s: topk(-1, m)
  nothing
at 0s: topk(NaN, m)
  fails Parameter value is NaN
at 0s: bottomk(-Inf, m)
  fails Scalar value -Inf underflows int64
at 0s: topk(1e30, m)
  fails Scalar value 1e+30 overflows int64
"#);
}

#[test]
fn values_are_counted() {
    run(r#"
every 1m
version{i="1"} 1 2
version{i="2"} 1 1.5
version{i="3"} 2 NaN
from 0s to 1m by 1m: count_values("v", version)
  {v="1"} 2@0
  {v="1.5"} 1@60
  {v="2"} 1@0 1@60
  {v="NaN"} 1@60
at 0s: count_values without (i) ("v", version)
  {v="1"} 2
  {v="2"} 1
at 0s: count_values without (i) ("i", version)
  {} 3
at 0s: count_values by (i) ("i", version)
  {i="1"} 2
  {i="2"} 1
at 0s: count_values("", version)
  fails invalid label name ""
"#);
}
