//! Results that wait for the hub: a file each, named by the command's number.

use super::Ledger;
use crate::state::{StateError, read_json};
use pingup_protocol::{command::ResultStatus, time::Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

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

/// What is in a journal, seen without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Results that wait for the hub.
    pub waiting: usize,
    /// Those of them that cannot be read.
    pub damaged: usize,
}

/// Looks at the journal in the folder `state`, beside an agent that works with it or without one; changes nothing.
pub fn examine(state: &Path) -> Result<Summary, StateError> {
    read_json::<Ledger>(&state.join("journal.json"))?;
    let directory = state.join("results");
    let found = match list(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
        found => found.map_err(StateError::io(&directory))?,
    };
    // One that is gone by now was sent.
    let damaged = found.iter().map(|&seq| read_json::<Finished>(&result_path(&directory, seq)));
    let damaged = damaged.filter(|read| matches!(read, Err(StateError::Damaged { .. }))).count();
    Ok(Summary { waiting: found.len(), damaged })
}

/// The file of one.
pub(super) fn result_path(directory: &Path, seq: u64) -> PathBuf {
    directory.join(format!("{seq:020}.json"))
}

/// Those that are there.
pub(super) fn list(directory: &Path) -> io::Result<BTreeSet<u64>> {
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
