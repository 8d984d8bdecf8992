//! Dashboards with one thing wrong: each breaks the rule that is for it, and no other.

use super::{
    dashboards::of,
    lint::{RULES, complaints},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A panel of the dashboard that is broken here, by its place.
const LINES: usize = 6;

/// The rule that is broken, what is put where, and what.
fn broken() -> Vec<(&'static str, String, Value)> {
    let variable = |place: usize, rest: &str| format!("/templating/list/{place}{rest}");
    let panel = |rest: &str| format!("/panels/{LINES}{rest}");
    let expression = |rule, text: &str| (rule, panel("/targets/0/expr"), json!(text));
    let chosen = r#"{job=~"$job", instance=~"$instance"}"#;
    vec![
        ("template-datasource-rule", variable(0, "/label"), json!("Source")),
        ("template-datasource-rule", variable(0, "/name"), json!("source")),
        ("template-datasource-rule", variable(0, "/query"), json!("loki")),
        ("template-datasource-rule", variable(0, "/type"), json!("custom")),
        ("template-job-rule", variable(1, "/multi"), json!(false)),
        ("template-job-rule", variable(1, "/name"), json!("work")),
        ("template-job-rule", variable(1, "/datasource/uid"), json!("pingup")),
        ("template-instance-rule", variable(2, "/allValue"), json!(".*")),
        ("template-instance-rule", variable(2, "/label"), json!("Machine")),
        (
            "template-label-promql-rule",
            variable(1, "/query/query"),
            json!("label_values(pingup_agent_up{, job)"),
        ),
        (
            "template-label-promql-rule",
            variable(1, "/query/query"),
            json!("label_value(pingup_agent_up, job)"),
        ),
        ("template-label-promql-rule", variable(1, "/definition"), json!("label_values(job)")),
        ("template-on-time-change-reload-rule", variable(1, "/refresh"), json!(1)),
        ("uneditable-dashboard", "/editable".to_owned(), json!(true)),
        ("panel-datasource-rule", panel("/datasource/uid"), json!("pingup")),
        ("panel-datasource-rule", panel("/targets/0/datasource"), json!(null)),
        ("panel-title-description-rule", panel("/title"), json!("")),
        ("panel-title-description-rule", panel("/description"), json!(" ")),
        ("panel-units-rule", panel("/fieldConfig/defaults/unit"), json!(null)),
        ("panel-units-rule", panel("/fieldConfig/defaults/unit"), json!("furlongs")),
        (
            "panel-units-rule",
            panel("/fieldConfig/overrides"),
            json!([{"properties": [{"id": "unit", "value": "ells"}]}]),
        ),
        ("panel-no-targets-rule", panel("/targets"), json!([])),
        ("panel-no-targets-rule", panel("/type"), json!("graph")),
        expression("target-promql-rule", &format!("sum(pingup_agent_up{chosen}")),
        expression("target-promql-rule", ""),
        expression("target-promql-rule", &format!("mean(pingup_agent_up{chosen})")),
        expression("target-rate-interval-rule", &format!("rate(pingup_events_total{chosen}[5m])")),
        expression("target-rate-interval-rule", &format!("irate(pingup_events_total{chosen}[$__interval])")),
        expression("target-job-rule", r#"pingup_agent_up{instance=~"$instance"}"#),
        expression("target-job-rule", r#"pingup_agent_up{job="$job", instance=~"$instance"}"#),
        expression("target-instance-rule", r#"avg(pingup_agent_up{job=~"$job"})"#),
        expression("target-instance-rule", r#"-(pingup_agent_up{job=~"$job", instance=~"web"} + 1)"#),
        expression("target-counter-agg-rule", &format!("sum(pingup_events_total{chosen})")),
        expression(
            "target-counter-agg-rule",
            &format!("deriv(pingup_events_total{chosen}[$__rate_interval])"),
        ),
    ]
}

#[test]
fn each_rule_is_broken_by_what_it_is_for_and_by_nothing_else() {
    let mut seen = BTreeSet::new();
    for (rule, pointer, value) in broken() {
        let mut board = of("pingup-fleet");
        *board.pointer_mut(&pointer).unwrap_or_else(|| panic!("{pointer} is not there")) = value.clone();
        let broken: Vec<&str> = complaints(&board).iter().map(|&(name, _)| name).collect();
        assert_eq!(broken, [rule], "{pointer} = {value}: {:?}", complaints(&board));
        seen.insert(rule);
    }
    let rules: BTreeSet<&str> = RULES.iter().map(|&(name, _)| name).collect();
    assert_eq!(seen, rules, "every rule is broken once");
}
