//! One agent's rows while they are gathered, and the series that they are then. Pure.
//!
//! Files and memory each give rows in order of time, and mostly one after the other; where they do not, rows are sorted.
//! Of several within one millisecond the latest counts that has the measurement, and of those at one microsecond the
//! greatest value: whatever way the rows are spread over files.

use crate::prometheus::agents::millis;
use pingup_promql::{Error, STALE};

/// Numbers of one agent that are held at once, 8 bytes each: a month by the second of one measurement.
pub(in crate::prometheus) const AGENT_NUMBERS_MAX: usize = 6_000_000;

/// Rows of one agent: moments in microseconds, and of each column a value a row, NaN where there is none.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) times: Vec<i64>,
    pub(super) columns: Vec<Vec<f64>>,
    /// Whether some value may be none.
    pub(super) has_gaps: bool,
    /// Whether each row is a sample of each column, and the only one of its millisecond; moments are milliseconds then.
    is_clean: bool,
}

impl Rows {
    /// No rows of so many columns.
    pub(super) fn new(columns: usize) -> Self {
        Self { times: Vec::new(), columns: vec![Vec::new(); columns], has_gaps: false, is_clean: false }
    }

    pub(super) fn clear(&mut self) {
        self.times.clear();
        self.columns.iter_mut().for_each(Vec::clear);
        (self.has_gaps, self.is_clean) = (false, false);
    }

    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// What they take, in numbers of 8 bytes; what was made room for counts.
    pub(super) fn kept(&self) -> usize {
        self.times.capacity() + self.columns.iter().map(Vec::capacity).sum::<usize>()
    }

    /// Puts others behind.
    pub(super) fn append(&mut self, other: &Self) -> Result<(), Error> {
        self.check_room(other.times.len())?;
        make_room(&mut self.times, other.times.len());
        self.times.extend_from_slice(&other.times);
        for (column, more) in self.columns.iter_mut().zip(&other.columns) {
            make_room(column, more.len());
            column.extend_from_slice(more);
        }
        self.has_gaps |= other.has_gaps;
        Ok(())
    }

    /// Puts one value behind, of one column.
    pub(super) fn put(&mut self, at: i64, column: usize, value: f64) {
        self.times.push(at);
        for (place, values) in self.columns.iter_mut().enumerate() {
            values.push(if place == column { value } else { f64::NAN });
        }
        self.has_gaps |= self.columns.len() > 1;
    }

    /// Whether there is still room for `more` rows.
    pub(super) fn check_room(&self, more: usize) -> Result<(), Error> {
        match (self.times.len() + more).saturating_mul(1 + self.columns.len()) <= AGENT_NUMBERS_MAX {
            true => Ok(()),
            false => Err(too_many()),
        }
    }

    /// What [`Self::settle`] takes beside, in numbers of 8 bytes.
    pub(super) fn sorting_takes(&self) -> usize {
        if self.times.is_sorted() { 0 } else { 2 * self.times.len() }
    }

    /// Puts them in order; each column's values are divided by its divisor.
    pub(super) fn settle(&mut self, divisors: &[f64]) {
        if !self.times.is_sorted() {
            self.sort();
        }
        for (values, divisor) in self.columns.iter_mut().zip(divisors) {
            if *divisor != 1.0 {
                values.iter_mut().for_each(|value| *value /= divisor);
            }
        }
        self.is_clean = !self.has_gaps && self.times.is_sorted_by(|a, b| millis(*a) < millis(*b));
        if self.is_clean {
            self.times.iter_mut().for_each(|at| *at = millis(*at));
        }
    }

    const fn millis(&self, at: i64) -> i64 {
        if self.is_clean { at } else { millis(at) }
    }

    fn sort(&mut self) {
        let mut places: Vec<usize> = (0..self.times.len()).collect();
        places.sort_by_key(|place| self.times[*place]);
        self.times = places.iter().map(|place| self.times[*place]).collect();
        for values in &mut self.columns {
            *values = places.iter().map(|place| values[*place]).collect();
        }
    }
}

/// One agent has more than is held.
pub(super) fn too_many() -> Error {
    Error::limit(format!(
        "query processing would load too many samples into memory in query execution: more than {AGENT_NUMBERS_MAX} \
         numbers of one agent"
    ))
}

/// Makes room for so many more: by doubling, a long column would take twice what it holds.
pub(super) fn make_room<T>(column: &mut Vec<T>, more: usize) {
    if column.capacity() - column.len() < more {
        column.reserve_exact(more.max(column.len() / 8));
    }
}

/// The buffers for what of an agent's rows has to be copied.
#[derive(Debug, Default)]
pub(super) struct Settled {
    times: Vec<i64>,
    values: Vec<f64>,
}

impl Settled {
    /// What they take, in numbers of 8 bytes.
    pub(super) fn kept(&self) -> usize {
        self.times.capacity() + self.values.capacity()
    }

    /// Whether a column of these rows has to be copied, for gaps in it or for farewells.
    pub(super) fn copies(rows: &Rows, farewells: &[i64]) -> bool {
        let ends = match (rows.times.first(), farewells.last()) {
            (Some(first), Some(last)) => rows.millis(*first) <= *last,
            _ => false,
        };
        !rows.is_clean || ends
    }

