//! Written series in the records: number, sender, labels, and about from when to when there are samples.

use crate::tsdb::rows::SeriesId;
use rusqlite::{Connection, params, types::Type};

/// A series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: SeriesId,
    /// Who wrote it first.
    pub(super) sender: String,
    /// Names and values in turn, by name.
    pub(super) labels: Vec<String>,
    /// The first and the last moment of its samples, milliseconds.
    pub(super) times: (i64, i64),
}

/// A series, and the first and the last moment of its samples, milliseconds.
pub(super) type Noted = (SeriesId, (i64, i64));

/// The greatest number that was ever given; 0 before the first.
pub(super) fn last_number(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'written_series'",
        [],
        |row| row.get(0),
    )
}

/// Hands over every series, by number.
pub(super) fn each(connection: &Connection, mut take: impl FnMut(Row)) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare("SELECT id, sender, labels, first_at, last_at FROM written_series ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let labels = serde_json::from_str(row.get_ref(2)?.as_str()?)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(2, Type::Text, error.into()))?;
        let times = (row.get(3)?, row.get(4)?);
        take(Row { id: SeriesId::new(row.get(0)?), sender: row.get(1)?, labels, times });
    }
    Ok(())
}

/// Puts in series; of one that is there from when to when there are samples.
pub(super) fn add(connection: &Connection, rows: &[Row]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO written_series (id, sender, labels, first_at, last_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)",
    )?;
    for Row { id, sender, labels, times } in rows {
        let labels = serde_json::to_string(labels)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        statement.execute(params![id.number(), sender, labels, times.0, times.1])?;
    }
    Ok(())
}

/// Writes down from when to when there are samples: also from before, and also until later.
pub(super) fn note(connection: &Connection, noted: &[Noted]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE written_series SET first_at = min(first_at, ?), last_at = max(last_at, ?) WHERE id = ?",
    )?;
    for (id, (first, last)) in noted {
        statement.execute(params![first, last, id.number()])?;
    }
    Ok(())
}

/// Takes series out.
pub(super) fn delete(connection: &Connection, series: &[SeriesId]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("DELETE FROM written_series WHERE id = ?")?;
    for id in series {
        statement.execute([id.number()])?;
    }
    Ok(())
}
