//! Rows as Arrow batches, column by column in the form DuckDB's appender takes without a look at each value.

use super::{
    group::{Origin, SampleRow, ScanRow},
    marks::MarkRow,
};
use arrow::{
    array::{
        ArrayRef, Float64Array, Float64Builder, Int32Array, Int64Array, MapBuilder, MapFieldNames,
        RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
    },
    error::ArrowError,
};
use pingup_protocol::{discovery::Host, time::Timestamp};
use std::sync::Arc;

/// Rows of one batch: DuckDB's vector size. A larger batch would be cut by the appender, and its maps with it,
/// each piece copied whole.
pub(super) const BATCH_ROWS_MAX: usize = 2_048;

/// Samples as rows of `metrics`; at most [`BATCH_ROWS_MAX`] at once.
pub(super) fn samples(rows: &[SampleRow<'_>]) -> Result<RecordBatch, ArrowError> {
    let (agent_id, timestamp, boot, seq) = origins(rows.iter().map(|row| row.origin));
    batch([
        ("agent_id", agent_id),
        ("timestamp", timestamp),
        ("cpu", doubles(rows.iter().map(|row| row.metrics.cpu))),
        ("ram", doubles(rows.iter().map(|row| row.metrics.ram))),
        ("disk", doubles(rows.iter().map(|row| row.metrics.disk))),
        ("latency", doubles(rows.iter().map(|row| row.metrics.latency))),
        ("status", texts(rows.iter().map(|row| Some(row.status)))),
        ("boot", boot),
        ("seq", seq),
        ("further", further(rows)?),
    ])
}

/// Scans as rows of `scans`; at most [`BATCH_ROWS_MAX`] at once.
pub(super) fn scans(rows: &[ScanRow<'_>]) -> Result<RecordBatch, ArrowError> {
    let (agent_id, timestamp, boot, seq) = origins(rows.iter().map(|row| row.origin));
    let hosts = rows.iter().map(|row| i32::try_from(row.scan.hosts.len()).ok());
    batch([
        ("agent_id", agent_id),
        ("scan_timestamp", timestamp),
        ("scan_duration", doubles(rows.iter().map(|row| Some(row.scan.duration)))),
        ("hosts", Arc::new(Int32Array::from_iter(hosts))),
        ("boot", boot),
        ("seq", seq),
    ])
}

/// Hosts of scans as rows of `discovery`; at most [`BATCH_ROWS_MAX`] at once.
pub(super) fn hosts(rows: &[(ScanRow<'_>, &Host)]) -> Result<RecordBatch, ArrowError> {
    let (agent_id, timestamp, boot, seq) = origins(rows.iter().map(|(row, _)| row.origin));
    let ips: Vec<_> = rows.iter().map(|(_, host)| host.ip.to_string()).collect();
    let ports: Vec<_> = rows.iter().map(|(_, host)| json_list(&host.ports)).collect();
    batch([
        ("agent_id", agent_id),
        ("scan_timestamp", timestamp),
        ("host_ip", texts(ips.iter().map(|ip| Some(ip.as_str())))),
        ("latency", doubles(rows.iter().map(|(_, host)| host.latency))),
        ("ports", texts(ports.iter().map(|ports| Some(ports.as_str())))),
        ("scan_duration", doubles(rows.iter().map(|(row, _)| Some(row.scan.duration)))),
        ("hostname", texts(rows.iter().map(|(_, host)| host.hostname.as_deref()))),
        ("mac", texts(rows.iter().map(|(_, host)| host.mac.as_deref()))),
        ("boot", boot),
        ("seq", seq),
    ])
}

/// Marks as rows of `marks`; at most [`BATCH_ROWS_MAX`] at once.
pub(super) fn marks(rows: &[MarkRow]) -> Result<RecordBatch, ArrowError> {
    batch([
        ("agent_id", texts(rows.iter().map(|row| Some(row.agent_id.as_str())))),
        ("boot", integers(rows.iter().map(|row| Some(row.boot)))),
        ("seq", integers(rows.iter().map(|row| Some(row.mark.seq)))),
        ("timestamp", times(rows.iter().map(|row| row.mark.timestamp))),
    ])
}

fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
}

/// The columns that every row of an agent has: its id, the timestamp, boot and seq.
fn origins<'a>(
    origins: impl Iterator<Item = Origin<'a>> + Clone,
) -> (ArrayRef, ArrayRef, ArrayRef, ArrayRef) {
    (
        texts(origins.clone().map(|origin| Some(origin.agent_id.as_str()))),
        times(origins.clone().map(|origin| Some(origin.timestamp))),
        integers(origins.clone().map(|origin| origin.stream.map(|(boot, _)| boot))),
        integers(origins.map(|origin| origin.stream.map(|(_, seq)| seq))),
    )
}

fn doubles(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from_iter(values))
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

fn times(values: impl Iterator<Item = Option<Timestamp>>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter(values.map(|time| time.map(Timestamp::as_micros))))
}

/// The protocol's integers end at 2^53 − 1.
fn integers(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    Arc::new(Int64Array::from_iter(values.map(|value| value.and_then(|value| i64::try_from(value).ok()))))
}

fn further(rows: &[SampleRow<'_>]) -> Result<ArrayRef, ArrowError> {
    let names =
        MapFieldNames { entry: "entries".to_owned(), key: "keys".to_owned(), value: "values".to_owned() };
    let mut map = MapBuilder::new(Some(names), StringBuilder::new(), Float64Builder::new());
    for row in rows {
        for (name, value) in &row.metrics.further {
            map.keys().append_value(name);
            map.values().append_value(*value);
        }
        map.append(!row.metrics.further.is_empty())?;
    }
    Ok(Arc::new(map.finish()))
}

fn json_list(ports: &[u16]) -> String {
    let mut text = String::with_capacity(2 + 6 * ports.len());
    text.push('[');
    for (place, port) in ports.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(&port.to_string());
    }
    text.push(']');
    text
}
