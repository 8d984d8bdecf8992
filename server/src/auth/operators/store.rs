//! Operators' tokens in SQLite. Every function runs inside the transaction of whoever calls it: the hub, or a command
//! beside it.

pub use super::row::{Maker, Row};

use super::{TOKENS_MAX, badge::Use};
use crate::{
    auth::{digest::TokenDigest, role::Role},
    deed::{Act, By, Record},
    storage::{Found, StorageError, take_page},
};
use pingup_protocol::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, named_params, params, types::Type};

const COLUMNS: &str = "id, digest, name, role, created_at, expires_at, made_by, made_with, is_former, revoked_at, \
                       revoked_by, used_at, used_from";
/// Rows that a sweep deletes at once.
const FORGET_AT_ONCE: usize = 512;
/// How long tokens that were made before tokens had rows are taken as they are: as long as most of them were good for.
const FORMER_SECONDS: i64 = 30 * 24 * 3_600;

/// Why a token could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// So many are good.
    #[error(
        "there are {TOKENS_MAX} tokens that are good, and no more are made; revoke those that nobody needs"
    )]
    TooMany,
    /// The records.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<rusqlite::Error> for CreateError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// Keeps a token that was made. Where there are too many rows, those go first that are good for nothing any more.
pub fn create(connection: &Connection, row: &Row, now: Timestamp) -> Result<(), CreateError> {
    make_room(connection, now)?;
    let sql = format!("INSERT INTO operator_tokens ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)");
    connection.prepare_cached(&sql)?.execute(params![
        row.id,
        row.digest.bytes(),
        row.name,
        row.role.as_str(),
        row.created_at.as_micros(),
        row.expires_at.as_micros(),
        row.made_by.as_ref().map(|maker| &maker.name),
        row.made_by.as_ref().and_then(|maker| maker.token_id.as_ref()),
        row.is_former,
        row.revoked_at.map(Timestamp::as_micros),
        row.revoked_by,
        row.used_at.map(Timestamp::as_micros),
        row.used_from,
    ])?;
    Ok(())
}

/// A former token that was revoked must stay for as long as it would be taken once more.
const USELESS: &str = "(expires_at <= :now OR (revoked_at IS NOT NULL AND NOT is_former))";

fn make_room(connection: &Connection, now: Timestamp) -> Result<(), CreateError> {
    let count =
        || connection.query_row("SELECT count(*) FROM operator_tokens", [], |row| row.get::<_, usize>(0));
    let too_many = (count()? + 1).saturating_sub(TOKENS_MAX);
    if too_many == 0 {
        return Ok(());
    }
    let sql = format!(
        "DELETE FROM operator_tokens WHERE id IN (SELECT id FROM operator_tokens WHERE {USELESS} \
         ORDER BY coalesce(revoked_at, expires_at) LIMIT :most)"
    );
    let gone = connection.execute(&sql, named_params! {":now": now.as_micros(), ":most": too_many})?;
    if gone < too_many { Err(CreateError::TooMany) } else { Ok(()) }
}

/// Revokes a token, and says whether it was not yet; one that was stays as it is. None: there is no such token.
pub fn revoke(
    connection: &Connection,
    id: &str,
    by: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<Option<(Row, bool)>> {
    let revoked = connection
        .prepare_cached(
            "UPDATE operator_tokens SET revoked_at = ?2, revoked_by = ?3 WHERE id = ?1 AND revoked_at IS NULL",
        )?
        .execute(params![id, now.as_micros(), by])?;
    let sql = format!("SELECT {COLUMNS} FROM operator_tokens WHERE id = ?1");
    let row = connection.prepare_cached(&sql)?.query_row([id], read).optional()?;
    Ok(row.map(|row| (row, revoked > 0)))
}

/// Revokes the tokens that were made before tokens had rows, and says how many that was. There is nothing random in them:
/// the master key and their rows are enough to write them once more.
pub fn revoke_former(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    let sql = "UPDATE operator_tokens SET revoked_at = ?1 WHERE is_former AND revoked_at IS NULL AND expires_at > ?1";
    connection.prepare_cached(sql)?.execute([now.as_micros()])
}

/// The ids of the tokens of this name that are good.
pub fn named(connection: &Connection, name: &str, now: Timestamp) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT id FROM operator_tokens WHERE name = ?1 AND revoked_at IS NULL AND expires_at > ?2 ORDER BY id";
    connection.prepare_cached(sql)?.query_map(params![name, now.as_micros()], |row| row.get(0))?.collect()
}

