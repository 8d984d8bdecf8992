//! What DuckDB's binder makes of a query (`json_serialize_plan`): every name is resolved there, by its own rules for WITH and
//! schemas, and macros are what they stand for. Nothing is worked out beforehand, so nothing is missing in it.

use serde_json::{Map, Value};
use std::{cell::RefCell, collections::HashSet};

/// Functions for which DuckDB vouches that they make the same of the same, whatever the machine.
pub const OF_VALUES: &str =
    "SELECT function_name FROM duckdb_functions() WHERE function_type IN ('scalar', 'aggregate')
    GROUP BY function_name HAVING bool_and(coalesce(stability, 'CONSISTENT') = 'CONSISTENT')";
/// Those of them that tell of the engine all the same.
const TELLING: [&str; 6] = [
    "current_setting",
    "getvariable",
    "json_deserialize_sql",
    "json_serialize_plan",
    "json_serialize_sql",
    "version",
];
/// Others that a question may call: chance, the clock, and a refusal.
const ALLOWED: [&str; 12] = [
    "current_date",
    "error",
    "gen_random_uuid",
    "get_current_time",
    "get_current_timestamp",
    "now",
    "random",
    "today",
    "transaction_timestamp",
    "uuid",
    "uuidv4",
    "uuidv7",
];
/// Table functions that a question may call, as the plan has them.
const ROWS: [&str; 3] = ["generate_series", "range", "unnest"];
/// What is wrong with a query that reached for something: it was not to come so far.
const REACHED: [&str; 5] = ["http", "io", "missing extension", "network", "permission"];

thread_local! {
    static KNOWN: RefCell<HashSet<String>> = RefCell::default();
}

/// Learns the names that an engine gives for [`OF_VALUES`].
pub fn learn(names: HashSet<String>) {
    KNOWN.with_borrow_mut(|known| *known = names);
}

/// Whether there is a plan; or what it reaches for beside these views.
pub fn judge(plan: &Value, views: &[&str]) -> Result<bool, String> {
    if plan["error"] == true {
        let (of, why) = (text(plan, "error_type"), text(plan, "error_message"));
        let has_reached = REACHED.contains(&&*of.to_ascii_lowercase()) || why.starts_with("Table with name");
        return if has_reached { Err(format!("it failed at {of}: {why}")) } else { Ok(false) };
    }
    nodes(plan, &mut |node| look(node, views))?;
    Ok(true)
}

fn look(node: &Map<String, Value>, views: &[&str]) -> Result<(), String> {
    let [name, part, class] = ["name", "type", "expression_class"]
        .map(|member| node.get(member).and_then(Value::as_str).unwrap_or_default());
    match (part, class) {
        ("LOGICAL_GET", _) if name == "seq_scan" => {
            let table = ["catalog", "schema", "table"].map(|member| text(&node["function_data"], member));
            let is_view = table[..2] == ["memory", "main"] && views.contains(&table[2]);
            is_view
                .then_some(())
                .ok_or_else(|| format!("it reads {table:?}, and was taken to name {views:?}"))
        }
        ("LOGICAL_GET", _) if !ROWS.contains(&name) => Err(format!("it reads by {name}")),
        (_, "BOUND_FUNCTION" | "BOUND_AGGREGATE" | "BOUND_WINDOW")
            if !name.is_empty() && !is_of_values(name) =>
        {
            Err(format!("it calls {name}"))
        }
        _ => Ok(()),
    }
}

fn is_of_values(name: &str) -> bool {
    ALLOWED.contains(&name) || !TELLING.contains(&name) && KNOWN.with_borrow(|known| known.contains(name))
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

/// Every object in it, constants' values among them: they have no class, and no type that is asked for.
fn nodes(
    value: &Value,
    look: &mut impl FnMut(&Map<String, Value>) -> Result<(), String>,
) -> Result<(), String> {
    match value {
        Value::Array(values) => values.iter().try_for_each(|value| nodes(value, look)),
        Value::Object(node) => {
            look(node)?;
            node.values().try_for_each(|value| nodes(value, look))
        }
        _ => Ok(()),
    }
}
