//! A group as one record of the journal, and back.
//!
//! Little endian, numbers as LEB128 where they are small as a rule. A row names its stream only where it
//! differs from the row before: a batch says whose it is once. The journal's checksum guards the bytes, so a
//! record that cannot be read was written by another version of this program, and is refused as a whole.

use super::rows::{Mark, MarkRow, Origin, Rows, SampleRow, ScanRow};
use pingup_protocol::{
    discovery::{Host, Scan},
    ids::AgentId,
    metrics::Measurements,
    time::Timestamp,
};
use std::net::IpAddr;

/// The form that this program writes.
const VERSION: u8 = 1;
/// What a sample takes in a record, about; for reserving.
const SAMPLE_BYTES: usize = 64;

/// What stands in front of a row.
const SAME_STREAM: u8 = 0;
const NEW_STREAM: u8 = 1;
const NO_STREAM: u8 = 2;

/// A record that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Another version's.
    #[error("a record of version {0}; this program reads {VERSION}")]
    Version(u8),
    /// Not what this program writes.
    #[error("a record that ends early or names what cannot be")]
    Malformed,
}

/// A sample, read back.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedSample {
    /// The agent.
    pub agent_id: AgentId,
    /// Boot and seq, if it has them.
    pub stream: Option<(u64, u64)>,
    /// When it was measured.
    pub timestamp: Timestamp,
    /// The agent's word.
    pub status: String,
    /// What was measured.
    pub metrics: Measurements,
}

/// A scan, read back.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedScan {
    /// The agent.
    pub agent_id: AgentId,
    /// Boot and seq, if it has them.
    pub stream: Option<(u64, u64)>,
    /// When it began.
    pub timestamp: Timestamp,
    /// What was found.
    pub scan: Scan,
}

/// A group, read back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnedRows {
    /// Samples, in the order they came.
    pub samples: Vec<OwnedSample>,
    /// Scans, in the order they came.
    pub scans: Vec<OwnedScan>,
    /// Marks of numbers without a row.
    pub marks: Vec<MarkRow>,
}

impl OwnedRows {
    /// The same, borrowed as the ingest hands it over.
    pub fn borrow(&self) -> Rows<'_> {
        let origin = |agent_id, stream, timestamp| Origin { agent_id, stream, timestamp };
        Rows {
            samples: self
                .samples
                .iter()
                .map(|row| SampleRow {
                    origin: origin(&row.agent_id, row.stream, row.timestamp),
                    status: &row.status,
                    metrics: &row.metrics,
                })
                .collect(),
            scans: self
                .scans
                .iter()
                .map(|row| ScanRow {
                    origin: origin(&row.agent_id, row.stream, row.timestamp),
                    scan: &row.scan,
                })
                .collect(),
            marks: self.marks.clone(),
        }
    }
}

/// Writes `rows` over what `out` held.
pub fn write(rows: &Rows<'_>, out: &mut Vec<u8>) {
    out.clear();
    out.reserve(rows.samples.len() * SAMPLE_BYTES);
    let mut writer = Writer { out, last: None };
    writer.out.push(VERSION);
    writer.count(rows.samples.len());
    for row in &rows.samples {
        writer.origin(&row.origin);
        writer.text(row.status);
        writer.measurements(row.metrics);
    }
    writer.count(rows.scans.len());
    for row in &rows.scans {
        writer.origin(&row.origin);
        writer.scan(row.scan);
    }
    writer.count(rows.marks.len());
    for MarkRow { agent_id, boot, mark } in &rows.marks {
        writer.text(agent_id.as_str());
        writer.number(*boot);
        writer.number(mark.seq);
        writer.option(mark.timestamp.as_ref(), |writer, at| writer.fixed(at.as_micros().to_le_bytes()));
    }
}

