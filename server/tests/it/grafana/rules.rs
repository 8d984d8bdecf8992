//! The alert rules, in Grafana's form and in Prometheus's: the same in both, and each for whom it is meant.

use super::{
    dashboards::{deploy, list, text},
    fleet, yaml,
};
use pingup_promql::{Options, Query, Value as Answered, parse_duration_ms};
use serde_json::Value;
use std::fs;

/// A rule as both forms tell it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What fires.
    pub expr: String,
    hold: String,
    every: String,
    severity: String,
    summary: String,
    description: String,
}

fn file(path: &str) -> Value {
    yaml::read(&fs::read_to_string(deploy().join(path)).unwrap())
}

/// Every rule, with the group that it is in.
fn all(file: &Value, form: impl Fn(&Value, &Value) -> Rule) -> Vec<Rule> {
    let groups = list(&file["groups"]).iter();
    groups
        .flat_map(|group| list(&group["rules"]).iter().map(|rule| form(group, rule)).collect::<Vec<_>>())
        .collect()
}

fn told(group: &Value, rule: &Value, expr: &Value) -> Rule {
    let word = |value: &Value| text(value).to_owned();
    // The two name the same in templates by different words.
    let template = |name: &str| {
        let text = word(&rule["annotations"][name]);
        text.replace("$labels.", ".Labels.").replace("$value", ".Values.A.Value")
    };
    Rule {
        expr: word(expr),
        hold: word(&rule["for"]),
        every: word(&group["interval"]),
        severity: word(&rule["labels"]["severity"]),
        summary: template("summary"),
        description: template("description"),
    }
}

fn of_grafana() -> Vec<Rule> {
    let file = file("grafana/provisioning/alerting/pingup.yaml");
    all(&file, |group, rule| told(group, rule, &rule["data"][0]["model"]["expr"]))
}

fn of_prometheus() -> Vec<Rule> {
    all(&file("prometheus/rules.yml"), |group, rule| told(group, rule, &rule["expr"]))
}

/// What the rules ask.
pub fn expressions() -> Vec<String> {
    of_prometheus().into_iter().map(|rule| rule.expr).collect()
}

/// Each rule, and the one agent of the fleet that it is to fire for.
pub fn meant_for() -> Vec<(Rule, &'static str)> {
    each_for(["silent", "busy", "late", "filling"])
}

/// Each rule with one of these, in the order of the rules: silent, busy, late, filling.
pub fn each_for(agents: [&'static str; 4]) -> Vec<(Rule, &'static str)> {
    let rules = of_prometheus();
    assert_eq!(rules.len(), agents.len());
    rules.into_iter().zip(agents).collect()
}

#[test]
fn both_forms_tell_the_same() {
    assert_eq!(of_grafana(), of_prometheus());
    for rule in of_prometheus() {
        assert!(
            [&rule.hold, &rule.every].into_iter().all(|time| parse_duration_ms(time).is_ok()),
            "{rule:?}"
        );
        assert!(matches!(&*rule.severity, "warning" | "critical"), "{rule:?}");
        assert!(rule.summary.contains("{{ .Labels.instance }}"), "{rule:?}");
        assert!(rule.description.contains("{{ .Labels.agent_id }}"), "{rule:?}");
    }
}

#[test]
fn each_fires_for_whom_it_is_meant_and_for_nobody_else() {
    let now_ms = 1_800_000_000_000;
    let fleet = fleet::in_memory(now_ms);
    for (rule, meant) in meant_for() {
        let answer = Query::parse(&rule.expr).unwrap().instant(&fleet, now_ms, &Options::default()).unwrap();
        let Answered::Vector(samples) = answer.value else { panic!("{}", rule.expr) };
        let fired: Vec<_> = samples.iter().map(|sample| sample.labels.get("instance")).collect();
        assert_eq!(fired, [meant], "{}", rule.expr);
        assert!(samples[0].value > 0.0, "Grafana's condition holds: {}", rule.expr);
    }
}

#[test]
fn grafana_finds_what_a_rule_is_made_of() {
    let source = file("grafana/provisioning/datasources/pingup.yaml");
    let uid = &source["datasources"][0]["uid"];
    let file = file("grafana/provisioning/alerting/pingup.yaml");
    let mut uids = Vec::new();
    for rule in list(&file["groups"]).iter().flat_map(|group| list(&group["rules"])) {
        let [asked, condition] = list(&rule["data"]) else { panic!("{rule}") };
        assert_eq!((&asked["datasourceUid"], &asked["model"]["instant"]), (uid, &Value::from(true)));
        assert_eq!(rule["condition"], condition["refId"]);
        assert_eq!(condition["model"]["expression"], asked["refId"]);
        assert_eq!(rule["noDataState"], "OK", "nothing comes back where nothing is wrong");
        // Grafana would take a dollar for a variable of its environment.
        assert!(!rule["annotations"].to_string().contains('$'), "{rule}");
        assert!(!uids.contains(&&rule["uid"]), "{} twice", rule["uid"]);
        uids.push(&rule["uid"]);
    }
}
