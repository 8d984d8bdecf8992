//! A client that hangs up takes its question with it.

use crate::harness::{Hub, agent::now, eventually};
use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, TimeUnit},
};
use parquet::{
    arrow::ArrowWriter,
    column::writer::ColumnCloseResult,
    file::{
        properties::WriterProperties,
        reader::{FileReader, SerializedFileReader},
        writer::SerializedFileWriter,
    },
};
use pingup_protocol::time::Timestamp;
use std::{fs, fs::File, path::Path, sync::Arc};

/// Questions that are read at once.
const TURNS: usize = 2;
const GROUP_ROWS: usize = 1 << 20;
/// Some twenty thousand million rows, all alike, so that a few megabytes hold them: reading them takes a multiple of the time
/// that a question waits for its turn.
const GROUPS: usize = 20_000;

/// A part of agent A that takes for ever to read: one row group, again and again.
fn endless(path: &Path, at: Timestamp) {
    let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
    let mut fields =
        vec![Field::new("agent_id", DataType::Utf8, true), Field::new("timestamp", moment, true)];
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n("A", GROUP_ROWS))),
        Arc::new(TimestampMicrosecondArray::from_value(at.as_micros(), GROUP_ROWS)),
    ];
    let values: ArrayRef = Arc::new(Float64Array::from_value(1.0, GROUP_ROWS));
    for name in ["cpu", "ram", "disk", "latency"] {
        fields.push(Field::new(name, DataType::Float64, true));
        columns.push(Arc::clone(&values));
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let one = bytes::Bytes::from(writer.into_inner().unwrap());

    let reader = SerializedFileReader::new(one.clone()).unwrap();
    let metadata = reader.metadata();
    let root = metadata.file_metadata().schema_descr().root_schema_ptr();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), root, properties).unwrap();
    for _ in 0..GROUPS {
        let mut group = writer.next_row_group().unwrap();
        for column in metadata.row_group(0).columns() {
            let copied = ColumnCloseResult {
                bytes_written: column.compressed_size().unsigned_abs(),
                rows_written: GROUP_ROWS as u64,
                metadata: column.clone(),
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            };
            group.append_column(&one, copied).unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

/// A hub that has such a part, though its catalogue was told of it by hand.
fn hub_with_endless(at: Timestamp) -> Hub {
    let mut hub = Hub::start();
    hub.register("A");
    hub.stop();
    let day = at.as_micros().div_euclid(86_400 * 1_000_000);
    let name = format!("{}-0000000001.parquet", &at.to_string()[..10]);
    let path = hub.folder().join("history/raw").join(name);
    endless(&path, at);
    let records = rusqlite::Connection::open(hub.folder().join("pingup.db")).unwrap();
    let row = rusqlite::params![day, fs::metadata(&path).unwrap().len(), at.as_micros()];
    let sql =
        "INSERT INTO parts (id, tier, period, level, row_count, byte_count, first_at, last_at, first_agent,
                                  last_agent, created_at)
               VALUES (1, 'raw', ?1, 0, 1, ?2, ?3, ?3, 'A', 'A', ?3)";
    records.execute(sql, row).unwrap();
    drop(records);
    hub.restart();
    hub
}

/// Questions that last longer than another waits for its turn take all turns, so that one more is refused. When those
/// who asked hang up, it is answered.
#[test]
fn a_question_ends_when_its_client_hangs_up() {
    let at = now().plus_seconds(-3_600);
    let hub = hub_with_endless(at);
    let viewer = hub.operator("viewer");
    let path =
        format!("/api/v1/fleet/metrics?from={}&step=1m&fields=cpu,ram,disk,latency", at.plus_seconds(-60));
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\naccept: application/json\r\n\r\n",
        viewer.token()
    );
    let asking: Vec<_> = (0..TURNS).map(|_| viewer.half_sent(head.as_bytes())).collect();
    let ask = || viewer.get(&format!("/api/v1/metrics/A?from={}", at.plus_seconds(60)));
    eventually("all turns are taken", || (ask().status == 503).then_some(()));
    drop(asking);
    ask().expect(200);
}
