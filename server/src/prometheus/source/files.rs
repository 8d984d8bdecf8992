//! The files that a reading reads side by side, each from its first agent to its last.
//!
//! Of each column of each file there is a page in memory, and its bytes as they lie on disk where they are few. So much
//! is shared by all: with many files or columns the bytes are read page by page, and with still more each file is begun
//! anew for every agent, which is slow and takes no memory.

use super::{
    Source,
    chosen::{Chosen, Table},
    failed,
    reader::{Column, ReadError, Reader},
    rows::Rows,
    standin::{StandIns, Stood},
};
use crate::{
    storage::Wanted,
    tsdb::{
        Part, Tier, TsdbError, View,
        lanes::{CHUNK_BYTES_MAX, Strip},
        rollup,
    },
};
use pingup_promql::Error;
use pingup_protocol::time::Timestamp;
use std::{collections::BTreeSet, ops::Range, slice, sync::Arc};

/// Columns of files that are read side by side.
pub(super) const LANES_MAX: usize = 256;
/// A page of a column, unpacked: 8 192 numbers.
const PAGE_BYTES: usize = 64 * 1024;
/// What columns' bytes take together where they are read at once.
const BYTES_AT_ONCE_MAX: u64 = 16 * 1024 * 1024;
const _: () = assert!(LANES_MAX * PAGE_BYTES == BYTES_AT_ONCE_MAX as usize, "half is pages, half is bytes");

/// Columns of one file that a reading reads at most: all further measurements are one of names and one of values.
const COLUMNS_MAX: usize = 10;

/// How columns of files are read side by side.
#[derive(Clone, Copy, Debug)]
pub(super) struct SideBySide {
    /// Columns that are in memory at once.
    lanes: usize,
    is_too_many: bool,
}

impl SideBySide {
    /// So many files, of so many columns each.
    pub(super) fn new(files: usize, columns: usize) -> Self {
        let columns = columns.clamp(1, COLUMNS_MAX);
        let lanes = files.saturating_mul(columns);
        let is_too_many = lanes > LANES_MAX;
        Self { lanes: if is_too_many { columns } else { lanes }, is_too_many }
    }

    /// Whether each is to be begun anew for whoever is read.
    pub(super) const fn is_too_many(self) -> bool {
        self.is_too_many
    }

    /// What of a column is read at once, bytes.
    pub(super) fn at_once(self) -> u64 {
        let each = BYTES_AT_ONCE_MAX / self.lanes.max(1) as u64;
        each.min(CHUNK_BYTES_MAX)
    }

    /// What they take at most, in numbers of 8 bytes.
    pub(super) fn kept(self) -> usize {
        self.lanes * (PAGE_BYTES + self.at_once() as usize) / 8
    }
}

/// Files of samples or scans, and of rollups that stand in for them.
pub(super) struct Files {
    readers: Vec<Reader>,
    stand_ins: Vec<StandIns>,
    side_by_side: SideBySide,
}

