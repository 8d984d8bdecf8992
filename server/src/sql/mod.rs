//! Questions in SQL, for what neither the API nor PromQL can say: one SELECT over four [views](views) of what the hub
//! has.
//!
//! # The story
//! SQL in full needs an engine, and an engine that anybody may ask anything does not belong into the process that takes
//! measurements in: it would keep the memory that it took, and end the hub with it when it broke. So each question gets
//! a process of its own ([`process`]), the hub's own program once more, which is [fenced in](engine) by the system
//! before it hears a word: so much memory, so much time, no file that it can write.
//!
//! Both speak over pipes ([`letters`]): the hub hands the text over; the engine reads it with DuckDB's own parser, refuses
//! what is not on its list, and says which views are named; the hub hands over those that lie in memory, as Arrow streams
//! ([`rows`]), and the names of files for the rest; the engine answers with a body that is ready to be sent, whose size
//! was told before. Then it is gone, with all that it took.
//!
//! # Promises
//! An answer shows one [view](crate::tsdb::View) of the history, each row once; files stay while it is made. One
//! question at a time; who waits too long for a turn is told to come back. A question that takes too long is ended, and so
//! is one that nobody waits for any more. An idle hub holds nothing for this room.
//!
//! # Refuses
//! Everything but one question: see [`engine`]. Answers of more than [`ANSWER_BYTES_MAX`]; rows behind the limit are left
//! out, and the answer says so.

pub mod engine;
pub mod handler;
mod letters;
mod neighbours;
mod process;
mod rows;
#[cfg(test)]
mod tests;
mod views;

pub use letters::Form;
pub use neighbours::{AgentNow, CommandNow, Neighbours, TakeCommand, TellAgents};

use crate::{
    clock::Clock,
    storage::{Outbox, Readers, Sqlite, StorageError, Wanted},
    tsdb::Tsdb,
};
use bytes::Bytes;
use letters::Ask;
use process::Leash;
use rows::Snapshot;
use std::{path::PathBuf, time::Duration};
use tokio::runtime::Handle;

/// A question's text, bytes.
pub const QUERY_BYTES_MAX: usize = 32 * 1024;
/// Rows in an answer at most.
pub const ROWS_MAX: u64 = 100_000;
/// Rows in an answer whose question does not say how many.
pub const ROWS_DEFAULT: u64 = 10_000;
/// An answer's body: what long answers have room for together ([`crate::storage::OUTBOX_BYTES_MAX`]).
pub const ANSWER_BYTES_MAX: usize = crate::storage::OUTBOX_BYTES_MAX;
/// How long a question waits for its turn.
pub const TURN_WAIT: Duration = Duration::from_secs(5);
/// Questions at once: each may take as much memory as all the rest of the hub.
const AT_ONCE: usize = 1;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The text.
    pub query: String,
    /// Rows at most.
    pub limit: u64,
    /// How the answer is to be written.
    pub form: Form,
}

/// An answer, written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The body; a long one holds its room in the outbox.
    pub body: Bytes,
    /// Rows in it.
    pub rows: u64,
    /// Whether there are more than the limit.
    pub more: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The question has to be asked otherwise; why, in words for who asked.
    #[error("{0}")]
    Refused(String),
    /// The question takes more memory than one may.
    #[error(
        "the question takes more memory than one may; ask for less time, fewer agents or fewer columns, or group before \
         you sort and join"
    )]
    Exhausted,
    /// The engine ended without a word, which deep nesting and much memory bring about.
    #[error("the question ended its engine; ask for less at a time, or nest less deeply")]
    Died,
    /// Storage failed, or nobody had a turn or time.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The engine failed; the text is for the log.
    #[error("{0}")]
    Engine(String),
}

impl SqlError {
    /// Which kind it is, for the log: what a question says is its asker's.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Exhausted => "memory",
            Self::Died => "died",
            Self::Storage(StorageError::Timeout) => "time",
            Self::Storage(StorageError::Busy) => "turn",
            Self::Storage(_) => "storage",
            Self::Engine(_) => "engine",
        }
    }
}

/// How questions are bounded.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// How long one may take.
    pub time_max: Duration,
    /// What DuckDB may keep in memory for one, in its own words.
    pub memory: String,
    /// The same in bytes.
    pub memory_bytes: u64,
}

/// The room.
pub struct Sql {
    tsdb: Tsdb,
    sqlite: Sqlite,
    clock: Clock,
    outbox: Outbox,
    readers: Readers,
    neighbours: Neighbours,
    folder: PathBuf,
    bounds: Bounds,
}

impl Sql {
    /// The room over the history, whose files lie in `folder`, and over what `neighbours` tell; long answers take room
    /// in `outbox`.
    pub fn new(
        tsdb: Tsdb,
        sqlite: Sqlite,
        clock: Clock,
        outbox: Outbox,
        neighbours: Neighbours,
        folder: PathBuf,
        bounds: Bounds,
    ) -> Self {
        let readers = Readers::new(AT_ONCE, TURN_WAIT, bounds.time_max);
        Self { tsdb, sqlite, clock, outbox, readers, neighbours, folder, bounds }
    }

    /// Answers a question, in its turn. When the future is dropped (the client hung up), the engine ends.
    pub async fn ask(&self, question: Question) -> Result<Answer, SqlError> {
        let turn = self.readers.turn().await?;
        let snapshot = Snapshot {
            view: self.tsdb.view(),
            sqlite: self.sqlite.clone(),
            neighbours: self.neighbours.clone(),
            now: self.clock.now(),
            runtime: Handle::current(),
        };
        let ask = Ask {
            query: question.query,
            form: question.form,
            rows_max: question.limit.min(ROWS_MAX),
            bytes_max: ANSWER_BYTES_MAX,
            now_micros: snapshot.now.as_micros(),
            memory: self.bounds.memory.clone(),
            memory_bytes: self.bounds.memory_bytes,
            time_max: self.bounds.time_max,
            folder: self.folder.to_string_lossy().into_owned(),
        };
        let leash = Leash::default();
        let held = leash.clone();
        // Whoever drops this future, or lets it run out of time, ends the engine with it.
        let _end = leash.end_on_drop();
        let outbox = self.outbox.clone();
        let work = move |wanted: &Wanted| {
            wanted.give_way();
            let told = process::ask(&held, &ask, snapshot);
            // What an engine that was ended did not say is nothing to wonder about.
            wanted.check()?;
            let (rows, more, body) = told?;
            Ok(Answer { body: outbox.hold(body, wanted)?, rows, more })
        };
        self.readers.run_in(turn, work).await
    }
}
