//! All agents' samples in files, added up by DuckDB.

use super::{Files, batches, count, doubles, integers, names_are, start_of_bucket, texts};
use crate::{
    history::{HistoryError, PAGE_MEASUREMENTS_MAX, buckets::Sums, plan::BucketsPlan},
    tsdb::{
        rollup::Aggregate,
        total::{Total, units_in_sql},
    },
};
use arrow::array::{Array, RecordBatch};
use duckdb::Connection;
use pingup_protocol::time::Timestamp;

/// Columns that an aggregate takes: count, min, max, sum in units ([`Total`]), last, last_at.
pub(in crate::history) const AGGREGATE_COLUMNS: usize = 6;

/// Adds what the plan wants of the samples in `files` to `sums`.
pub(in crate::history) fn add(
    connection: &Connection,
    files: &Files,
    plan: &BucketsPlan,
    sums: &mut Sums,
) -> Result<(), HistoryError> {
    add_own(connection, files, plan, sums)?;
    if plan.fields.has_further() { add_further(connection, files, plan, sums) } else { Ok(()) }
}

/// The columns of the aggregate of one column, beside its times.
pub(in crate::history) fn aggregate_of(value: &str, at: &str) -> String {
    format!(
        "count({value}), min({value}), max({value}), sum({}), arg_max({value}, {at}), \
         epoch_us(max({at}) FILTER ({value} IS NOT NULL))",
        units_in_sql(value)
    )
}

/// Those that have columns of their own, a bucket a row; and how many samples there are.
fn add_own(
    connection: &Connection,
    files: &Files,
    plan: &BucketsPlan,
    sums: &mut Sums,
) -> Result<(), HistoryError> {
    let own: Vec<_> = plan.fields.own_columns().collect();
    let aggregates: String =
        own.iter().map(|name| format!(", {}", aggregate_of(name, "timestamp"))).collect();
    let sql = format!(
        "SELECT {} AS bucket, count(*){aggregates} FROM {}{} GROUP BY bucket",
        start_of_bucket("timestamp", plan.step_micros),
        files.table(),
        files.condition("timestamp"),
    );
    let (batches, cut) = ask(connection, plan, &sql, "bucket", plan.limit + 1)?;
    for batch in &batches {
        let (starts, counts) = (integers(batch, 0)?, integers(batch, 1)?);
        (0..batch.num_rows()).for_each(|row| sums.count(starts.value(row), count(counts.value(row))));
        for (name, first) in own.iter().zip((2..).step_by(AGGREGATE_COLUMNS)) {
            each_aggregate(batch, first, |row, aggregate| sums.add(starts.value(row), name, &aggregate))?;
        }
    }
    cut.into_iter().for_each(|start| sums.cut(start));
    Ok(())
}

/// The others, a measurement of a bucket a row.
fn add_further(
    connection: &Connection,
    files: &Files,
    plan: &BucketsPlan,
    sums: &mut Sums,
) -> Result<(), HistoryError> {
    let wanted = match names_are(plan.fields.further()) {
        all if all.is_empty() => all,
        names => format!("WHERE {names}"),
    };
    let limit = rows_max(plan, plan.fields.further().map(|names| names.len()));
    let sql = format!(
        "SELECT bucket, name, {} FROM (
             SELECT {} AS bucket, timestamp AS moment, unnest(map_keys(further)) AS name, unnest(map_values(further)) AS value
             FROM {}{})
         {wanted} GROUP BY bucket, name",
        aggregate_of("value", "moment"),
        start_of_bucket("timestamp", plan.step_micros),
        files.table(),
        files.condition("timestamp"),
    );
    add_named(connection, plan, &sql, limit, sums)
}

/// Rows of named measurements that answer a page: `limit` buckets and one more, each of so many names.
pub(super) fn rows_max(plan: &BucketsPlan, names: Option<usize>) -> usize {
    names.map_or(PAGE_MEASUREMENTS_MAX, |names| names * (plan.limit + 1)).min(PAGE_MEASUREMENTS_MAX) + 1
}

/// Adds the rows `bucket, name, aggregate` that `sql` answers, at most `limit` of them.
pub(super) fn add_named(
    connection: &Connection,
    plan: &BucketsPlan,
    sql: &str,
    limit: usize,
    sums: &mut Sums,
) -> Result<(), HistoryError> {
    let (batches, cut) = ask(connection, plan, sql, "bucket, name", limit)?;
    for batch in &batches {
        let (starts, names) = (integers(batch, 0)?, texts(batch, 1)?);
        each_aggregate(batch, 2, |row, aggregate| sums.add(starts.value(row), names.value(row), &aggregate))?;
    }
    cut.into_iter().for_each(|start| sums.cut(start));
    Ok(())
}

/// What `sql` answers, at most `limit` rows in `order`, and where it was cut. Order costs a quarter of a small
/// question, and nobody needs it where all is there.
fn ask(
    connection: &Connection,
    plan: &BucketsPlan,
    sql: &str,
    order: &str,
    limit: usize,
) -> Result<(Vec<RecordBatch>, Option<i64>), HistoryError> {
    let rows = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    if plan.is_one_page() {
        let batches = batches(connection, &format!("{sql} LIMIT {limit}"))?;
        if rows(&batches) < limit {
            return Ok((batches, None));
        }
    }
    let batches = batches(connection, &format!("{sql} ORDER BY {order} LIMIT {limit}"))?;
    let last = batches.iter().rfind(|batch| batch.num_rows() > 0).filter(|_| rows(&batches) == limit);
    let cut = match last {
        Some(batch) => Some(integers(batch, 0)?.value(batch.num_rows() - 1)),
        None => None,
    };
    Ok((batches, cut))
}

/// Shows the aggregates in the columns from `first` on, each with its row; those of nothing are left out.
pub(in crate::history) fn each_aggregate(
    batch: &RecordBatch,
    first: usize,
    mut show: impl FnMut(usize, Aggregate),
) -> Result<(), HistoryError> {
    let counts = integers(batch, first)?;
    let (mins, maxima) = (doubles(batch, first + 1)?, doubles(batch, first + 2)?);
    let (sums, lasts) = (doubles(batch, first + 3)?, doubles(batch, first + 4)?);
    let last_ats = integers(batch, first + 5)?;
    for row in (0..batch.num_rows()).filter(|row| !mins.is_null(*row)) {
        let aggregate = Aggregate {
            count: count(counts.value(row)),
            min: mins.value(row),
            max: maxima.value(row),
            sum: Total::of_units(sums.value(row)),
            last: lasts.value(row),
            last_at: Timestamp::from_micros(last_ats.value(row)),
        };
        show(row, aggregate);
    }
    Ok(())
}
