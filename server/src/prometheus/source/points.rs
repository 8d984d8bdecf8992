//! Series that others write: one reading of head and parts for all that a query selects of them, series by series in the
//! order of their numbers, each moment once. What is in memory at once is one series' points, a few pages of each file,
//! and what the head has of the selected series.

use super::{Source, failed};
use crate::tsdb::{
    Part, Tier, TsdbError,
    lanes::{Leaf, Strip},
    rows::{PointRow, SeriesId},
};
use foldhash::HashMap;
use pingup_promql::{Error, Intake, Selection};
use pingup_protocol::time::Timestamp;
use std::{ops::Range, sync::Arc};

/// Points of one series that are held at once, 16 bytes each: a month by the second.
const SERIES_POINTS_MAX: usize = 3_000_000;
/// Files that are read side by side for all series; if there are more, each is begun anew for every series, which is
/// slow and takes no memory.
const SIDE_BY_SIDE_MAX: usize = 128;

/// A reading of all that is selected.
pub(super) struct Scan<'a> {
    source: &'a Source,
    selections: &'a [Selection],
    /// Series, each with the selections that mean it, by number.
    wanted: Vec<(SeriesId, usize)>,
    /// What is asked for, microseconds.
    range: Range<i64>,
    /// What memory has of them.
    in_memory: HashMap<SeriesId, Vec<PointRow>>,
}

/// A part that is read.
struct File {
    strip: Strip,
    /// What of it is asked for, microseconds.
    range: Range<i64>,
    time: Leaf,
    value: Leaf,
}

/// Points of one series: moments, milliseconds, and values.
#[derive(Default)]
struct Gathered {
    times: Vec<i64>,
    values: Vec<f64>,
}

impl<'a> Scan<'a> {
    /// Of what is selected of written series; `None` if that is nothing. Looks at what is in memory.
    pub(super) fn new(source: &'a Source, selections: &'a [Selection]) -> Option<Self> {
        let mut wanted = Vec::new();
        for (place, selection) in selections.iter().enumerate() {
            let Selection { matchers, first_ms, last_ms, .. } = selection;
            let series = source.written.select(matchers, *first_ms, *last_ms);
            wanted.extend(series.into_iter().map(|series| (series, place)));
        }
        let range = range_of(selections)?;
        if wanted.is_empty() {
            return None;
        }
        wanted.sort_unstable();
        let mut in_memory: HashMap<SeriesId, Vec<PointRow>> = HashMap::default();
        in_memory.extend(wanted.iter().map(|(series, _)| (*series, Vec::new())));
        let moments = Timestamp::from_micros(range.start)..Timestamp::from_micros(range.end);
        for segment in &source.view.segments {
            segment.each_point(&moments, |point| {
                if let Some(points) = in_memory.get_mut(&point.series) {
                    points.push(point);
                }
            });
        }
        Some(Self { source, selections, wanted, range, in_memory })
    }

