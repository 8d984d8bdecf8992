//! Texts that are refused, and why; and results that cannot be.

use super::script::run;
use pingup_promql::{ErrorKind, MemorySource, Options, QUERY_DEPTH_MAX, Query};

fn refused(text: &str) -> String {
    let error = Query::parse(text).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Query, "{text}: {error}");
    error.to_string()
}

#[test]
fn what_is_no_promql_is_refused() {
    for text in [
        "",
        "(",
        "sum(",
        "x{",
        "x{a=}",
        "x[",
        "x[5m",
        "x[5q]",
        "x offset",
        "1 +",
        "x y",
        "sum x",
        "x{a=\"b\"",
        "rate()",
        "rate(x)",
        "abs(x[5m])",
        "x[5m][5m]",
        "sum(x[5m])",
        "-\"a\"",
        "\"a\" + 1",
        "topk(x)",
        "topk(x, x)",
        "abs(1)",
        "abs(\"a\")",
        "exp(NaN)",
        "ln(-1)",
        "unknown(x)",
        "x{a=~\"(\"}",
        "count_values(1, x)",
        "label_replace(x)",
        "x + bool y",
        "time(1)",
        "scalar(1)",
        "absent(1)",
        "x[5m] + 1",
        "(x)[5m]",
        "1[5m:]",
        "\"a\"[5m:]",
        "sum by (1) (x)",
        "x @ NaN",
        "sort(1)",
        "vector(x)",
        "round(x, x)",
    ] {
        let words = refused(text);
        assert!(words.contains("parse error: "), "{text:?}: {words}");
    }
}

#[test]
fn the_place_to_blame_is_told() {
    for (text, words) in [
        ("x y", "1:3: parse error: unexpected \"y\""),
        ("sum x", "1:5: parse error: unexpected \"x\""),
        ("sum(rate(x[5m]) by (job)", "unclosed left parenthesis"),
        ("1 +", "1:4: parse error: unexpected end of input"),
        ("sum(x) by job", "1:11: parse error: unexpected \"job\""),
        ("sum by (job) (\n  x +\n  * y)", "3:3: parse error: unexpected \"*\""),
        ("x{a=\"b\" c=\"d\"}", "1:9: parse error: unexpected \"c\""),
        ("x{a \"b\"}", "1:5: parse error: unexpected \"\\\"b\\\"\""),
        ("x[5m 5m]", "1:6: parse error: unexpected \"5m\""),
        ("x == == y", "1:6: parse error: unexpected \"==\""),
        ("a + on(job) group_left() by b", "unexpected \"b\""),
        ("x offset y", "1:10: parse error: unexpected \"y\""),
        ("x @ y", "1:5: parse error: unexpected \"y\""),
        ("topk(3,, x)", "trailing commas not allowed"),
        ("x{a=~\"b\"} 1e+5", "1:11: parse error: unexpected \"1e\""),
        ("(x))", "unexpected right parenthesis"),
    ] {
        assert!(refused(text).contains(words), "{text}: {}", refused(text));
    }
}

#[test]
fn types_are_called_as_prometheus_calls_them() {
    for (text, words) in [
        ("rate(x)", "expected type range vector in call to function \"rate\", got instant vector"),
        ("abs(x[5m])", "expected type instant vector in call to function \"abs\", got range vector"),
        ("sum(1)", "expected type instant vector in aggregation expression, got scalar"),
        ("-x[5m:]", "only allowed on expressions of type scalar or instant vector, got range vector"),
        ("-x[5m]", "only allowed on expressions of type scalar or instant vector, got: range vector"),
    ] {
        assert!(refused(text).contains(words), "{text}: {}", refused(text));
    }
}

