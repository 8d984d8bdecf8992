//! Trays: every type there and back, order, and what is refused.

mod rows;

use super::*;
use crate::storage::{Duck, StorageError, scratch::Scratch};
use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array},
    datatypes::{DataType, Field, Int64Type, Schema},
    util::display::{ArrayFormatter, FormatOptions},
};
use rows::every_type;
use std::panic::resume_unwind;

fn query(duck: &Duck, sql: &str) -> Result<Vec<RecordBatch>, StorageError> {
    duck.run_blocking(|connection| Ok(connection.prepare(sql)?.query_arrow([])?.collect()))
}

/// Every value as text, a column after the other: equal where the values are, whatever the names of a list's
/// elements and a map's entries.
fn shown(batches: &[RecordBatch]) -> Vec<String> {
    let columns = batches.first().map_or(0, RecordBatch::num_columns);
    let options = FormatOptions::default().with_null("∅");
    let of_column = |column| batches.iter().map(move |batch: &RecordBatch| batch.column(column));
    (0..columns)
        .flat_map(of_column)
        .flat_map(|array| {
            let formatter = ArrayFormatter::try_new(array, &options).unwrap();
            (0..array.len()).map(|row| formatter.value(row).to_string()).collect::<Vec<_>>()
        })
        .collect()
}

fn serve(batches: Vec<RecordBatch>) -> Tray {
    Tray::serve(batches[0].schema(), batches.into_iter())
}

fn failure(duck: &Duck, sql: &str) -> String {
    query(duck, sql).unwrap_err().to_string()
}

/// One column `n` of numbers.
fn numbers(from: i64, to: i64) -> RecordBatch {
    let column: ArrayRef = Arc::new((from..to).map(Some).collect::<Int64Array>());
    RecordBatch::try_from_iter([("n", column)]).unwrap()
}

#[test]
fn every_type_goes_through_sql_and_parquet_unchanged() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    let file = scratch.folder.path().join("rows.parquet");
    for rows in [1, 10, VECTOR_ROWS, VECTOR_ROWS + 1, 10_000] {
        let batch = every_type(rows);
        let expected = shown(std::slice::from_ref(&batch));
        let tray = serve(vec![batch.clone()]);
        assert_eq!(shown(&query(&duck, &format!("FROM tray({})", tray.id())).unwrap()), expected, "{rows}");
        // In pieces that begin anywhere.
        let pieces = (0..rows).step_by(777).map(|at| batch.slice(at, 777.min(rows - at))).collect();
        let tray = serve(pieces);
        query(&duck, &format!("COPY (FROM tray({})) TO '{}'", tray.id(), file.display())).unwrap();
        assert_eq!(shown(&query(&duck, &format!("FROM '{}'", file.display())).unwrap()), expected, "{rows}");
    }
}

#[test]
fn fields_of_a_null_struct_are_null() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    let batch = every_type(5_000);
    let tray = serve(vec![batch.clone()]);
    let sql = format!(
        "SELECT count(*) FILTER (h IS NULL), count(*) FILTER (h IS NULL AND (h.name IS NOT NULL OR h.ports IS NOT \
         NULL)) FROM (SELECT unnest(list) AS h FROM tray({}))",
        tray.id()
    );
    let answer = query(&duck, &sql).unwrap();
    let number = |column| answer[0].column(column).as_primitive::<Int64Type>().value(0);
    let missing = batch.column(8).as_list::<i32>().values().null_count() as i64;
    assert!(missing > 0);
    assert_eq!((number(0), number(1)), (missing, 0));
}

#[test]
fn order_is_kept_through_parquet() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    let file = scratch.folder.path().join("rows.parquet");
    // 100 000 rows in batches of many sizes, empty ones among them.
    let bounds: Vec<i64> = (0..=100).map(|n: i64| n * n * 10).collect();
    let batches = bounds.windows(2).flat_map(|pair| [numbers(0, 0), numbers(pair[0], pair[1])]).collect();
    let tray = serve(batches);
    let copy = format!("COPY (FROM tray({})) TO '{}' (ROW_GROUP_SIZE 4096)", tray.id(), file.display());
    query(&duck, &copy).unwrap();
    let found = query(&duck, &format!("SELECT n FROM '{}'", file.display())).unwrap();
    let found = found.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec());
    assert!(found.eq(0..100_000));
}

