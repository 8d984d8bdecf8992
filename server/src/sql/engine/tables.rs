//! What a question can name: the views, over files and over the rows that the hub hands over; and the hub's clock.

use super::EngineError;
use crate::{
    sql::{letters::Given, views::View},
    storage::Tray,
    tsdb::quote,
};
use arrow::ipc::reader::StreamReader;
use duckdb::Connection;
use std::{io::BufRead, path::Path};

/// Words for the moment at which a question is asked. DuckDB's own would be with a time zone, for which no file can be
/// left out; the columns are without one, in UTC.
const NOW: [&str; 5] =
    ["now", "get_current_timestamp", "current_localtimestamp", "transaction_timestamp", "current_timestamp"];

/// Makes these views. The trays that are handed back hold what lies in memory.
pub(super) fn make(
    connection: &Connection,
    views: &[View],
    given: &Given,
    now_micros: i64,
    input: &mut impl BufRead,
) -> Result<Vec<Tray>, EngineError> {
    connection.execute_batch(&clock(now_micros))?;
    let mut trays = Vec::with_capacity(views.len());
    for &view in views {
        let tray = rows(view, input)?;
        let files = match view {
            View::Metrics => &given.metrics[..],
            View::Discovery => &given.discovery[..],
            View::AgentsCurrent | View::Commands => &[],
        };
        connection.execute_batch(&definition(view, files, &tray))?;
        trays.push(tray);
    }
    Ok(trays)
}

/// What the hub hands over of a view.
fn rows(view: View, input: &mut impl BufRead) -> Result<Tray, EngineError> {
    let stream = StreamReader::try_new(input, None)?;
    let batches = stream.collect::<Result<Vec<_>, _>>()?;
    Ok(Tray::keep(view.schema(), batches))
}

fn definition(view: View, files: &[String], tray: &Tray) -> String {
    let fields = view.schema();
    let names: Vec<_> = fields.fields().iter().map(|field| field.name().as_str()).collect();
    let names = names.join(", ");
    // Where a scan looked is not in every file: columns go by their names then, which has every file looked into.
    let (names, by_name, of_all) = match view {
        View::Discovery => ("*", " BY NAME", ", union_by_name = true"),
        View::Metrics | View::AgentsCurrent | View::Commands => (&*names, "", ""),
    };
    let mut sources = vec![format!("SELECT {names} FROM tray({})", tray.id())];
    if !files.is_empty() {
        // The folder that can be read is named behind links.
        let real = |file: &String| Path::new(file).canonicalize().unwrap_or_else(|_| file.into());
        let files: Vec<_> = files.iter().map(|file| quote(&real(file))).collect();
        sources.push(format!("SELECT {names} FROM read_parquet([{}]{of_all})", files.join(", ")));
    }
    let (name, columns, rows) = (view.name(), view.columns(), sources.join(&format!(" UNION ALL{by_name} ")));
    format!("CREATE VIEW {name} AS SELECT {columns} FROM ({rows})")
}

/// The hub's clock in DuckDB's words.
fn clock(now_micros: i64) -> String {
    let now = format!("make_timestamp({now_micros}::BIGINT)");
    let mut macros: Vec<_> = NOW.map(|name| format!("CREATE MACRO {name}() AS {now}")).into();
    macros.extend(["today", "current_date"].map(|name| format!("CREATE MACRO {name}() AS {now}::DATE")));
    macros.push(format!("CREATE MACRO ago(i) AS {now} - i::INTERVAL"));
    macros.join("; ")
}
