//! Pages in columns, as Arrow batches: written as an Arrow IPC stream, or as a Parquet file.
//!
//! The columns are those of [`table`]: one each measurement, times by the microsecond and marked as UTC, null for
//! what was not measured. Text is as the agents said it; no spreadsheet runs it.

use super::{Aggregate, Bucket, Row, plan::Fields, table};
use crate::tsdb::schema;
use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{DataType, Field, Schema},
    error::ArrowError,
    ipc::writer::StreamWriter,
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};
use pingup_protocol::metrics::Measurements;
use std::{collections::HashMap, sync::Arc};

/// Raw rows: timestamp, status, and a column each measurement.
pub(super) fn rows(rows: &[Row], fields: &Fields) -> Result<RecordBatch, ArrowError> {
    let (own, further) = table::row_names(rows, fields);
    let mut columns = Columns::default();
    columns.moments("timestamp", rows.iter().map(|row| row.timestamp.as_micros()));
    columns.add("status", DataType::Utf8, schema::texts(rows.iter().map(|row| row.status.as_str())));
    for name in own {
        columns.doubles(name, rows.iter().map(|row| own_value(&row.metrics, name)));
    }
    let values: Vec<HashMap<_, _>> = rows
        .iter()
        .map(|row| row.metrics.further.iter().map(|(name, value)| (name.as_str(), *value)).collect())
        .collect();
    for name in further {
        columns.doubles(&schema::column_name(name), values.iter().map(|row| row.get(name).copied()));
    }
    columns.batch()
}

/// Buckets: start, count, and five columns each measurement.
pub(super) fn buckets(buckets: &[Bucket], fields: &Fields) -> Result<RecordBatch, ArrowError> {
    let mut columns = Columns::default();
    columns.moments("start", buckets.iter().map(|bucket| bucket.start.as_micros()));
    columns.add("count", DataType::Int64, schema::integers(buckets.iter().map(|bucket| Some(bucket.count))));
    let values: Vec<HashMap<_, _>> = buckets
        .iter()
        .map(|bucket| bucket.metrics.0.iter().map(|(name, of)| (&**name, of)).collect())
        .collect();
    for name in table::bucket_names(buckets, fields) {
        let of =
            |value: fn(&Aggregate) -> f64| values.iter().map(move |row| row.get(name).map(|of| value(of)));
        columns.doubles(&format!("{name}_min"), of(|of| of.min));
        columns.doubles(&format!("{name}_max"), of(|of| of.max));
        columns.doubles(&format!("{name}_avg"), of(|of| of.avg));
        columns.doubles(&format!("{name}_last"), of(|of| of.last));
        let counts = schema::integers(values.iter().map(|row| row.get(name).map(|of| of.count)));
        columns.add(&format!("{name}_count"), DataType::Int64, counts);
    }
    columns.batch()
}

/// A page as an Arrow IPC stream.
pub(super) fn stream(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref())?;
    writer.write(batch)?;
    writer.into_inner()
}

/// A page as a Parquet file.
pub(super) fn parquet(batch: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build()))?;
    writer.write(batch)?;
    writer.into_inner()
}

fn own_value(metrics: &Measurements, name: &str) -> Option<f64> {
    match name {
        "cpu" => metrics.cpu,
        "ram" => metrics.ram,
        "disk" => metrics.disk,
        _ => metrics.latency,
    }
}

#[derive(Default)]
struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    fn add(&mut self, name: &str, of: DataType, values: ArrayRef) {
        self.fields.push(Field::new(name, of, true));
        self.arrays.push(values);
    }

    fn moments(&mut self, name: &str, values: impl Iterator<Item = i64>) {
        self.add(name, schema::told_moment(), schema::told_moments(values));
    }

    fn doubles(&mut self, name: &str, values: impl Iterator<Item = Option<f64>>) {
        self.add(name, DataType::Float64, schema::doubles(values));
    }

    fn batch(self) -> Result<RecordBatch, ArrowError> {
        schema::batch(&Arc::new(Schema::new(self.fields)), self.arrays)
    }
}
