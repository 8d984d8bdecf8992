//! One agent's rows of a part, straight from its file.
//!
//! A part is ordered by agent, so those rows lie together: the statistics tell in which row groups. There the ids
//! are read first, and of the other columns what is the agent's alone. For the questions that are asked most,
//! about one agent, that takes a fraction of what an engine needs to begin.

use super::{Part, TsdbError};
use crate::storage::StorageError;
use arrow::{
    array::{Scalar, StringArray},
    compute::kernels::cmp::eq,
};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowPredicateFn, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowFilter,
        },
    },
    file::{metadata::RowGroupMetaData, statistics::Statistics},
};
use std::fs::File;

/// The column with the agents' ids: the first of every part.
const AGENT: &str = "agent_id";
/// Rows read at once.
const BATCH_ROWS: usize = 4_096;

/// The agent's rows of `part`, in the part's order, batch by batch; of their columns those in `columns`.
pub fn rows_of(part: &Part, agent_id: &str, columns: &[&str]) -> Result<ParquetRecordBatchReader, TsdbError> {
    let file = File::open(part.path()).map_err(StorageError::file("open", part.path()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let groups = builder.metadata().row_groups().iter().enumerate();
    let groups = groups.filter(|(_, group)| may_hold(group, agent_id)).map(|(number, _)| number).collect();
    let mask = |names: &[&str]| {
        let places = names.iter().filter_map(|name| builder.schema().index_of(name).ok());
        ProjectionMask::roots(builder.parquet_schema(), places)
    };
    let id = Scalar::new(StringArray::from(vec![agent_id.to_owned()]));
    let is_theirs = ArrowPredicateFn::new(mask(&[AGENT]), move |ids| eq(ids.column(0), &id));
    let wanted = mask(columns);
    let reader = builder
        .with_row_groups(groups)
        .with_projection(wanted)
        .with_row_filter(RowFilter::new(vec![Box::new(is_theirs)]))
        .with_batch_size(BATCH_ROWS);
    Ok(reader.build()?)
}

/// Whether the group can have rows of the agent, as far as its statistics tell.
fn may_hold(group: &RowGroupMetaData, agent_id: &str) -> bool {
    let Some(Statistics::ByteArray(ids)) = group.columns().first().and_then(|ids| ids.statistics()) else {
        return true;
    };
    ids.min_opt().is_none_or(|first| first.data() <= agent_id.as_bytes())
        && ids.max_opt().is_none_or(|last| agent_id.as_bytes() <= last.data())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::{
        Tier,
        record::OwnedRows,
        schema::{double_at, time_at},
        testing::{Bench, NOW, sample},
    };

    /// Three agents side by side, more rows than a group takes: each agent's come whole, in order, alone.
    #[test]
    fn an_agents_rows_come_whole_and_alone() {
        let mut bench = Bench::new();
        for from in (0..30_000).step_by(10_000) {
            let samples = (from..from + 10_000).map(|n: u64| {
                sample(["a", "b", "c"][n as usize % 3], (1, n), NOW.plus_seconds(n as i64 - 40_000))
            });
            bench.append(&OwnedRows { samples: samples.collect(), ..OwnedRows::default() }).unwrap();
        }
        bench.seal_all();
        let parts: Vec<_> =
            bench.tsdb.view().parts.iter().filter(|part| part.row().tier == Tier::Raw).cloned().collect();
        for (agent, wanted) in [("a", 10_000), ("b", 10_000), ("c", 10_000), ("aa", 0), ("", 0), ("d", 0)] {
            let mut times = Vec::new();
            for part in &parts {
                for batch in rows_of(part, agent, &["timestamp", "cpu"]).unwrap() {
                    let batch = batch.unwrap();
                    assert_eq!(batch.num_columns(), 2);
                    times.extend((0..batch.num_rows()).map(|row| time_at(&batch, 0, row)));
                    assert!((0..batch.num_rows()).all(|row| double_at(&batch, 1, row).is_some()));
                }
            }
            assert_eq!(times.len(), wanted, "{agent:?}");
            assert!(times.is_sorted());
        }
    }
}
