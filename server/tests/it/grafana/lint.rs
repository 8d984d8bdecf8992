//! The rules that the field's dashboard linter has for dashboards that ask a Prometheus, told anew.
//!
//! Its rules for logs are left out; the names are its own, so that whoever runs it finds their way.

mod panels;
mod targets;
mod templates;

use super::dashboards;
use serde_json::Value;

/// A rule: what is wrong with a dashboard, in words.
type Rule = fn(&Value) -> Vec<String>;

/// The rules by name.
pub const RULES: [(&str, Rule); 15] = [
    ("template-datasource-rule", templates::data_source),
    ("template-job-rule", templates::job),
    ("template-instance-rule", templates::instance),
    ("template-label-promql-rule", templates::queries),
    ("template-on-time-change-reload-rule", templates::reload),
    ("uneditable-dashboard", templates::uneditable),
    ("panel-datasource-rule", panels::data_source),
    ("panel-title-description-rule", panels::title_and_description),
    ("panel-units-rule", panels::units),
    ("panel-no-targets-rule", panels::targets),
    ("target-promql-rule", targets::promql),
    ("target-rate-interval-rule", targets::rate_interval),
    ("target-job-rule", targets::job),
    ("target-instance-rule", targets::instance),
    ("target-counter-agg-rule", targets::counters),
];

/// The rules that a dashboard breaks, each with what is wrong.
pub fn complaints(board: &Value) -> Vec<(&'static str, Vec<String>)> {
    let judged = RULES.iter().map(|&(name, rule)| (name, rule(board)));
    judged.filter(|(_, complaints)| !complaints.is_empty()).collect()
}

#[test]
fn the_dashboards_break_no_rule() {
    for board in dashboards::all() {
        assert_eq!(complaints(&board), [], "{}", board["title"]);
    }
}

/// What agents say are values of labels. Grafana shows them as text; as markup, in an address, or as a picture they would
/// act.
#[test]
fn nothing_that_an_agent_says_is_markup_or_an_address() {
    for board in dashboards::all() {
        let whole = board.to_string();
        for word in ["${__field", "${__data", "${__value", "\"html\"", "\"image\"", "sanitize"] {
            assert!(!whole.contains(word), "{}: {word}", board["title"]);
        }
        for panel in dashboards::panels(&board).iter().filter(|panel| panel["type"] == "text") {
            let content = panel["options"]["content"].as_str().unwrap();
            assert!(!content.contains(['$', '<']) && !content.contains("{{"), "{content}");
            assert_eq!(panel["options"]["mode"], "markdown");
        }
    }
}