    /// The series of a column of rows that are in order: moments, milliseconds, and values. It ends at each farewell, until
    /// it goes on.
    pub(super) fn series<'a>(
        &'a mut self,
        rows: &'a Rows,
        column: usize,
        farewells: &[i64],
    ) -> (&'a [i64], &'a [f64]) {
        let column = &rows.columns[column];
        if !Self::copies(rows, farewells) {
            return (&rows.times, column);
        }
        let Self { times, values: copied } = self;
        times.clear();
        copied.clear();
        let more = rows.times.len() + farewells.len();
        make_room(times, more);
        make_room(copied, more);
        let mut farewells = farewells.iter().copied().peekable();
        // The moment, in microseconds, of what was copied last.
        let mut last_at = i64::MIN;
        for (&at, &value) in rows.times.iter().zip(column) {
            if value.is_nan() {
                continue;
            }
            let millis = rows.millis(at);
            while let Some(end) = farewells.next_if(|end| *end < millis) {
                mark(times, copied, end, Some(millis));
            }
            match times.last() == Some(&millis) {
                true if at == last_at => {
                    if let Some(last) = copied.last_mut() {
                        *last = last.max(value);
                    }
                }
                true => copied.last_mut().into_iter().for_each(|last| *last = value),
                false => {
                    times.push(millis);
                    copied.push(value);
                }
            }
            last_at = at;
        }
        farewells.for_each(|end| mark(times, copied, end, None));
        (times, copied)
    }
}

/// Ends a series at a moment, or a millisecond later where there is a sample at that moment; not before it began, and
/// not where it goes on at once.
fn mark(times: &mut Vec<i64>, values: &mut Vec<f64>, end: i64, next: Option<i64>) {
    let Some(&last) = times.last() else { return };
    let end = end.max(last.saturating_add(1));
    if next.is_none_or(|next| end < next) {
        times.push(end);
        values.push(STALE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(samples: &[(i64, f64)]) -> Rows {
        let mut rows = Rows::new(1);
        samples.iter().for_each(|(at, value)| rows.put(*at, 0, *value));
        rows
    }

    fn series(mut rows: Rows, farewells: &[i64]) -> Vec<(i64, f64)> {
        rows.has_gaps |= rows.columns[0].iter().any(|value| value.is_nan());
        let mut settled = Settled::default();
        rows.settle(&[1.0]);
        let (times, values) = settled.series(&rows, 0, farewells);
        assert!(times.is_sorted_by(|a, b| a < b));
        let values = values.iter().map(|value| if pingup_promql::is_stale(*value) { -1.0 } else { *value });
        times.iter().copied().zip(values).collect()
    }

    #[test]
    fn rows_come_in_order_whatever_order_they_were_found_in() {
        let expected = [(-2, 0.5), (1, 1.0), (2, 2.0), (3, 3.0)];
        assert_eq!(series(rows(&[(-1_001, 0.5), (1_000, 1.0), (2_999, 2.0), (3_000, 3.0)]), &[]), expected);
        assert_eq!(series(rows(&[(3_000, 3.0), (1_000, 1.0), (-1_001, 0.5), (2_999, 2.0)]), &[]), expected);
    }

    #[test]
    fn of_one_millisecond_the_latest_counts_and_of_one_microsecond_the_greatest() {
        let samples =
            [(1_000, 9.0), (1_001, 2.0), (1_001, 4.0), (1_001, 3.0), (1_002, f64::NAN), (2_000, 1.0)];
        for first in 0..samples.len() {
            let mut turned = samples;
            turned.rotate_left(first);
            assert_eq!(series(rows(&turned), &[]), [(1, 4.0), (2, 1.0)], "{first}");
        }
    }

    #[test]
    fn a_farewell_ends_a_series_until_it_goes_on() {
        let samples = [(1_000, 1.0), (2_000, 2.0), (9_000, 9.0)];
        assert_eq!(series(rows(&samples), &[0]), [(1, 1.0), (2, 2.0), (9, 9.0)], "before it began");
        assert_eq!(series(rows(&samples), &[5]), [(1, 1.0), (2, 2.0), (5, -1.0), (9, 9.0)]);
        assert_eq!(series(rows(&samples), &[2]), [(1, 1.0), (2, 2.0), (3, -1.0), (9, 9.0)]);
        assert_eq!(series(rows(&samples), &[1]), [(1, 1.0), (2, 2.0), (9, 9.0)], "it went on at once");
        let at_the_end = [(1, 1.0), (2, 2.0), (9, 9.0), (10, -1.0), (12, -1.0)];
        assert_eq!(series(rows(&samples), &[9, 12]), at_the_end);
        assert_eq!(series(rows(&[]), &[9]), []);
    }

    #[test]
    fn an_agent_has_its_bound() {
        let rows = Rows::new(2);
        assert!(rows.check_room(AGENT_NUMBERS_MAX / 3).is_ok());
        let refused = rows.check_room(AGENT_NUMBERS_MAX / 3 + 1).unwrap_err();
        assert_eq!(refused.kind(), pingup_promql::ErrorKind::Limit);
    }
}
