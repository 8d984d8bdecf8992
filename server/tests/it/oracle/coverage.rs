//! Whatever the library evaluates is in the list, or is an exception.

use super::list::QUERIES;
use std::{fs, path::Path};

/// Functions that Prometheus 2.42 does not have, or has for native histograms only; and a query of each, which it answers
/// otherwise.
pub const EXCEPTED: [(&str, &str); 5] = [
    ("first_over_time", "first_over_time(pingup_cpu_percent[5m])"),
    ("histogram_avg", "histogram_avg(pingup_cpu_percent)"),
    (
        "histogram_fraction",
        "histogram_fraction(0, 1, label_replace(sum by (agent_id) (pingup_hist_bucket), \"le\", \"$1\", \"agent_id\", \"web-(.+)\"))",
    ),
    ("histogram_stddev", "histogram_stddev(pingup_cpu_percent)"),
    ("histogram_stdvar", "histogram_stdvar(pingup_cpu_percent)"),
];

/// Operators and aggregations by the names that the parser has for them.
const WORDS: [(&str, &str); 28] = [
    ("T_ADD", " + "),
    ("T_ATAN2", " atan2 "),
    ("T_AVG", "avg"),
    ("T_BOTTOMK", "bottomk"),
    ("T_COUNT", "count"),
    ("T_COUNT_VALUES", "count_values"),
    ("T_DIV", " / "),
    ("T_EQLC", " == "),
    ("T_GROUP", "group"),
    ("T_GTE", " >= "),
    ("T_GTR", " > "),
    ("T_LAND", " and "),
    ("T_LOR", " or "),
    ("T_LSS", " < "),
    ("T_LTE", " <= "),
    ("T_LUNLESS", " unless "),
    ("T_MAX", "max"),
    ("T_MIN", "min"),
    ("T_MOD", " % "),
    ("T_MUL", " * "),
    ("T_NEQ", " != "),
    ("T_POW", " ^ "),
    ("T_QUANTILE", "quantile"),
    ("T_STDDEV", "stddev"),
    ("T_STDVAR", "stdvar"),
    ("T_SUB", " - "),
    ("T_SUM", "sum"),
    ("T_TOPK", "topk"),
];

const MODIFIERS: [&str; 13] = [
    " offset 1",
    " offset -",
    "@ start()",
    "@ end()",
    "by (",
    "without (",
    " on (",
    "ignoring (",
    "group_left",
    "group_right",
    "bool ",
    "[5m:]",
    ":15s]",
];

fn plan(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../promql/src/plan").join(file);
    fs::read_to_string(path).unwrap()
}

/// Whether a query calls a function or an aggregation of this name.
fn is_called(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let calls = |query: &str| {
        query.match_indices(name).any(|(at, _)| {
            let behind = query[at + name.len()..].trim_start();
            let behind =
                ["by (", "without ("].iter().any(|by| behind.starts_with(by)) || behind.starts_with('(');
            behind && !query[..at].ends_with(is_word)
        })
    };
    QUERIES.iter().any(|query| calls(query))
}

#[test]
fn every_function_is_asked_for_or_is_an_exception() {
    let source = plan("function.rs");
    let (_, table) = source.split_once("static TABLE").unwrap();
    let (table, _) = table.split_once("];").unwrap();
    let names: Vec<&str> = table.split('"').skip(1).step_by(2).collect();
    assert!(names.len() > 70, "{names:?}");
    let excepted = EXCEPTED.map(|(name, _)| name);
    for name in &names {
        assert!(is_called(name) != excepted.contains(name), "{name} is in neither list, or in both");
    }
    assert!(excepted.iter().all(|name| names.contains(name)), "an exception for nothing");
}

#[test]
fn every_operator_aggregation_and_modifier_is_asked_for() {
    let source = plan("operator.rs");
    let (source, _) = source.split_once("fn matching").unwrap();
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let words = source.split(|c: char| !is_part(c));
    let tokens = words.filter(|word| word.starts_with("T_"));
    let mut count = 0;
    for token in tokens {
        let (_, word) =
            WORDS.iter().find(|(name, _)| *name == token).unwrap_or_else(|| panic!("what is {token}?"));
        let asked = match word.starts_with(' ') {
            true => QUERIES.iter().any(|query| query.contains(word)),
            false => is_called(word),
        };
        assert!(asked, "{token}: no query has {word:?}");
        count += 1;
    }
    assert_eq!(count, WORDS.len());
    for modifier in MODIFIERS {
        assert!(QUERIES.iter().any(|query| query.contains(modifier)), "no query has {modifier:?}");
    }
}
