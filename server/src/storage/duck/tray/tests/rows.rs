//! Rows of every type that goes through a tray.

use arrow::{
    array::{
        Array, ArrayRef, Float64Array, Int32Array, Int64Array, ListArray, MapArray, RecordBatch, StringArray,
        StructArray, TimestampMicrosecondArray, UInt16Array, UInt64Array,
    },
    buffer::{NullBuffer, OffsetBuffer},
    datatypes::{DataType, Field, Fields},
};
use std::sync::Arc;

fn offsets(lengths: impl IntoIterator<Item = usize>) -> OffsetBuffer<i32> {
    OffsetBuffer::from_lengths(lengths)
}

/// Every type that the rooms use, `rows` rows of each, with nulls at every level, empty lists and maps.
pub(super) fn every_type(rows: usize) -> RecordBatch {
    let some = |row: usize| row % 5 != 3;
    let numbers = || (0..rows).map(|row| some(row).then_some(row as i64 - 7));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new((0..rows as i64).map(Some).collect::<Int64Array>())),
        (
            "text",
            Arc::new((0..rows).map(|row| some(row).then(|| "ä\0x".repeat(row % 9))).collect::<StringArray>()),
        ),
        ("moment", Arc::new(numbers().collect::<TimestampMicrosecondArray>())),
        ("float", Arc::new(numbers().map(|n| n.map(|n| n as f64 / 3.0)).collect::<Float64Array>())),
        ("signed", Arc::new(numbers().collect::<Int64Array>())),
        (
            "unsigned",
            Arc::new(numbers().map(|n| n.map(|n| u64::MAX - n as u64 % 9)).collect::<UInt64Array>()),
        ),
        ("small", Arc::new(numbers().map(|n| n.map(|n| n as i32)).collect::<Int32Array>())),
        ("map", Arc::new(map(rows, some))),
        ("list", Arc::new(list(rows, some))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .unwrap()
}

fn map(rows: usize, some: impl Fn(usize) -> bool) -> MapArray {
    let lengths: Vec<usize> = (0..rows).map(|row| if some(row) { row % 4 } else { 0 }).collect();
    let entries = lengths.iter().sum::<usize>();
    let keys = (0..entries).map(|entry| Some(format!("key {entry}"))).collect::<StringArray>();
    let values = (0..entries).map(|entry| some(entry).then_some(entry as f64)).collect::<Float64Array>();
    let fields = Fields::from(vec![
        Field::new("keys", DataType::Utf8, false),
        Field::new("values", DataType::Float64, true),
    ]);
    let entries = StructArray::new(fields, vec![Arc::new(keys), Arc::new(values)], None);
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let nulls = NullBuffer::from_iter((0..rows).map(some));
    MapArray::new(field, offsets(lengths), entries, Some(nulls), false)
}

/// Lists of structs of a string, a number, and a list: nulls in all of them, the structs too.
fn list(rows: usize, some: impl Fn(usize) -> bool) -> ListArray {
    let lengths: Vec<usize> = (0..rows).map(|row| if some(row) { row % 3 } else { 0 }).collect();
    let hosts = lengths.iter().sum::<usize>();
    let port_lengths: Vec<usize> = (0..hosts).map(|host| host * 7 % 4).collect();
    let ports = port_lengths.iter().sum::<usize>();
    let ports = (0..ports).map(|port| some(port + 1).then_some(port as u16)).collect::<UInt16Array>();
    let item = |data_type: &DataType| Arc::new(Field::new("item", data_type.clone(), true));
    let host_some = NullBuffer::from_iter((0..hosts).map(|host| host % 7 != 2));
    let ports = ListArray::new(
        item(ports.data_type()),
        offsets(port_lengths),
        Arc::new(ports),
        Some(host_some.clone()),
    );
    let names = (0..hosts).map(|host| some(host).then(|| format!("host {host}"))).collect::<StringArray>();
    let delays = (0..hosts).map(|host| some(host + 2).then_some(host as f64)).collect::<Float64Array>();
    let fields = Fields::from(vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("delay", DataType::Float64, true),
        Field::new("ports", ports.data_type().clone(), true),
    ]);
    let hosts =
        StructArray::new(fields, vec![Arc::new(names), Arc::new(delays), Arc::new(ports)], Some(host_some));
    ListArray::new(
        item(hosts.data_type()),
        offsets(lengths),
        Arc::new(hosts),
        Some((0..rows).map(some).collect::<Vec<_>>().into()),
    )
}
