//! The history's tables from the readers' side.

use super::{
    Aggregate, Aggregates, Bucket, Listing, PAGE_MEASUREMENTS_MAX, Row,
    plan::{BucketsPlan, Fields, Place, PlanError, RowsPlan},
};
use crate::{latest::LatestSample, storage::StorageError};
use duckdb::{
    Connection, params,
    types::{TimeUnit, Value},
};
use pingup_protocol::{ids::AgentId, metrics::Measurements, time::Timestamp};
use rusqlite::OptionalExtension;
use std::collections::HashMap;

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum HistoryError {
    /// The question has to be asked otherwise.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<duckdb::Error> for HistoryError {
    fn from(error: duckdb::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// A page of raw rows, oldest first.
pub(super) fn rows(
    connection: &Connection,
    agent_id: &str,
    plan: &RowsPlan,
) -> Result<Listing<Row>, HistoryError> {
    let further = if plan.fields.has_further() { "further" } else { "NULL" };
    let sql = format!(
        "SELECT epoch_us(timestamp), status, cpu, ram, disk, latency, {further},
                coalesce(boot, -1) AS b, coalesce(seq, -1) AS s
         FROM metrics
         WHERE agent_id = ? AND timestamp >= ? AND timestamp < ?
           AND (timestamp > ? OR b > ? OR (b = ? AND s > ?))
         ORDER BY timestamp, b, s LIMIT ?"
    );
    let (from, (boot, seq)) = (moment(plan.from), plan.beyond);
    let mut statement = connection.prepare(&sql)?;
    let mut found = statement.query(params![
        agent_id,
        from,
        moment(plan.to),
        from,
        boot,
        boot,
        seq,
        plan.limit as u64 + 1
    ])?;
    let (mut items, mut last, mut told) = (Vec::new(), None, 0);
    while let Some(row) = found.next()? {
        if items.len() == plan.limit || told >= PAGE_MEASUREMENTS_MAX {
            return Ok(Listing { items, next: last });
        }
        let item = read_row(row, &plan.fields)?;
        told += OWN_MEASUREMENTS + item.metrics.further.len();
        last = Some(Place::Row(item.timestamp.as_micros(), row.get(7)?, row.get(8)?));
        items.push(item);
    }
    Ok(Listing { items, next: None })
}

/// Measurements that every row is counted with.
const OWN_MEASUREMENTS: usize = super::plan::OWN_COLUMNS.len();

/// The columns timestamp, status, cpu, ram, disk, latency, further.
fn read_row(row: &duckdb::Row<'_>, fields: &Fields) -> Result<Row, duckdb::Error> {
    let own = |name, column: usize| if fields.has(name) { row.get(column) } else { Ok(None) };
    let metrics = Measurements {
        cpu: own("cpu", 2)?,
        ram: own("ram", 3)?,
        disk: own("disk", 4)?,
        latency: own("latency", 5)?,
        further: read_further(row.get(6)?, fields),
    };
    Ok(Row { timestamp: Timestamp::from_micros(row.get(0)?), status: row.get(1)?, metrics })
}

fn read_further(value: Value, fields: &Fields) -> Vec<(String, f64)> {
    let Value::Map(map) = value else { return Vec::new() };
    let pairs = map.iter().filter_map(|pair| match pair {
        (Value::Text(name), Value::Double(value)) if fields.has(name) => Some((name.clone(), *value)),
        _ => None,
    });
    pairs.collect()
}

/// A page of buckets, oldest first; those without a sample are left out.
pub(super) fn buckets(
    connection: &Connection,
    agent_id: &str,
    plan: &BucketsPlan,
) -> Result<Listing<Bucket>, HistoryError> {
    // Both questions see the same rows.
    let transaction = connection.unchecked_transaction()?;
    let mut items = own_buckets(&transaction, agent_id, plan)?;
    let mut more = items.len() > plan.limit;
    items.truncate(plan.limit);
    if plan.fields.has_further()
        && let Some(last) = items.last()
    {
        let end = Timestamp::from_micros(last.start.as_micros().saturating_add(plan.step_micros));
        more |= add_further(&transaction, agent_id, plan, end.min(plan.to), &mut items)?;
    }
    let next = items.last().filter(|_| more).map(|last| Place::Bucket(last.start.as_micros()));
    Ok(Listing { items, next })
}

/// The start of a row's bucket: the greatest multiple of the step that is not after it, before 1970 too.
fn start_of_bucket(step_micros: i64) -> String {
    format!("epoch_us(timestamp) - ((epoch_us(timestamp) % {step_micros}) + {step_micros}) % {step_micros}")
}

/// Buckets with the measurements that have columns of their own; one more than the page takes.
fn own_buckets(
    connection: &Connection,
    agent_id: &str,
    plan: &BucketsPlan,
) -> Result<Vec<Bucket>, duckdb::Error> {
    let aggregates: String = plan
        .fields
        .own_columns()
        .map(|name| format!(", min({name}), max({name}), avg({name}), arg_max({name}, timestamp)"))
        .collect();
    let sql = format!(
        "SELECT {} AS start, count(*){aggregates} FROM metrics
         WHERE agent_id = ? AND timestamp >= ? AND timestamp < ?
         GROUP BY start ORDER BY start LIMIT ?",
        start_of_bucket(plan.step_micros)
    );
    let mut statement = connection.prepare(&sql)?;
    let question = params![agent_id, moment(plan.from), moment(plan.to), plan.limit as u64 + 1];
    let found = statement.query_map(question, |row| {
        let mut metrics = Vec::with_capacity(OWN_MEASUREMENTS);
        for (name, column) in plan.fields.own_columns().zip((2..).step_by(4)) {
            if row.get::<_, Option<f64>>(column)?.is_some() {
                metrics.push((name.to_owned(), read_aggregate(row, column)?));
            }
        }
        let start = Timestamp::from_micros(row.get(0)?);
        Ok(Bucket { start, count: row.get(1)?, metrics: Aggregates(metrics) })
    })?;
    found.collect()
}

/// Adds the other measurements to `items`, which end before `end`. If there are too many for a page, takes the
/// buckets off its end that have no place, and says so.
fn add_further(
    connection: &Connection,
    agent_id: &str,
    plan: &BucketsPlan,
    end: Timestamp,
    items: &mut Vec<Bucket>,
) -> Result<bool, HistoryError> {
    let named = plan.fields.further();
    let wanted = named
        .as_ref()
        .map_or_else(String::new, |names| format!("WHERE name IN ({})", vec!["?"; names.len()].join(", ")));
    let sql = format!(
        "SELECT start, name, min(value), max(value), avg(value), arg_max(value, timestamp)
         FROM (SELECT {} AS start, timestamp,
                      unnest(map_keys(further)) AS name, unnest(map_values(further)) AS value
               FROM metrics WHERE agent_id = ? AND timestamp >= ? AND timestamp < ?)
         {wanted} GROUP BY start, name ORDER BY start, name LIMIT {}",
        start_of_bucket(plan.step_micros),
        PAGE_MEASUREMENTS_MAX + 1
    );
    let mut question = vec![Value::Text(agent_id.to_owned()), moment(plan.from), moment(end)];
    question.extend(named.into_iter().flatten().map(|name| Value::Text(name.to_owned())));
    let mut statement = connection.prepare(&sql)?;
    let mut found = statement.query(duckdb::params_from_iter(question))?;
    let places: HashMap<_, _> =
        items.iter().enumerate().map(|(place, bucket)| (bucket.start, place)).collect();
    let mut told = 0;
    while let Some(row) = found.next()? {
        let place = places.get(&Timestamp::from_micros(row.get(0)?)).copied();
        if told == PAGE_MEASUREMENTS_MAX {
            cut(items, place.unwrap_or_default())?;
            return Ok(true);
        }
        told += 1;
        if let Some(bucket) = place.and_then(|place| items.get_mut(place)) {
            bucket.metrics.0.push((row.get(1)?, read_aggregate(row, 2)?));
        }
    }
    Ok(false)
}

/// Takes off the page the bucket at `place`, of which not all was told, and all after it.
fn cut(items: &mut Vec<Bucket>, place: usize) -> Result<(), PlanError> {
    if place == 0 {
        let detail =
            format!("more than {PAGE_MEASUREMENTS_MAX} measurements in one bucket; name those you want");
        return Err(PlanError::new("fields", detail));
    }
    items.truncate(place);
    Ok(())
}

fn read_aggregate(row: &duckdb::Row<'_>, column: usize) -> Result<Aggregate, duckdb::Error> {
    Ok(Aggregate {
        min: row.get(column)?,
        max: row.get(column + 1)?,
        avg: row.get(column + 2)?,
        last: row.get(column + 3)?,
    })
}

/// The agent's newest sample in the history, not before `from`.
pub(super) fn newest(
    connection: &Connection,
    agent_id: &str,
    from: Timestamp,
) -> Result<Option<LatestSample>, StorageError> {
    let mut statement = connection.prepare(
        "SELECT epoch_us(timestamp), status, cpu, ram, disk, latency, further FROM metrics
         WHERE agent_id = ? AND timestamp >= ?
         ORDER BY timestamp DESC, boot DESC NULLS LAST, seq DESC LIMIT 1",
    )?;
    let mut found = statement.query(params![agent_id, moment(from)])?;
    let Some(row) = found.next()? else { return Ok(None) };
    let Row { timestamp, status, metrics } = read_row(row, &Fields::All)?;
    Ok(Some(LatestSample { timestamp, status, metrics }))
}

/// The agent's newest sample as the sweep last wrote it down.
pub(super) fn noted(
    connection: &rusqlite::Connection,
    agent_id: &str,
) -> rusqlite::Result<Option<LatestSample>> {
    let mut statement = connection
        .prepare_cached("SELECT timestamp, status, metrics FROM agent_latest WHERE agent_id = ?")?;
    let read = |row: &rusqlite::Row<'_>| {
        let text: String = row.get(2)?;
        let metrics = serde_json::from_str(&text).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(error))
        })?;
        Ok(LatestSample { timestamp: Timestamp::from_micros(row.get(0)?), status: row.get(1)?, metrics })
    };
    statement.query_row([agent_id], read).optional()
}

/// Writes an agent's newest sample down, unless a newer one is; for the sweep. Samples of an agent that the
/// records do not know are left to the history.
pub fn note(connection: &rusqlite::Connection, newest: &(AgentId, LatestSample)) -> rusqlite::Result<()> {
    let (agent_id, LatestSample { timestamp, status, metrics }) = newest;
    let metrics = serde_json::to_string(metrics)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO agent_latest (agent_id, timestamp, status, metrics)
         SELECT id, ?2, ?3, ?4 FROM agents WHERE id = ?1
         ON CONFLICT (agent_id) DO UPDATE
         SET timestamp = excluded.timestamp, status = excluded.status, metrics = excluded.metrics
         WHERE excluded.timestamp >= agent_latest.timestamp",
    )?;
    statement.execute((agent_id.as_str(), timestamp.as_micros(), status, metrics)).map(drop)
}

fn moment(timestamp: Timestamp) -> Value {
    Value::Timestamp(TimeUnit::Microsecond, timestamp.as_micros())
}
