//! The journal: which commands were taken down, which one runs, and the results that the hub has not taken yet.
//!
//! It promises that a command which was begun is never begun again, whatever happens in between: its number is
//! on disk before it runs. One that was running when the agent died is reported `unknown`. Results wait on disk,
//! one file each, bounded in number.

use crate::state::{StateDir, StateError, read_json, sync_directory, write_json};
use pingup_protocol::{
    command::{Command, ResultStatus},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, path::PathBuf};

/// Results that wait for the hub at most: the oldest goes when there are more.
pub const RESULTS_MAX: usize = 256;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ledger {
    last_seq: u64,
    running: Option<Running>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Running {
    command_id: String,
    command_seq: u64,
    started_at: Timestamp,
}

/// A result, as the hub is told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finished {
    /// Which command.
    pub command_id: String,
    /// Its place in the agent's order.
    pub command_seq: u64,
    /// How it ended.
    pub status: ResultStatus,
    /// The exit code of the program it ran.
    pub exit_code: Option<i64>,
    /// What it printed, or why it was not run.
    pub output: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
}

/// The journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    directory: PathBuf,
    ledger: Ledger,
    waiting: BTreeSet<u64>,
}

impl Journal {
    /// Opens the journal in `state`. A command that was running gets its result now: unknown.
    pub fn open(state: &StateDir, now: Timestamp) -> Result<Self, StateError> {
        let path = state.join("journal.json");
        let directory = state.subdirectory("results")?;
        let ledger = read_json(&path)?.unwrap_or_default();
        let waiting = list(&directory).map_err(StateError::io(&directory))?;
        let mut journal = Self { path, directory, ledger, waiting };
        if let Some(running) = journal.ledger.running.clone() {
            journal.recover(running, now)?;
        }
        Ok(journal)
    }

    /// The last command that was taken down; 0 when none was.
    pub const fn last_seq(&self) -> u64 {
        self.ledger.last_seq
    }

    /// How many results wait for the hub.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes `command` down. Only once this has returned may it run.
    pub fn begin(&mut self, command: &Command, now: Timestamp) -> Result<(), StateError> {
        let running = Running {
            command_id: command.command_id.clone(),
            command_seq: command.command_seq,
            started_at: now,
        };
        self.replace(Ledger { last_seq: command.command_seq, running: Some(running) })
    }

