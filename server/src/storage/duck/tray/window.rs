//! Arrow arrays as the converter to DuckDB needs them.
//!
//! Two things it does not do itself. A slice of a list array still carries the elements of all rows, and the
//! converter would copy them for every slice: here they are cut to the slice's own. And a null struct may
//! have fields that are not null, which DuckDB shows when a field is asked for: here they become null too.

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, MapArray, RecordBatch, StructArray},
    buffer::OffsetBuffer,
    compute::nullif,
    datatypes::DataType,
    error::ArrowError,
};
use std::sync::Arc;

/// The batch with every nested column compact; flat ones are shared, not copied.
pub(super) fn compact(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let nested = |field: &arrow::datatypes::FieldRef| field.data_type().is_nested();
    if !batch.schema_ref().fields().iter().any(nested) {
        return Ok(batch.clone());
    }
    let columns = batch.columns().iter().map(compact_array).collect::<Result<_, _>>()?;
    RecordBatch::try_new(batch.schema(), columns)
}

/// Depth is the schema's, which is ours.
fn compact_array(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match array.data_type() {
        DataType::List(field) => {
            let list = array.as_list::<i32>();
            let (offsets, start, length) = window(list.offsets());
            let values = compact_array(&list.values().slice(start, length))?;
            Arc::new(ListArray::try_new(Arc::clone(field), offsets, values, list.nulls().cloned())?)
        }
        DataType::Map(field, sorted) => {
            let map = array.as_map();
            let (offsets, start, length) = window(map.offsets());
            let entries = compact_struct(&map.entries().slice(start, length))?;
            Arc::new(MapArray::try_new(Arc::clone(field), offsets, entries, map.nulls().cloned(), *sorted)?)
        }
        DataType::Struct(_) => Arc::new(compact_struct(array.as_struct())?),
        _ => Arc::clone(array),
    })
}

fn compact_struct(array: &StructArray) -> Result<StructArray, ArrowError> {
    let missing = array.nulls().filter(|nulls| nulls.null_count() > 0);
    let missing = missing.map(|nulls| BooleanArray::new(!nulls.inner(), None));
    let field = |column: &ArrayRef| match &missing {
        Some(missing) => compact_array(&nullif(column, missing)?),
        None => compact_array(column),
    };
    let columns = array.columns().iter().map(field).collect::<Result<_, _>>()?;
    StructArray::try_new_with_length(array.fields().clone(), columns, array.nulls().cloned(), array.len())
}

/// Offsets that begin at 0, and where the elements they speak of begin and how many there are.
fn window(offsets: &OffsetBuffer<i32>) -> (OffsetBuffer<i32>, usize, usize) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let rebased = match first {
        0 => offsets.clone(),
        _ => OffsetBuffer::new(offsets.iter().map(|offset| offset - first).collect()),
    };
    (rebased, first as usize, (last - first) as usize)
}
