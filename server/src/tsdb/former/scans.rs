//! The scans of the former version: a row a scan in one table, a row a host in another; here, a row a scan.

use super::{Former, agent_id, unreadable, within};
use crate::tsdb::{
    Tier, Tsdb, TsdbError,
    compact::LEVEL_FINISHED,
    head::{Segment, Sorted},
    parts::PartRow,
    record::{OwnedRows, OwnedScan},
    schema::{SCANS, double_at, integer_at, text_at, time_at},
    write::Draft,
};
use arrow::array::{Array, RecordBatch};
use pingup_protocol::{
    discovery::{Host, Scan},
    time::Timestamp,
};
use std::sync::Arc;

/// The columns of what [`query`] answers.
const AGENT: usize = 0;
const AT: usize = 1;
const DURATION: usize = 2;
const BOOT: usize = 3;
const SEQ: usize = 4;
const PLACE: usize = 5;
const IP: usize = 6;
const LATENCY: usize = 7;
const PORTS: usize = 8;
const HOSTNAME: usize = 9;
const MAC: usize = 10;

/// A row a host, and one for a scan that found nobody; in the order of the history.
fn query(day: i64) -> String {
    format!(
        "SELECT s.agent_id, s.scan_timestamp, s.scan_duration, s.boot, s.seq, s.rowid AS place,
                h.host_ip, h.latency, h.ports, h.hostname, h.mac
         FROM (SELECT *, rowid FROM former.scans WHERE {of_day}) s
         LEFT JOIN (SELECT *, rowid AS host_place FROM former.discovery WHERE {of_day}) h
           ON h.agent_id = s.agent_id AND h.scan_timestamp = s.scan_timestamp
          AND coalesce(h.boot, -1) = coalesce(s.boot, -1) AND coalesce(h.seq, -1) = coalesce(s.seq, -1)
         ORDER BY s.agent_id, s.scan_timestamp, s.boot NULLS FIRST, s.seq NULLS FIRST, place, host_place",
        of_day = within(day, "scan_timestamp"),
    )
}

impl Tsdb {
    /// A day's scans, in as many parts as they fill segments.
    pub(super) fn take_scans(&self, former: &Former, day: i64) -> Result<Vec<PartRow>, TsdbError> {
        former.order(&query(day))?;
        let (mut made, mut segment) = (Vec::new(), Segment::new(0));
        let mut open: Option<(i64, OwnedScan)> = None;
        for batch in former.read()? {
            let batch = batch?;
            for row in 0..batch.num_rows() {
                let place = integer_at(&batch, PLACE, row).unwrap_or_default();
                if open.as_ref().is_none_or(|(known, _)| *known != place) {
                    take_in(&segment, open.replace((place, scan(&batch, row)?)));
                    if segment.is_full() {
                        let full = std::mem::replace(&mut segment, Segment::new(0));
                        made.extend(self.write_scans(full)?);
                    }
                }
                if let (Some((_, open)), Some(host)) = (&mut open, host(&batch, row)?) {
                    open.scan.hosts.push(host);
                }
            }
        }
        take_in(&segment, open);
        made.extend(self.write_scans(segment)?);
        Ok(made)
    }

    fn write_scans(&self, segment: Segment) -> Result<Vec<PartRow>, TsdbError> {
        let sorted = Arc::new(Sorted::new(Arc::new(segment)));
        let mut made = Vec::new();
        for day in sorted.scan_days() {
            let draft = Draft { tier: Tier::Scans, period: day.day, level: LEVEL_FINISHED };
            let batches = sorted.scan_batches(day.rows).map(|batch| Ok(batch?));
            made.extend(self.write_part(draft, &SCANS, batches)?);
        }
        Ok(made)
    }
}

fn take_in(segment: &Segment, scan: Option<(i64, OwnedScan)>) {
    let scans = scan.into_iter().map(|(_, scan)| scan).collect();
    segment.push(&OwnedRows { scans, ..OwnedRows::default() }.borrow());
}

fn scan(batch: &RecordBatch, row: usize) -> Result<OwnedScan, TsdbError> {
    let number = |column| integer_at(batch, column, row).map(i64::unsigned_abs);
    Ok(OwnedScan {
        agent_id: agent_id(text_at(batch, AGENT, row))?,
        stream: number(BOOT).zip(number(SEQ)),
        timestamp: Timestamp::from_micros(time_at(batch, AT, row)),
        scan: Scan { duration: double_at(batch, DURATION, row).unwrap_or_default(), ..Scan::default() },
    })
}

/// The host of a row, unless it stands for a scan that found nobody.
fn host(batch: &RecordBatch, row: usize) -> Result<Option<Host>, TsdbError> {
    if batch.column(IP).is_null(row) {
        return Ok(None);
    }
    let text = |column: usize| {
        let is_there = !batch.column(column).is_null(row);
        is_there.then(|| text_at(batch, column, row).to_owned())
    };
    let (ip, ports) = (text_at(batch, IP, row), text_at(batch, PORTS, row));
    Ok(Some(Host {
        ip: ip.parse().map_err(|_| unreadable(&format!("the address {ip:?}")))?,
        latency: double_at(batch, LATENCY, row),
        ports: serde_json::from_str(ports).map_err(|_| unreadable(&format!("the ports {ports:?}")))?,
        hostname: text(HOSTNAME),
        mac: text(MAC),
    }))
}
