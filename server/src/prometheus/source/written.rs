//! Questions about the labels of series that others write.

use super::Source;
use crate::tsdb::rows::SeriesId;
use pingup_promql::Matcher;

impl Source {
    /// Written series that fulfil any of `selectors` (without one: all) and may have samples in that time, by number.
    pub(super) fn written(
        &self,
        selectors: &[Vec<Matcher>],
        (first_ms, last_ms): (i64, i64),
    ) -> Vec<SeriesId> {
        let select = |matchers: &[Matcher]| self.written.select(matchers, first_ms, last_ms);
        match selectors {
            [] => select(&[]),
            [one] => select(one),
            several => {
                let mut series: Vec<_> = several.iter().flat_map(|matchers| select(matchers)).collect();
                series.sort_unstable();
                series.dedup();
                series
            }
        }
    }
}
