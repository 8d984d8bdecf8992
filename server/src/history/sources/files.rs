//! Samples and rollups of all agents in files, added up by the bucket as they are read.

use super::{Files, rollup_names};
use crate::{
    history::{HistoryError, buckets::Sums, plan::BucketsPlan},
    storage::Wanted,
    tsdb::{
        Tier,
        merge::aggregate_at,
        pick,
        rollup::{Aggregate, bucket},
        schema::{OWN_COLUMNS, ROLLUP, double_at, map_at, text_at, time_at},
    },
};
use arrow::array::RecordBatch;
use pingup_protocol::time::Timestamp;

/// Adds what the plan wants of the rows in `files` to `sums`, which never hold much more than the page.
pub(in crate::history) fn add(
    files: &Files,
    plan: &BucketsPlan,
    sums: &mut Sums,
    wanted: &Wanted,
) -> Result<(), HistoryError> {
    let columns: Vec<&str> = match files.tier {
        Tier::Raw => {
            let further = plan.fields.has_further().then_some(FURTHER);
            [TIMESTAMP].into_iter().chain(plan.fields.own_columns()).chain(further).collect()
        }
        _ => ROLLUP.fields().iter().map(|field| field.name().as_str()).collect(),
    };
    for part in files.parts() {
        if sums.is_cut_before(bucket(part.row().times.0, plan.step_micros)) {
            continue;
        }
        for batch in pick::rows_of_all(part, files.range(), &columns)? {
            wanted.check()?;
            let batch = batch?;
            match files.tier {
                Tier::Raw => add_samples(&batch, files, plan, sums),
                _ => add_rollups(&batch, files, plan, sums),
            }
            sums.keep_page(plan.limit)?;
        }
    }
    Ok(())
}

const TIMESTAMP: &str = "timestamp";
/// Measurements without a column of their own.
const FURTHER: &str = "further";

fn add_samples(batch: &RecordBatch, files: &Files, plan: &BucketsPlan, sums: &mut Sums) {
    let place = |name: &str| batch.schema().index_of(name).ok();
    let Some(times) = place(TIMESTAMP) else { return };
    let own: [_; OWN_COLUMNS.len()] = OWN_COLUMNS.map(place);
    let further = place(FURTHER);
    for row in 0..batch.num_rows() {
        let at = time_at(batch, times, row);
        if !files.range().contains(&at) {
            continue;
        }
        let sum = sums.at(bucket(at, plan.step_micros));
        let at = Timestamp::from_micros(at);
        sum.samples += 1;
        for (place, column) in own.iter().enumerate() {
            if let Some(value) = column.and_then(|column| double_at(batch, column, row)) {
                sum.add_own(place, &Aggregate::of(value, at));
            }
        }
        for (name, value) in further.into_iter().flat_map(|column| map_at(batch, column, row)) {
            if plan.fields.has(name) {
                sum.add_further(name, &Aggregate::of(value, at));
            }
        }
    }
}

fn add_rollups(batch: &RecordBatch, files: &Files, plan: &BucketsPlan, sums: &mut Sums) {
    let names = rollup_names(&plan.fields);
    for row in 0..batch.num_rows() {
        let (name, start) = (text_at(batch, 1, row), time_at(batch, 2, row));
        let is_asked =
            files.range().contains(&start) && names.as_ref().is_none_or(|names| names.contains(&name));
        if is_asked && let Some(aggregate) = aggregate_at(batch, row) {
            sums.add(bucket(start, plan.step_micros), name, &aggregate);
        }
    }
}
