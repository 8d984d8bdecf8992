//! Samples in memory, added up where they lie.

use crate::{
    history::{HistoryError, buckets::Sums, plan::BucketsPlan},
    tsdb::{
        View,
        rollup::{Aggregate, bucket},
        schema::OWN_COLUMNS,
    },
};
use pingup_protocol::ids::AgentId;

/// Samples after which what is on no page is let go.
const SAMPLES_AT_ONCE: usize = 4_096;

/// Adds what the plan wants of the samples in memory to `sums`, which never hold much more than the page; whether there
/// were any.
pub(in crate::history) fn add(
    view: &View,
    agent: Option<&AgentId>,
    plan: &BucketsPlan,
    sums: &mut Sums,
) -> Result<bool, HistoryError> {
    let own = OWN_COLUMNS.map(|name| plan.fields.has(name));
    let has_further = plan.fields.has_further();
    let (mut found, mut failed) = (0_usize, None);
    for segment in &view.segments {
        segment.each_sample(agent.map(AgentId::as_str), &(plan.from..plan.to), |sample| {
            found += 1;
            if found % SAMPLES_AT_ONCE == 0
                && let Err(error) = sums.keep_page(plan.limit)
            {
                failed = Some(error);
            }
            let at = sample.timestamp();
            let sum = sums.at(bucket(at.as_micros(), plan.step_micros));
            sum.samples += 1;
            for place in (0..own.len()).filter(|place| own[*place]) {
                if let Some(value) = sample.own(place) {
                    sum.add_own(place, &Aggregate::of(value, at));
                }
            }
            if has_further {
                for (name, value) in sample.further().filter(|(name, _)| plan.fields.has(name)) {
                    sum.add_further(name, &Aggregate::of(value, at));
                }
            }
        });
    }
    failed.map_or(Ok(found > 0), Err)
}
