//! Other texts of PromQL than whole queries: selectors, durations, and queries made readable.

use crate::{
    error::Error,
    matcher::Matcher,
    plan::{DURATION_SECONDS_MAX, Node, Plan},
};

/// The units of durations, longest first, in milliseconds.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads a series selector, as the parameter `match[]` of Prometheus's API has one: `up{job="api"}`.
///
/// # Errors
/// [`ErrorKind::Query`](crate::ErrorKind::Query): it is none, or has an offset or an `@`.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, Error> {
    let plan = Plan::new(text)?;
    let mut selectors = plan.selectors;
    match (plan.root, selectors.pop()) {
        (Node::Newest { timestamps: false, .. }, Some(selector))
            if selector.shift.offset_ms == 0 && selector.shift.at.is_none() =>
        {
            Ok(selector.matchers)
        }
        _ => Err(Error::query(format!("parse error: expected a series selector, got {text:?}"))),
    }
}

/// Reads a duration, as Prometheus's API has them: `1h30m`, or seconds such as `15` and `0.5`. In milliseconds, never
/// negative.
///
/// # Errors
/// [`ErrorKind::Query`](crate::ErrorKind::Query): it is none, or longer than [`DURATION_SECONDS_MAX`].
pub fn parse_duration_ms(text: &str) -> Result<i64, Error> {
    let refused = || Error::query(format!("cannot parse {text:?} to a valid duration"));
    if let Ok(seconds) = text.parse::<f64>() {
        if !(0.0..=DURATION_SECONDS_MAX).contains(&seconds) {
            return Err(refused());
        }
        // Within the bound, which a float holds exactly.
        return Ok((seconds * 1000.0).round() as i64);
    }
    let (mut rest, mut total, mut units) = (text, 0_i64, UNITS.iter());
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: i64 = rest[..digits].parse().map_err(|_| refused())?;
        rest = &rest[digits..];
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        // Each unit once, and the longer before the shorter.
        let (_, unit) = units.find(|(name, _)| *name == &rest[..letters]).ok_or_else(refused)?;
        rest = &rest[letters..];
        total = number.checked_mul(*unit).and_then(|part| total.checked_add(part)).ok_or_else(refused)?;
    }
    if text.is_empty() || total as f64 / 1000.0 > DURATION_SECONDS_MAX {
        return Err(refused());
    }
    Ok(total)
}

/// Writes a query so that people can read it: long parts on lines of their own.
///
/// # Errors
/// [`ErrorKind::Query`](crate::ErrorKind::Query): it is no query.
pub fn pretty(text: &str) -> Result<String, Error> {
    Plan::pretty(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_read_and_nothing_else() {
        let shown = |text: &str| {
            let matchers = parse_selector(text)?;
            Ok::<_, Error>(matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
        };
        assert_eq!(shown("up{job=~\"a.*\",zone!=\"b\"}").unwrap(), r#"__name__="up",job=~"a.*",zone!="b""#);
        assert_eq!(shown("{__name__!=\"\"}").unwrap(), r#"__name__!="""#);
        for text in ["up[5m]", "up offset 5m", "up @ 5", "sum(up)", "1", "{}", "up + up", "timestamp(up)", ""]
        {
            assert!(shown(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_units_or_seconds() {
        for (text, milliseconds) in [
            ("15", 15_000),
            ("0.5", 500),
            ("0", 0),
            ("1h30m", 5_400_000),
            ("1y1w1d1h1m1s1ms", 32_230_861_001),
            ("5ms", 5),
        ] {
            assert_eq!(parse_duration_ms(text), Ok(milliseconds), "{text}");
        }
        for text in
            ["", "h", "5q", "30m1h", "1m1m", "-5", "-5s", "1.5h", "NaN", "1e300", "99999999999y", "5 m"]
        {
            assert!(parse_duration_ms(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_long_query_is_written_on_several_lines() {
        assert_eq!(pretty("sum(up)by(job)").unwrap(), "sum by (job) (up)");
        let long = format!("sum({{a=\"{}\"}}) + sum(up)", "x".repeat(100));
        assert!(pretty(&long).unwrap().lines().count() > 1);
        assert!(pretty("sum(").is_err());
    }
}
