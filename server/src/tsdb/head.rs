//! The head: the newest rows, in memory, as columns. Each is in the journal before it is here.
//!
//! A head is a row of [`Segment`]s, one for each segment of the journal that is not sealed yet. A row is some
//! 60 bytes: names are kept once a segment, streams once an agent. Readers copy what they ask for under a
//! short lock, an agent's rows by way of an index; the writer appends a group under the same lock.

mod order;
mod read;
mod told;

pub use order::{DayRows, RollupRow, Sorted, rollup_batch, rollup_batches};
pub use read::{HeadSample, HeadScanRow};
pub use told::{SCANS, Told};

use super::rows::{Kind, Mark, MarkRow, Origin, Rows, SampleRow, ScanRow};
use foldhash::HashMap;
use pingup_protocol::{discovery::Host, ids::AgentId, time::Timestamp};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Rows at which a segment is full. A group more may lie in it.
pub const SEGMENT_ROWS_MAX: usize = 65_536;
/// Memory at which a segment is full, whatever its rows are: samples may have 68 measurements, scans thousands
/// of hosts.
pub const SEGMENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What a sample takes beside its further measurements.
const SAMPLE_BYTES: usize = 64;
/// What a further measurement takes.
const FURTHER_BYTES: usize = 12;
/// What a name takes beside its text, which is kept twice.
const NAME_BYTES: usize = 64;
/// What an agent, its index and one stream take, about.
const AGENT_BYTES: usize = 256;

/// What a stream takes beside its agent.
const STREAM_BYTES: usize = 96;
/// What a mark without a row takes, in the journal if not in memory: segments end by it too.
const MARK_BYTES: usize = 48;

/// Rows of one segment of the journal.
#[derive(Debug)]
pub struct Segment {
    number: u64,
    columns: RwLock<Columns>,
}

/// A text told once and then by its number.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<Box<str>, u32>,
    texts: Vec<Box<str>>,
    bytes: usize,
}

impl Names {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = place(self.texts.len());
        self.numbers.insert(text.into(), number);
        self.texts.push(text.into());
        self.bytes += NAME_BYTES + 2 * text.len();
        number
    }

    fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", |text| text)
    }
}

#[derive(Debug)]
struct Agent {
    id: AgentId,
    /// Boots, and the streams' numbers.
    streams: Vec<(Option<u64>, u32)>,
    samples: Vec<u32>,
    scans: Vec<u32>,
}

#[derive(Debug)]
struct Stream {
    agent: u32,
    boot: Option<u64>,
    mark: Option<Mark>,
}

#[derive(Debug)]
struct HeadScan {
    stream: u32,
    seq: u64,
    at: i64,
    duration: f64,
    hosts: Vec<Host>,
}

#[derive(Debug, Default)]
struct Columns {
    numbers: HashMap<AgentId, u32>,
    agents: Vec<Agent>,
    streams: Vec<Stream>,
    statuses: Names,
    names: Names,
    stream: Vec<u32>,
    seq: Vec<u64>,
    at: Vec<i64>,
    /// NaN for what was not measured; a measurement is finite.
    own: [Vec<f64>; 4],
    status: Vec<u32>,
    /// Where a row's further measurements end; they begin where the row's before ended.
    further_end: Vec<u32>,
    further: Vec<(u32, f64)>,
    scans: Vec<HeadScan>,
    bytes: usize,
}

