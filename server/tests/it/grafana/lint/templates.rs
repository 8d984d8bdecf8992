//! Rules about variables and the dashboard itself.

use crate::grafana::{
    dashboards::{text, variables},
    macros::with_ranges,
};
use pingup_promql::parse_selector;
use serde_json::Value;

/// What variables take their values by.
const FUNCTIONS: [&str; 4] = ["label_names", "label_values", "metrics", "query_result"];

/// Who looks chooses the data source, by a variable of the usual name.
pub fn data_source(board: &Value) -> Vec<String> {
    let is_source = |variable: &&Value| variable["type"] == "datasource";
    let sources: Vec<&Value> = variables(board).iter().filter(is_source).collect();
    let [source] = sources.as_slice() else {
        return vec![format!("{} variables for a data source", sources.len())];
    };
    let mut wrong = Vec::new();
    if source["query"] != "prometheus" {
        wrong.push("it is not for a Prometheus".to_owned());
    }
    if !matches!(text(&source["name"]), "datasource" | "prometheus_datasource") {
        wrong.push(format!("it is called {}", source["name"]));
    }
    if !matches!(text(&source["label"]), "Data source" | "Prometheus data source") {
        wrong.push(format!("it is labelled {}", source["label"]));
    }
    wrong
}

/// Who looks chooses among jobs.
pub fn job(board: &Value) -> Vec<String> {
    chosen(board, "job", "Job")
}

/// And among instances.
pub fn instance(board: &Value) -> Vec<String> {
    chosen(board, "instance", "Instance")
}

fn chosen(board: &Value, name: &str, label: &str) -> Vec<String> {
    let Some(variable) = variables(board).iter().find(|variable| variable["name"] == name) else {
        return vec![format!("there is no variable {name}")];
    };
    let mut wrong = Vec::new();
    for (pointer, wanted) in [
        ("/datasource/uid", Value::from("${datasource}")),
        ("/type", "query".into()),
        ("/label", label.into()),
        ("/multi", true.into()),
        ("/allValue", ".+".into()),
    ] {
        if variable.pointer(pointer) != Some(&wanted) {
            wrong.push(format!("{name}{pointer} is not {wanted}"));
        }
    }
    wrong
}

/// What variables take their values from can be asked.
pub fn queries(board: &Value) -> Vec<String> {
    let asked = variables(board).iter().filter(|variable| variable["type"] == "query");
    let wrong = asked.filter_map(|variable| {
        let query = text(&variable["query"]["query"]);
        let is_same = variable["definition"] == query;
        (!is_same || !is_query(query)).then(|| format!("{}: {query}", variable["name"]))
    });
    wrong.collect()
}

/// `label_values(SELECTOR, LABEL)` and its kin.
fn is_query(query: &str) -> bool {
    let Some((function, arguments)) = query.strip_suffix(')').and_then(|query| query.split_once('(')) else {
        return false;
    };
    // The last comma stands before the label; those in the selector stand before it.
    let selector = arguments.rsplit_once(", ").map_or(arguments, |(selector, _)| selector);
    FUNCTIONS.contains(&function) && parse_selector(&with_ranges(selector)).is_ok()
}

/// Variables are asked anew when the time is changed: who was there then may be gone now.
pub fn reload(board: &Value) -> Vec<String> {
    let asked = variables(board).iter().filter(|variable| variable["type"] == "query");
    asked.filter(|variable| variable["refresh"] != 2).map(|variable| variable["name"].to_string()).collect()
}

/// What comes from a file is changed in the file.
pub fn uneditable(board: &Value) -> Vec<String> {
    if board["editable"] == false { Vec::new() } else { vec!["it can be edited".to_owned()] }
}