impl Files {
    /// Opens the files that are asked for, in order of time; `one` names the only agent that is meant.
    pub(super) fn open(
        source: &Source,
        table: Table,
        chosen: &[Chosen<'_>],
        columns: &[Column],
        one: Option<&str>,
    ) -> Result<Self, TsdbError> {
        let view = &source.view;
        let ever = Timestamp::from_micros(i64::MIN)..Timestamp::from_micros(i64::MAX);
        let before_fine = before_fine(view);
        let wanted = view.parts.iter().filter(|part| part.may_hold(one, &ever));
        let mut parts: Vec<_> = wanted
            .filter(|part| is_of(table, part.row().tier))
            .filter_map(|part| Some((part, wanted_of(part, chosen, before_fine)?)))
            .collect();
        parts.sort_by_key(|(part, _)| (part.row().times.0, part.row().id));
        // Of each its time beside its columns; of those that stand in their names and counts too.
        let side_by_side = SideBySide::new(parts.len(), columns.len() + 2);
        let mut files = Self { readers: Vec::new(), stand_ins: Vec::new(), side_by_side };
        for (part, range) in parts {
            let strip = view.strip(part)?.at_once(side_by_side.at_once());
            let width = match part.row().tier {
                Tier::Raw | Tier::Scans => {
                    files.readers.extend(Reader::new(strip, range, columns));
                    continue;
                }
                Tier::Hour => rollup::HOUR,
                _ => rollup::MINUTE,
            };
            // Of those that ask for this time.
            let falls_between = chosen.iter().any(|chosen| {
                chosen.wants_any_of(table)
                    && chosen.falls_between(width / 1_000)
                    && wanted_of(part, slice::from_ref(chosen), before_fine).is_some()
            });
            files.stand_ins.extend(StandIns::new(strip, range, width, falls_between, columns));
        }
        Ok(files)
    }

    /// What they take at most, in numbers of 8 bytes.
    pub(super) fn kept(&self) -> usize {
        self.side_by_side.kept()
    }

    /// Whether windows that are asked for fall between stand-ins that were read so far.
    pub(super) fn falls_between(&self) -> bool {
        self.stand_ins.iter().any(StandIns::falls_between)
    }

    /// Everybody who has rows in them, or in memory, by id.
    pub(super) fn agents(
        &mut self,
        wanted: &Wanted,
        in_memory: impl Iterator<Item = Arc<str>>,
    ) -> Result<Vec<Arc<str>>, TsdbError> {
        let mut agents: BTreeSet<Arc<str>> = in_memory.collect();
        let mut met = foldhash::HashSet::default();
        let strips = self.readers.iter_mut().map(Reader::strip);
        for strip in strips.chain(self.stand_ins.iter_mut().map(StandIns::strip)) {
            wanted.check()?;
            // Each id is kept once, so most are told by where it is kept.
            agents.extend(strip.agents()?.into_iter().filter(|agent| met.insert(Arc::as_ptr(agent))));
        }
        Ok(agents.into_iter().collect())
    }

    /// Puts what they have of an agent behind `rows`; `grown` hears of each growth.
    pub(super) fn read(
        &mut self,
        agent: &str,
        rows: &mut Rows,
        stood: &mut [Stood],
        grown: &mut dyn FnMut(&Rows) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let too_many = self.side_by_side.is_too_many();
        for stand_ins in &mut self.stand_ins {
            stand_ins.read(agent, rows, stood).map_err(read_failed)?;
            rest(too_many, stand_ins.strip());
            grown(rows)?;
        }
        for reader in &mut self.readers {
            reader.read(agent, rows).map_err(read_failed)?;
            rest(too_many, reader.strip());
            grown(rows)?;
        }
        Ok(())
    }
}

/// Whether a file of that tier has what is asked of a table, or stands in for it.
fn is_of(table: Table, tier: Tier) -> bool {
    match table {
        Table::Samples => matches!(tier, Tier::Raw | Tier::Minute | Tier::Hour),
        Table::Scans => tier == Tier::Scans,
    }
}

/// What of a part any selection asks for, microseconds.
fn wanted_of(part: &Part, chosen: &[Chosen<'_>], before_fine: i64) -> Option<Range<i64>> {
    let (first, last) = part.row().times;
    // Of rollups the times are those of buckets, whose last samples lie behind.
    let width = match part.row().tier {
        Tier::Raw | Tier::Scans | Tier::Points => 0,
        Tier::Minute => rollup::MINUTE,
        Tier::Hour => rollup::HOUR,
    };
    let last = last.saturating_add(width);
    let ranges = chosen.iter().map(|chosen| chosen.range_among(width));
    let cut = ranges.map(|range| range.start.max(first)..range.end.min(last.saturating_add(1)));
    let cut = cut.filter(|range| range.start < range.end);
    let mut range = cut.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))?;
    if part.row().tier == Tier::Hour {
        // Hours hold what finer rows hold too.
        range.end = range.end.min(before_fine);
    }
    (range.start < range.end).then_some(range)
}

/// The moment, in microseconds, before which there are neither samples nor minutes on disk: of what was before it, only
/// hours are left.
fn before_fine(view: &View) -> i64 {
    let fine = |part: &&Arc<Part>| matches!(part.row().tier, Tier::Raw | Tier::Minute);
    let first = view.parts.iter().filter(fine).map(|part| part.row().period).min();
    first.unwrap_or(i64::MAX).saturating_mul(rollup::DAY)
}

/// Whether rollups may stand in for samples of that time, microseconds.
pub(super) fn any_stands_in(view: &View, range: &Range<i64>) -> bool {
    let moments = Timestamp::from_micros(range.start)..Timestamp::from_micros(range.end);
    range.start < before_fine(view) || !view.parts_for(Tier::Minute, None, &moments).is_empty()
}

/// Lets go of what a file has in memory.
fn rest(too_many: bool, strip: &mut Strip) {
    if too_many {
        strip.rest();
    }
}

fn read_failed(error: ReadError) -> Error {
    match error {
        ReadError::History(error) => failed(&error),
        ReadError::Query(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_side_by_side_share_what_they_take() {
        let few = SideBySide::new(3, 3);
        assert_eq!((few.at_once(), few.is_too_many()), (CHUNK_BYTES_MAX, false));
        for (files, columns) in [(0, 3), (31, 3), (64, 4), (65, 4), (10_000, 3), (1, 300), (usize::MAX, 9)] {
            let side_by_side = SideBySide::new(files, columns);
            let lanes = files.saturating_mul(columns.min(COLUMNS_MAX));
            assert_eq!(side_by_side.is_too_many(), lanes > LANES_MAX, "{files} files of {columns} columns");
            let most = LANES_MAX * PAGE_BYTES + BYTES_AT_ONCE_MAX as usize;
            assert!(side_by_side.kept() * 8 <= most, "{files} files of {columns} columns");
        }
    }
}