/// Reads a record.
pub fn read(bytes: &[u8]) -> Result<OwnedRows, RecordError> {
    let mut reader = Reader { bytes, last: None };
    match reader.byte().ok_or(RecordError::Malformed)? {
        VERSION => reader.rows().filter(|_| reader.bytes.is_empty()).ok_or(RecordError::Malformed),
        other => Err(RecordError::Version(other)),
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

    fn scan(&mut self, scan: &Scan) {
        self.fixed(scan.duration.to_le_bytes());
        self.count(scan.hosts.len());
        for host in &scan.hosts {
            match host.ip {
                IpAddr::V4(ip) => {
                    self.out.push(4);
                    self.fixed(ip.octets());
                }
                IpAddr::V6(ip) => {
                    self.out.push(6);
                    self.fixed(ip.octets());
                }
            }
            self.option(host.latency, |writer, latency| writer.fixed(latency.to_le_bytes()));
            self.count(host.ports.len());
            host.ports.iter().for_each(|port| self.fixed(port.to_le_bytes()));
            self.option(host.hostname.as_deref(), Self::text);
            self.option(host.mac.as_deref(), Self::text);
        }
    }
}

/// The agent, boot and seq if it has them, the moment.
type OwnedOrigin = (AgentId, Option<(u64, u64)>, Timestamp);

struct Reader<'a> {
    bytes: &'a [u8],
    last: Option<(AgentId, Option<u64>)>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|taken| taken[0])
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// A count of things that take at least one byte each: never more than there are bytes.
    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|count| *count <= self.bytes.len())
    }

    fn text(&mut self) -> Option<&'a str> {
        let count = self.count()?;
        std::str::from_utf8(self.take(count)?).ok()
    }

    fn owned(&mut self) -> Option<String> {
        self.text().map(str::to_owned)
    }

    fn double(&mut self) -> Option<f64> {
        self.fixed().map(f64::from_le_bytes)
    }

    fn moment(&mut self) -> Option<Timestamp> {
        self.fixed().map(|bytes| Timestamp::from_micros(i64::from_le_bytes(bytes)))
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.byte()? {
            0 => Some(None),
            1 => read(self).map(Some),
            _ => None,
        }
    }

    fn several<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.count()?;
        (0..count).map(|_| read(self)).collect()
    }

    fn rows(&mut self) -> Option<OwnedRows> {
        Some(OwnedRows {
            samples: self.several(Self::sample)?,
            scans: self.several(Self::scan)?,
            marks: self.several(Self::mark)?,
        })
    }

    fn origin(&mut self) -> Option<OwnedOrigin> {
        match self.byte()? {
            SAME_STREAM => {}
            tag @ (NEW_STREAM | NO_STREAM) => {
                let agent_id = AgentId::parse(self.text()?).ok()?;
                let boot = if tag == NEW_STREAM { Some(self.number()?) } else { None };
                self.last = Some((agent_id, boot));
            }
            _ => return None,
        }
        let (agent_id, boot) = self.last.clone()?;
        let stream = match boot {
            Some(boot) => Some((boot, self.number()?)),
            None => None,
        };
        Some((agent_id, stream, self.moment()?))
    }

    fn sample(&mut self) -> Option<OwnedSample> {
        let (agent_id, stream, timestamp) = self.origin()?;
        let status = self.owned()?;
        let there = self.byte()?;
        let mut own = |place: u8| match there >> place & 1 {
            0 => Some(None),
            _ => self.double().map(Some),
        };
        let (cpu, ram, disk, latency) = (own(0)?, own(1)?, own(2)?, own(3)?);
        let further = self.several(|reader| Some((reader.owned()?, reader.double()?)))?;
        let metrics = Measurements { cpu, ram, disk, latency, further };
        Some(OwnedSample { agent_id, stream, timestamp, status, metrics })
    }

    fn scan(&mut self) -> Option<OwnedScan> {
        let (agent_id, stream, timestamp) = self.origin()?;
        let scan = Scan { duration: self.double()?, hosts: self.several(Self::host)? };
        Some(OwnedScan { agent_id, stream, timestamp, scan })
    }

    fn host(&mut self) -> Option<Host> {
        let ip = match self.byte()? {
            4 => IpAddr::from(self.fixed::<4>()?),
            6 => IpAddr::from(self.fixed::<16>()?),
            _ => return None,
        };
        Some(Host {
            ip,
            latency: self.option(Self::double)?,
            ports: self.several(|reader| reader.fixed().map(u16::from_le_bytes))?,
            hostname: self.option(Self::owned)?,
            mac: self.option(Self::owned)?,
        })
    }

    fn mark(&mut self) -> Option<MarkRow> {
        let agent_id = AgentId::parse(self.text()?).ok()?;
        let (boot, seq) = (self.number()?, self.number()?);
        let timestamp = self.option(Self::moment)?;
        Some(MarkRow { agent_id, boot, mark: Mark { seq, timestamp } })
    }
}

#[cfg(test)]
mod tests;
