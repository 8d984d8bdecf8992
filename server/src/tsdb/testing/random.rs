//! For tests: dice that a seed repeats, and rows made with them.
//!
//! Measurements are quarters, so that sums are exact in any order and can be compared.

use super::agent_id;
use crate::tsdb::{
    record::{OwnedRows, OwnedSample, OwnedScan},
    rows::{Mark, MarkRow, PointRow, SeriesId},
};
use pingup_protocol::{
    discovery::{Host, Scan},
    metrics::Measurements,
    network::Network,
    time::Timestamp,
};
use std::net::IpAddr;

/// Random numbers that a seed repeats (xorshift64*).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number from 0 to `end - 1`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end
    }

    /// Once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }

    fn value(&mut self) -> f64 {
        self.below(4_000) as f64 / 4.0 - 500.0
    }

    /// One of a few agents, whose names sort otherwise than they count.
    pub(crate) fn agent(&mut self) -> &'static str {
        self.pick(&AGENTS)
    }

    /// Any measurements.
    pub(crate) fn measurements(&mut self) -> Measurements {
        let mut own = || (!self.once_in(4)).then(|| self.value());
        let (cpu, ram, disk, latency) = (own(), own(), own(), own());
        let names = ["a.first", "load1", "net.rx", "zz\u{fc}"];
        let mut further = Vec::new();
        for name in names {
            if self.once_in(3) {
                further.push((name.to_owned(), self.value()));
            }
        }
        Measurements { cpu, ram, disk, latency, further }
    }

    /// Any sample of that origin.
    pub(crate) fn sample(&mut self, agent: &str, stream: Option<(u64, u64)>, at: Timestamp) -> OwnedSample {
        let status = self.pick(&["online", "degraded", "", "w\u{e4}rmer \u{1f602}"]).to_owned();
        OwnedSample { agent_id: agent_id(agent), stream, timestamp: at, status, metrics: self.measurements() }
    }

    /// Any scan of that origin.
    pub(crate) fn scan(&mut self, agent: &str, stream: Option<(u64, u64)>, at: Timestamp) -> OwnedScan {
        let hosts = (0..self.below(4)).map(|_| self.host()).collect();
        let networks = (0..self.below(3)).map(|_| self.network()).collect();
        let scan = Scan { duration: self.below(400) as f64 / 4.0, networks, hosts };
        OwnedScan { agent_id: agent_id(agent), stream, timestamp: at, scan }
    }

    fn address(&mut self) -> IpAddr {
        match self.below(2) {
            0 => IpAddr::from([10, 0, 0, self.below(256) as u8]),
            _ => IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, self.below(65_536) as u16]),
        }
    }

    fn network(&mut self) -> Network {
        Network::new(self.address(), self.below(33) as u8).unwrap()
    }

    fn host(&mut self) -> Host {
        Host {
            ip: self.address(),
            latency: self.once_in(2).then(|| self.below(100) as f64 / 4.0),
            ports: (0..self.below(4)).map(|_| self.below(65_536) as u16).collect(),
            hostname: self.once_in(2).then(|| "\"host\" \u{1f602}".to_owned()),
            mac: self.once_in(3).then(|| "aa:bb:cc:dd:ee:ff".to_owned()),
        }
    }

    /// A point of one of a few series; its value, of a few, may be no number, or the marker that ends a series.
    pub(crate) fn point(&mut self, at_ms: i64) -> PointRow {
        let ends = [0x7ff0_0000_0000_0002, f64::NAN.to_bits(), (-0.0_f64).to_bits(), f64::INFINITY.to_bits()];
        let value = match self.below(8) {
            0 => f64::from_bits(ends[self.below(4) as usize]),
            _ => self.below(4) as f64 / 4.0,
        };
        PointRow { series: SeriesId::new(9 + self.below(4) as u32), at_ms, value }
    }

    /// Any group, with no regard to what may follow what.
    pub(crate) fn group(&mut self, rows_max: u64) -> OwnedRows {
        let mut rows = OwnedRows::default();
        for _ in 0..self.below(rows_max + 1) {
            let agent = self.agent();
            let digits = self.below(53);
            let stream = (!self.once_in(3)).then(|| (self.below(3), self.below(1 << digits)));
            let at = Timestamp::from_micros(self.below(1 << 51).cast_signed() - (1 << 48));
            match self.below(8) {
                0 => rows.scans.push(self.scan(agent, stream, at)),
                1 => {
                    let (boot, seq) = stream.unwrap_or_default();
                    let mark = Mark { seq, timestamp: self.once_in(2).then_some(at) };
                    rows.marks.push(MarkRow { agent_id: agent_id(agent), boot, mark });
                }
                _ => rows.samples.push(self.sample(agent, stream, at)),
            }
        }
        if self.once_in(2) {
            rows.points.extend((0..self.below(9)).map(|_| {
                let at_ms = self.below(1 << 42).cast_signed();
                self.point(at_ms)
            }));
        }
        rows
    }
}

/// The agents that the dice know.
pub(crate) const AGENTS: [&str; 5] = ["b", "a", "agent-10", "agent-9", "Z"];
