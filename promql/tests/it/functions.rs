//! Functions of values, moments and names.

use super::script::run;

#[test]
fn functions_of_one_value() {
    run(r#"
every 1m
m{a="x"} -1.5
m{a="y"} 0.25
at 0s: abs(m)
  {a="x"} 1.5
  {a="y"} 0.25
at 0s: ceil(m)
  {a="x"} -1
  {a="y"} 1
at 0s: floor(m)
  {a="x"} -2
  {a="y"} 0
at 0s: sqrt(m)
  {a="x"} NaN
  {a="y"} 0.5
at 0s: exp(m) * 0
  {a="x"} 0
  {a="y"} 0
at 0s: ln(m{a="y"})
  {a="y"} -1.3862943611198906
at 0s: log2(m{a="y"})
  {a="y"} -2
at 0s: log10(m{a="y"} * 400)
  {a="y"} 2
at 0s: sgn(m)
  {a="x"} -1
  {a="y"} 1
at 0s: round(m)
  {a="x"} -1
  {a="y"} 0
at 0s: round(m, 0.2)
  {a="x"} -1.4000000000000001
  {a="y"} 0.2
at 0s: clamp(m, -1, 0)
  {a="x"} -1
  {a="y"} 0
at 0s: clamp(m, 1, 0)
  nothing
at 0s: clamp_min(m, 0)
  {a="x"} 0
  {a="y"} 0.25
at 0s: clamp_max(m, 0)
  {a="x"} -1.5
  {a="y"} 0
at 0s: -m
  {a="x"} 1.5
  {a="y"} -0.25
"#);
}

#[test]
fn bounds_that_exclude_everything_leave_no_two_of_one_name() {
    run(r#"
every 1m
a{x="1"} 5 5
b{x="1"} 6 _
at 0s: clamp({__name__=~"a|b"}, 1, 0)
  nothing
at 0s: clamp(last_over_time({__name__=~"a|b"}[1m]), 1, 0)
  nothing
at 0s: clamp({__name__=~"a|b"}, 0, 1)
  fails same labelset
from 0s to 1m by 1m: clamp(last_over_time({__name__=~"a|b"}[1m]), 10, 9 + time())
  {x="1"} 10@60
"#);
}

#[test]
fn trigonometry() {
    run(r#"
every 1m
m 0.5
at 0s: sin(m)
  {} 0.479425538604203
at 0s: cos(m)
  {} 0.8775825618903728
at 0s: tan(m)
  {} 0.5463024898437905
at 0s: asin(m)
  {} 0.5235987755982989
at 0s: acos(m)
  {} 1.0471975511965979
at 0s: atan(m)
  {} 0.4636476090008061
at 0s: sinh(m)
  {} 0.5210953054937474
at 0s: cosh(m)
  {} 1.1276259652063807
at 0s: tanh(m)
  {} 0.46211715726000973
at 0s: asinh(m)
  {} 0.48121182505960347
at 0s: acosh(m + 1)
  {} 0.9624236501192069
at 0s: atanh(m)
  {} 0.5493061443340548
at 0s: deg(m)
  {} 28.64788975654116
at 0s: rad(m * 360)
  {} 3.141592653589793
at 0s: pi()
  scalar 3.141592653589793
at 0s: m atan2 m
  {} 0.7853981633974483
"#);
}

#[test]
fn moments_and_their_parts() {
    run(r#"
every 1m
m{a="x"} 1709251199
m{a="y"} NaN
at 90s: time()
  scalar 90
from 1m to 3m by 1m: time() * 2
  {} 120@60 240@120 360@180
at 90s: timestamp(m{a="x"})
  {a="x"} 0
at 90s: timestamp(m{a="x"} + 1)
  {a="x"} 90
at 0s: year(m)
  {a="x"} 2024
  {a="y"} NaN
at 0s: month(m{a="x"})
  {a="x"} 2
at 0s: days_in_month(m{a="x"})
  {a="x"} 29
at 0s: day_of_month(m{a="x"})
  {a="x"} 29
at 0s: day_of_week(m{a="x"})
  {a="x"} 4
at 0s: day_of_year(m{a="x"})
  {a="x"} 60
at 0s: hour(m{a="x"})
  {a="x"} 23
at 0s: minute(m{a="x"})
  {a="x"} 59
at 3661s: hour()
  {} 1
at 3661s: minute() + vector(1)
  {} 2
at 4s: 1+1
  scalar 2
"#);
}

#[test]
fn scalars_and_vectors_become_each_other() {
    run(r#"
every 1m
one 5 6
two{a="x"} 1
two{a="y"} 2
from 0s to 1m by 1m: scalar(one)
  {} 5@0 6@60
at 0s: scalar(two)
  scalar NaN
at 0s: scalar(nothing)
  scalar NaN
at 0s: vector(scalar(one) + 1)
  {} 6
"#);
}

#[test]
fn absence_has_the_labels_that_were_asked_for() {
    run(r#"
every 1m
up{job="a"} 1
at 0s: absent(up{job="a"})
  nothing
at 0s: absent(up{job="b", zone=~"z", kind="k"})
  {job="b", kind="k"} 1
at 0s: absent((nothing{job="b"}))
  {job="b"} 1
at 0s: absent(sum(nothing{job="b"}))
  {} 1
from 4m to 6m by 1m: absent(up)
  {} 1@300 1@360
"#);
}

#[test]
fn labels_are_replaced_and_joined() {
    run(r#"
every 1m
up{host="web-1", port="80"} 1
at 0s: label_replace(up, "name", "$1/$2", "host", "(.*)-(.*)")
  {__name__="up", host="web-1", name="web/1", port="80"} 1
at 0s: label_replace(up, "name", "x", "host", "web")
  {__name__="up", host="web-1", port="80"} 1
at 0s: label_replace(up, "host", "", "port", ".*")
  {__name__="up", port="80"} 1
at 0s: label_replace(up, "new", "${n}", "nowhere", "(?P<n>.*)")
  {__name__="up", host="web-1", port="80"} 1
at 0s: label_replace(up, "__name__", "down", "port", "80")
  {__name__="down", host="web-1", port="80"} 1
at 0s: label_replace(up, "name", "x", "host", "(")
  fails invalid regular expression in label_replace(): (
at 0s: label_join(up, "address", ":", "host", "nowhere", "port")
  {__name__="up", address="web-1::80", host="web-1", port="80"} 1
at 0s: label_join(up, "port", "-")
  {__name__="up", host="web-1"} 1
"#);
}

#[test]
fn sorting_puts_nan_last() {
    run(r#"
every 1m
m{a="1"} 2
m{a="2"} NaN
m{a="3"} 1
m{a="4"} +Inf
at 0s in order: sort(m)
  {__name__="m", a="3"} 1
  {__name__="m", a="1"} 2
  {__name__="m", a="4"} +Inf
  {__name__="m", a="2"} NaN
at 0s in order: sort_desc(m)
  {__name__="m", a="4"} +Inf
  {__name__="m", a="1"} 2
  {__name__="m", a="3"} 1
  {__name__="m", a="2"} NaN
"#);
}
