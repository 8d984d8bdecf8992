//! Series that others write: one reading of head and parts for all that a query selects of them, series by series in the
//! order of their numbers, each moment once. What is in memory at once is one series' points, a few pages of each file,
//! and what the head has of the selected series.

use super::{
    Source, failed,
    files::SideBySide,
    gathered::{File, Gathered},
};
use crate::{
    prometheus::limits,
    tsdb::{
        Part, Tier, TsdbError,
        rows::{PointRow, SeriesId},
    },
};
use foldhash::HashSet;
use pingup_promql::{Error, Intake, Selection};
use pingup_protocol::time::Timestamp;
use std::{ops::Range, sync::Arc};

/// Columns of a part that are read: whose, when, what.
const COLUMNS: usize = 3;

/// A reading of all that is selected.
pub(super) struct Scan<'a> {
    source: &'a Source,
    selections: &'a [Selection],
    /// Series, each with the selections that mean it, by number.
    wanted: Vec<(SeriesId, usize)>,
    /// What is asked for, microseconds.
    range: Range<i64>,
    /// What memory has of them, by number.
    in_memory: Vec<PointRow>,
}

impl<'a> Scan<'a> {
    /// Of what is selected of written series; `None` if that is nothing. Looks at what is in memory.
    ///
    /// # Errors
    /// More series are selected than a query may read.
    pub(super) fn new(source: &'a Source, selections: &'a [Selection]) -> Result<Option<Self>, Error> {
        let mut wanted = Vec::new();
        for (place, selection) in selections.iter().enumerate() {
            let Selection { matchers, first_ms, last_ms, .. } = selection;
            let series = source.written.select(matchers, *first_ms, *last_ms);
            check_count(wanted.len() + series.len())?;
            wanted.extend(series.into_iter().map(|series| (series, place)));
        }
        let Some(range) = range_of(selections).filter(|_| !wanted.is_empty()) else { return Ok(None) };
        wanted.sort_unstable();
        let in_memory = in_memory(source, &wanted, &range);
        Ok(Some(Self { source, selections, wanted, range, in_memory }))
    }

    /// Hands everything over.
    pub(super) fn run(self, intake: &mut dyn Intake) -> Result<(), Error> {
        self.source.wanted.give_way();
        let parts = self.parts();
        let side_by_side = SideBySide::new(parts.len(), COLUMNS);
        let listed = size_of_val(&self.in_memory[..]) + size_of_val(&self.wanted[..]);
        let kept = side_by_side.kept() + listed / 8;
        intake.keeps(kept)?;
        let mut files = self.open(parts, side_by_side).map_err(|error| failed(&error))?;
        let (mut gathered, mut told) = (Gathered::default(), 0);
        let mut in_memory = &self.in_memory[..];
        for of_series in self.wanted.chunk_by(|a, b| a.0 == b.0) {
            self.source.wanted.check().map_err(|error| failed(&error.into()))?;
            let Some((series, _)) = of_series.first() else { continue };
            gathered.clear();
            let key = series.key();
            for file in &mut files {
                gathered.read(file, &key)?;
                if side_by_side.is_too_many() {
                    file.strip.rest();
                }
                if gathered.kept() > told {
                    told = gathered.kept();
                    intake.keeps(kept + told)?;
                }
            }
            let of_it = in_memory.partition_point(|point| point.series <= *series);
            let (points, rest) = in_memory.split_at(of_it);
            in_memory = rest;
            gathered.append(points)?;
            let takes = gathered.kept() + gathered.sorting_takes();
            if takes > told {
                told = takes;
                intake.keeps(kept + told)?;
            }
            gathered.settle(*series);
            self.hand_over(*series, of_series, &gathered, intake)?;
        }
        Ok(())
    }

    fn hand_over(
        &self,
        series: SeriesId,
        of_series: &[(SeriesId, usize)],
        gathered: &Gathered,
        intake: &mut dyn Intake,
    ) -> Result<(), Error> {
        let Gathered { times, values } = gathered;
        let mut labels = None;
        for (_, place) in of_series {
            let selection = &self.selections[*place];
            let from = times.partition_point(|at| *at < selection.first_ms);
            let to = times.partition_point(|at| *at <= selection.last_ms);
            if from == to {
                continue;
            }
            if labels.is_none() {
                labels = self.source.written.labels(series);
            }
            if let Some(labels) = &labels {
                intake.series(*place, labels, &times[from..to], &values[from..to])?;
            }
        }
        Ok(())
    }

    /// The files that may have what is asked for, in order of time, each with what of it is asked for.
    fn parts(&self) -> Vec<(&'a Arc<Part>, Range<i64>)> {
        let ends = self.wanted.first().zip(self.wanted.last());
        let Some((first, last)) = ends.map(|(first, last)| (first.0.key(), last.0.key())) else {
            return Vec::new();
        };
        let is_wanted = |part: &&Arc<Part>| {
            let row = part.row();
            row.tier == Tier::Points && row.agents.0 <= last && row.agents.1 >= first
        };
        let cut = |part: &'a Arc<Part>| {
            let (first, last) = part.row().times;
            let range = self.range.start.max(first)..self.range.end.min(last.saturating_add(1));
            (range.start < range.end).then_some((part, range))
        };
        let mut parts: Vec<_> = self.source.view.parts.iter().filter(is_wanted).filter_map(cut).collect();
        parts.sort_by_key(|(part, _)| (part.row().times.0, part.row().id));
        parts
    }

    fn open(
        &self,
        parts: Vec<(&Arc<Part>, Range<i64>)>,
        side_by_side: SideBySide,
    ) -> Result<Vec<File>, TsdbError> {
        let mut files = Vec::with_capacity(parts.len());
        for (part, range) in parts {
            self.source.wanted.check()?;
            let strip = self.source.view.strip(part)?.at_once(side_by_side.at_once());
            files.extend(File::new(strip.in_passing(), range));
        }
        Ok(files)
    }
}

/// A query that selects more than it may read is told before it is read: the list alone would take what all others have.
fn check_count(series: usize) -> Result<(), Error> {
    let most = 2 * limits().series;
    match series as u64 <= most {
        true => Ok(()),
        false => Err(Error::limit(format!(
            "query processing would load too many samples into memory in query execution: {series} series, counted once \
             for each selector; at most {most} are looked at"
        ))),
    }
}

/// What memory has of series within a range, by number.
fn in_memory(source: &Source, wanted: &[(SeriesId, usize)], range: &Range<i64>) -> Vec<PointRow> {
    let series: HashSet<SeriesId> = wanted.iter().map(|(series, _)| *series).collect();
    let moments = Timestamp::from_micros(range.start)..Timestamp::from_micros(range.end);
    let mut found = Vec::new();
    for segment in &source.view.segments {
        segment.each_point(&moments, |point| {
            if series.contains(&point.series) {
                found.push(point);
            }
        });
    }
    found.shrink_to_fit();
    found.sort_unstable_by(PointRow::order);
    found
}

/// From the first moment that any selection asks for to the last, microseconds.
fn range_of(selections: &[Selection]) -> Option<Range<i64>> {
    let first = selections.iter().map(|selection| selection.first_ms).min()?;
    let last = selections.iter().map(|selection| selection.last_ms).max()?;
    Some(first.saturating_mul(1_000)..last.saturating_add(1).saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_so_many_series_and_no_more() {
        let most = usize::try_from(2 * limits().series).unwrap();
        assert!(check_count(most).is_ok());
        assert_eq!(check_count(most + 1).unwrap_err().kind(), pingup_promql::ErrorKind::Limit);
    }
}
