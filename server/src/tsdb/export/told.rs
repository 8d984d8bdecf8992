//! Samples as they are told to others: the history's own columns, moments marked as UTC.

use crate::tsdb::schema::{self, RAW};
use arrow::{
    array::{AsArray, RecordBatch},
    datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef, TimestampMicrosecondType},
    error::ArrowError,
};
use std::sync::{Arc, LazyLock};

/// [`RAW`]'s columns, moments marked as UTC.
pub(super) static TOLD: LazyLock<SchemaRef> = LazyLock::new(|| {
    let told = |field: &FieldRef| match field.data_type() {
        DataType::Timestamp(..) => Arc::new(field.as_ref().clone().with_data_type(schema::told_moment())),
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new(RAW.fields().iter().map(told).collect::<Fields>()))
});

/// Samples in the columns of [`TOLD`].
pub(super) fn told(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(TOLD.fields()).map(|(column, field)| match field.data_type() {
        DataType::Timestamp(_, zone) => {
            let moments = column.as_primitive::<TimestampMicrosecondType>().clone();
            Arc::new(moments.with_timezone_opt(zone.clone()))
        }
        _ => Arc::clone(column),
    });
    schema::batch(&TOLD, columns.collect())
}
