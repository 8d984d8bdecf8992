//! The same history as Arrow and as Parquet, asked for by Accept and read back.

use crate::harness::{Hub, agent::now, wire::Answer};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType},
    ipc::reader::StreamReader,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use serde_json::json;
use std::io::Cursor;

const ARROW: &str = "application/vnd.apache.arrow.stream";
const PARQUET: &str = "application/vnd.apache.parquet";

/// Reads the whole of an answer.
fn read(answer: Answer, form: &str) -> RecordBatch {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(form)));
    assert_eq!(answer.header("x-pingup-tiers"), Some("raw"));
    let batches: Vec<_> = match form {
        ARROW => {
            StreamReader::try_new(Cursor::new(answer.body), None).unwrap().collect::<Result<_, _>>().unwrap()
        }
        _ => ParquetRecordBatchReader::try_new(bytes::Bytes::from(answer.body), 1_024)
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap(),
    };
    let [batch] = <[RecordBatch; 1]>::try_from(batches).unwrap();
    batch
}

fn names(batch: &RecordBatch) -> Vec<String> {
    batch.schema().fields().iter().map(|field| field.name().clone()).collect()
}

#[test]
fn history_comes_as_arrow_and_as_parquet_with_moments_in_utc() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let start = now().plus_seconds(-60);
    let sample = |seq: u64| {
        let at = start.plus_seconds(seq.cast_signed());
        json!({"seq": seq, "timestamp": at, "status": "online", "metrics": {"cpu": seq, "status": 1e308}})
    };
    let samples: Vec<_> = (1..=3).map(sample).collect();
    agent.post("/api/v1/metrics", &json!({"agentId": "A", "boot": 1, "samples": samples})).expect(200);
    let viewer = hub.operator("viewer");
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    for form in [ARROW, PARQUET] {
        let ask = |query: &str| {
            read(viewer.send("GET", &format!("/api/v1/metrics/A?{query}"), &[("accept", form)], None), form)
        };
        let rows = ask("fields=cpu,status");
        assert_eq!(names(&rows), ["timestamp", "status", "cpu", "metrics.status"], "{form}");
        assert_eq!(*rows.column(0).data_type(), utc, "{form}");
        let moments = rows.column(0).as_primitive::<TimestampMicrosecondType>();
        let expected: Vec<_> = (1..=3).map(|second| start.plus_seconds(second).as_micros()).collect();
        assert_eq!(moments.values().to_vec(), expected, "{form}");
        assert!(rows.column(1).as_string::<i32>().iter().all(|status| status == Some("online")), "{form}");
        assert_eq!(rows.column(2).as_primitive::<Float64Type>().values().to_vec(), [1.0, 2.0, 3.0], "{form}");

        let buckets = ask("step=1h&fields=status");
        let expected =
            ["start", "count", "status_min", "status_max", "status_avg", "status_last", "status_count"];
        assert_eq!(names(&buckets), expected, "{form}");
        assert_eq!(*buckets.column(0).data_type(), utc, "{form}");
        let counts = buckets.column(1).as_primitive::<Int64Type>();
        assert_eq!(counts.values().iter().sum::<i64>(), 3, "{form}");
        // Their sum is more than a double holds.
        let means = buckets.column(4).as_primitive::<Float64Type>();
        assert!(means.null_count() == 0 && means.values().iter().all(|mean| *mean == 1e308), "{form}");
    }
}
