//! Rollups in files. Several rows may stand for one bucket; they add up.

use super::{Files, names_are, raw, rollup_names, start_of_bucket};
use crate::{
    history::{HistoryError, buckets::Sums, plan::BucketsPlan},
    tsdb::total::rolled_units_in_sql,
};
use duckdb::Connection;

/// Adds what the plan wants of the rollups in `files` to `sums`.
pub(in crate::history) fn add(
    connection: &Connection,
    files: &Files,
    plan: &BucketsPlan,
    sums: &mut Sums,
) -> Result<(), HistoryError> {
    let names = rollup_names(&plan.fields);
    let limit = raw::rows_max(plan, names.as_ref().map(Vec::len));
    let condition = files.condition("start");
    let names = names_are(names);
    let wanted = match (names.as_str(), condition.as_str()) {
        ("", _) => condition,
        (names, "") => format!(" WHERE {names}"),
        (names, condition) => format!("{condition} AND {names}"),
    };
    let sql = format!(
        "SELECT {} AS bucket, name, sum(abs(count))::BIGINT, min(min), max(max), sum({}), arg_max(last, last_at),
                epoch_us(max(last_at))
         FROM {}{wanted} GROUP BY bucket, name",
        start_of_bucket("start", plan.step_micros),
        rolled_units_in_sql(),
        files.table(),
    );
    raw::add_named(connection, plan, &sql, limit, sums)
}
