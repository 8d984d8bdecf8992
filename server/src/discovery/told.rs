//! Scans as JSON. Their hosts are JSON already, and are copied once: text that this program wrote is neither read nor
//! written anew.

use super::{DiscoveryError, FoundScan, PAGE_BYTES_MAX};
use pingup_protocol::time::Timestamp;
use serde::Serialize;

/// What a scan takes beside its hosts and networks, at most.
const SCAN_BYTES: usize = 160;

/// A scan without its hosts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    timestamp: Timestamp,
    duration: f64,
    host_count: u64,
}

/// A page that is being written.
pub(super) struct Page {
    into: Vec<u8>,
    scans: usize,
    scans_max: usize,
}

impl Page {
    /// Of so many scans at most.
    pub(super) fn begin(scans_max: usize) -> Self {
        Self { into: br#"{"items":["#.to_vec(), scans: 0, scans_max }
    }

    /// Writes the next scan, and lets go of it.
    pub(super) fn push(&mut self, scan: FoundScan) -> Result<(), DiscoveryError> {
        match self.scans {
            0 => {
                // The others take about what the first one does. What is not written to takes no memory, and grown by
                // doubling, what was written would be copied again and again.
                let bytes = (SCAN_BYTES + text_bytes(&scan)).saturating_mul(self.scans_max);
                self.into.reserve(bytes.min(PAGE_BYTES_MAX + PAGE_BYTES_MAX / 8));
            }
            _ => self.into.push(b','),
        }
        self.scans += 1;
        write(scan, &mut self.into)
    }

    /// Ends it with the cursor of the next one.
    pub(super) fn end(mut self, next_cursor: Option<&str>) -> Result<Vec<u8>, DiscoveryError> {
        self.into.extend_from_slice(br#"],"nextCursor":"#);
        serde_json::to_writer(&mut self.into, &next_cursor)?;
        self.into.push(b'}');
        Ok(self.into)
    }
}

/// A scan.
pub(super) fn one(scan: FoundScan) -> Result<Vec<u8>, DiscoveryError> {
    let mut into = Vec::with_capacity(SCAN_BYTES + text_bytes(&scan));
    write(scan, &mut into)?;
    Ok(into)
}

/// Writes a scan, and lets go of it.
fn write(scan: FoundScan, into: &mut Vec<u8>) -> Result<(), DiscoveryError> {
    let FoundScan { timestamp, duration, host_count, networks, hosts } = scan;
    serde_json::to_writer(&mut *into, &Head { timestamp, duration, host_count })?;
    for (name, text) in [("networks", networks), ("hosts", hosts)] {
        let Some(text) = text else { continue };
        // In place of its last brace.
        into.pop();
        into.extend_from_slice(br#",""#);
        into.extend_from_slice(name.as_bytes());
        into.extend_from_slice(br#"":"#);
        into.extend_from_slice(text.as_bytes());
        into.push(b'}');
    }
    Ok(())
}

/// What hosts and networks of a scan take.
fn text_bytes(scan: &FoundScan) -> usize {
    [&scan.networks, &scan.hosts].into_iter().flatten().map(|text| text.len()).sum()
}
