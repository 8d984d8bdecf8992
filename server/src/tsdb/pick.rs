//! Rows of a part straight from its file: one agent's, or those of all.
//!
//! A part is ordered by agent, so one agent's rows lie together: the statistics tell in which row groups. There the
//! ids are read first, and of the other columns what is the agent's alone. Of all agents' rows only those within
//! the time that is asked for are read whole. Read batch by batch, an answer takes no more memory than what it
//! adds up, and a question begins at once: what an engine needs to begin is most of a small question.

use super::{Part, Tier, TsdbError, fleet::FLEET};
use crate::storage::StorageError;
use arrow::{
    array::{RecordBatch, Scalar, StringArray, TimestampMicrosecondArray},
    compute::{
        and,
        kernels::cmp::{eq, gt_eq, lt},
    },
};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowPredicate, ArrowPredicateFn, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
            RowFilter,
        },
    },
    file::{metadata::RowGroupMetaData, statistics::Statistics},
};
use std::{fs::File, ops::Range};

/// The column with the agents' ids: the first of every part.
const AGENT: &str = "agent_id";
/// Rows read at once.
const BATCH_ROWS: usize = 4_096;

type Builder = ParquetRecordBatchReaderBuilder<File>;
type Filters = Vec<Box<dyn ArrowPredicate>>;

/// The rows of `agent_id` in `part`, in the part's order, batch by batch; of their columns those in `columns`.
pub fn rows_of(part: &Part, agent_id: &str, columns: &[&str]) -> Result<ParquetRecordBatchReader, TsdbError> {
    let builder = open(part)?;
    let filters = vec![is_of(&builder, agent_id)];
    read(builder, filters, columns, |group| may_hold(group, agent_id))
}

/// The same, of those within `range`, microseconds.
pub fn rows_within(
    part: &Part,
    agent_id: &str,
    range: &Range<i64>,
    columns: &[&str],
) -> Result<ParquetRecordBatchReader, TsdbError> {
    let builder = open(part)?;
    let mut filters = vec![is_of(&builder, agent_id)];
    filters.extend(lies_within(&builder, part, range));
    read(builder, filters, columns, |group| may_hold(group, agent_id))
}

/// The rows of all agents in `part` within `range`, microseconds, in the part's order, batch by batch; of their
/// columns those in `columns`. The fleet's own are left out.
pub fn rows_of_all(
    part: &Part,
    range: &Range<i64>,
    columns: &[&str],
) -> Result<ParquetRecordBatchReader, TsdbError> {
    let builder = open(part)?;
    let filters = lies_within(&builder, part, range).into_iter().collect();
    read(builder, filters, columns, |group| !begins_with(group, FLEET))
}

fn open(part: &Part) -> Result<Builder, TsdbError> {
    let file = File::open(part.path()).map_err(StorageError::file("open", part.path()))?;
    Ok(Builder::try_new(file)?)
}

fn read(
    builder: Builder,
    filters: Filters,
    columns: &[&str],
    wanted: impl Fn(&RowGroupMetaData) -> bool,
) -> Result<ParquetRecordBatchReader, TsdbError> {
    let groups = builder.metadata().row_groups().iter().enumerate();
    let groups = groups.filter(|(_, group)| wanted(group)).map(|(number, _)| number).collect();
    let projection = mask(&builder, columns);
    let reader = builder
        .with_row_groups(groups)
        .with_projection(projection)
        .with_row_filter(RowFilter::new(filters))
        .with_batch_size(BATCH_ROWS);
    Ok(reader.build()?)
}

fn mask(builder: &Builder, names: &[&str]) -> ProjectionMask {
    let places = names.iter().filter_map(|name| builder.schema().index_of(name).ok());
    ProjectionMask::roots(builder.parquet_schema(), places)
}

/// The agent's rows.
fn is_of(builder: &Builder, agent_id: &str) -> Box<dyn ArrowPredicate> {
    let id = Scalar::new(StringArray::from(vec![agent_id.to_owned()]));
    Box::new(ArrowPredicateFn::new(mask(builder, &[AGENT]), move |ids: RecordBatch| eq(ids.column(0), &id)))
}

/// Rows within `range`; nothing where all of the part's are: to filter by what excludes nothing costs as much as
/// to filter.
fn lies_within(builder: &Builder, part: &Part, range: &Range<i64>) -> Option<Box<dyn ArrowPredicate>> {
    let (first, last) = part.row().times;
    if range.start <= first && last < range.end {
        return None;
    }
    let column = match part.row().tier {
        Tier::Raw | Tier::Scans | Tier::Points => "timestamp",
        Tier::Minute | Tier::Hour => "start",
    };
    let moment = |micros| Scalar::new(TimestampMicrosecondArray::from(vec![micros]));
    let (start, end) = (moment(range.start), moment(range.end));
    let is_within =
        move |times: RecordBatch| and(&gt_eq(times.column(0), &start)?, &lt(times.column(0), &end)?);
    Some(Box::new(ArrowPredicateFn::new(mask(builder, &[column]), is_within)))
}

