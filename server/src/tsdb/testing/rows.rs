//! For tests: all rows of a view, from memory and, by an engine that is not ours, from files.

use super::{EVER, agent_id};
use crate::{
    storage::Duck,
    tsdb::{
        Tier, TsdbError, View, file_list, pick,
        record::{OwnedSample, OwnedScan},
        rows::{PointRow, SeriesId},
        schema::{double_at, text_at, time_at},
    },
};
use duckdb::types::Value;
use pingup_protocol::{discovery::Scan, ids::AgentId, metrics::Measurements, time::Timestamp};

/// Every sample of a view, ordered by agent, time and number.
pub(crate) fn samples(engine: &Duck, view: &View) -> Vec<OwnedSample> {
    let mut rows = on_disk(engine, view, Tier::Raw, sample_of);
    for segment in &view.segments {
        segment.each_sample(None, &EVER, |sample| {
            rows.push(OwnedSample {
                agent_id: sample.agent_id().clone(),
                stream: sample.stream(),
                timestamp: sample.timestamp(),
                status: sample.status().to_owned(),
                metrics: sample.to_measurements(|_| true),
            });
        });
    }
    rows.sort_by(|a, b| sample_key(a).cmp(&sample_key(b)));
    rows
}

/// What samples are ordered by.
pub(crate) fn sample_key(row: &OwnedSample) -> (&AgentId, Timestamp, Option<(u64, u64)>) {
    (&row.agent_id, row.timestamp, row.stream)
}

/// Every scan of a view, ordered by agent, time and number; those in memory of `agents` only.
pub(crate) fn scans(engine: &Duck, view: &View, agents: &[&str]) -> Vec<OwnedScan> {
    let mut rows = on_disk(engine, view, Tier::Scans, scan_of);
    for segment in &view.segments {
        for agent in agents {
            segment.each_scan(agent, &EVER, |row| {
                let (networks, hosts) = (row.networks().to_vec(), row.hosts().to_vec());
                let scan = Scan { duration: row.duration(), networks, hosts };
                let (agent_id, timestamp) = (row.agent_id().clone(), row.timestamp());
                rows.push(OwnedScan { agent_id, stream: row.stream(), timestamp, scan });
            });
        }
    }
    rows.sort_by(|a, b| (&a.agent_id, a.timestamp, a.stream).cmp(&(&b.agent_id, b.timestamp, b.stream)));
    rows
}

/// Every point of a view, as often as it is there, in the order of the disk. Each file has each moment of a series once,
/// in that order.
pub(crate) fn points(view: &View) -> Vec<PointRow> {
    let mut rows = Vec::new();
    for part in view.parts.iter().filter(|part| part.row().tier == Tier::Points) {
        let before = rows.len();
        let range = i64::MIN..i64::MAX;
        for batch in pick::rows_of_all(part, &range, &["series", "timestamp", "value"]).unwrap() {
            let batch = batch.unwrap();
            rows.extend((0..batch.num_rows()).map(|row| PointRow {
                series: SeriesId::from_key(text_at(&batch, 0, row)).unwrap(),
                at_ms: time_at(&batch, 1, row) / 1_000,
                value: double_at(&batch, 2, row).unwrap(),
            }));
        }
        assert_eq!(rows.len() - before, part.row().rows as usize);
        assert!(rows[before..].is_sorted_by(|a, b| (a.series, a.at_ms) < (b.series, b.at_ms)), "{part:?}");
    }
    for segment in &view.segments {
        segment.each_point(&EVER, |point| rows.push(point));
    }
    rows.sort_by(PointRow::order);
    rows
}

/// What `row` makes of every row of a tier's parts.
pub(crate) fn on_disk<T>(engine: &Duck, view: &View, tier: Tier, row: fn(&[Value]) -> T) -> Vec<T> {
    let parts: Vec<_> = view.parts.iter().filter(|part| part.row().tier == tier).collect();
    if parts.is_empty() {
        return Vec::new();
    }
    let sql = format!("SELECT * FROM read_parquet({})", file_list(parts));
    let read = |connection: &duckdb::Connection| {
        let mut statement = connection.prepare(&sql)?;
        let mut found = statement.query([])?;
        let mut rows = Vec::new();
        while let Some(next) = found.next()? {
            let columns = next.as_ref().column_count();
            let values: Vec<Value> = (0..columns).map(|place| next.get(place)).collect::<Result<_, _>>()?;
            rows.push(row(&values));
        }
        Ok::<_, TsdbError>(rows)
    };
    engine.run_blocking(read).unwrap()
}

pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => panic!("a text was expected: {other:?}"),
    }
}

pub(crate) fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Double(double) => Some(*double),
        Value::Null => None,
        other => panic!("a double was expected: {other:?}"),
    }
}

pub(crate) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::BigInt(number) => Some(u64::try_from(*number).unwrap()),
        Value::Null => None,
        other => panic!("an integer was expected: {other:?}"),
    }
}

pub(crate) fn moment(value: &Value) -> Timestamp {
    match value {
        Value::Timestamp(duckdb::types::TimeUnit::Microsecond, micros) => Timestamp::from_micros(*micros),
        other => panic!("a moment was expected: {other:?}"),
    }
}

/// A row of [`crate::tsdb::schema::RAW`].
fn sample_of(row: &[Value]) -> OwnedSample {
    let further = match &row[9] {
        Value::Map(pairs) => pairs.iter().map(|(name, value)| (text(name), double(value).unwrap())).collect(),
        Value::Null => Vec::new(),
        other => panic!("a map was expected: {other:?}"),
    };
    OwnedSample {
        agent_id: agent_id(&text(&row[0])),
        stream: number(&row[7]).zip(number(&row[8])),
        timestamp: moment(&row[1]),
        status: text(&row[6]),
        metrics: Measurements {
            cpu: double(&row[2]),
            ram: double(&row[3]),
            disk: double(&row[4]),
            latency: double(&row[5]),
            further,
        },
    }
}

/// A row of [`crate::tsdb::schema::SCANS`].
fn scan_of(row: &[Value]) -> OwnedScan {
    let hosts: Vec<pingup_protocol::discovery::Host> = serde_json::from_str(&text(&row[6])).unwrap();
    assert_eq!(number(&row[5]), Some(hosts.len() as u64));
    let networks = match &row[7] {
        Value::Null => Vec::new(),
        said => serde_json::from_str(&text(said)).unwrap(),
    };
    OwnedScan {
        agent_id: agent_id(&text(&row[0])),
        stream: number(&row[3]).zip(number(&row[4])),
        timestamp: moment(&row[1]),
        scan: Scan { duration: double(&row[2]).unwrap(), networks, hosts },
    }
}
