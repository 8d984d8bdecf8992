//! Operators: between numbers, between series and numbers, and between series.

use super::script::run;

#[test]
fn numbers() {
    run(r#"
every 1m
at 0s: 1 + 2 * 3 ^ 2 ^ 0
  scalar 7
at 0s: -1 ^ 2
  scalar -1
at 0s: 7 % 4 - 10 / 4
  scalar 0.5
at 0s: -7 % 4
  scalar -3
at 0s: 1 / 0
  scalar +Inf
at 0s: 0 / 0
  scalar NaN
at 0s: 1 > bool 0
  scalar 1
at 0s: NaN == bool NaN
  scalar 0
at 0s: NaN != bool NaN
  scalar 1
at 0s: 5m + 0x10 + 1e1 + .5
  scalar 326.5
at 0s: 1 > 0
  fails comparisons between scalars must use BOOL modifier
at 0s: 1 and 2
  fails not allowed in binary scalar expression
"#);
}

#[test]
fn series_and_numbers() {
    run(r#"
every 1m
m{a="x"} 1 5
m{a="y"} 2 0
from 0s to 1m by 1m: m * 2
  {a="x"} 2@0 10@60
  {a="y"} 4@0 0@60
from 0s to 1m by 1m: m > 1
  {__name__="m", a="x"} 5@60
  {__name__="m", a="y"} 2@0
at 0s: 1 < m
  {__name__="m", a="y"} 2
at 0s: m > bool 1
  {a="x"} 0
  {a="y"} 1
at 0s: 10 - m
  {a="x"} 9
  {a="y"} 8
at 0s: {__name__=~"m|n"} + nothing
  nothing
"#);
}

#[test]
fn series_meet_by_their_labels() {
    run(r#"
every 1m
errors{job="a", code="500"} 24
errors{job="a", code="404"} 30
errors{job="b", code="500"} 6
total{job="a"} 600
total{job="b"} 120
spare{job="b"} 1
at 0s: errors{code="500"} / ignoring(code) total
  {job="a"} 0.04
  {job="b"} 0.05
at 0s: errors{code="500"} / on(job) total
  {job="a"} 0.04
  {job="b"} 0.05
at 0s: errors / ignoring(code) group_left total
  {code="404", job="a"} 0.05
  {code="500", job="a"} 0.04
  {code="500", job="b"} 0.05
at 0s: total / on(job) group_right errors
  {code="404", job="a"} 20
  {code="500", job="a"} 25
  {code="500", job="b"} 20
at 0s: total - spare
  {job="b"} 119
at 0s: total > on(job) spare
  {job="b"} 120
at 0s: total > ignoring() spare
  {__name__="total", job="b"} 120
at 0s: total > bool spare
  {job="b"} 1
at 0s: errors / ignoring(code) total
  fails multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)
at 0s: total / on(job) errors
  fails found duplicate series for the match group {job="a"} on the right hand-side of the operation: [{__name__="errors", code="500", job="a"}, {__name__="errors", code="404", job="a"}];many-to-many matching not allowed: matching labels must be unique on one side
at 0s: total / on(job) group_right errors{code="200"}
  nothing
at 0s: errors * on(job) group_right total
  fails on the left hand-side of the operation
"#);
}

#[test]
fn labels_are_taken_from_the_one_side() {
    run(r#"
every 1m
up{agent="1"} 1 1
up{agent="2"} 0 0
info{agent="1", host="h", os="a"} 1 _
info{agent="1", host="h", os="b"} _ 1
info{agent="2", host="g"} 1 1
from 0s to 1m by 1m: up * on(agent) group_left(host, os) last_over_time(info[30s])
  {agent="1", host="h", os="a"} 1@0
  {agent="1", host="h", os="b"} 1@60
  {agent="2", host="g"} 0@0 0@60
at 0s: up == on(agent) group_left(host) info
  {__name__="up", agent="1", host="h"} 1
at 1m: up * on(agent) group_left info
  fails found duplicate series for the match group {agent="1"} on the right hand-side
at 0s: info{agent="2"} * on() group_left(agent) up{agent="1"}
  {agent="1", host="g"} 1
at 0s: info * on() group_left(agent, host, os) up{agent="1"}
  fails multiple matches for labels: grouping labels must ensure unique matches
"#);
}

#[test]
fn what_is_never_together_may_share_labels() {
    run(r#"
every 1m
a{x="1"} 1 stale
a{x="2"} _ 2
b 10 10
from 0s to 1m by 1m: b * on() a
  {} 10@0 20@60
from 0s to 1m by 1m: a * on() b
  {} 10@0 20@60
from 0s to 1m by 1m: sum without(x) (a) + b
  {} 11@0 12@60
"#);
}

#[test]
fn sets() {
    run(r#"
every 1m
a{x="1"} 1 1
a{x="2"} 2 _
b{x="2"} 20 20
b{x="3"} 30 30
from 0s to 1m by 1m: a and b
  {__name__="a", x="2"} 2@0 2@60
from 0s to 1m by 1m: a unless b
  {__name__="a", x="1"} 1@0 1@60
from 0s to 1m by 1m: a or b
  {__name__="a", x="1"} 1@0 1@60
  {__name__="a", x="2"} 2@0 2@60
  {__name__="b", x="3"} 30@0 30@60
at 0s: a and on() vector(1)
  {__name__="a", x="1"} 1
  {__name__="a", x="2"} 2
at 0s: a unless on() nothing
  {__name__="a", x="1"} 1
  {__name__="a", x="2"} 2
at 0s: a and ignoring(x) b
  {__name__="a", x="1"} 1
  {__name__="a", x="2"} 2
at 0s: nothing or vector(0)
  {} 0
from 0s to 1m by 1m: (a > 1 or b > 25) or vector(0)
  {} 0@0 0@60
  {__name__="a", x="2"} 2@0 2@60
  {__name__="b", x="3"} 30@0 30@60
from 0s to 10m by 10m: a{x="1"} or vector(0)
  {__name__="a", x="1"} 1@0
  {} 0@0 0@600
"#);
}
