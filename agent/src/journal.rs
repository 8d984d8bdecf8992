//! The journal: which commands were taken down, which one runs, and the results that the hub has not taken yet.
//!
//! It promises that a command which was begun is never begun again, whatever happens in between: its number is
//! on disk before it runs, and so is the signed order that it came by. One that was running when the agent died is
//! reported `unknown`. A result that cannot be kept, since the disk is full, is told from memory, and kept before another
//! command begins. Results wait on disk, bounded in number ([`results`]).

mod results;

pub use results::{Finished, Summary, examine};

use self::results::{list, result_path};
use crate::{
    orders::{Mark, Spent},
    state::{StateDir, StateError, read_json, sync_directory, write_json},
};
use pingup_protocol::{
    command::{Command, ResultStatus},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, io, path::PathBuf};

/// Results that wait for the hub at most: the oldest goes when there are more.
pub const RESULTS_MAX: usize = 256;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ledger {
    last_seq: u64,
    running: Option<Running>,
    /// Signed orders that were used.
    #[serde(default, skip_serializing_if = "Spent::is_empty")]
    spent: Spent,
    /// What time it was at least, when that was written down last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sure: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Running {
    command_id: String,
    command_seq: u64,
    started_at: Timestamp,
}

/// The journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    directory: PathBuf,
    ledger: Ledger,
    waiting: BTreeSet<u64>,
    unkept: Option<Unkept>,
}

/// The result of the last command, which could not be kept yet.
#[derive(Debug)]
struct Unkept {
    finished: Finished,
    /// Whether the hub has it all the same.
    is_taken: bool,
}

impl Journal {
    /// Opens the journal in `state`. A command that was running gets its result now: unknown.
    pub fn open(state: &StateDir, now: Timestamp) -> Result<Self, StateError> {
        let path = state.join("journal.json");
        let directory = state.subdirectory("results")?;
        let ledger = read_json(&path)?.unwrap_or_default();
        let waiting = list(&directory).map_err(StateError::io(&directory))?;
        let mut journal = Self { path, directory, ledger, waiting, unkept: None };
        if let Some(running) = journal.ledger.running.clone() {
            journal.recover(running, "the agent died while this ran", now)?;
        }
        Ok(journal)
    }

    /// The last command that was taken down; 0 when none was.
    pub const fn last_seq(&self) -> u64 {
        self.ledger.last_seq
    }

    /// How many results wait for the hub.
    pub fn waiting(&self) -> usize {
        self.waiting.len() + usize::from(self.in_memory().is_some())
    }

    /// The result that could not be kept yet, if there is one.
    pub fn unkept(&self) -> Option<&Finished> {
        self.unkept.as_ref().map(|unkept| &unkept.finished)
    }

    /// Signed orders that were used.
    pub const fn spent(&self) -> &Spent {
        &self.ledger.spent
    }

    /// What time it was at least, when that was written down last.
    pub const fn sure(&self) -> Option<Timestamp> {
        self.ledger.sure
    }

    /// Writes down what time it is at least.
    pub fn keep_sure(&mut self, sure: Timestamp) -> Result<(), StateError> {
        self.replace(Ledger { sure: Some(sure), ..self.ledger.clone() })
    }

    /// Takes down that a signed order is used, whatever becomes of the command that it came with.
    pub fn spend(&mut self, mark: Mark) -> Result<(), StateError> {
        let mut ledger = self.ledger.clone();
        ledger.spent.add(mark);
        self.replace(ledger)
    }

    /// Takes `command` down, and the signed order that it came by. Only once this has returned may it run.
    pub fn begin(&mut self, command: &Command, mark: Option<Mark>, now: Timestamp) -> Result<(), StateError> {
        self.settle()?;
        let running = Running {
            command_id: command.command_id.clone(),
            command_seq: command.command_seq,
            started_at: now,
        };
        let mut ledger = self.ledger.clone();
        (ledger.last_seq, ledger.running) = (command.command_seq, Some(running));
        if let Some(mark) = mark {
            ledger.spent.add(mark);
        }
        self.replace(ledger)
    }

