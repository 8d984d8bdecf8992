//! The tables as they lie on disk and in memory: columns, their types, and rows as Arrow batches.
//!
//! Head and Parquet files have the same columns, so that SQL reads both as one. Times are UTC, microseconds; what is
//! told to others says so in its types, the hub's own files do not.

use arrow::{
    array::{
        Array, ArrayRef, AsArray, Float64Array, Float64Builder, Int64Array, MapBuilder, MapFieldNames,
        RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray, new_null_array,
    },
    datatypes::{
        DataType, Field, Fields, Float64Type, Int64Type, Schema, SchemaRef, TimeUnit,
        TimestampMicrosecondType,
    },
    error::ArrowError,
};
use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

/// Rows of one batch: DuckDB's vector size.
pub const BATCH_ROWS_MAX: usize = 2_048;

/// The measurements that have columns of their own, in the order they are told.
pub const OWN_COLUMNS: [&str; 4] = ["cpu", "ram", "disk", "latency"];

/// The name under which rollups count samples: no measurement can have it.
pub const SAMPLES: &str = "";

/// Samples: one row each.
pub static RAW: LazyLock<SchemaRef> = LazyLock::new(|| {
    let own = OWN_COLUMNS.map(|name| Field::new(name, DataType::Float64, true));
    let mut fields = vec![text("agent_id"), moment("timestamp")];
    fields.extend(own);
    fields.extend([text("status"), integer("boot"), integer("seq"), further()]);
    Arc::new(Schema::new(fields))
});

/// Rollups: one row for each agent, measurement and bucket; rows of one bucket add up. Of a sum that no double holds
/// the count is below zero ([`super::total`]).
pub static ROLLUP: LazyLock<SchemaRef> = LazyLock::new(|| {
    let double = |name| Field::new(name, DataType::Float64, true);
    Arc::new(Schema::new(vec![
        text("agent_id"),
        text("name"),
        moment("start"),
        integer("count"),
        double("min"),
        double("max"),
        double("sum"),
        double("last"),
        moment("last_at"),
    ]))
});

/// Scans: one row each, its hosts as a JSON array in the order they were found; the networks that it looked at as a JSON
/// array too, null where it does not say. Files from before scans said so have no such column ([`completed`]).
pub static SCANS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        text("agent_id"),
        moment("timestamp"),
        Field::new("duration", DataType::Float64, true),
        integer("boot"),
        integer("seq"),
        integer("host_count"),
        text("hosts"),
        text("networks"),
    ]))
});

/// Points: samples of series that others write, one row each; a series is told by its number's key.
pub static POINTS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let value = Field::new("value", DataType::Float64, true);
    Arc::new(Schema::new(vec![text("series"), moment("timestamp"), value]))
});

/// One measurement of many agents.
pub static SERIES: LazyLock<SchemaRef> = LazyLock::new(|| {
    let value = Field::new("value", DataType::Float64, true);
    Arc::new(Schema::new(vec![text("agent_id"), moment("timestamp"), value]))
});

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn integer(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

fn moment(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, None), true)
}

fn further() -> Field {
    let pair = Fields::from(vec![
        Field::new("keys", DataType::Utf8, false),
        Field::new("values", DataType::Float64, true),
    ]);
    let entries = Field::new("entries", DataType::Struct(pair), false);
    Field::new("further", DataType::Map(Arc::new(entries), false), true)
}

/// The columns of a table of samples beside those of measurements.
const FIXED_COLUMNS: [&str; 2] = ["timestamp", "status"];

/// The column of a measurement in a table of samples that is told to others: its name, but for one called as a fixed
/// column. No measurement's name has a dot, so no two have the same column.
pub fn column_name(measurement: &str) -> Cow<'_, str> {
    match FIXED_COLUMNS.contains(&measurement) {
        true => format!("metrics.{measurement}").into(),
        false => measurement.into(),
    }
}

/// The type of a column of moments that are told to others.
pub fn told_moment() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

const UTC: &str = "UTC";

/// A batch of `schema` from its columns, in order.
pub fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new(Arc::clone(schema), columns)
}

