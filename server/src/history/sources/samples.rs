//! Samples of one agent in files, added up by the bucket: read by lanes, as its rollups are.

use super::Files;
use crate::{
    history::{HistoryError, buckets::Sums, plan::BucketsPlan},
    storage::Wanted,
    tsdb::{
        TsdbError, View,
        lanes::{Leaf, Strip},
        rollup::{Aggregate, bucket},
        schema::OWN_COLUMNS,
    },
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::ops::Range;

/// Rows read at once.
const ROWS_AT_ONCE: usize = 4_096;

/// Adds what the plan wants of the agent's rows in `files` to `sums`, which never hold much more than the page.
pub(in crate::history) fn add(
    view: &View,
    files: &Files,
    agent: &AgentId,
    plan: &BucketsPlan,
    sums: &mut Sums,
    wanted: &Wanted,
) -> Result<(), HistoryError> {
    let open = |strip: &Strip| Cells::of(strip, plan);
    files.each_group((view, agent), plan, sums, open, |cells, strip, of_agent, sums| {
        for first in of_agent.clone().step_by(ROWS_AT_ONCE) {
            wanted.check()?;
            let rows = first..of_agent.end.min(first + ROWS_AT_ONCE);
            cells.add(strip, rows, files.range(), plan, sums)?;
            sums.keep_page(plan.limit)?;
        }
        Ok(())
    })
}

/// Columns of a table of samples that are asked for, and what of them was read last.
struct Cells {
    time: Leaf,
    own: [Option<Leaf>; OWN_COLUMNS.len()],
    /// Names and values of further measurements, where any is asked for.
    further: Option<(Leaf, Leaf)>,
    times: Vec<i64>,
    values: Vec<f64>,
}

impl Cells {
    fn of(strip: &Strip, plan: &BucketsPlan) -> Option<Self> {
        let own = |name: &str| plan.fields.has(name).then(|| strip.leaf(name)).flatten();
        let further = || strip.leaf("further.keys").zip(strip.leaf("further.values"));
        Some(Self {
            time: strip.leaf("timestamp")?,
            own: OWN_COLUMNS.map(own),
            further: plan.fields.has_further().then(further).flatten(),
            times: Vec::new(),
            values: Vec::new(),
        })
    }

    /// Adds those of `rows`, of one agent and so in order of time, that lie within `range`.
    fn add(
        &mut self,
        strip: &mut Strip,
        rows: Range<usize>,
        range: &Range<i64>,
        plan: &BucketsPlan,
        sums: &mut Sums,
    ) -> Result<(), TsdbError> {
        let Self { times, values, .. } = self;
        times.clear();
        strip.integers(self.time, rows.clone(), times)?;
        let first = times.partition_point(|at| *at < range.start);
        let end = times.partition_point(|at| *at < range.end).max(first);
        times.truncate(end);
        times.drain(..first);
        let rows = rows.start + first..rows.start + end;
        if rows.is_empty() {
            return Ok(());
        }
        for at in &*times {
            sums.count(bucket(*at, plan.step_micros), 1);
        }
        for (place, leaf) in self.own.iter().enumerate() {
            let Some(leaf) = leaf else { continue };
            values.clear();
            strip.doubles(*leaf, rows.clone(), values)?;
            for (at, value) in times.iter().zip(&*values).filter(|(_, value)| !value.is_nan()) {
                let of_one = Aggregate::of(*value, Timestamp::from_micros(*at));
                sums.at(bucket(*at, plan.step_micros)).add_own(place, &of_one);
            }
        }
        let Some(leaves) = self.further else { return Ok(()) };
        strip.maps(leaves, rows, |row, name, value| {
            if let (Some(&at), Ok(name)) = (times.get(row), std::str::from_utf8(name))
                && plan.fields.has(name)
            {
                let of_one = Aggregate::of(value, Timestamp::from_micros(at));
                sums.at(bucket(at, plan.step_micros)).add_further(name, &of_one);
            }
        })
    }
}
