//! The hosts of chosen scans, as JSON text.
//!
//! Of those in files only as many are read as a page may take in bytes: DuckDB adds up what the newer ones take
//! before it hands any over.

use super::{DiscoveryError, Place, keys};
use crate::tsdb::{Part, View, file_list};
use arrow::{array::AsArray, datatypes::Int64Type};
use duckdb::Connection;
use pingup_protocol::{ids::AgentId, time::Timestamp};
use serde_json::value::{RawValue, to_raw_value};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Hosts by the place of their scan.
pub(super) type Hosts = HashMap<Place, Box<RawValue>>;

/// Of scans between two places, both included, in files: the newest ones whose newer ones take less than
/// `bytes_max`.
pub(super) fn on_disk(
    connection: &Connection,
    agent: &AgentId,
    parts: &[&Arc<Part>],
    (oldest, newest): (Place, Place),
    bytes_max: usize,
    hosts: &mut Hosts,
) -> Result<(), DiscoveryError> {
    let (Place(from, ..), Place(to, ..), agent) = (oldest, newest, agent.as_str());
    let Place(_, boot, seq) = newest;
    let sql = format!(
        "SELECT moment, b, s, hosts FROM (
             SELECT moment, b, s, hosts, sum(strlen(hosts)) OVER newer - strlen(hosts) AS newer_bytes FROM (
                 SELECT epoch_us(timestamp) AS moment, coalesce(boot, -1) AS b, coalesce(seq, -1) AS s, hosts
                 FROM read_parquet({})
                 WHERE agent_id = '{agent}' AND timestamp >= make_timestamp({from})
                   AND timestamp <= make_timestamp({to}))
             WHERE moment < {to} OR b < {boot} OR (b = {boot} AND s <= {seq})
             WINDOW newer AS (ORDER BY moment DESC, b DESC, s DESC ROWS UNBOUNDED PRECEDING))
         WHERE newer_bytes < {bytes_max}",
        file_list(parts.iter().copied()),
    );
    for batch in connection.prepare(&sql)?.query_arrow([])? {
        let integers = |place: usize| batch.column(place).as_primitive_opt::<Int64Type>();
        let texts = batch.column(3).as_string_opt::<i32>().ok_or(DiscoveryError::Columns)?;
        let (Some(at), Some(boots), Some(seqs)) = (integers(0), integers(1), integers(2)) else {
            return Err(DiscoveryError::Columns);
        };
        for row in 0..batch.num_rows() {
            let place = Place(at.value(row), boots.value(row), seqs.value(row));
            hosts.insert(place, RawValue::from_string(texts.value(row).to_owned())?);
        }
    }
    Ok(())
}

/// Of the scans at `places`, in memory.
pub(super) fn in_memory(
    view: &View,
    agent: &AgentId,
    places: &HashSet<Place>,
    hosts: &mut Hosts,
) -> Result<(), DiscoveryError> {
    let moments = places.iter().map(|Place(at, ..)| *at);
    let (Some(first), Some(last)) = (moments.clone().min(), moments.max()) else { return Ok(()) };
    let range = Timestamp::from_micros(first)..Timestamp::from_micros(last.saturating_add(1));
    let mut failed = None;
    for segment in &view.segments {
        segment.each_scan(agent.as_str(), &range, |scan| {
            let place = keys::place(scan.timestamp(), scan.stream());
            if places.contains(&place) {
                match to_raw_value(scan.hosts()) {
                    Ok(text) => drop(hosts.insert(place, text)),
                    Err(error) => failed = Some(error),
                }
            }
        });
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}