/// Whether the group can have rows of the agent, as far as its statistics tell.
fn may_hold(group: &RowGroupMetaData, agent_id: &str) -> bool {
    let Some(Statistics::ByteArray(ids)) = group.columns().first().and_then(|ids| ids.statistics()) else {
        return true;
    };
    ids.min_opt().is_none_or(|first| first.data() <= agent_id.as_bytes())
        && ids.max_opt().is_none_or(|last| agent_id.as_bytes() <= last.data())
}

/// Whether the group's first agent is this one. The fleet's rows have row groups of their own.
fn begins_with(group: &RowGroupMetaData, agent_id: &str) -> bool {
    let Some(Statistics::ByteArray(ids)) = group.columns().first().and_then(|ids| ids.statistics()) else {
        return false;
    };
    ids.min_opt().is_some_and(|first| first.data() == agent_id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::{
        record::OwnedRows,
        schema::{double_at, text_at, time_at},
        testing::{Bench, EVER, NOW, sample},
    };
    use std::sync::Arc;

    /// Three agents side by side, more rows than a group takes.
    fn parts(tier: Tier) -> (Bench, Vec<Arc<Part>>) {
        let mut bench = Bench::new();
        for from in (0..30_000).step_by(10_000) {
            let samples = (from..from + 10_000).map(|n: u64| {
                sample(["a", "b", "c"][n as usize % 3], (1, n), NOW.plus_seconds(n as i64 - 40_000))
            });
            bench.append(&OwnedRows { samples: samples.collect(), ..OwnedRows::default() }).unwrap();
        }
        bench.seal_all();
        let parts = bench.tsdb.view().parts_for(tier, None, &EVER);
        (bench, parts)
    }

    fn times(reader: ParquetRecordBatchReader) -> Vec<i64> {
        let mut times = Vec::new();
        for batch in reader {
            let batch = batch.unwrap();
            assert_eq!(batch.num_columns(), 2);
            times.extend((0..batch.num_rows()).map(|row| time_at(&batch, 0, row)));
            assert!((0..batch.num_rows()).all(|row| double_at(&batch, 1, row).is_some()));
        }
        times
    }

    #[test]
    fn an_agents_rows_come_whole_and_alone() {
        let (_bench, parts) = parts(Tier::Raw);
        for (agent, wanted) in [("a", 10_000), ("b", 10_000), ("c", 10_000), ("aa", 0), ("", 0), ("d", 0)] {
            let read = |part: &Arc<Part>| times(rows_of(part, agent, &["timestamp", "cpu"]).unwrap());
            let times: Vec<_> = parts.iter().flat_map(read).collect();
            assert_eq!(times.len(), wanted, "{agent:?}");
            assert!(times.is_sorted());
        }
    }

    #[test]
    fn a_range_is_half_open_of_one_agent_and_of_all() {
        let (_bench, parts) = parts(Tier::Raw);
        let at = |seconds: i64| NOW.plus_seconds(seconds - 40_000).as_micros();
        for (from, to) in [(0, 30_000), (0, 1), (299, 601), (29_999, 30_000), (-5, 3), (30_000, 40_000)] {
            let (range, columns) = (at(from)..at(to), ["timestamp", "cpu"]);
            let of_b: usize =
                parts.iter().map(|part| times(rows_within(part, "b", &range, &columns).unwrap()).len()).sum();
            let there = from.max(0)..to.min(30_000);
            assert_eq!(of_b, there.clone().filter(|second| second % 3 == 1).count(), "{from}..{to}");
            let of_all: usize =
                parts.iter().map(|part| times(rows_of_all(part, &range, &columns).unwrap()).len()).sum();
            assert_eq!(of_all, there.count(), "{from}..{to}");
        }
    }

    #[test]
    fn of_all_agents_the_fleet_is_none() {
        let (_bench, parts) = parts(Tier::Hour);
        assert!(parts.iter().any(|part| part.row().has_fleet()));
        for part in &parts {
            for batch in rows_of_all(part, &(i64::MIN..i64::MAX), &["agent_id"]).unwrap() {
                let batch = batch.unwrap();
                assert!((0..batch.num_rows()).all(|row| text_at(&batch, 0, row) != FLEET));
            }
        }
    }
}
