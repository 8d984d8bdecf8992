//! A group becomes a record.

use super::{NETWORKS, NEW_STREAM, NO_STREAM, PLAIN, POINTS, SAME_STREAM};
use crate::tsdb::rows::{MarkRow, Origin, PointRow, Rows};
use pingup_protocol::{discovery::Scan, ids::AgentId, metrics::Measurements, network::Network};
use std::net::IpAddr;

/// What a sample takes in a record, about; for reserving.
const SAMPLE_BYTES: usize = 64;

/// Writes `rows` over what `out` held.
pub fn write(rows: &Rows<'_>, out: &mut Vec<u8>) {
    out.clear();
    out.reserve(rows.samples.len() * SAMPLE_BYTES);
    let mut writer = Writer { out, last: None };
    let with_networks = rows.scans.iter().any(|row| !row.scan.networks.is_empty());
    let with_points = !rows.points.is_empty();
    writer.out.push(PLAIN + NETWORKS * u8::from(with_networks) + POINTS * u8::from(with_points));
    writer.count(rows.samples.len());
    for row in &rows.samples {
        writer.origin(&row.origin);
        writer.text(row.status);
        writer.measurements(row.metrics);
    }
    writer.count(rows.scans.len());
    for row in &rows.scans {
        writer.origin(&row.origin);
        if with_networks {
            writer.networks(&row.scan.networks);
        }
        writer.scan(row.scan);
    }
    writer.count(rows.marks.len());
    for MarkRow { agent_id, boot, mark } in &rows.marks {
        writer.text(agent_id.as_str());
        writer.number(*boot);
        writer.number(mark.seq);
        writer.option(mark.timestamp.as_ref(), |writer, at| writer.fixed(at.as_micros().to_le_bytes()));
    }
    if with_points {
        writer.points(&rows.points);
    }
}

struct Writer<'a, 'r> {
    out: &'a mut Vec<u8>,
    last: Option<(&'r AgentId, Option<u64>)>,
}

impl<'r> Writer<'_, 'r> {
    fn fixed<const N: usize>(&mut self, bytes: [u8; N]) {
        self.out.extend_from_slice(&bytes);
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.out.extend_from_slice(text.as_bytes());
    }

    fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.out.push(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn origin(&mut self, origin: &Origin<'r>) {
        let stream = (origin.agent_id, origin.stream.map(|(boot, _)| boot));
        if self.last == Some(stream) {
            self.out.push(SAME_STREAM);
        } else {
            self.out.push(if stream.1.is_some() { NEW_STREAM } else { NO_STREAM });
            self.text(origin.agent_id.as_str());
            if let Some(boot) = stream.1 {
                self.number(boot);
            }
            self.last = Some(stream);
        }
        if let Some((_, seq)) = origin.stream {
            self.number(seq);
        }
        self.fixed(origin.timestamp.as_micros().to_le_bytes());
    }

    fn measurements(&mut self, metrics: &Measurements) {
        let own = [metrics.cpu, metrics.ram, metrics.disk, metrics.latency];
        let there = own.iter().enumerate().map(|(place, value)| u8::from(value.is_some()) << place);
        self.out.push(there.sum());
        for value in own.into_iter().flatten() {
            self.fixed(value.to_le_bytes());
        }
        self.count(metrics.further.len());
        for (name, value) in &metrics.further {
            self.text(name);
            self.fixed(value.to_le_bytes());
        }
    }

    fn networks(&mut self, networks: &[Network]) {
        self.count(networks.len());
        for network in networks {
            self.address(network.address());
            self.out.push(network.prefix_len());
        }
    }

    fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(ip) => {
                self.out.push(4);
                self.fixed(ip.octets());
            }
            IpAddr::V6(ip) => {
                self.out.push(6);
                self.fixed(ip.octets());
            }
        }
    }

    /// A moment as its distance from the one before: those of a series mostly come together.
    fn points(&mut self, points: &[&[PointRow]]) {
        self.count(points.iter().map(|points| points.len()).sum());
        let mut last_ms = 0_i64;
        for PointRow { series, at_ms, value } in points.iter().copied().flatten() {
            self.number(series.number().into());
            let apart = at_ms.wrapping_sub(last_ms);
            self.number((apart << 1 ^ apart >> 63).cast_unsigned());
            self.fixed(value.to_bits().to_le_bytes());
            last_ms = *at_ms;
        }
    }

    fn scan(&mut self, scan: &Scan) {
        self.fixed(scan.duration.to_le_bytes());
        self.count(scan.hosts.len());
        for host in &scan.hosts {
            self.address(host.ip);
            self.option(host.latency, |writer, latency| writer.fixed(latency.to_le_bytes()));
            self.count(host.ports.len());
            host.ports.iter().for_each(|port| self.fixed(port.to_le_bytes()));
            self.option(host.hostname.as_deref(), Self::text);
            self.option(host.mac.as_deref(), Self::text);
        }
    }
}
