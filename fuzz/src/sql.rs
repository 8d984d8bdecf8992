//! A viewer's SQL, and the wall before it: what is let through is looked at from the other side. Where its names lead is the
//! word of DuckDB's binder there, not of its parser, in an engine that has more than the views; what a function may do is
//! what DuckDB says of it, not our list. And of a tree that is let through there is no place where the wall does not look.

use crate::binder;
use pingup_protocol::{
    canonical,
    schema::{self, Checked},
};
use pingup_server::{
    sql::{engine, handler::SqlBody},
    storage::{Duck, DuckSettings, StorageError},
};
use serde_json::{Value, json};
use std::{cell::RefCell, path::Path};

/// Places of a tree that are tried for one query: a long one has thousands.
const PLACES_MAX: usize = 64;
/// Digits in a row, from which on nobody looks at what the binder makes of a query: it works some of it out beforehand.
const DIGITS_MIN: usize = 5;
/// The views, as tables that have their columns, and what an engine of ours has not: all of it could be asked, if nothing
/// stood in the way.
const CATALOGUE: &str = "
    CREATE TABLE metrics (agent_id VARCHAR, timestamp TIMESTAMP, status VARCHAR, cpu DOUBLE, ram DOUBLE, disk DOUBLE,
        latency DOUBLE, further MAP(VARCHAR, DOUBLE));
    CREATE TABLE discovery (agent_id VARCHAR, timestamp TIMESTAMP, duration DOUBLE, host_count BIGINT,
        hosts STRUCT(ip VARCHAR, latency DOUBLE, ports USMALLINT[], hostname VARCHAR, mac VARCHAR)[], networks VARCHAR[]);
    CREATE TABLE agents_current (agent_id VARCHAR, name VARCHAR, status VARCHAR, last_seen TIMESTAMP, created_at TIMESTAMP,
        hostname VARCHAR, os VARCHAR, arch VARCHAR, version VARCHAR, ip_address VARCHAR, labels MAP(VARCHAR, VARCHAR),
        latest_at TIMESTAMP, cpu DOUBLE, ram DOUBLE, disk DOUBLE, latency DOUBLE);
    CREATE TABLE commands (command_id VARCHAR, agent_id VARCHAR, seq BIGINT, batch_id VARCHAR, action VARCHAR, status VARCHAR,
        timeout_seconds BIGINT, created_at TIMESTAMP, expires_at TIMESTAMP, delivered_at TIMESTAMP,
        cancel_asked_at TIMESTAMP, started_at TIMESTAMP, finished_at TIMESTAMP, exit_code BIGINT, signed_by VARCHAR);
    CREATE TABLE nobody AS FROM metrics;
    CREATE SCHEMA hidden;
    CREATE TABLE hidden.metrics AS FROM metrics;
    CREATE VIEW benk AS FROM nobody;
    CREATE MACRO leak() AS current_setting('threads');
    CREATE MACRO leaks() AS TABLE FROM nobody;
    CREATE SEQUENCE s";

thread_local! {
    static ENGINE: RefCell<Option<Duck>> = const { RefCell::new(None) };
}

/// A byte that says what follows: a query, the body of a request that asks one, or a tree as the parser tells it.
pub fn run(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    match choice % 3 {
        0 => drop(asked(&String::from_utf8_lossy(rest))),
        1 => {
            if let Some(query) = body(rest) {
                asked(&query);
            }
        }
        _ => {
            if let Ok(statement) = serde_json::from_slice(rest) {
                let found = engine::look_through(&statement);
                assert_eq!(found, engine::look_through(&statement), "told twice");
            }
        }
    }
}

/// The question of a request's body, by the way that the gate and the handler read it.
pub fn body(bytes: &[u8]) -> Option<String> {
    let canonical = canonical::rewrite(bytes).ok()?.bytes;
    schema::read::<SqlBody>(&canonical).ok().map(|body| body.query)
}

/// What becomes of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is refused before the wall: by its length, say.
    NotAsked,
    /// The wall refuses it, in these words.
    Refused(String),
    /// It is let through, and names these views; whether the binder made a plan of it too.
    Passed(Vec<&'static str>, bool),
}

/// Asks whether a query may be run; if so, it must be what the wall took it for.
pub fn asked(query: &str) -> Fate {
    let body = SqlBody { query: query.to_owned(), limit: None };
    if body.check().is_err() {
        return Fate::NotAsked;
    }
    let views = match on_engine(|duck| look(duck, query)) {
        Ok((views, statement)) => {
            nothing_is_overlooked(query, &statement);
            views
        }
        Err(why) => return Fate::Refused(why),
    };
    let is_planned = !has_long_numbers(query)
        && bound(query, &views).unwrap_or_else(|reached| panic!("{query}: let through, and {reached}"));
    Fate::Passed(views, is_planned)
}

