//! What is not kept for ever: commands that are over go some time after they were queued, with their results, and a
//! batch with the last of its commands. Numbers are counted elsewhere and never given out again.

use crate::commands::FORGET_ROWS_MAX;
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;

/// Batches that one write looks at.
const BATCHES_MAX: usize = 16;

/// What one write deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Commands, each with its result.
    pub commands: usize,
    /// Batches none of whose commands is left.
    pub batches: usize,
    /// Agents that such batches had left out.
    pub left_out: usize,
}

/// Deletes what was queued at `until` or before and is over, the oldest first; at most [`FORGET_ROWS_MAX`] rows, so
/// nothing is left only when nothing was deleted. May be cut off between any two writes.
pub fn forget(connection: &Connection, until: Timestamp) -> rusqlite::Result<Forgotten> {
    // The unary plus keeps SQLite to the order of creation.
    let commands = connection
        .prepare_cached(
            "DELETE FROM commands WHERE id IN
                 (SELECT id FROM commands
                  WHERE created_at <= ?1 AND +status NOT IN ('pending', 'delivered', 'running')
                  ORDER BY created_at LIMIT ?2)",
        )?
        .execute((until.as_micros(), FORGET_ROWS_MAX))?;
    let mut forgotten = Forgotten { commands, ..Forgotten::default() };
    for batch_id in empty_batches(connection, until)? {
        let left = FORGET_ROWS_MAX - forgotten.commands - forgotten.batches - forgotten.left_out;
        let names = forget_left_out(connection, &batch_id, left)?;
        forgotten.left_out += names;
        if names == left {
            break;
        }
        forgotten.batches +=
            connection.prepare_cached("DELETE FROM command_batches WHERE id = ?1")?.execute([&batch_id])?;
    }
    Ok(forgotten)
}

/// Some batches of that time without a command.
fn empty_batches(connection: &Connection, until: Timestamp) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT id FROM command_batches
             WHERE created_at <= ?1 AND NOT EXISTS (SELECT 1 FROM commands WHERE batch_id = command_batches.id)
             ORDER BY created_at LIMIT ?2",
        )?
        .query_map((until.as_micros(), BATCHES_MAX), |row| row.get(0))?
        .collect()
}

fn forget_left_out(connection: &Connection, batch_id: &str, count_max: usize) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM command_batch_left_out WHERE batch_id = ?1 AND agent_id IN
                 (SELECT agent_id FROM command_batch_left_out WHERE batch_id = ?1 LIMIT ?2)",
        )?
        .execute((batch_id, count_max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        commands::{
            Asked, BatchOrder, CommandsError, LEFT_OUT_MAX, Order, Task,
            store::{find, find_batch, queue, queue_batch},
        },
        storage::migrate::SQLITE,
    };
    use pingup_protocol::ids::AgentId;

    const OLD: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn records() -> Connection {
        let records = Connection::open_in_memory().unwrap();
        SQLITE.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
        records.execute_batch("PRAGMA foreign_keys = ON").unwrap();
        records.execute_batch("INSERT INTO agents (id, created_at) VALUES ('a', 0), ('b', 0)").unwrap();
        records
    }

    fn task() -> Task {
        Task { action: "ping".to_owned(), params: "{}".to_owned(), timeout_seconds: None, ttl_seconds: 60 }
    }

    fn order(records: &Connection, key: Option<&str>, at: Timestamp) -> (String, u64) {
        let agent_id = AgentId::parse("a").unwrap();
        let order = Order { agent_id, task: task(), idempotency_key: key.map(str::to_owned), signed: None };
        let view = queue(records, &order, at).unwrap().0;
        (view.command_id, view.command_seq)
    }

    fn end(records: &Connection, condition: &str) {
        records.execute(&format!("UPDATE commands SET status = 'expired' WHERE {condition}"), []).unwrap();
    }

    #[test]
    fn only_what_is_old_and_over_goes_and_its_numbers_with_nobody() {
        let records = records();
        let (first, _) = order(&records, Some("key"), OLD);
        let (open, _) = order(&records, None, OLD);
        let (young, seq) = order(&records, None, OLD.plus_seconds(1));
        end(&records, &format!("id <> '{open}'"));
        let gone = Forgotten { commands: 1, ..Forgotten::default() };
        assert_eq!(forget(&records, OLD).unwrap(), gone);
        assert_eq!(forget(&records, OLD).unwrap(), Forgotten::default(), "again is no other");
        assert_eq!(find(&records, &first, OLD).unwrap(), None);
        for kept in [&open, &young] {
            assert!(find(&records, kept, OLD).unwrap().is_some());
        }
        end(&records, "TRUE");
        assert_eq!(forget(&records, OLD.plus_seconds(9)).unwrap().commands, 2);
        let (next, next_seq) = order(&records, Some("key"), OLD.plus_seconds(10));
        assert_eq!(next_seq, seq + 1, "no number comes again");
        assert!(![first, open, young].contains(&next), "nor an id");
    }

    #[test]
    fn a_batch_goes_with_its_last_command_and_all_whom_it_left_out() {
        let records = records();
        let agents = ["a", "b"].map(|id| AgentId::parse(id).unwrap());
        let asked = Asked::Agents(agents.to_vec());
        let batch = BatchOrder { asked, task: task(), idempotency_key: None, signed: None };
        let (id, _) = queue_batch(&records, &batch, &agents, OLD).unwrap();
        let mut insert = records
            .prepare("INSERT INTO command_batch_left_out VALUES (?1, ?2, 'too-many-open-commands')")
            .unwrap();
        for n in 0..=FORGET_ROWS_MAX {
            insert.execute((&id, format!("off-{n:05}"))).unwrap();
        }
        end(&records, "agent_id = 'a'");
        assert_eq!(forget(&records, OLD).unwrap(), Forgotten { commands: 1, ..Forgotten::default() });
        let view = find_batch(&records, &id, OLD).unwrap();
        assert_eq!((view.agents, view.counts.pending), (1, 1), "counted from what is kept");
        assert_eq!(view.left_out.len(), LEFT_OUT_MAX.min(FORGET_ROWS_MAX + 1));
        end(&records, "TRUE");
        let some = Forgotten { commands: 1, batches: 0, left_out: FORGET_ROWS_MAX - 1 };
        assert_eq!(forget(&records, OLD).unwrap(), some);
        assert!(find_batch(&records, &id, OLD).is_ok(), "some are still to go");
        let rest = Forgotten { commands: 0, batches: 1, left_out: 2 };
        assert_eq!(forget(&records, OLD).unwrap(), rest);
        assert!(matches!(find_batch(&records, &id, OLD), Err(CommandsError::UnknownBatch(_))));
        assert_eq!(forget(&records, OLD).unwrap(), Forgotten::default());
    }

    #[test]
    fn one_write_takes_no_more_than_it_may() {
        let records = records();
        let mut insert = records
            .prepare(
                "INSERT INTO commands (id, agent_id, seq, action, params, status, created_at, expires_at)
                 VALUES ('c' || ?1, 'a', ?1, 'ping', '{}', 'succeeded', ?1, 0)",
            )
            .unwrap();
        for n in 1..=FORGET_ROWS_MAX + 1 {
            insert.execute([n]).unwrap();
        }
        assert_eq!(forget(&records, OLD).unwrap().commands, FORGET_ROWS_MAX);
        let left: u64 = records.query_row("SELECT seq FROM commands", [], |row| row.get(0)).unwrap();
        assert_eq!(left, FORGET_ROWS_MAX as u64 + 1, "the oldest go first");
    }
}
