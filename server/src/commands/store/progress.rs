//! That a command runs, and what it printed so far: placed so that a piece that comes twice, late or too early changes
//! nothing that was placed before.

use super::status;
use crate::commands::CommandsError;
use pingup_protocol::{command::CommandStatus, ids::AgentId, time::Timestamp};
use rusqlite::{Connection, OptionalExtension};

/// A piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// When its command began, by the agent's clock.
    pub started_at: Timestamp,
    /// How many bytes come before it.
    pub offset: u64,
    /// What was printed there.
    pub output: String,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where the command stands.
    pub status: CommandStatus,
    /// Whether that is new.
    pub new: bool,
    /// How many bytes of its output there are.
    pub output_bytes: u64,
}

/// Keeps what of `piece` lies behind what is there, while nobody said that the command is over.
pub fn keep_progress(
    connection: &Connection,
    agent_id: &AgentId,
    (command_id, seq): (&str, u64),
    piece: &Piece,
    now: Timestamp,
) -> Result<Placed, CommandsError> {
    let (stored, output_bytes) = connection
        .prepare_cached(
            "SELECT status, coalesce(octet_length(progress), 0) FROM commands
             WHERE id = ?1 AND agent_id = ?2 AND seq = ?3 AND delivered_at IS NOT NULL",
        )?
        .query_row((command_id, agent_id.as_str(), seq), |row| Ok((status(row, 0)?, row.get(1)?)))
        .optional()?
        .ok_or(CommandsError::NotIssued)?;
    if !matches!(stored, CommandStatus::Delivered | CommandStatus::Running) {
        return Ok(Placed { status: stored, new: false, output_bytes });
    }
    let (new, rest) = (stored == CommandStatus::Delivered, behind(piece, output_bytes));
    if new || !rest.is_empty() {
        connection
            .prepare_cached(
                "UPDATE commands SET status = 'running', running_at = coalesce(running_at, ?2),
                        started_at = coalesce(started_at, ?3), progress = coalesce(progress, '') || ?4
                 WHERE id = ?1",
            )?
            .execute((command_id, now.as_micros(), piece.started_at.as_micros(), rest))?;
    }
    Ok(Placed { status: CommandStatus::Running, new, output_bytes: output_bytes + rest.len() as u64 })
}

/// What of the piece comes behind the first `have` bytes; nothing where it leaves a gap, or would not fit on.
fn behind(piece: &Piece, have: u64) -> &str {
    let known = have.checked_sub(piece.offset).and_then(|known| usize::try_from(known).ok());
    known.and_then(|known| piece.output.get(known..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_and_fits_on_is_taken() {
        let piece = |offset, output: &str| Piece {
            started_at: Timestamp::from_micros(0),
            offset,
            output: output.to_owned(),
        };
        for (offset, output, have, rest) in [
            (0, "abc", 0, "abc"),
            (0, "abc", 2, "c"),
            (0, "abc", 3, ""),
            (0, "abc", 9, ""),
            (2, "cd", 2, "cd"),
            (3, "d", 2, ""),
            (0, "a\u{e9}", 2, ""),
        ] {
            assert_eq!(behind(&piece(offset, output), have), rest, "{offset} {output} {have}");
        }
    }
}
