//! What Grafana puts in the place of `$name` before it asks.

/// A range that nobody writes: who finds it has found `$__rate_interval`.
pub const RATE_INTERVAL_SECONDS: u64 = 241;

/// What stands for a variable, with the longer names before those that they begin with.
const VALUES: [(&str, &str); 7] = [
    ("$__rate_interval", "241s"),
    ("$__interval", "60s"),
    ("$__range", "3600s"),
    ("$measurement", "pingup_load1|pingup_swap"),
    ("$instance", ".+"),
    ("$agent_id", ".+"),
    ("$job", ".+"),
];

/// The expression as it is asked, with everything chosen that there is.
pub fn filled(expression: &str) -> String {
    let filled = VALUES.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value));
    assert!(!filled.contains('$'), "a variable that nobody knows: {filled}");
    filled
}

/// The expression with the ranges filled in and the names of other variables left as they are.
pub fn with_ranges(expression: &str) -> String {
    VALUES[..3].iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value))
}

#[test]
fn the_range_that_nobody_writes_is_the_one_that_is_filled_in() {
    assert_eq!(VALUES[0].1, format!("{RATE_INTERVAL_SECONDS}s"));
    assert_eq!(
        filled(r#"rate(x{job=~"$job"}[$__rate_interval]) > bool $__interval"#),
        r#"rate(x{job=~".+"}[241s]) > bool 60s"#
    );
}
