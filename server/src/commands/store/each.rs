//! All commands that are kept, one after the other, without what they were told and what they printed: for those who
//! count and compare.

use super::{agent_id, status};
use crate::commands::status_at;
use pingup_protocol::{command::CommandStatus, ids::AgentId, time::Timestamp};
use rusqlite::{Connection, Row};

/// A command in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandFacts {
    /// `CMD-<year>-<number>`.
    pub command_id: String,
    /// Who is to do it.
    pub agent_id: AgentId,
    /// Its place in the agent's order, from 1.
    pub seq: i64,
    /// The batch that it is of.
    pub batch_id: Option<String>,
    /// What to do.
    pub action: String,
    /// Where it stands.
    pub status: CommandStatus,
    /// How many seconds it may run; what its action says when none.
    pub timeout_seconds: Option<i64>,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When it may no longer be begun.
    pub expires_at: Timestamp,
    /// When it was first handed to the agent.
    pub delivered_at: Option<Timestamp>,
    /// When an operator took it back, or wanted it ended.
    pub cancel_asked_at: Option<Timestamp>,
    /// When it began, by the agent's clock.
    pub started_at: Option<Timestamp>,
    /// When it ended, by the agent's clock.
    pub finished_at: Option<Timestamp>,
    /// The exit code of the program it ran.
    pub exit_code: Option<i64>,
    /// Whose signed order it is: an operator's public key.
    pub signed_by: Option<String>,
}

/// Shows every command as it stands at `now`, in no order, until `take` says that it wants no more.
pub fn each(
    connection: &Connection,
    now: Timestamp,
    take: &mut dyn FnMut(CommandFacts) -> bool,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT id, agent_id, seq, batch_id, action, status, timeout_seconds, created_at, expires_at, delivered_at,
                cancel_asked_at, started_at, finished_at, result ->> '$.exitCode', signed_order ->> '$.keyId'
         FROM commands",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if !take(facts(row, now)?) {
            break;
        }
    }
    Ok(())
}

fn facts(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<CommandFacts> {
    let moment =
        |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_micros));
    let expires_at = Timestamp::from_micros(row.get(8)?);
    Ok(CommandFacts {
        command_id: row.get(0)?,
        agent_id: agent_id(row, 1)?,
        seq: row.get(2)?,
        batch_id: row.get(3)?,
        action: row.get(4)?,
        status: status_at(status(row, 5)?, expires_at, now),
        timeout_seconds: row.get(6)?,
        created_at: Timestamp::from_micros(row.get(7)?),
        expires_at,
        delivered_at: moment(9)?,
        cancel_asked_at: moment(10)?,
        started_at: moment(11)?,
        finished_at: moment(12)?,
        exit_code: row.get(13)?,
        signed_by: row.get(14)?,
    })
}
