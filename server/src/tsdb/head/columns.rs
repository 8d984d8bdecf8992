//! What a segment holds, column by column, and what that takes in memory: told by the types of what is held.
//!
//! Texts are told once and then by their number; a sample is a row number, the same in every column.

use super::{SEGMENT_ROWS_MAX, place, points::Points};
use crate::tsdb::{
    rows::{Mark, MarkRow, Origin, PointRow, SampleRow, ScanRow},
    schema::OWN_COLUMNS,
};
use foldhash::HashMap;
use pingup_protocol::{discovery::Host, ids::AgentId, network::Network};

/// What a sample takes beside its further measurements: a cell of each column, and its place among its agent's.
const SAMPLE_BYTES: usize =
    4 * size_of::<u32>() + size_of::<u64>() + size_of::<i64>() + OWN_COLUMNS.len() * size_of::<f64>();
/// What a further measurement takes.
const FURTHER_BYTES: usize = size_of::<Further>();
/// What a scan takes beside its networks and hosts: itself, and its place among its agent's.
const SCAN_BYTES: usize = size_of::<HeadScan>() + size_of::<u32>();
/// What a name takes beside its text, which is kept twice: 40 bytes, and what table and list have room for when they
/// have just grown, which is as much again.
const NAME_BYTES: usize = 96;
/// What an agent, its index and one stream take, about.
const AGENT_BYTES: usize = 256;

/// What a stream takes beside its agent.
const STREAM_BYTES: usize = 96;
/// What a mark without a row takes, in the journal if not in memory: segments end by it too.
const MARK_BYTES: usize = 48;

/// A text told once and then by its number.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) numbers: HashMap<Box<str>, u32>,
    pub(super) texts: Vec<Box<str>>,
    pub(super) bytes: usize,
}

impl Names {
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = place(self.texts.len());
        self.numbers.insert(text.into(), number);
        self.texts.push(text.into());
        self.bytes += NAME_BYTES + 2 * text.len();
        number
    }

    pub(super) fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", |text| text)
    }
}

#[derive(Debug)]
pub(super) struct Agent {
    pub(super) id: AgentId,
    /// Boots, and the streams' numbers.
    pub(super) streams: Vec<(Option<u64>, u32)>,
    pub(super) samples: Vec<u32>,
    pub(super) scans: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) agent: u32,
    pub(super) boot: Option<u64>,
    pub(super) mark: Option<Mark>,
}

#[derive(Debug)]
pub(super) struct HeadScan {
    pub(super) stream: u32,
    pub(super) seq: u64,
    pub(super) at: i64,
    pub(super) duration: f64,
    pub(super) networks: Box<[Network]>,
    pub(super) hosts: Vec<Host>,
}

/// A further measurement: its name's number, and its value.
pub(super) type Further = (u32, f64);

#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) numbers: HashMap<AgentId, u32>,
    pub(super) agents: Vec<Agent>,
    pub(super) streams: Vec<Stream>,
    pub(super) statuses: Names,
    pub(super) names: Names,
    pub(super) stream: Vec<u32>,
    pub(super) seq: Vec<u64>,
    pub(super) at: Vec<i64>,
    /// NaN for what was not measured; a measurement is finite.
    pub(super) own: [Vec<f64>; OWN_COLUMNS.len()],
    pub(super) status: Vec<u32>,
    /// Where a row's further measurements end; they begin where the row's before ended.
    pub(super) further_end: Vec<u32>,
    pub(super) further: Vec<Further>,
    pub(super) scans: Vec<HeadScan>,
    pub(super) points: Points,
    pub(super) bytes: usize,
}

/// What hosts take in memory.
pub(super) fn bytes_of(hosts: &[Host]) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let heap = |host: &Host| size_of_val(&host.ports[..]) + text(&host.hostname) + text(&host.mac);
    hosts.iter().map(|host| size_of::<Host>() + heap(host)).sum()
}

