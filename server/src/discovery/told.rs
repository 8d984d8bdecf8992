//! Scans as JSON. Their hosts are JSON already, and are copied once: text that this program wrote is neither read nor
//! written anew.

use super::{DiscoveryError, FoundScan};
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

/// A page, and the cursor of the next one.
pub(super) fn page(items: Vec<FoundScan>, next_cursor: Option<String>) -> Result<Vec<u8>, DiscoveryError> {
    let bytes: usize = items.iter().map(|scan| SCAN_BYTES + text_bytes(scan)).sum();
    // Grown by doubling, what was written would be copied again and again.
    let mut into = Vec::with_capacity(bytes + SCAN_BYTES);
    into.extend_from_slice(br#"{"items":["#);
    for (place, scan) in items.into_iter().enumerate() {
        if place > 0 {
            into.push(b',');
        }
        write(scan, &mut into)?;
    }
    into.extend_from_slice(br#"],"nextCursor":"#);
    serde_json::to_writer(&mut into, &next_cursor)?;
    into.push(b'}');
    Ok(into)
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
