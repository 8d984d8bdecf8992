//! Bodies without boot and seq: one row per (agent, kind, timestamp), told apart by looking.
//!
//! An agent of this kind sends its samples as it measures them, each newer than the last. So the newest
//! timestamp of each (agent, kind) is remembered, and what is newer is new without a look at the disk. The
//! memory is bounded ([`NEWEST_MAX`]) and only ever saves a look: what it does not hold is asked of the store.
//!
//! A look into files takes milliseconds of the one thread that commits, so a group may make only so many
//! ([`FILE_LOOKS_MAX`]); and one that fails is the affair of whoever it was made for, not of the group.

use super::Record;
use crate::tsdb::{
    TsdbError,
    rows::{Kind, Look, Sought},
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::collections::{HashMap, HashSet};

/// Newest timestamps remembered; past that, the memory starts anew.
pub const NEWEST_MAX: usize = 65_536;
/// Looks into files that one group may make, some milliseconds each; who needs another is told to come back.
pub const FILE_LOOKS_MAX: usize = 4;

/// What `record` is told apart by.
pub const fn kind(record: &Record) -> Kind {
    match record {
        Record::Sample { .. } => Kind::Metrics,
        Record::Scan(_) => Kind::Discovery,
    }
}

/// Looks at what is committed.
pub trait Lookup {
    /// Looks for a row without numbers; `None` where that takes files and `in_files` is false.
    fn newest_unnumbered(&mut self, sought: Sought<'_>, in_files: bool) -> Result<Option<Look>, TsdbError>;
}

/// Why nobody can say whether a row is new.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The group has made its looks.
    #[error("too many looks into files for one group")]
    TooMany,
    /// The store could not be asked.
    #[error(transparent)]
    Failed(#[from] TsdbError),
}

type Series = (AgentId, Kind);

/// The newest committed timestamps, as far as they are remembered.
#[derive(Debug)]
pub struct Newest {
    held: HashMap<Series, Timestamp>,
    held_max: usize,
}

impl Default for Newest {
    fn default() -> Self {
        Self { held: HashMap::new(), held_max: NEWEST_MAX }
    }
}

/// What a group brings, on top of what is committed.
#[derive(Debug)]
pub struct Draft<'a> {
    committed: &'a Newest,
    /// What the store was asked for in this group; true whatever becomes of the group.
    learned: HashMap<Series, Timestamp>,
    brought: HashSet<(Series, Timestamp)>,
    /// Looks into files so far.
    file_looks: usize,
}

/// What to remember once the group is on disk.
#[derive(Debug, Default)]
pub struct Changes(HashMap<Series, Timestamp>);

impl Newest {
    /// Begins a group.
    pub fn draft(&self) -> Draft<'_> {
        Draft { committed: self, learned: HashMap::new(), brought: HashSet::new(), file_looks: 0 }
    }

    /// Takes over what a group brought. To be called once it is on disk, before the next draft.
    pub fn adopt(&mut self, changes: Changes) {
        for (series, timestamp) in changes.0 {
            if self.held.len() >= self.held_max && !self.held.contains_key(&series) {
                self.held.clear();
            }
            let held = self.held.entry(series).or_insert(timestamp);
            *held = timestamp.max(*held);
        }
    }
}

impl Draft<'_> {
    /// Whether there is no such row yet, neither on disk nor in this group; if so, it is taken note of.
    pub fn is_new(
        &mut self,
        store: &mut impl Lookup,
        agent_id: &AgentId,
        kind: Kind,
        at: Timestamp,
    ) -> Result<bool, LookError> {
        let series = (agent_id.clone(), kind);
        let entry = (series.clone(), at);
        if self.brought.contains(&entry) || self.is_committed(store, series, at)? {
            return Ok(false);
        }
        self.brought.insert(entry);
        Ok(true)
    }

    fn is_committed(
        &mut self,
        store: &mut impl Lookup,
        series: Series,
        at: Timestamp,
    ) -> Result<bool, LookError> {
        let known = self.learned.get(&series).or_else(|| self.committed.held.get(&series)).copied();
        let newest = match known {
            Some(newest) => Some(newest),
            // Only from `at` on: such a sample is of these minutes, and so is what has to be looked through.
            None => self.look(store, &series, at, Timestamp::from_micros(i64::MAX))?,
        };
        match newest {
            Some(newest) if newest >= at => {
                self.learned.insert(series.clone(), newest);
                Ok(newest == at || self.look(store, &series, at, at)?.is_some())
            }
            _ => Ok(false),
        }
    }

    fn look(
        &mut self,
        store: &mut impl Lookup,
        (agent_id, kind): &Series,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Option<Timestamp>, LookError> {
        let in_files = self.file_looks < FILE_LOOKS_MAX;
        let look = store.newest_unnumbered(Sought { kind: *kind, agent_id, from, to }, in_files)?;
        let Look { newest, reads_files } = look.ok_or(LookError::TooMany)?;
        self.file_looks += usize::from(reads_files);
        Ok(newest)
    }

    /// Looks into files that were made.
    pub const fn file_looks(&self) -> usize {
        self.file_looks
    }

    /// What to remember of the group.
    pub fn finish(self) -> Changes {
        let mut newest = self.learned;
        for (series, timestamp) in self.brought {
            let held = newest.entry(series).or_insert(timestamp);
            *held = timestamp.max(*held);
        }
        Changes(newest)
    }
}

#[cfg(test)]
mod tests;