/// What the binder says of a query that was taken to name these views: whether it makes a plan of it, or what else that
/// reaches for.
pub fn bound(query: &str, views: &[&str]) -> Result<bool, String> {
    // What it cannot plan at all it does not run either; and some plans are deeper than JSON is read, or have texts that are
    // none in JSON.
    let plan = on_engine(|duck| tell(duck, "SELECT json_serialize_plan(?::VARCHAR)", query).ok().flatten());
    plan.map_or(Ok(false), |plan| binder::judge(&plan, views))
}

/// On this thread's engine. One that DuckDB gave up is not asked again: the next has nothing of what was made in it.
fn on_engine<T>(work: impl FnOnce(&Duck) -> T) -> T {
    ENGINE.with_borrow_mut(|slot| {
        let done = work(slot.get_or_insert_with(engine_with_more));
        slot.take_if(|duck| duck.reopened() > 0);
        done
    })
}

fn engine_with_more() -> Duck {
    let settings = DuckSettings { threads_max: 1, ..DuckSettings::default() };
    let duck = Duck::open(settings, Path::new(""), &[]).expect("an engine");
    let made = duck.run_blocking(|connection| {
        connection.execute_batch(CATALOGUE)?;
        let mut of_values = connection.prepare(binder::OF_VALUES)?;
        let names = of_values.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        binder::learn(names);
        Ok::<_, StorageError>(())
    });
    made.expect("a catalogue");
    duck
}

/// What the wall says, with the tree of what it lets through.
fn look(duck: &Duck, query: &str) -> Result<(Vec<&'static str>, Value), String> {
    let looked = duck.run_blocking(|connection| Ok::<_, StorageError>(engine::look(connection, query)));
    let views = looked.map_err(|error| error.to_string())??;
    let mut parsed = tell(duck, "SELECT json_serialize_sql(?::VARCHAR)", query)
        .ok()
        .flatten()
        .expect("it was read before");
    let statements = parsed["statements"].as_array_mut().map(std::mem::take).unwrap_or_default();
    match <[Value; 1]>::try_from(statements) {
        Ok([statement]) => Ok((views, statement)),
        Err(other) => panic!("{query}: {} statements", other.len()),
    }
}

/// What DuckDB tells of a query by one of its functions, if that is JSON.
fn tell(duck: &Duck, by: &str, query: &str) -> Result<Option<Value>, StorageError> {
    let told: String = duck.run_blocking(|connection| {
        connection.query_row(by, [query], |row| row.get(0)).map_err(StorageError::from)
    })?;
    Ok(serde_json::from_str(&told).ok())
}

fn has_long_numbers(query: &str) -> bool {
    query.as_bytes().windows(DIGITS_MIN).any(|some| some.iter().all(u8::is_ascii_digit))
}

/// With a function or a table in it that nobody may name, wherever one can stand, it would not have been let through. The table
/// is one that WITH cannot name either.
fn nothing_is_overlooked(query: &str, statement: &Value) {
    let function =
        json!({"class": "FUNCTION", "type": "FUNCTION", "function_name": "getenv", "children": []});
    let table =
        json!({"type": "BASE_TABLE", "table_name": "pg_settings", "schema_name": "", "catalog_name": ""});
    let mut places = Vec::new();
    find(statement, &mut String::new(), &mut places);
    let mut changed = statement.clone();
    for (place, is_table) in places.iter().step_by(places.len() / PLACES_MAX + 1) {
        let planted = if *is_table { &table } else { &function };
        let was = std::mem::replace(changed.pointer_mut(place).expect("it is there"), planted.clone());
        assert!(engine::look_through(&changed).is_err(), "{query}: nobody looks at {place}");
        *changed.pointer_mut(place).expect("it is there") = was;
    }
}

/// Where expressions stand, and tables: all of the tree, whatever it means there.
fn find(value: &Value, at: &mut String, places: &mut Vec<(String, bool)>) {
    let len = at.len();
    match value {
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                *at += &format!("/{index}");
                find(value, at, places);
                at.truncate(len);
            }
        }
        Value::Object(node) => {
            let has =
                |member: &str| node.get(member).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
            let is_table = node.get("type").is_some_and(|of| of == "BASE_TABLE");
            if is_table || has("class") {
                places.push((at.clone(), is_table));
            }
            for (member, value) in node {
                *at += &format!("/{}", schema::escape(member));
                find(value, at, places);
                at.truncate(len);
            }
        }
        _ => {}
    }
}