/// The token with this text.
pub fn find(connection: &Connection, digest: &TokenDigest) -> rusqlite::Result<Option<Row>> {
    let sql = format!("SELECT {COLUMNS} FROM operator_tokens WHERE digest = ?1");
    connection.prepare_cached(&sql)?.query_row([digest.bytes()], read).optional()
}

/// Every token that has a row.
pub fn all(connection: &Connection) -> rusqlite::Result<Vec<Row>> {
    let sql = format!("SELECT {COLUMNS} FROM operator_tokens ORDER BY id LIMIT {TOKENS_MAX}");
    connection.prepare_cached(&sql)?.query_map([], read)?.collect()
}

/// Up to `limit` tokens by id, from behind `after` on.
pub fn list(connection: &Connection, after: Option<&str>, limit: u64) -> rusqlite::Result<Found<Row>> {
    let sql = format!("SELECT {COLUMNS} FROM operator_tokens WHERE id > ?1 ORDER BY id");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([after.unwrap_or_default()], read)?;
    take_page(rows, limit, |row| row.name.len() + size_of::<Row>())
}

/// Grows with every token that is made, revoked or deleted, by whomever.
pub fn changes(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT count FROM operator_token_changes WHERE id = 1")?
        .query_row([], |row| row.get(0))
}

/// Takes in a token that was made before tokens had rows, if it still may be: by a hub that is older than the rows, and
/// not for long. That is written down as a deed of whoever brings it.
pub fn take_in(
    connection: &Connection,
    row: &Row,
    (record, by): (Record, &By),
    now: Timestamp,
) -> Result<Option<Row>, CreateError> {
    if let Some(found) = find(connection, &row.digest)? {
        return Ok(Some(found));
    }
    let (first, since): (i64, i64) = connection.query_row(
        "SELECT min(applied_at), max(iif(name = 'operator_tokens', applied_at, NULL)) FROM schema_migrations",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let since = Timestamp::from_micros(since);
    let is_of_then = first < since.as_micros() && row.created_at <= since;
    let is_taken =
        connection.prepare_cached("SELECT 1 FROM operator_tokens WHERE id = ?1")?.exists([&row.id])?;
    if !is_of_then || now >= since.plus_seconds(FORMER_SECONDS) || is_taken {
        return Ok(None);
    }
    let row = Row { is_former: true, ..row.clone() };
    create(connection, &row, now)?;
    record(connection, &row.deed(Act::TokenTakenIn, by, now))?;
    Ok(Some(row))
}

/// Writes down when tokens were used last.
pub fn note_uses(connection: &Connection, uses: &[(String, Use)]) -> rusqlite::Result<()> {
    let mut note =
        connection.prepare_cached("UPDATE operator_tokens SET used_at = ?2, used_from = ?3 WHERE id = ?1")?;
    for (id, Use { at, from }) in uses {
        note.execute(params![id, at.as_micros(), from.to_string()])?;
    }
    Ok(())
}

/// Deletes some of the tokens that expired at that moment or before; says how many.
pub fn forget(connection: &Connection, until: Timestamp) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM operator_tokens WHERE id IN \
               (SELECT id FROM operator_tokens WHERE expires_at <= ?1 LIMIT ?2)";
    connection.prepare_cached(sql)?.execute(params![until.as_micros(), FORGET_AT_ONCE])
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let moment =
        |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_micros));
    let role: String = row.get(3)?;
    let unknown =
        || rusqlite::Error::FromSqlConversionFailure(3, Type::Text, format!("no role: {role:?}").into());
    let made_by: Option<String> = row.get(6)?;
    let token_id = row.get(7)?;
    Ok(Row {
        id: row.get(0)?,
        digest: TokenDigest::kept(row.get(1)?),
        name: row.get(2)?,
        role: Role::from_word(&role).ok_or_else(unknown)?,
        created_at: Timestamp::from_micros(row.get(4)?),
        expires_at: Timestamp::from_micros(row.get(5)?),
        made_by: made_by.map(|name| Maker { name, token_id }),
        is_former: row.get(8)?,
        revoked_at: moment(9)?,
        revoked_by: row.get(10)?,
        used_at: moment(11)?,
        used_from: row.get(12)?,
    })
}
