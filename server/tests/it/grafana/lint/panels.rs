//! Rules about panels.

use crate::grafana::dashboards::{list, panels, text};
use serde_json::Value;

/// The kinds of panels that show what was asked.
const SHOWING: [&str; 6] = ["stat", "timeseries", "table", "bargauge", "gauge", "state-timeline"];
/// The units that our panels have; Grafana knows more.
const UNITS: [&str; 13] = [
    "none",
    "short",
    "percent",
    "bytes",
    "Bps",
    "celsius",
    "s",
    "dtdurations",
    "wps",
    "cps",
    "reqps",
    "bool_yes_no",
    "string",
];

fn showing(board: &Value) -> impl Iterator<Item = &Value> {
    panels(board).iter().filter(|panel| SHOWING.contains(&text(&panel["type"])))
}

fn complain(panel: &Value, what: impl std::fmt::Display) -> String {
    format!("{}: {what}", panel["title"])
}

/// Each panel, and each of its targets, asks the data source that was chosen.
pub fn data_source(board: &Value) -> Vec<String> {
    let asks = |value: &Value| value["datasource"]["uid"] == "${datasource}";
    let is_wrong = |panel: &&Value| !asks(panel) || !list(&panel["targets"]).iter().all(asks);
    showing(board).filter(is_wrong).map(|panel| complain(panel, "asks another data source")).collect()
}

/// Each panel says what it shows.
pub fn title_and_description(board: &Value) -> Vec<String> {
    let is_wrong =
        |panel: &&Value| ["title", "description"].iter().any(|name| text(&panel[*name]).trim().is_empty());
    panels(board)
        .iter()
        .filter(is_wrong)
        .map(|panel| complain(panel, "no title, or no description"))
        .collect()
}

/// Each panel has a unit, and so has each column that has one of its own.
pub fn units(board: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for panel in showing(board) {
        let config = &panel["fieldConfig"];
        let properties = list(&config["overrides"]).iter().flat_map(|rule| list(&rule["properties"]));
        let own = properties.filter(|property| property["id"] == "unit").map(|property| &property["value"]);
        let unknown = std::iter::once(&config["defaults"]["unit"]).chain(own);
        let unknown = unknown.filter(|unit| !UNITS.contains(&text(unit)));
        wrong.extend(unknown.map(|unit| complain(panel, format_args!("the unit {unit}"))));
    }
    wrong
}

/// Each panel asks something, and panels of other kinds are none that would.
pub fn targets(board: &Value) -> Vec<String> {
    let is_wrong = |panel: &&Value| match text(&panel["type"]) {
        "text" | "row" => false,
        kind => !SHOWING.contains(&kind) || list(&panel["targets"]).is_empty(),
    };
    panels(board).iter().filter(is_wrong).map(|panel| complain(panel, "asks nothing")).collect()
}