    /// Keeps a result until the hub has taken it: that of the command that was begun, or of one that is taken
    /// down by being rejected. One that cannot be kept is known all the same, and kept by [`Self::settle`].
    pub fn finish(&mut self, finished: Finished) -> Result<(), StateError> {
        self.settle()?;
        self.unkept = Some(Unkept { finished, is_taken: false });
        self.settle()
    }

    /// Keeps the result that could not be kept before, if there is one. Before it is, no command is begun.
    pub fn settle(&mut self) -> Result<(), StateError> {
        let Some(unkept) = self.unkept.take() else { return Ok(()) };
        let kept = self.keep(&unkept);
        if kept.is_err() {
            self.unkept = Some(unkept);
        }
        kept
    }

    fn keep(&mut self, Unkept { finished, is_taken }: &Unkept) -> Result<(), StateError> {
        if !is_taken {
            // The result first: a crash in between leaves a command that is done and marked as running, which is
            // seen at the next start.
            write_json(&self.result_path(finished.command_seq), finished)?;
            self.waiting.insert(finished.command_seq);
        }
        let last_seq = self.ledger.last_seq.max(finished.command_seq);
        self.replace(Ledger { last_seq, running: None, ..self.ledger.clone() })?;
        while self.waiting.len() > RESULTS_MAX
            && let Some(&oldest) = self.waiting.first()
        {
            tracing::warn!(command_seq = oldest, "too many results wait for the hub; the oldest is dropped");
            self.remove(oldest)?;
        }
        Ok(())
    }

    /// The oldest result that waits.
    pub fn oldest(&mut self) -> Result<Option<Finished>, StateError> {
        while let Some(&seq) = self.waiting.first() {
            match read_json::<Finished>(&self.result_path(seq)) {
                Ok(Some(finished)) if finished.command_seq == seq => return Ok(Some(finished)),
                // It would be sent again and again, since taking it away is asked for by the number in it.
                Ok(Some(_)) => tracing::warn!(seq, "a result is lost: its file holds another command's"),
                Ok(None) => {}
                Err(error @ StateError::Io { .. }) => return Err(error),
                Err(error) => tracing::warn!("a result is lost: {error}"),
            }
            self.remove(seq)?;
        }
        Ok(self.in_memory().cloned())
    }

    /// The hub has taken the result of command `seq`, or never will.
    pub fn remove(&mut self, seq: u64) -> Result<(), StateError> {
        if let Some(unkept) = self.unkept.as_mut().filter(|unkept| unkept.finished.command_seq == seq) {
            unkept.is_taken = true;
        }
        if !self.waiting.contains(&seq) {
            return Ok(());
        }
        let path = self.result_path(seq);
        match std::fs::remove_file(&path).and_then(|()| sync_directory(&self.directory)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StateError::io(&path)(error)),
            _ => {
                self.waiting.remove(&seq);
                Ok(())
            }
        }
    }

    /// The result that waits and is not on disk.
    fn in_memory(&self) -> Option<&Finished> {
        let waits =
            |unkept: &&Unkept| !unkept.is_taken && !self.waiting.contains(&unkept.finished.command_seq);
        self.unkept.as_ref().filter(waits).map(|unkept| &unkept.finished)
    }

    fn recover(&mut self, running: Running, reason: &str, now: Timestamp) -> Result<(), StateError> {
        if self.waiting.contains(&running.command_seq) {
            return self.replace(Ledger { running: None, ..self.ledger.clone() });
        }
        tracing::warn!(command = running.command_id, "not run again, and reported as unknown: {reason}");
        self.finish(Finished {
            command_id: running.command_id,
            command_seq: running.command_seq,
            status: ResultStatus::Unknown,
            exit_code: None,
            output: Some(reason.to_owned()),
            started_at: running.started_at,
            finished_at: now.max(running.started_at),
        })
    }

    fn replace(&mut self, ledger: Ledger) -> Result<(), StateError> {
        write_json(&self.path, &ledger)?;
        self.ledger = ledger;
        Ok(())
    }

    fn result_path(&self, seq: u64) -> PathBuf {
        result_path(&self.directory, seq)
    }
}

#[cfg(test)]
mod tests;