#[test]
fn experimental_syntax_is_refused_clearly() {
    for (text, words) in [
        ("limitk(1, x)", "experimental"),
        ("limit_ratio(0.5, x)", "experimental"),
        ("mad_over_time(x[5m])", "experimental"),
        ("double_exponential_smoothing(x[5m], 0.5, 0.5)", "experimental"),
        ("sort_by_label(x, \"a\")", "experimental"),
        ("info(x)", "experimental"),
        ("x + fill(0) y", "experimental"),
        ("{a=\"1\" or b=\"2\"}", "not PromQL"),
    ] {
        assert!(refused(text).contains(words), "{text}: {}", refused(text));
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}x{}", "abs(".repeat(depth), ")".repeat(depth));
    let deepest = Query::parse(&nested(QUERY_DEPTH_MAX - 1)).unwrap();
    assert!(deepest.instant(&MemorySource::default(), 0, &Options::default()).is_ok());
    let longest = Query::parse(&vec!["(x offset 5m)"; QUERY_DEPTH_MAX / 2].join(" - ")).unwrap();
    assert!(longest.instant(&MemorySource::default(), 0, &Options::default()).is_ok());
    assert!(refused(&nested(QUERY_DEPTH_MAX)).contains("nested deeper than 128"));
    let parens = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(refused(&parens(1_999)).contains("nested deeper than 128"));
    let sum = vec!["x"; QUERY_DEPTH_MAX + 1].join(" + ");
    assert!(refused(&sum).contains("nested deeper than 128"));
    assert!(refused(&format!("{}x", "-".repeat(1_900))).contains("nested deeper"));
    let power = vec!["2"; 1_900].join("^");
    assert!(refused(&power).contains("nested deeper"));
}

#[test]
fn series_of_a_result_are_told_apart() {
    run(r#"
every 1m
a{x="1"} 1 _ _ _ _ _ _ _
b{x="1"} _ _ _ _ _ _ _ 1
c{x="1"} 1
at 0s: rate({__name__=~"a|c"}[5m])
  nothing
at 0s: sum_over_time({__name__=~"a|c"}[5m])
  fails vector cannot contain metrics with the same labelset
from 0s to 7m by 7m: sum_over_time({__name__=~"a|b"}[5m])
  fails vector cannot contain metrics with the same labelset
from 0s to 7m by 7m: -{__name__=~"a|b"}
  fails vector cannot contain metrics with the same labelset
from 0s to 7m by 7m: abs({__name__=~"a|b"})
  {x="1"} 1@0 1@420
at 0s: abs({__name__=~"a|c"})
  fails vector cannot contain metrics with the same labelset
at 0s: {__name__=~"a|c"} * 2
  fails vector cannot contain metrics with the same labelset
at 0s: {__name__=~"a|c"} > 0
  {__name__="a", x="1"} 1
  {__name__="c", x="1"} 1
from 0s to 7m by 7m: timestamp({__name__=~"a|b"})
  {x="1"} 0@0 420@420
at 0s: label_replace({__name__=~"a|c"}, "__name__", "", "x", ".*")
  fails vector cannot contain metrics with the same labelset
at 0s: last_over_time({__name__=~"a|c"}[5m])
  {__name__="a", x="1"} 1
  {__name__="c", x="1"} 1
"#);
}

#[test]
fn a_pattern_that_is_none_is_shown_in_part_with_its_bound() {
    let long = format!("{}|(a{{1000}}){{1000}}", "b+".repeat(200));
    let refused = refused(&format!("x{{a=~\"{long}\"}}"));
    assert!(refused.starts_with("parse error: illegal regex \"b+b+") && refused.len() < 300, "{refused}");
    assert!(refused.ends_with("more than 1048576 bytes, compiled"), "{refused}");
}

#[test]
fn a_list_that_a_dashboard_makes_is_a_pattern() {
    let ids: Vec<String> = (0..1_000).map(|at| format!("{at:043}")).collect();
    let text = format!("sum(x{{a=~\"{}\"}})", ids.join("|"));
    assert!(Query::parse(&text).is_ok());
    assert!(pingup_promql::pretty(&text).unwrap().contains(&ids.join("|")));
}