impl Columns {
    /// Room for a full segment and some: growing would copy all of it, and hold it twice meanwhile. Memory that is
    /// not written to costs nothing.
    pub(super) fn with_room() -> Self {
        const ROWS: usize = SEGMENT_ROWS_MAX + SEGMENT_ROWS_MAX / 4;
        Self {
            stream: Vec::with_capacity(ROWS),
            seq: Vec::with_capacity(ROWS),
            at: Vec::with_capacity(ROWS),
            own: std::array::from_fn(|_| Vec::with_capacity(ROWS)),
            status: Vec::with_capacity(ROWS),
            further_end: Vec::with_capacity(ROWS),
            ..Self::default()
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.statuses.bytes + self.names.bytes + self.points.bytes()
    }

    pub(super) fn agent(&self, agent_id: &str) -> Option<&Agent> {
        self.agents.get(*self.numbers.get(agent_id)? as usize)
    }

    fn agent_number(&mut self, agent_id: &AgentId) -> u32 {
        if let Some(number) = self.numbers.get(agent_id.as_str()) {
            return *number;
        }
        let number = place(self.agents.len());
        self.numbers.insert(agent_id.clone(), number);
        self.agents.push(Agent {
            id: agent_id.clone(),
            // One, as a rule.
            streams: Vec::with_capacity(1),
            samples: Vec::new(),
            scans: Vec::new(),
        });
        self.bytes += AGENT_BYTES;
        number
    }

    fn stream_number(&mut self, agent: u32, boot: Option<u64>) -> u32 {
        let known = &self.agents[agent as usize].streams;
        if let Some((_, number)) = known.iter().find(|(known, _)| *known == boot) {
            return *number;
        }
        let number = place(self.streams.len());
        self.streams.push(Stream { agent, boot, mark: None });
        self.agents[agent as usize].streams.push((boot, number));
        self.bytes += STREAM_BYTES;
        number
    }

    /// The agent's and the stream's numbers, the stream's mark moved on.
    fn origin(&mut self, origin: &Origin<'_>) -> (u32, u32, u64) {
        let agent = self.agent_number(origin.agent_id);
        let stream = self.stream_number(agent, origin.stream.map(|(boot, _)| boot));
        let seq = origin.stream.map_or(0, |(_, seq)| seq);
        if origin.stream.is_some() {
            self.move_mark(stream, Mark { seq, timestamp: Some(origin.timestamp) });
        }
        (agent, stream, seq)
    }

    fn move_mark(&mut self, stream: u32, mark: Mark) {
        let known = &mut self.streams[stream as usize].mark;
        if known.is_none_or(|known| known.seq < mark.seq) {
            *known = Some(mark);
        }
    }

    pub(super) fn sample(&mut self, row: &SampleRow<'_>) {
        let (agent, stream, seq) = self.origin(&row.origin);
        let number = place(self.at.len());
        self.agents[agent as usize].samples.push(number);
        self.stream.push(stream);
        self.seq.push(seq);
        self.at.push(row.origin.timestamp.as_micros());
        let metrics = row.metrics;
        let own = [metrics.cpu, metrics.ram, metrics.disk, metrics.latency];
        self.own.iter_mut().zip(own).for_each(|(column, value)| column.push(value.unwrap_or(f64::NAN)));
        let status = self.statuses.number(row.status);
        self.status.push(status);
        for (name, value) in &metrics.further {
            let name = self.names.number(name);
            self.further.push((name, *value));
        }
        self.further_end.push(place(self.further.len()));
        self.bytes += SAMPLE_BYTES + metrics.further.len() * FURTHER_BYTES;
    }

    pub(super) fn scan(&mut self, row: &ScanRow<'_>) {
        let (agent, stream, seq) = self.origin(&row.origin);
        self.agents[agent as usize].scans.push(place(self.scans.len()));
        self.bytes += SCAN_BYTES + size_of_val(&row.scan.networks[..]) + bytes_of(&row.scan.hosts);
        self.scans.push(HeadScan {
            stream,
            seq,
            at: row.origin.timestamp.as_micros(),
            duration: row.scan.duration,
            networks: row.scan.networks.as_slice().into(),
            hosts: row.scan.hosts.clone(),
        });
    }

    pub(super) fn mark(&mut self, row: &MarkRow) {
        let agent = self.agent_number(&row.agent_id);
        let stream = self.stream_number(agent, Some(row.boot));
        self.move_mark(stream, row.mark);
        self.bytes += MARK_BYTES;
    }

    pub(super) fn points(&mut self, points: &[PointRow]) {
        self.points.push(points);
    }

    pub(super) fn further(&self, row: u32) -> &[Further] {
        let row = row as usize;
        let begin = row.checked_sub(1).map_or(0, |before| self.further_end[before]);
        &self.further[begin as usize..self.further_end[row] as usize]
    }

    /// The agent and boot of a stream.
    pub(super) fn whose(&self, stream: u32) -> (&AgentId, Option<u64>) {
        let stream = &self.streams[stream as usize];
        (&self.agents[stream.agent as usize].id, stream.boot)
    }
}
