//! Exports of what lies in parts, in the journal, and in both.

use super::*;
use crate::tsdb::{
    schema::{self, integer_at, text_at, time_at},
    testing::{Bench, NOW, agent_id},
};
use arrow::datatypes::Schema;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;

/// The midnight before [`NOW`].
const MIDNIGHT: Timestamp = NOW.plus_seconds(-8 * 3_600);

/// A's samples: 1 to 4 around midnight, sealed; 5 and 6 in the journal, one amid those and one after.
fn used() -> Bench {
    let mut bench = Bench::new();
    bench.push("A", 1, 1..=4, MIDNIGHT.plus_seconds(-2));
    bench.push("B", 1, 1..=4, MIDNIGHT);
    bench.seal_all();
    bench.push("A", 2, 5..=5, MIDNIGHT);
    bench.push("A", 2, 6..=6, MIDNIGHT.plus_seconds(60));
    bench.push("B", 1, 5..=9, MIDNIGHT);
    let records = rusqlite::Connection::open(bench.scratch.folder.sqlite_path()).unwrap();
    records.execute_batch("INSERT INTO agents (id, created_at) VALUES ('A', 0), ('C', 0)").unwrap();
    bench
}

fn open(bench: &Bench, agent: &str, seconds: (Option<i64>, Option<i64>)) -> Result<Export, ExportError> {
    let [from, to] = [seconds.0, seconds.1].map(|at| at.map(|at| MIDNIGHT.plus_seconds(at)));
    Export::open(&bench.scratch.folder, Question { agent_id: agent_id(agent), from, to })
}

fn seqs(export: &Export) -> Vec<i64> {
    let mut seqs = Vec::new();
    let take = |batch: &RecordBatch| {
        assert_eq!(batch.schema(), *RAW);
        seqs.extend((0..batch.num_rows()).map(|row| integer_at(batch, 8, row).unwrap()));
        assert!((0..batch.num_rows()).all(|row| text_at(batch, 0, row) == "A"));
        Ok::<_, TsdbError>(())
    };
    export.each_batch(take, || ()).unwrap();
    seqs
}

#[test]
fn samples_come_in_the_order_of_time_wherever_they_lie() {
    let bench = used();
    for (range, expected) in [
        ((None, None), &[1, 2, 3, 5, 4, 6][..]),
        ((Some(-1), None), &[2, 3, 5, 4, 6]),
        ((Some(0), Some(1)), &[3, 5]),
        ((None, Some(-1)), &[1]),
        ((Some(61), None), &[]),
        ((Some(-90_000), Some(-10)), &[]),
    ] {
        let export = open(&bench, "A", range).unwrap();
        assert_eq!(seqs(&export), expected, "{range:?}");
        let names: &[&str] = if expected.is_empty() { &[] } else { &["load1"] };
        assert!(export.further_names().unwrap().iter().eq(names), "{range:?}");
    }
    assert!(seqs(&open(&bench, "C", (None, None)).unwrap()).is_empty());
    assert!(matches!(open(&bench, "D", (None, None)), Err(ExportError::UnknownAgent(id)) if id == "D"));
}

#[test]
fn a_file_has_the_columns_of_the_history() {
    let bench = used();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.parquet");
    let mut days = 0;
    let export = open(&bench, "A", (None, None)).unwrap();
    assert_eq!(export.write_parquet(File::create(&path).unwrap(), || days += 1).unwrap(), 6);
    assert_eq!((days, export.days()), (2, 2));
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
    let named =
        |schema: &Schema| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    assert_eq!(named(reader.schema()), named(&RAW));
    assert_eq!(*reader.schema().field(1).data_type(), schema::told_moment());
    let batches: Vec<_> = reader.build().unwrap().collect::<Result<_, _>>().unwrap();
    let times = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| time_at(batch, 1, row)));
    let times: Vec<_> = times.collect();
    assert!(times.is_sorted() && times.len() == 6);
}

#[test]
fn while_one_is_open_nothing_it_reads_is_deleted() {
    let mut bench = used();
    let export = open(&bench, "A", (None, None)).unwrap();
    bench.seal_all();
    bench.push("A", 2, 7..=7, MIDNIGHT.plus_seconds(61));
    bench.seal_all();
    for _ in 0..8 {
        bench.push("B", 2, 1..=1, MIDNIGHT);
        bench.seal_all();
    }
    bench.compact_all();
    bench.collect_garbage();
    assert_eq!(seqs(&export), [1, 2, 3, 5, 4, 6], "what there was as it was opened");
    drop(export);
    bench.collect_garbage();
    assert_eq!(seqs(&open(&bench, "A", (None, None)).unwrap()), [1, 2, 3, 5, 4, 6, 7]);
}

#[test]
fn one_that_is_stopped_ends_with_an_error() {
    let export = open(&used(), "A", (None, None)).unwrap();
    export.stop();
    let nothing = |_: &RecordBatch| Ok::<_, TsdbError>(());
    assert!(export.each_batch(nothing, || ()).is_err());
}
