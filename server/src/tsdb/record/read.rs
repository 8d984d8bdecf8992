//! A record becomes a group.

use super::{
    FULL, NETWORKS, NEW_STREAM, NO_STREAM, OwnedRows, OwnedSample, OwnedScan, PLAIN, POINTS, RecordError,
    SAME_STREAM,
};
use crate::tsdb::rows::{Mark, MarkRow, PointRow, SeriesId};
use pingup_protocol::{
    discovery::{Host, Scan},
    ids::AgentId,
    metrics::Measurements,
    network::Network,
    time::Timestamp,
};
use std::net::IpAddr;

/// Reads a record.
pub fn read(bytes: &[u8]) -> Result<OwnedRows, RecordError> {
    let (form, bytes) = bytes.split_first().ok_or(RecordError::Malformed)?;
    if !(PLAIN..=FULL).contains(form) {
        return Err(RecordError::Version(*form));
    }
    let has = |what: u8| (form - PLAIN) & what != 0;
    let mut reader = Reader { bytes, last: None, with_networks: has(NETWORKS) };
    let rows = match has(POINTS) {
        true => reader.rows().and_then(|rows| Some(OwnedRows { points: reader.points()?, ..rows })),
        false => reader.rows(),
    };
    rows.filter(|_| reader.bytes.is_empty()).ok_or(RecordError::Malformed)
}

/// The agent, boot and seq if it has them, the moment.
type OwnedOrigin = (AgentId, Option<(u64, u64)>, Timestamp);

struct Reader<'a> {
    bytes: &'a [u8],
    last: Option<(AgentId, Option<u64>)>,
    with_networks: bool,
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
            points: Vec::new(),
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
        let networks = if self.with_networks { self.several(Self::network)? } else { Vec::new() };
        let scan = Scan { networks, duration: self.double()?, hosts: self.several(Self::host)? };
        Some(OwnedScan { agent_id, stream, timestamp, scan })
    }

    fn network(&mut self) -> Option<Network> {
        let address = self.address()?;
        Network::new(address, self.byte()?).ok()
    }

    fn address(&mut self) -> Option<IpAddr> {
        match self.byte()? {
            4 => self.fixed::<4>().map(IpAddr::from),
            6 => self.fixed::<16>().map(IpAddr::from),
            _ => None,
        }
    }

    fn points(&mut self) -> Option<Vec<PointRow>> {
        let mut last_ms = 0_i64;
        self.several(|reader| {
            let series = SeriesId::new(u32::try_from(reader.number()?).ok()?);
            let apart = reader.number()?;
            let at_ms = last_ms.wrapping_add((apart >> 1).cast_signed() ^ -(apart & 1).cast_signed());
            last_ms = at_ms;
            Some(PointRow { series, at_ms, value: reader.double()? })
        })
    }

    fn host(&mut self) -> Option<Host> {
        Some(Host {
            ip: self.address()?,
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
