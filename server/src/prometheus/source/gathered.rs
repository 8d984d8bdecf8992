//! The points of one written series while they are gathered: files and memory each give them in order of time, and mostly
//! one after the other; where they do not, they are put in order, each moment once.

use super::{failed, rows::make_room};
use crate::tsdb::{
    TsdbError,
    lanes::{Leaf, Strip},
    rows::{PointRow, SeriesId},
};
use pingup_promql::Error;
use std::ops::Range;

/// Points of one series that are held at once, 16 bytes each: a month by the second.
const SERIES_POINTS_MAX: usize = 3_000_000;

/// A part that is read.
pub(super) struct File {
    pub(super) strip: Strip,
    /// What of it is asked for, microseconds.
    range: Range<i64>,
    time: Leaf,
    value: Leaf,
}

/// Points of one series: moments, milliseconds, and values.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) times: Vec<i64>,
    pub(super) values: Vec<f64>,
}

impl File {
    pub(super) fn new(strip: Strip, range: Range<i64>) -> Option<Self> {
        let (time, value) = (strip.leaf("timestamp")?, strip.leaf("value")?);
        Some(Self { strip, range, time, value })
    }
}

impl Gathered {
    pub(super) fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
    }

    /// What it takes, in numbers of 8 bytes; what was made room for counts.
    pub(super) fn kept(&self) -> usize {
        self.times.capacity() + self.values.capacity()
    }

    /// What [`Self::settle`] takes beside.
    pub(super) fn sorting_takes(&self) -> usize {
        if self.is_in_order() { 0 } else { self.times.len() * size_of::<PointRow>() / 8 }
    }

    fn is_in_order(&self) -> bool {
        self.times.is_sorted_by(|a, b| a < b)
    }

    /// Puts a file's points of a series behind.
    pub(super) fn read(&mut self, file: &mut File, key: &str) -> Result<(), Error> {
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
        make_room(&mut self.times, rows.len());
        file.strip.integers(file.time, rows.clone(), &mut self.times)?;
        let times = &self.times[before..];
        let first = times.partition_point(|at| *at < file.range.start);
        let end = times.partition_point(|at| *at < file.range.end);
        self.times.truncate(before + end);
        self.times.drain(before..before + first);
        self.times[before..].iter_mut().for_each(|at| *at = at.div_euclid(1_000));
        let wanted = rows.start + first..rows.start + end;
        if !wanted.is_empty() {
            make_room(&mut self.values, wanted.len());
            file.strip.doubles(file.value, wanted, &mut self.values)?;
        }
        Ok(())
    }

    pub(super) fn append(&mut self, points: &[PointRow]) -> Result<(), Error> {
        self.check_room(points.len())?;
        make_room(&mut self.times, points.len());
        make_room(&mut self.values, points.len());
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
    pub(super) fn settle(&mut self, series: SeriesId) {
        if self.is_in_order() {
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
