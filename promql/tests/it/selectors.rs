//! Selectors: matchers, lookback, stale markers, `offset` and `@`.

use super::script::{run, run_with};
use pingup_promql::{Edition, Options};

#[test]
fn matchers_choose_by_any_label() {
    run(r#"
every 1m
up{job="api", zone="a"} 1
up{job="web"} 2
down{job="api"} 3
at 0s: up
  {__name__="up", job="api", zone="a"} 1
  {__name__="up", job="web"} 2
at 0s: {job="api"}
  {__name__="down", job="api"} 3
  {__name__="up", job="api", zone="a"} 1
at 0s: {__name__=~"u.|d.*",}
  {__name__="down", job="api"} 3
  {__name__="up", job="api", zone="a"} 1
  {__name__="up", job="web"} 2
at 0s: up{zone=""}
  {__name__="up", job="web"} 2
at 0s: up{zone!="", job!~"w.*"}
  {__name__="up", job="api", zone="a"} 1
at 0s: {"up", "job"="web"}
  {__name__="up", job="web"} 2
at 0s: up{nowhere="x"}
  nothing
at 0s: {job=~".*"}
  fails vector selector must contain at least one non-empty matcher
at 0s: up{__name__="down"}
  fails metric name must not be set twice
"#);
}

#[test]
fn patterns_are_gos_and_are_found_wherever_they_stand() {
    run(r#"
every 1m
up{job="a"} 1
up{job="α"} 2
up{job="a|b"} 3
at 0s: up{job=~"\\p{Greek}"} or up{job=~ 'a[|]b'}
  {__name__="up", job="a|b"} 3
  {__name__="up", job="α"} 2
at 0s: up{job=~"a\\|b|α"}
  {__name__="up", job="a|b"} 3
  {__name__="up", job="α"} 2
at 0s: up{job!~"a|α"}
  {__name__="up", job="a|b"} 3
at 0s: up{job=~"a)|(b"}
  fails illegal regex "a)|(b": unexpected )
at 0s: label_replace(up{job="a"}, "x", "=~$0", "job", "a|b")
  {__name__="up", job="a", x="=~a"} 1
"#);
}

#[test]
fn the_newest_sample_counts_for_five_minutes() {
    run(r#"
every 1m
up 7
at 0s: up
  {__name__="up"} 7
at 299s: up
  {__name__="up"} 7
at 300s: up
  nothing
from 0s to 10m by 2m: up
  {__name__="up"} 7@0 7@120 7@240
"#);
}

#[test]
fn lookback_can_be_set_and_was_closed_before_version_3() {
    let script = "every 1m\nup 7\nat 59s: up\n  {__name__=\"up\"} 7\nat 60s: up\n  ";
    let options = Options { lookback_ms: 60_000, ..Options::default() };
    run_with(&format!("{script}nothing"), &options);
    let options = Options { edition: Edition::Prometheus2, ..options };
    run_with(&format!("{script}{{__name__=\"up\"}} 7"), &options);
}

#[test]
fn a_stale_marker_ends_a_series_at_once() {
    run(r#"
every 1m
up{a="1"} 1 stale _ 4
up{a="2"} 1 NaN
from 0s to 4m by 30s: up
  {__name__="up", a="1"} 1@0 1@30 4@180 4@210 4@240
  {__name__="up", a="2"} 1@0 1@30 NaN@60 NaN@90 NaN@120 NaN@150 NaN@180 NaN@210 NaN@240
at 2m: count_over_time(up[3m])
  {a="1"} 1
  {a="2"} 2
at 2m: up{a="1"}[3m]
  {__name__="up", a="1"} 1@0
"#);
}

#[test]
fn offsets_look_elsewhere() {
    run(r#"
every 1m
up 0+1x10
at 5m: up offset 2m
  {__name__="up"} 3
at 5m: up offset -2m
  {__name__="up"} 7
at 5m: sum_over_time(up[2m] offset 1m)
  {} 7
from 4m to 6m by 1m: up - up offset 1m
  {} 1@240 1@300 1@360
at 5m: timestamp(up offset 90s)
  {} 180
"#);
}

#[test]
fn at_holds_a_moment() {
    run(r#"
every 1m
up 0+1x11
from 2m to 4m by 1m: up @ 60
  {__name__="up"} 1@120 1@180 1@240
from 2m to 4m by 1m: up @ start()
  {__name__="up"} 2@120 2@180 2@240
from 2m to 4m by 1m: up @ end() offset 1m
  {__name__="up"} 3@120 3@180 3@240
from 2m to 4m by 1m: sum_over_time(up[2m] @ end())
  {} 7@120 7@180 7@240
from 2m to 270s by 2m: up @ end()
  {__name__="up"} 4@120 4@240
from 2m to 5m by 2m: sum_over_time(up[2m] @ end())
  {} 9@120 9@240
from 2m to 4m by 1m: sum_over_time(up[2m:1m] @ 300 offset 1m)
  {} 7@120 7@180 7@240
from 2m to 4m by 1m: up - up @ 120
  {} 0@120 1@180 2@240
from 2m to 4m by 1m: predict_linear(up[4m] @ 240, 60)
  {} 3@120 4@180 5@240
from 2m to 4m by 1m: sum_over_time((up @ end())[3m:1m])
  {} 12@120 12@180 12@240
from 2m to 4m by 1m: quantile_over_time(scalar(up) / 4, up[4m] @ 240)
  {} 2.5@120 3.25@180 4@240
at 5m: up @ -1
  nothing
"#);
}

#[test]
fn samples_themselves_can_be_asked_for() {
    run(r#"
every 1m
up 0+1x10
at 5m: up[2m]
  {__name__="up"} 4@240 5@300
at 5m: up[2m] offset 1m
  {__name__="up"} 3@180 4@240
at 5m: up[2m:30s]
  {__name__="up"} 3@210 4@240 4@270 5@300
at 5m: (up * 2)[1m:]
  {} 10@300
at 5m: up[90s] @ 120
  {__name__="up"} 1@60 2@120
from 1m to 2m by 1m: up[2m]
  fails invalid expression type "range vector" for range query
at 5m: "hello"
  text hello
"#);
}
