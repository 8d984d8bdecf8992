//! From what lies on disk and in memory to an agent's [`Rows`].

use super::{
    chosen::{StandIn, Table},
    rows::{Rows, make_room},
};
use crate::{
    prometheus::names::Metric,
    tsdb::{
        TsdbError, View,
        lanes::{Leaf, Strip},
        schema::OWN_COLUMNS,
    },
};
use pingup_promql::Error;
use pingup_protocol::time::Timestamp;
use std::ops::Range;

/// The word by which an agent's sample says that its machine is in trouble.
const TROUBLE: &str = "error";

/// A column of rows: of which metric, and what stands in for samples that were let go.
pub(super) type Column = (Metric, StandIn);

/// Puts what memory has of an agent within `range` behind `rows`.
pub(super) fn in_memory(
    view: &View,
    table: Table,
    agent_id: &str,
    range: &Range<i64>,
    columns: &[Column],
    rows: &mut Rows,
) {
    let range = Timestamp::from_micros(range.start)..Timestamp::from_micros(range.end);
    for segment in &view.segments {
        match table {
            Table::Samples => segment.each_sample(Some(agent_id), &range, |sample| {
                rows.times.push(sample.timestamp().as_micros());
                for ((metric, _), values) in columns.iter().zip(&mut rows.columns) {
                    let value = match metric {
                        Metric::Own(place) => sample.own(usize::from(*place)),
                        Metric::Up => Some(up(sample.status())),
                        Metric::Further(name) => sample.get(name),
                        Metric::Info | Metric::ScanHosts | Metric::ScanSeconds => None,
                    };
                    rows.has_gaps |= value.is_none();
                    values.push(value.unwrap_or(f64::NAN));
                }
            }),
            Table::Scans => segment.each_scan(agent_id, &range, |scan| {
                rows.times.push(scan.timestamp().as_micros());
                for ((metric, _), values) in columns.iter().zip(&mut rows.columns) {
                    values.push(match metric {
                        Metric::ScanHosts => scan.hosts().len() as f64,
                        _ => scan.duration(),
                    });
                }
            }),
        }
    }
}

/// Why a file's rows could not be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The history.
    #[error(transparent)]
    History(#[from] TsdbError),
    /// A bound.
    #[error(transparent)]
    Query(#[from] Error),
}

/// A part, and where in it the columns lie.
#[derive(Debug)]
pub(super) struct Reader {
    strip: Strip,
    /// What of the part is asked for, microseconds.
    range: Range<i64>,
    time: Leaf,
    sources: Vec<Source>,
    /// Names and values of further measurements, and which are asked for: by name, with their columns.
    further: Option<(Leaf, Leaf)>,
    names: Vec<(Box<str>, usize)>,
    /// Scratch.
    integers: Vec<i64>,
}

/// Where a column's values lie.
#[derive(Clone, Debug)]
enum Source {
    Doubles(Leaf),
    Integers(Leaf),
    Status(Leaf),
    /// Among others, or nowhere.
    Else,
}

impl Reader {
    /// Reads what of the part lies within `range`; `None` if the part has no moments.
    pub(super) fn new(strip: Strip, range: Range<i64>, columns: &[Column]) -> Option<Self> {
        let time = strip.leaf("timestamp")?;
        let sources = columns.iter().map(|(metric, _)| Source::of(&strip, metric)).collect();
        let further = strip.leaf("further.keys").zip(strip.leaf("further.values"));
        let names = columns.iter().enumerate().filter_map(|(column, (metric, _))| match metric {
            Metric::Further(name) => Some((name.clone(), column)),
            _ => None,
        });
        let names = names.collect();
        Some(Self { strip, range, time, sources, further, names, integers: Vec::new() })
    }

    /// The part that is read.
    pub(super) fn strip(&mut self) -> &mut Strip {
        &mut self.strip
    }

    /// Puts the agent's rows behind `rows`.
    pub(super) fn read(&mut self, agent_id: &str, rows: &mut Rows) -> Result<(), ReadError> {
        let mut group = 0;
        while let Some(of_agent) = self.strip.seek(agent_id, group)? {
            group = self.strip.group() + 1;
            rows.check_room(of_agent.len())?;
            let before = rows.times.len();
            make_room(&mut rows.times, of_agent.len());
            self.strip.integers(self.time, of_agent.clone(), &mut rows.times)?;
            let times = &rows.times[before..];
            let first = times.partition_point(|at| *at < self.range.start);
            let end = times.partition_point(|at| *at < self.range.end);
            rows.times.truncate(before + end);
            rows.times.drain(before..before + first);
            let wanted = of_agent.start + first..of_agent.start + end;
            if !wanted.is_empty() {
                for (source, values) in self.sources.iter().zip(&mut rows.columns) {
                    make_room(values, wanted.len());
                    rows.has_gaps |=
                        read(&mut self.strip, source, wanted.clone(), values, &mut self.integers)?;
                }
                self.read_further(wanted, before, rows)?;
            }
        }
        Ok(())
    }

    /// Fills in what is kept in maps, for rows that were put from `before` on.
    fn read_further(
        &mut self,
        wanted: Range<usize>,
        before: usize,
        rows: &mut Rows,
    ) -> Result<(), TsdbError> {
        let Some(leaves) = self.further.filter(|_| !self.names.is_empty()) else { return Ok(()) };
        self.strip.maps(leaves, wanted, |row, key, value| {
            for (_, column) in self.names.iter().filter(|(name, _)| key == name.as_bytes()) {
                if let Some(place) = rows.columns[*column].get_mut(before + row) {
                    *place = value;
                }
            }
        })
    }
}

impl Source {
    fn of(strip: &Strip, metric: &Metric) -> Self {
        let found = match metric {
            Metric::Own(place) => strip.leaf(OWN_COLUMNS[usize::from(*place)]).map(Self::Doubles),
            Metric::Up => strip.leaf("status").map(Self::Status),
            Metric::ScanSeconds => strip.leaf("duration").map(Self::Doubles),
            Metric::ScanHosts => strip.leaf("host_count").map(Self::Integers),
            Metric::Further(_) | Metric::Info => None,
        };
        found.unwrap_or(Self::Else)
    }
}

/// Puts a column's values of `rows` behind `values`; whether any is none.
fn read(
    strip: &mut Strip,
    source: &Source,
    rows: Range<usize>,
    values: &mut Vec<f64>,
    integers: &mut Vec<i64>,
) -> Result<bool, TsdbError> {
    match source {
        Source::Doubles(leaf) => strip.doubles(*leaf, rows, values),
        Source::Integers(leaf) => {
            integers.clear();
            strip.integers(*leaf, rows, integers)?;
            values.extend(integers.iter().map(|integer| *integer as f64));
            Ok(false)
        }
        Source::Status(leaf) => {
            strip.words(*leaf, rows, |word, count| values.resize(values.len() + count, up(word)))?;
            Ok(false)
        }
        Source::Else => {
            values.resize(values.len() + rows.len(), f64::NAN);
            Ok(true)
        }
    }
}

/// How an agent says that its machine does, as a number.
fn up(status: &str) -> f64 {
    if status == TROUBLE { 0.0 } else { 1.0 }
}
