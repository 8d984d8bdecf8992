//! Samples as CSV (RFC 4180), the same columns and cells as the API's: `timestamp,status,cpu,ram,disk,latency`,
//! then the other measurements, sorted by name; one called as a fixed column is `metrics.<name>`.
//!
//! Text that a spreadsheet would run as a formula gets an apostrophe before it.

use super::CliError;
use crate::{
    csv,
    tsdb::{
        export::Export,
        schema::{OWN_COLUMNS, column_name, double_at, map_at, text_at, time_at},
    },
};
use arrow::array::RecordBatch;
use pingup_protocol::time::Timestamp;
use std::{borrow::Cow, collections::HashMap, fmt::Write as _, io::Write};

/// Columns of a sample's batch: when, the first measurement with a column of its own, the status, all others.
const AT: usize = 1;
const OWN: usize = 2;
const STATUS: usize = OWN + OWN_COLUMNS.len();
const FURTHER: usize = STATUS + 3;

/// Writes all samples, a line each; `after_day` is told after each day.
pub(super) fn write(export: &Export, to: &mut impl Write, after_day: impl FnMut()) -> Result<(), CliError> {
    let names = export.further_names()?;
    let further: HashMap<_, _> = names.iter().zip(0..).map(|(name, place)| (name.as_str(), place)).collect();
    let heads = OWN_COLUMNS.into_iter().chain(names.iter().map(String::as_str)).map(column_name);
    let heads = ["timestamp", "status"].into_iter().map(Cow::Borrowed).chain(heads);
    to.write_all(format!("{}\r\n", heads.collect::<Vec<_>>().join(",")).as_bytes())?;
    let mut lines = String::new();
    let write = |batch: &RecordBatch| {
        lines.clear();
        (0..batch.num_rows()).for_each(|row| line(batch, row, &further, &mut lines));
        Ok::<_, CliError>(to.write_all(lines.as_bytes())?)
    };
    export.each_batch(write, after_day)?;
    Ok(to.flush()?)
}

fn line(batch: &RecordBatch, row: usize, further: &HashMap<&str, usize>, to: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(to, "{},", Timestamp::from_micros(time_at(batch, AT, row)));
    csv::text(text_at(batch, STATUS, row), to);
    let own = (0..OWN_COLUMNS.len()).map(|place| double_at(batch, OWN + place, row));
    let mut values = vec![None; further.len()];
    for (name, value) in map_at(batch, FURTHER, row) {
        if let Some(cell) = further.get(name).and_then(|place| values.get_mut(*place)) {
            *cell = Some(value);
        }
    }
    for value in own.chain(values) {
        to.push(',');
        if let Some(value) = value {
            let _ = write!(to, "{value}");
        }
    }
    to.push_str("\r\n");
}
