//! One agent's rows while they are gathered. Pure.
//!
//! Files and memory each give rows in order of time, and mostly one after the other; where they do not, rows are sorted.

use crate::prometheus::agents::millis;
use pingup_promql::Error;

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
    pub(super) is_clean: bool,
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

    /// A moment of a row, milliseconds.
    pub(super) const fn millis(&self, at: i64) -> i64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_has_its_bound() {
        let rows = Rows::new(2);
        assert!(rows.check_room(AGENT_NUMBERS_MAX / 3).is_ok());
        let refused = rows.check_room(AGENT_NUMBERS_MAX / 3 + 1).unwrap_err();
        assert_eq!(refused.kind(), pingup_promql::ErrorKind::Limit);
    }
}
