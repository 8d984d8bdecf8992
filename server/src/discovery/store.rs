//! The scans' tables from the readers' side.

use super::{FoundScan, Listing, PAGE_BYTES_MAX, Place, Range};
use crate::storage::StorageError;
use duckdb::{
    Connection, params,
    types::{FromSqlError, TimeUnit, Type, Value},
};
use pingup_protocol::{discovery::Host, time::Timestamp};
use std::error::Error;

/// What a host takes on a page beside its texts and ports, about.
const HOST_BYTES: usize = 96;
/// What a port takes on a page.
const PORT_BYTES: usize = 6;

/// A page of an agent's scans, newest first.
pub(super) fn scans(
    connection: &Connection,
    agent_id: &str,
    range: &Range,
    page_bytes_max: usize,
) -> Result<Listing, StorageError> {
    // All questions see the same rows.
    let transaction = connection.unchecked_transaction()?;
    let found = found(&transaction, agent_id, range)?;
    let (mut items, mut bytes) = (Vec::new(), 0);
    for (place, duration) in found.iter().take(range.limit) {
        if bytes >= page_bytes_max {
            break;
        }
        let hosts = hosts(&transaction, agent_id, *place)?;
        bytes += hosts.iter().map(bytes_of).sum::<usize>();
        items.push(FoundScan { timestamp: Timestamp::from_micros(place.0), duration: *duration, hosts });
    }
    let last = items.len().checked_sub(1).and_then(|last| found.get(last));
    let next = last.filter(|_| found.len() > items.len()).map(|(place, _)| *place);
    Ok(Listing { items, next })
}

/// A page with the standard bound.
pub(super) fn page(connection: &Connection, agent_id: &str, range: &Range) -> Result<Listing, StorageError> {
    scans(connection, agent_id, range, PAGE_BYTES_MAX)
}

/// The places and durations of scans; one more than the page takes.
fn found(connection: &Connection, agent_id: &str, range: &Range) -> Result<Vec<(Place, f64)>, duckdb::Error> {
    let Range { from, to, before: Place(micros, boot, seq), limit } = *range;
    let before = Timestamp::from_micros(micros);
    let mut statement = connection.prepare(
        "SELECT epoch_us(scan_timestamp), coalesce(boot, -1) AS b, coalesce(seq, -1) AS s, scan_duration FROM scans
         WHERE agent_id = ? AND scan_timestamp >= ? AND scan_timestamp < ? AND scan_timestamp <= ?
           AND (scan_timestamp < ? OR b < ? OR (b = ? AND s < ?))
         ORDER BY scan_timestamp DESC, b DESC, s DESC LIMIT ?",
    )?;
    let question = params![
        agent_id,
        moment(from),
        moment(to),
        moment(before),
        moment(before),
        boot,
        boot,
        seq,
        limit as u64 + 1
    ];
    let rows = statement
        .query_map(question, |row| Ok((Place(row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?)))?;
    rows.collect()
}

/// The hosts of the scan at `place`, in the order they were stored.
fn hosts(connection: &Connection, agent_id: &str, place: Place) -> Result<Vec<Host>, duckdb::Error> {
    let mut statement = connection.prepare_cached(
        "SELECT host_ip, latency, ports, hostname, mac FROM discovery
         WHERE agent_id = ? AND scan_timestamp = ? AND coalesce(boot, -1) = ? AND coalesce(seq, -1) = ?
         ORDER BY rowid",
    )?;
    let Place(micros, boot, seq) = place;
    let question = params![agent_id, moment(Timestamp::from_micros(micros)), boot, seq];
    let rows = statement.query_map(question, |row| {
        let ip: String = row.get(0)?;
        let ports: String = row.get(2)?;
        Ok(Host {
            ip: ip.parse().map_err(|error| unreadable(0, error))?,
            latency: row.get(1)?,
            ports: serde_json::from_str(&ports).map_err(|error| unreadable(2, error))?,
            hostname: row.get(3)?,
            mac: row.get(4)?,
        })
    })?;
    rows.collect()
}

fn bytes_of(host: &Host) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    HOST_BYTES + host.ports.len() * PORT_BYTES + text(&host.hostname) + text(&host.mac)
}

/// A text that this hub cannot have written.
fn unreadable(column: usize, error: impl Error + Send + Sync + 'static) -> duckdb::Error {
    duckdb::Error::FromSqlConversionFailure(
        column,
        Type::Text,
        Box::new(FromSqlError::Other(Box::new(error))),
    )
}

fn moment(timestamp: Timestamp) -> Value {
    Value::Timestamp(TimeUnit::Microsecond, timestamp.as_micros())
}
