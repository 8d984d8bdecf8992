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
mod tests {
    use super::*;
    use crate::ingest::testing::Dice;
    use std::collections::BTreeSet;

    /// A store that counts how often it is asked.
    #[derive(Default)]
    struct Rows {
        committed: BTreeSet<(u8, String, Timestamp)>,
        looks: usize,
        in_files: bool,
    }

    impl Lookup for Rows {
        fn newest_unnumbered(
            &mut self,
            sought: Sought<'_>,
            in_files: bool,
        ) -> Result<Option<Look>, TsdbError> {
            let Sought { kind, agent_id, from, to } = sought;
            if self.in_files && !in_files {
                return Ok(None);
            }
            self.looks += 1;
            let fits = |row: &&(u8, String, Timestamp)| {
                row.0 == kind as u8 && row.1 == agent_id.as_str() && row.2 >= from && row.2 <= to
            };
            let newest = self.committed.iter().filter(fits).map(|row| row.2).max();
            Ok(Some(Look { newest, reads_files: self.in_files }))
        }
    }

    fn agent(number: u64) -> AgentId {
        AgentId::parse(&format!("agent-{number}")).unwrap()
    }

    /// Plays random groups against the plain set of what is committed.
    fn play(seed: u64, held_max: usize) {
        let mut dice = Dice::seeded(seed);
        let (mut newest, mut rows) = (Newest { held_max, ..Newest::default() }, Rows::default());
        for _ in 0..60 {
            let mut drafted = rows.committed.clone();
            let mut draft = newest.draft();
            for _ in 0..dice.below(8) {
                let (who, micros) = (dice.below(4), dice.below(25));
                let kind = if dice.below(2) == 0 { Kind::Metrics } else { Kind::Discovery };
                let at = Timestamp::from_micros(i64::try_from(micros).unwrap());
                let expected = drafted.insert((kind as u8, agent(who).as_str().to_owned(), at));
                let new = draft.is_new(&mut rows, &agent(who), kind, at).unwrap();
                assert_eq!(new, expected, "seed {seed}: {kind:?} of agent {who} at {micros}");
            }
            let changes = draft.finish();
            if dice.below(3) > 0 {
                rows.committed = drafted;
                newest.adopt(changes);
            }
            assert!(newest.held.len() <= held_max);
        }
    }

    #[test]
    fn agrees_with_a_plain_set_whatever_is_remembered() {
        for seed in 1..=200 {
            play(seed, NEWEST_MAX);
            play(seed, 2);
        }
    }

    #[test]
    fn what_comes_in_order_costs_one_look() {
        let (mut newest, mut rows) = (Newest::default(), Rows::default());
        for micros in 0..10 {
            let at = Timestamp::from_micros(micros);
            let mut draft = newest.draft();
            assert!(draft.is_new(&mut rows, &agent(1), Kind::Metrics, at).unwrap());
            assert!(!draft.is_new(&mut rows, &agent(1), Kind::Metrics, at).unwrap(), "twice in a group");
            let changes = draft.finish();
            rows.committed.insert((Kind::Metrics as u8, "agent-1".to_owned(), at));
            newest.adopt(changes);
        }
        assert!(rows.looks <= 2, "{} looks", rows.looks);
    }

    #[test]
    fn a_group_looks_into_files_a_few_times_and_no_more() {
        let (newest, mut rows) = (Newest::default(), Rows { in_files: true, ..Rows::default() });
        let mut draft = newest.draft();
        let at = Timestamp::from_micros(1);
        for number in 0..FILE_LOOKS_MAX as u64 {
            assert!(draft.is_new(&mut rows, &agent(number), Kind::Metrics, at).unwrap());
        }
        let refused = draft.is_new(&mut rows, &agent(99), Kind::Metrics, at);
        assert!(matches!(refused, Err(LookError::TooMany)), "{refused:?}");
        // What the group brought itself is known without a look, as is what memory tells; the next group begins anew.
        assert!(!draft.is_new(&mut rows, &agent(0), Kind::Metrics, at).unwrap());
        assert_eq!(rows.looks, FILE_LOOKS_MAX);
        rows.in_files = false;
        assert!(draft.is_new(&mut rows, &agent(98), Kind::Metrics, at).unwrap());
        rows.in_files = true;
        assert!(newest.draft().is_new(&mut rows, &agent(99), Kind::Metrics, at).unwrap());
    }
}