    /// Keeps a result until the hub has taken it: that of the command that was begun, or of one that is taken
    /// down by being rejected.
    pub fn finish(&mut self, finished: &Finished) -> Result<(), StateError> {
        // The result first: a crash in between leaves a command that is done and marked as running, which is
        // seen at the next start.
        write_json(&self.result_path(finished.command_seq), finished)?;
        self.waiting.insert(finished.command_seq);
        let last_seq = self.ledger.last_seq.max(finished.command_seq);
        self.replace(Ledger { last_seq, running: None })?;
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
            match read_json(&self.result_path(seq)) {
                Ok(Some(finished)) => return Ok(Some(finished)),
                Ok(None) => {}
                Err(error @ StateError::Io { .. }) => return Err(error),
                Err(error) => tracing::warn!("a result is lost: {error}"),
            }
            self.remove(seq)?;
        }
        Ok(None)
    }

    /// The hub has taken the result of command `seq`, or never will.
    pub fn remove(&mut self, seq: u64) -> Result<(), StateError> {
        let path = self.result_path(seq);
        match std::fs::remove_file(&path).and_then(|()| sync_directory(&self.directory)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StateError::io(&path)(error)),
            _ => {
                self.waiting.remove(&seq);
                Ok(())
            }
        }
    }

    fn recover(&mut self, running: Running, now: Timestamp) -> Result<(), StateError> {
        if self.waiting.contains(&running.command_seq) {
            return self.replace(Ledger { running: None, ..self.ledger.clone() });
        }
        tracing::warn!(command = running.command_id, "was running when the agent died; it is not run again");
        self.finish(&Finished {
            command_id: running.command_id,
            command_seq: running.command_seq,
            status: ResultStatus::Unknown,
            exit_code: None,
            output: Some("the agent died while this ran".to_owned()),
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
        self.directory.join(format!("{seq:020}.json"))
    }
}

fn list(directory: &std::path::Path) -> std::io::Result<BTreeSet<u64>> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (Some(seq), true) = (stem, path.extension().is_some_and(|extension| extension == "json")) {
            found.insert(seq);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::ids::AgentId;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn command(seq: u64) -> Command {
        Command {
            command_id: format!("CMD-2027-{seq:03}"),
            agent_id: AgentId::parse("a").unwrap(),
            command_seq: seq,
            action: "ping".into(),
            params: serde_json::Map::new(),
            issued_at: NOW,
            expires_at: NOW,
            timeout_seconds: None,
        }
    }

    fn finished(seq: u64) -> Finished {
        Finished {
            command_id: command(seq).command_id,
            command_seq: seq,
            status: ResultStatus::Succeeded,
            exit_code: None,
            output: Some("pong".into()),
            started_at: NOW,
            finished_at: NOW,
        }
    }

    /// A state directory whose lock is let go again, as a crash does.
    fn reopened(home: &tempfile::TempDir) -> (StateDir, Journal) {
        let state = StateDir::open(home.path()).unwrap();
        let journal = Journal::open(&state, NOW).unwrap();
        (state, journal)
    }

    #[test]
    fn what_ran_when_the_agent_died_is_unknown_and_stays_taken_down() {
        let home = tempfile::tempdir().unwrap();
        {
            let (_state, mut journal) = reopened(&home);
            journal.begin(&command(5), NOW).unwrap();
        }
        let (_state, mut journal) = reopened(&home);
        assert_eq!(journal.last_seq(), 5);
        let result = journal.oldest().unwrap().unwrap();
        assert_eq!((result.command_seq, result.status), (5, ResultStatus::Unknown));
        journal.remove(5).unwrap();
        assert_eq!(journal.oldest().unwrap(), None);
    }

    #[test]
    fn a_result_waits_across_restarts_until_it_is_taken() {
        let home = tempfile::tempdir().unwrap();
        {
            let (_state, mut journal) = reopened(&home);
            journal.begin(&command(1), NOW).unwrap();
            journal.finish(&finished(1)).unwrap();
            journal.finish(&finished(2)).unwrap();
        }
        let (_state, mut journal) = reopened(&home);
        assert_eq!(journal.last_seq(), 2, "a rejected command is taken down as well");
        assert_eq!(journal.oldest().unwrap(), Some(finished(1)));
        journal.remove(1).unwrap();
        assert_eq!(journal.oldest().unwrap(), Some(finished(2)));
    }

    #[test]
    fn a_crash_between_result_and_ledger_keeps_the_result() {
        let home = tempfile::tempdir().unwrap();
        {
            let (_state, mut journal) = reopened(&home);
            journal.begin(&command(1), NOW).unwrap();
            write_json(&journal.result_path(1), &finished(1)).unwrap();
        }
        let (_state, mut journal) = reopened(&home);
        assert_eq!(journal.oldest().unwrap(), Some(finished(1)));
        assert_eq!(journal.ledger.running, None);
    }

    #[test]
    fn results_are_bounded_and_damaged_ones_do_not_hold_up_others() {
        let home = tempfile::tempdir().unwrap();
        let (_state, mut journal) = reopened(&home);
        for seq in 1..=RESULTS_MAX as u64 + 2 {
            journal.finish(&finished(seq)).unwrap();
        }
        assert_eq!(journal.waiting.len(), RESULTS_MAX);
        assert_eq!(std::fs::read_dir(home.path().join("results")).unwrap().count(), RESULTS_MAX);
        std::fs::write(journal.result_path(3), "{").unwrap();
        assert_eq!(journal.oldest().unwrap().unwrap().command_seq, 4);
    }
}
