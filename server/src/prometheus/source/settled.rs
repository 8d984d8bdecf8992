//! The series that an agent's rows are, once they are in order. Pure.
//!
//! Of several rows within one millisecond the latest counts that has the measurement, and of those at one microsecond the greatest
//! value: whatever way the rows are spread over files.

use super::rows::{Rows, make_room};
use pingup_promql::STALE;

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
}
