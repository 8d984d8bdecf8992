//! Each agent's newest sample, kept in memory so that asking for it touches no history.
//!
//! The ingest offers what it committed, a sweep takes what changed and writes it to `agent_latest`, readers
//! look here first. Promises: an older sample never replaces a newer one, whatever order they come in; and at
//! most [`LATEST_AGENTS_MAX`] agents are held.
//!
//! What is here is the newest *of this run* until a reader has compared it with the disk and said so
//! ([`Latest::settle`]): after a restart an agent may first send an old spool. Nothing here is the truth;
//! whatever is missing is on disk.

use foldhash::HashMap;
use pingup_protocol::{ids::AgentId, metrics::Measurements, time::Timestamp};
use std::{
    collections::hash_map,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Agents whose newest sample is held; at some 300 bytes each, 20 MB.
pub const LATEST_AGENTS_MAX: usize = 65_536;
/// Agents let go at once when there are too many, so that finding the oldest is paid for rarely.
const EVICTED_AGENTS: usize = LATEST_AGENTS_MAX / 8;

/// An agent's newest sample.
#[derive(Clone, Debug, PartialEq)]
pub struct LatestSample {
    /// When it was measured, by the agent's clock.
    pub timestamp: Timestamp,
    /// The agent's word for how its machine does.
    pub status: String,
    /// What was measured.
    pub metrics: Measurements,
}

#[derive(Debug)]
struct Entry {
    sample: LatestSample,
    /// Not taken by the sweep yet.
    dirty: bool,
    /// Known to be the newest of all, not only of this run.
    settled: bool,
}

/// The newest samples of all agents.
#[derive(Debug)]
pub struct Latest {
    agents: Mutex<HashMap<AgentId, Entry>>,
    agents_max: usize,
    evicted: usize,
}

impl Default for Latest {
    fn default() -> Self {
        Self { agents: Mutex::default(), agents_max: LATEST_AGENTS_MAX, evicted: EVICTED_AGENTS }
    }
}

impl Latest {
    /// Takes note of a committed sample, if it is the agent's newest. Of two at one moment the later offered
    /// counts.
    pub fn offer(&self, agent_id: &AgentId, timestamp: Timestamp, status: &str, metrics: &Measurements) {
        let sample = || LatestSample { timestamp, status: status.to_owned(), metrics: metrics.clone() };
        let mut agents = self.lock();
        if let Some(entry) = agents.get_mut(agent_id) {
            if timestamp >= entry.sample.timestamp {
                entry.sample = sample();
                entry.dirty = true;
            }
            return;
        }
        if agents.len() >= self.agents_max {
            evict(&mut agents, self.evicted);
        }
        agents.insert(agent_id.clone(), Entry { sample: sample(), dirty: true, settled: false });
    }

    /// The newest sample of this run.
    pub fn get(&self, agent_id: &str) -> Option<LatestSample> {
        self.lock().get(agent_id).map(|entry| entry.sample.clone())
    }

    /// The newest sample of all, where that is known without asking the disk.
    pub fn get_settled(&self, agent_id: &str) -> Option<LatestSample> {
        self.lock().get(agent_id).filter(|entry| entry.settled).map(|entry| entry.sample.clone())
    }

    /// Compares with the newest on disk and returns the newer. From then on memory knows the newest of all,
    /// for every later sample comes by here.
    pub fn settle(&self, agent_id: &AgentId, on_disk: Option<LatestSample>) -> Option<LatestSample> {
        let mut agents = self.lock();
        // No entry is made for an agent without one: one that was let go meanwhile may have been newer.
        let hash_map::Entry::Occupied(mut entry) = agents.entry(agent_id.clone()) else { return on_disk };
        let entry = entry.get_mut();
        entry.settled = true;
        if let Some(older) = on_disk.filter(|sample| sample.timestamp > entry.sample.timestamp) {
            entry.sample = older;
        }
        Some(entry.sample.clone())
    }

    /// Forgets that anything was compared with the disk: there may be samples on it that were never offered.
    pub fn unsettle(&self) {
        self.lock().values_mut().for_each(|entry| entry.settled = false);
    }

    /// What changed since this was last called, to be written to disk.
    pub fn take_dirty(&self) -> Vec<(AgentId, LatestSample)> {
        let mut agents = self.lock();
        let changed = |(agent_id, entry): (&AgentId, &mut Entry)| {
            std::mem::take(&mut entry.dirty).then(|| (agent_id.clone(), entry.sample.clone()))
        };
        agents.iter_mut().filter_map(changed).collect()
    }

    /// What is held is valid after every single step, so a panic elsewhere changes nothing here.
    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, Entry>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the `count` oldest go, those that are written before those that are not.
fn evict(agents: &mut HashMap<AgentId, Entry>, count: usize) {
    let mut ages: Vec<_> =
        agents.iter().map(|(id, entry)| (entry.dirty, entry.sample.timestamp, id.clone())).collect();
    let count = count.clamp(1, ages.len().max(1));
    if count < ages.len() {
        ages.select_nth_unstable(count);
    }
    for (_, _, agent_id) in ages.into_iter().take(count) {
        agents.remove(&agent_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(number: usize) -> AgentId {
        AgentId::parse(&format!("agent-{number}")).unwrap()
    }

    fn offer(latest: &Latest, number: usize, micros: i64, status: &str) {
        latest.offer(&agent(number), Timestamp::from_micros(micros), status, &Measurements::default());
    }

    fn status(sample: Option<LatestSample>) -> Option<String> {
        sample.map(|sample| sample.status)
    }

    #[test]
    fn only_a_newer_sample_replaces_one() {
        let latest = Latest::default();
        for (micros, word) in [(5, "first"), (4, "late"), (5, "again"), (6, "newest")] {
            offer(&latest, 1, micros, word);
        }
        assert_eq!(status(latest.get("agent-1")), Some("newest".to_owned()));
        assert_eq!(latest.take_dirty().len(), 1);
        offer(&latest, 1, 5, "late");
        assert!(latest.take_dirty().is_empty());
    }

    #[test]
    fn memory_is_trusted_once_it_was_compared_with_the_disk() {
        let latest = Latest::default();
        let on_disk = |micros| {
            let timestamp = Timestamp::from_micros(micros);
            Some(LatestSample { timestamp, status: "disk".to_owned(), metrics: Measurements::default() })
        };
        assert_eq!(status(latest.settle(&agent(1), on_disk(9))), Some("disk".to_owned()));
        assert_eq!(latest.get_settled("agent-1"), None, "nothing was offered, so the disk is asked again");
        offer(&latest, 1, 5, "spooled");
        assert_eq!(latest.get_settled("agent-1"), None);
        assert_eq!(status(latest.settle(&agent(1), on_disk(9))), Some("disk".to_owned()));
        assert_eq!(status(latest.get_settled("agent-1")), Some("disk".to_owned()));
        offer(&latest, 1, 10, "live");
        assert_eq!(status(latest.get_settled("agent-1")), Some("live".to_owned()));
        latest.unsettle();
        assert_eq!(latest.get_settled("agent-1"), None);
    }

    #[test]
    fn the_oldest_written_ones_are_let_go_at_the_bound() {
        let latest = Latest { agents_max: 4, evicted: 2, ..Latest::default() };
        for number in [3, 1, 2, 0] {
            offer(&latest, number, number as i64, "held");
        }
        assert_eq!(latest.take_dirty().len(), 4);
        offer(&latest, 0, 9, "newer and not written");
        offer(&latest, 9, 5, "held");
        let held: Vec<_> = (0..10).filter(|n| latest.get(&format!("agent-{n}")).is_some()).collect();
        assert_eq!(held, [0, 3, 9]);
    }
}