/// Rows of a segment are far fewer than 2^32: [`SEGMENT_ROWS_MAX`] and a group.
fn place(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Segment {
    /// The empty rows of the journal's segment `number`.
    pub fn new(number: u64) -> Self {
        Self { number, columns: RwLock::new(Columns::with_room()) }
    }

    /// Which segment of the journal it is.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Takes a group's rows in. They must be in the journal.
    pub fn push(&self, rows: &Rows<'_>) {
        let mut columns = self.columns.write().unwrap_or_else(PoisonError::into_inner);
        rows.samples.iter().for_each(|row| columns.sample(row));
        rows.scans.iter().for_each(|row| columns.scan(row));
        rows.marks.iter().for_each(|row| columns.mark(row));
    }

    /// Whether no more groups should go in.
    pub fn is_full(&self) -> bool {
        let columns = self.read();
        columns.at.len() + columns.scans.len() >= SEGMENT_ROWS_MAX || columns.bytes() >= SEGMENT_BYTES_MAX
    }

    /// Whether nothing is in it, not even a mark.
    pub fn is_empty(&self) -> bool {
        let columns = self.read();
        columns.streams.is_empty()
    }

    /// Samples in it.
    pub fn samples(&self) -> usize {
        self.read().at.len()
    }

    /// When the first of its samples, or the first of its scans, was measured: the earlier one.
    pub fn first_at(&self) -> Option<Timestamp> {
        let columns = self.read();
        let firsts = [columns.at.first().copied(), columns.scans.first().map(|scan| scan.at)];
        firsts.into_iter().flatten().min().map(Timestamp::from_micros)
    }

    /// The newest mark of each stream in it.
    pub fn marks(&self) -> Vec<MarkRow> {
        let columns = self.read();
        let row = |stream: &Stream| {
            let (boot, mark) = (stream.boot?, stream.mark?);
            let agent_id = columns.agents.get(stream.agent as usize)?.id.clone();
            Some(MarkRow { agent_id, boot, mark })
        };
        columns.streams.iter().filter_map(row).collect()
    }

    /// The newest timestamp among the agent's rows without numbers within [from, to].
    pub fn newest_unnumbered(
        &self,
        kind: Kind,
        agent_id: &AgentId,
        from: Timestamp,
        to: Timestamp,
    ) -> Option<Timestamp> {
        let columns = self.read();
        let agent = columns.agent(agent_id.as_str())?;
        let stream = agent.streams.iter().find(|(boot, _)| boot.is_none())?.1;
        let (from, to) = (from.as_micros(), to.as_micros());
        let samples =
            agent.samples.iter().map(|&row| (columns.stream[row as usize], columns.at[row as usize]));
        let scans = agent.scans.iter().map(|&row| {
            let scan = &columns.scans[row as usize];
            (scan.stream, scan.at)
        });
        let fits = |(of, at): (u32, i64)| (of == stream && at >= from && at <= to).then_some(at);
        let newest = match kind {
            Kind::Metrics => samples.filter_map(fits).max(),
            Kind::Discovery => scans.filter_map(fits).max(),
        };
        newest.map(Timestamp::from_micros)
    }

    fn read(&self) -> RwLockReadGuard<'_, Columns> {
        self.columns.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Columns {
    /// Room for a full segment and some: growing would copy all of it, and hold it twice meanwhile. Memory that is
    /// not written to costs nothing.
    fn with_room() -> Self {
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

    fn bytes(&self) -> usize {
        self.bytes + self.statuses.bytes + self.names.bytes
    }

    fn agent(&self, agent_id: &str) -> Option<&Agent> {
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
            streams: Vec::new(),
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

    fn sample(&mut self, row: &SampleRow<'_>) {
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

    fn scan(&mut self, row: &ScanRow<'_>) {
        let (agent, stream, seq) = self.origin(&row.origin);
        self.agents[agent as usize].scans.push(place(self.scans.len()));
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let hosts = row.scan.hosts.iter();
        let heap: usize = hosts.map(|h| h.ports.len() * 2 + text(&h.hostname) + text(&h.mac)).sum();
        self.bytes += size_of::<HeadScan>() + row.scan.hosts.len() * size_of::<Host>() + heap;
        self.scans.push(HeadScan {
            stream,
            seq,
            at: row.origin.timestamp.as_micros(),
            duration: row.scan.duration,
            hosts: row.scan.hosts.clone(),
        });
    }

    fn mark(&mut self, row: &MarkRow) {
        let agent = self.agent_number(&row.agent_id);
        let stream = self.stream_number(agent, Some(row.boot));
        self.move_mark(stream, row.mark);
        self.bytes += MARK_BYTES;
    }

    fn further(&self, row: u32) -> &[(u32, f64)] {
        let row = row as usize;
        let begin = row.checked_sub(1).map_or(0, |before| self.further_end[before]);
        &self.further[begin as usize..self.further_end[row] as usize]
    }

    /// The agent and boot of a stream.
    fn whose(&self, stream: u32) -> (&AgentId, Option<u64>) {
        let stream = &self.streams[stream as usize];
        (&self.agents[stream.agent as usize].id, stream.boot)
    }
}

#[cfg(test)]
mod tests;