    /// Hands everything over.
    pub(super) fn run(mut self, intake: &mut dyn Intake) -> Result<(), Error> {
        self.source.wanted.give_way();
        let mut files = self.open().map_err(|error| failed(&error))?;
        let too_many = files.len() > SIDE_BY_SIDE_MAX;
        let mut gathered = Gathered::default();
        let wanted = std::mem::take(&mut self.wanted);
        for of_series in wanted.chunk_by(|a, b| a.0 == b.0) {
            self.source.wanted.check().map_err(|error| failed(&error.into()))?;
            let Some((series, _)) = of_series.first() else { continue };
            gathered.clear();
            let key = series.key();
            for file in &mut files {
                gathered.read(file, &key)?;
                if too_many {
                    file.strip.rest();
                }
            }
            gathered.append(&self.in_memory.remove(series).unwrap_or_default())?;
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

    /// The files that may have what is asked for, in order of time.
    fn open(&self) -> Result<Vec<File>, TsdbError> {
        let ends = self.wanted.first().zip(self.wanted.last());
        let Some((first, last)) = ends.map(|(first, last)| (first.0.key(), last.0.key())) else {
            return Ok(Vec::new());
        };
        let view = &self.source.view;
        let is_wanted = |part: &&Arc<Part>| {
            let row = part.row();
            row.tier == Tier::Points && row.agents.0 <= last && row.agents.1 >= first
        };
        let mut parts: Vec<_> = view.parts.iter().filter(is_wanted).collect();
        parts.sort_by_key(|part| (part.row().times.0, part.row().id));
        let mut files = Vec::new();
        for part in parts {
            let (first, last) = part.row().times;
            let range = self.range.start.max(first)..self.range.end.min(last.saturating_add(1));
            if range.start < range.end {
                self.source.wanted.check()?;
                let strip = view.strip(part)?;
                files.extend(File::new(strip.in_passing(), range));
            }
        }
        Ok(files)
    }
}

/// From the first moment that any selection asks for to the last, microseconds.
fn range_of(selections: &[Selection]) -> Option<Range<i64>> {
    let first = selections.iter().map(|selection| selection.first_ms).min()?;
    let last = selections.iter().map(|selection| selection.last_ms).max()?;
    Some(first.saturating_mul(1_000)..last.saturating_add(1).saturating_mul(1_000))
}

impl File {
    fn new(strip: Strip, range: Range<i64>) -> Option<Self> {
        let (time, value) = (strip.leaf("timestamp")?, strip.leaf("value")?);
        Some(Self { strip, range, time, value })
    }
}

impl Gathered {
    fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
    }

    /// Puts a file's points of a series behind.
    fn read(&mut self, file: &mut File, key: &str) -> Result<(), Error> {
        let mut group = 0;
        while let Some(rows) = file.strip.seek(key, group).map_err(|error| failed(&error))? {
            group = file.strip.group() + 1;
            self.check_room(rows.len())?;
            self.read_rows(file, rows).map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    fn read_rows(&mut self, file: &mut File, rows: Range<usize>) -> Result<(), TsdbError> {
        let before = self.times.len();
        file.strip.integers(file.time, rows.clone(), &mut self.times)?;
        let times = &self.times[before..];
        let first = times.partition_point(|at| *at < file.range.start);
        let end = times.partition_point(|at| *at < file.range.end);
        self.times.truncate(before + end);
        self.times.drain(before..before + first);
        self.times[before..].iter_mut().for_each(|at| *at = at.div_euclid(1_000));
        let wanted = rows.start + first..rows.start + end;
        if !wanted.is_empty() {
            file.strip.doubles(file.value, wanted, &mut self.values)?;
        }
        Ok(())
    }

    fn append(&mut self, points: &[PointRow]) -> Result<(), Error> {
        self.check_room(points.len())?;
        self.times.extend(points.iter().map(|point| point.at_ms));
        self.values.extend(points.iter().map(|point| point.value));
        Ok(())
    }

    fn check_room(&self, more: usize) -> Result<(), Error> {
        match self.times.len() + more <= SERIES_POINTS_MAX {
            true => Ok(()),
            false => Err(Error::limit(format!(
                "query processing would load too many samples into memory in query execution: more than \
                 {SERIES_POINTS_MAX} of one series"
            ))),
        }
    }

    /// Puts them in order, each moment once.
    fn settle(&mut self, series: SeriesId) {
        if self.times.is_sorted_by(|a, b| a < b) {
            return;
        }
        let points = self.times.iter().zip(&self.values);
        let mut points: Vec<_> = points.map(|(&at_ms, &value)| PointRow { series, at_ms, value }).collect();
        points.sort_unstable_by(PointRow::order);
        points.dedup_by(|later, kept| later.is_of_same_moment(kept));
        self.clear();
        self.times.extend(points.iter().map(|point| point.at_ms));
        self.values.extend(points.iter().map(|point| point.value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_has_its_bound() {
        let mut gathered = Gathered::default();
        gathered.times.resize(SERIES_POINTS_MAX - 1, 0);
        assert!(gathered.check_room(1).is_ok());
        assert_eq!(gathered.check_room(2).unwrap_err().kind(), pingup_promql::ErrorKind::Limit);
    }

    #[test]
    fn of_one_moment_one_value_counts_in_whatever_order_they_came() {
        let stale = pingup_promql::STALE;
        let points = [(3, 1.0), (1, stale), (2, stale), (1, 5.0), (1, 7.0), (3, 1.0), (2, f64::NAN)];
        for first in 0..points.len() {
            let mut turned = points;
            turned.rotate_left(first);
            let mut gathered = Gathered::default();
            let point = |(at_ms, value)| PointRow { series: SeriesId::new(1), at_ms, value };
            gathered.append(&turned.map(point)).unwrap();
            gathered.settle(SeriesId::new(1));
            let bits: Vec<_> = gathered.values.iter().map(|value| value.to_bits()).collect();
            let expected = [7.0, f64::NAN, 1.0].map(f64::to_bits);
            assert_eq!((gathered.times, bits), (vec![1, 2, 3], expected.to_vec()), "{first}");
        }
    }
}