/// `batch` with all columns of `schema`: the last ones, which its file was written without, are null.
pub fn completed(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let Some(lacking) = schema.fields().get(batch.num_columns()..).filter(|lacking| !lacking.is_empty())
    else {
        return Ok(batch);
    };
    let nulls = lacking.iter().map(|field| new_null_array(field.data_type(), batch.num_rows()));
    let columns = batch.columns().iter().cloned().chain(nulls).collect();
    self::batch(schema, columns)
}

/// Texts as a column.
pub fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// Texts as a column, null where there is none.
pub fn texts_if_any<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

/// Doubles as a column.
pub fn doubles(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from_iter(values))
}

/// Moments as a column, given in microseconds.
pub fn moments(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(values))
}

/// Moments as a column that is told to others, given in microseconds.
pub fn told_moments(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone(UTC))
}

/// The protocol's integers, which end at 2^53 − 1, as a column.
pub fn integers(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    Arc::new(Int64Array::from_iter(values.map(|value| value.and_then(|value| i64::try_from(value).ok()))))
}

/// Maps from names to numbers as a column; a row without a name is null.
pub fn maps<'a, R>(rows: impl Iterator<Item = R>) -> Result<ArrayRef, ArrowError>
where
    R: Iterator<Item = (&'a str, f64)>,
{
    let names =
        MapFieldNames { entry: "entries".to_owned(), key: "keys".to_owned(), value: "values".to_owned() };
    let mut map = MapBuilder::new(Some(names), StringBuilder::new(), Float64Builder::new());
    for row in rows {
        let mut is_there = false;
        for (name, value) in row {
            map.keys().append_value(name);
            map.values().append_value(value);
            is_there = true;
        }
        map.append(is_there)?;
    }
    Ok(Arc::new(map.finish()))
}

/// The text in a column of texts; empty for what is none.
pub fn text_at(batch: &RecordBatch, column: usize, row: usize) -> &str {
    match batch.column(column).as_string_opt::<i32>() {
        Some(texts) if row < texts.len() && !texts.is_null(row) => texts.value(row),
        _ => "",
    }
}

/// The moment in a column of moments, microseconds; the earliest for what is none.
pub fn time_at(batch: &RecordBatch, column: usize, row: usize) -> i64 {
    match batch.column(column).as_primitive_opt::<TimestampMicrosecondType>() {
        Some(times) if row < times.len() && !times.is_null(row) => times.value(row),
        _ => i64::MIN,
    }
}

/// The integer in a column of integers, if there is one.
pub fn integer_at(batch: &RecordBatch, column: usize, row: usize) -> Option<i64> {
    let integers = batch.column(column).as_primitive_opt::<Int64Type>()?;
    (row < integers.len() && !integers.is_null(row)).then(|| integers.value(row))
}

/// The double in a column of doubles, if there is one.
pub fn double_at(batch: &RecordBatch, column: usize, row: usize) -> Option<f64> {
    let doubles = batch.column(column).as_primitive_opt::<Float64Type>()?;
    (row < doubles.len() && !doubles.is_null(row)).then(|| doubles.value(row))
}

/// The names and numbers in a column of maps.
pub fn map_at(batch: &RecordBatch, column: usize, row: usize) -> impl Iterator<Item = (&str, f64)> {
    let maps = batch.column(column).as_map_opt().filter(|maps| row < maps.len() && !maps.is_null(row));
    let pairs = maps.and_then(|maps| {
        let offsets = maps.value_offsets();
        let places = usize::try_from(offsets[row]).ok()?..usize::try_from(offsets[row + 1]).ok()?;
        let (names, values) =
            (maps.keys().as_string_opt::<i32>()?, maps.values().as_primitive_opt::<Float64Type>()?);
        Some(places.map(move |place| (names.value(place), values.value(place))))
    });
    pairs.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::ids::is_name;

    #[test]
    fn no_two_measurements_have_the_same_column_and_none_has_a_fixed_one() {
        for (measurement, column) in [
            ("load1", "load1"),
            ("start", "start"),
            ("metrics", "metrics"),
            ("status", "metrics.status"),
            ("timestamp", "metrics.timestamp"),
        ] {
            assert_eq!(column_name(measurement), column);
        }
        assert!(FIXED_COLUMNS.iter().all(|name| !is_name(&column_name(name))));
    }
}