#[test]
fn a_column_alone_no_column_and_no_row() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    let batch = every_type(5_000);
    let ask = |columns: &str, batches: Vec<RecordBatch>| {
        let tray = Tray::serve(batch.schema(), batches.into_iter());
        shown(&query(&duck, &format!("SELECT {columns} FROM tray({})", tray.id())).unwrap())
    };
    assert_eq!(ask("count(*)", vec![batch.clone()]), ["5000"]);
    assert_eq!(ask("1", vec![batch.slice(0, 3)]), ["1", "1", "1"]);
    assert_eq!(ask("small, n", vec![batch.slice(2, 2)]), ["-5", "∅", "2", "3"]);
    assert_eq!(ask("n, n, n + 1", vec![batch.slice(2, 1)]), ["2", "2", "3"]);
    assert_eq!(ask("count(text), max(n)", vec![]), ["0", "∅"]);
    assert_eq!(ask("*", vec![batch.slice(0, 0)]), Vec::<String>::new());
}

#[test]
fn bound_as_a_parameter_and_two_at_once() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    let (first, second) = (serve(vec![numbers(0, 3)]), serve(vec![numbers(3, 5)]));
    let found = duck.run_blocking(|connection| {
        let sql = "SELECT n FROM tray(?) UNION ALL SELECT n FROM tray(?)";
        let batches = connection.prepare(sql)?.query_arrow([first.id(), second.id()])?.collect::<Vec<_>>();
        Ok::<_, StorageError>(batches)
    });
    assert_eq!(shown(&found.unwrap()), ["0", "1", "2", "3", "4"]);
}

#[test]
fn what_is_kept_is_scanned_as_often_as_it_is_named() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    let tray = Tray::keep(numbers(0, 0).schema(), vec![numbers(0, 3), numbers(3, 5)]);
    let id = tray.id();
    let sql = format!("SELECT count(*) FROM tray({id}) a JOIN tray({id}) b USING (n)");
    for _ in 0..2 {
        assert_eq!(shown(&query(&duck, &sql).unwrap()), ["5"]);
    }
    drop(tray);
    assert!(failure(&duck, &sql).contains("no tray"));
}

#[test]
fn what_is_gone_taken_or_never_was_is_refused() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    let tray = serve(vec![numbers(0, 3)]);
    let sql = format!("SELECT count(*) FROM tray({})", tray.id());
    query(&duck, &sql).unwrap();
    assert!(failure(&duck, &sql).contains("scanned only once"), "{}", failure(&duck, &sql));
    drop(tray);
    assert!(failure(&duck, &sql).contains("no tray"));
    for never in ["NULL", "-1", "0", "9223372036854775807"] {
        assert!(failure(&duck, &format!("FROM tray({never})")).contains("no tray"), "{never}");
    }
    assert_eq!(duck.reopened(), 0);
}

#[test]
fn a_batch_of_another_schema_and_a_panic_fail_the_query_alone() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true)]));
    let tray = Tray::serve(schema, [numbers(0, 3)].into_iter());
    let refused = failure(&duck, &format!("FROM tray({})", tray.id()));
    assert!(refused.contains("not of its tray's schema"), "{refused}");
    // Unwound as by a panic, without its lines among those of the tests.
    let panics = (0..2).map(|n| if n == 0 { numbers(0, 3) } else { resume_unwind(Box::new("on purpose")) });
    let tray = Tray::serve(numbers(0, 0).schema(), panics);
    let refused = failure(&duck, &format!("COPY (FROM tray({})) TO '/nowhere/else'", tray.id()));
    assert!(!refused.contains("on purpose"), "the file is refused first: {refused}");
    let refused = failure(&duck, &format!("SELECT sum(n) FROM tray({})", tray.id()));
    assert!(refused.contains("on purpose"), "{refused}");
    duck.probe().unwrap();
    assert_eq!(duck.reopened(), 0);
}

#[test]
fn the_register_holds_what_is_alive_and_no_more() {
    let tray = serve(vec![numbers(0, 1)]);
    let id = tray.id;
    assert!(lock(&TRAYS).contains_key(&id));
    drop(tray);
    assert!(!lock(&TRAYS).contains_key(&id));
}
