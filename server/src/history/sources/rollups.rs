//! Rollups of one agent in files, added up by the bucket: read by lanes, since a month has many files and a few rows of
//! the agent in each.

use super::{Files, rollup_names};
use crate::{
    history::{HistoryError, buckets::Sums, plan::BucketsPlan},
    storage::Wanted,
    tsdb::{
        TsdbError, View,
        lanes::{Leaf, Strip},
        rollup::{Aggregate, bucket},
        total::Total,
    },
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::ops::Range;

/// Adds what the plan wants of the agent's rows in `files` to `sums`, which never hold much more than the page.
pub(in crate::history) fn add(
    view: &View,
    files: &Files,
    agent: &AgentId,
    plan: &BucketsPlan,
    sums: &mut Sums,
    wanted: &Wanted,
) -> Result<(), HistoryError> {
    let names = rollup_names(&plan.fields);
    files.each_group((view, agent), plan, sums, Cells::of, |cells, strip, of_agent, sums| {
        wanted.check()?;
        let (mut first, mut found) = (of_agent.start, Vec::new());
        strip.words(cells.name, of_agent, |name, count| {
            if names.as_ref().is_none_or(|names| names.contains(&name)) {
                found.push((Box::<str>::from(name), first..first + count));
            }
            first += count;
        })?;
        for (name, of_name) in found {
            cells.read(strip, of_name, files.range())?;
            for (start, aggregate) in cells.aggregates() {
                sums.add(bucket(start, plan.step_micros), &name, &aggregate);
            }
            sums.keep_page(plan.limit)?;
        }
        Ok(())
    })
}

/// Columns of a table of rollups, and what of them was read last.
struct Cells {
    name: Leaf,
    start: Leaf,
    count: Leaf,
    last_at: Leaf,
    /// Least, greatest, sum and newest.
    values: [Leaf; 4],
    starts: Vec<i64>,
    counts: Vec<i64>,
    last_ats: Vec<i64>,
    read: [Vec<f64>; 4],
}

impl Cells {
    fn of(strip: &Strip) -> Option<Self> {
        let leaf = |name| strip.leaf(name);
        Some(Self {
            name: leaf("name")?,
            start: leaf("start")?,
            count: leaf("count")?,
            last_at: leaf("last_at")?,
            values: [leaf("min")?, leaf("max")?, leaf("sum")?, leaf("last")?],
            starts: Vec::new(),
            counts: Vec::new(),
            last_ats: Vec::new(),
            read: <[Vec<f64>; 4]>::default(),
        })
    }

    /// Reads those of `rows`, of one agent and name and so in order of time, whose buckets begin within `range`.
    fn read(&mut self, strip: &mut Strip, rows: Range<usize>, range: &Range<i64>) -> Result<(), TsdbError> {
        let Self { starts, counts, last_ats, read, .. } = self;
        [&mut *starts, counts, last_ats].into_iter().for_each(Vec::clear);
        read.iter_mut().for_each(Vec::clear);
        strip.integers(self.start, rows.clone(), starts)?;
        let first = starts.partition_point(|start| *start < range.start);
        let end = starts.partition_point(|start| *start < range.end).max(first);
        starts.truncate(end);
        starts.drain(..first);
        let rows = rows.start + first..rows.start + end;
        if rows.is_empty() {
            return Ok(());
        }
        strip.integers(self.count, rows.clone(), counts)?;
        strip.integers(self.last_at, rows.clone(), last_ats)?;
        for (leaf, values) in self.values.into_iter().zip(read) {
            strip.doubles(leaf, rows.clone(), values)?;
        }
        Ok(())
    }

    /// What was read: each bucket's start, and what it adds up to.
    fn aggregates(&self) -> impl Iterator<Item = (i64, Aggregate)> {
        let [mins, maxs, totals, lasts] = &self.read;
        self.starts.iter().enumerate().map(move |(row, start)| {
            let (count, sum) = Total::from_cells(self.counts[row], totals[row]);
            let last_at = Timestamp::from_micros(self.last_ats[row]);
            let aggregate =
                Aggregate { count, min: mins[row], max: maxs[row], sum, last: lasts[row], last_at };
            (*start, aggregate)
        })
    }
}
