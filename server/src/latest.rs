//! Each agent's newest sample, kept in memory so that asking for it touches no history.
//!
//! The ingest offers what it committed, a sweep takes what changed and writes it to `agent_latest`, readers
//! look here first. Promises: an older sample never replaces a newer one, whatever order they come in; at most
//! [`LATEST_AGENTS_MAX`] agents are held; and who changed first is taken first, so that no agent of a fleet that is
//! larger than what one sweep takes waits for ever.
//!
//! What is here is the newest *of this run* until a reader has compared it with the disk and said so
//! ([`Latest::settle`]): after a restart an agent may first send an old spool. Nothing here is the truth;
//! whatever is missing is on disk.

use foldhash::HashMap;
use pingup_protocol::{ids::AgentId, metrics::Measurements, time::Timestamp};
use std::{
    collections::{VecDeque, hash_map},
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

#[derive(Debug, Default)]
struct Held {
    agents: HashMap<AgentId, Entry>,
    /// Whose entries are dirty, in the order in which they became so; each once.
    changed: VecDeque<AgentId>,
}

/// The newest samples of all agents.
#[derive(Debug)]
pub struct Latest {
    held: Mutex<Held>,
    agents_max: usize,
    evicted: usize,
}

impl Default for Latest {
    fn default() -> Self {
        Self { held: Mutex::default(), agents_max: LATEST_AGENTS_MAX, evicted: EVICTED_AGENTS }
    }
}

impl Latest {
    /// Takes note of a committed sample, if it is the agent's newest. Of two at one moment the later offered
    /// counts.
    pub fn offer(&self, agent_id: &AgentId, timestamp: Timestamp, status: &str, metrics: &Measurements) {
        let mut held = self.lock();
        let Held { agents, changed } = &mut *held;
        if let Some(Entry { sample, dirty, .. }) = agents.get_mut(agent_id) {
            if timestamp >= sample.timestamp {
                sample.timestamp = timestamp;
                status.clone_into(&mut sample.status);
                sample.metrics.clone_from(metrics);
                if !std::mem::replace(dirty, true) {
                    changed.push_back(agent_id.clone());
                }
            }
            return;
        }
        if agents.len() >= self.agents_max {
            evict(agents, self.evicted);
            changed.retain(|agent_id| agents.contains_key(agent_id));
        }
        let sample = LatestSample { timestamp, status: status.to_owned(), metrics: metrics.clone() };
        agents.insert(agent_id.clone(), Entry { sample, dirty: true, settled: false });
        changed.push_back(agent_id.clone());
    }

    /// The newest sample of this run.
    pub fn get(&self, agent_id: &str) -> Option<LatestSample> {
        self.lock().agents.get(agent_id).map(|entry| entry.sample.clone())
    }

    /// The newest sample of all, where that is known without asking the disk.
    pub fn get_settled(&self, agent_id: &str) -> Option<LatestSample> {
        self.lock().agents.get(agent_id).filter(|entry| entry.settled).map(|entry| entry.sample.clone())
    }

    /// Compares with the newest on disk and returns the newer. From then on memory knows the newest of all,
    /// for every later sample comes by here.
    pub fn settle(&self, agent_id: &AgentId, on_disk: Option<LatestSample>) -> Option<LatestSample> {
        let mut held = self.lock();
        // No entry is made for an agent without one: one that was let go meanwhile may have been newer.
        let hash_map::Entry::Occupied(mut entry) = held.agents.entry(agent_id.clone()) else {
            return on_disk;
        };
        let entry = entry.get_mut();
        entry.settled = true;
        if let Some(older) = on_disk.filter(|sample| sample.timestamp > entry.sample.timestamp) {
            entry.sample = older;
        }
        Some(entry.sample.clone())
    }

    /// Forgets that anything was compared with the disk: there may be samples on it that were never offered.
    pub fn unsettle(&self) {
        self.lock().agents.values_mut().for_each(|entry| entry.settled = false);
    }

    /// Up to `count` of what changed since it was last taken, to be written to disk; who changed first comes first.
    pub fn take_dirty(&self, count: usize) -> Vec<(AgentId, LatestSample)> {
        let mut held = self.lock();
        let Held { agents, changed } = &mut *held;
        let count = count.min(changed.len());
        let take = |agent_id: AgentId| {
            let entry = agents.get_mut(&agent_id)?;
            entry.dirty = false;
            Some((agent_id, entry.sample.clone()))
        };
        changed.drain(..count).filter_map(take).collect()
    }

    /// What is held is valid after every single step, so a panic elsewhere changes nothing here.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(latest.take_dirty(usize::MAX).len(), 1);
        offer(&latest, 1, 5, "late");
        assert!(latest.take_dirty(usize::MAX).is_empty());
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
        assert_eq!(latest.take_dirty(usize::MAX).len(), 4);
        offer(&latest, 0, 9, "newer and not written");
        offer(&latest, 9, 5, "held");
        let held: Vec<_> = (0..10).filter(|n| latest.get(&format!("agent-{n}")).is_some()).collect();
        assert_eq!(held, [0, 3, 9]);
    }

    #[test]
    fn who_changed_first_is_taken_first_and_once() {
        let latest = Latest::default();
        for (number, micros) in [(3, 1), (1, 1), (3, 2), (2, 1)] {
            offer(&latest, number, micros, "changed");
        }
        let take = |count| {
            let taken = latest.take_dirty(count);
            taken.into_iter().map(|(id, sample)| (id, sample.timestamp.as_micros())).collect::<Vec<_>>()
        };
        assert_eq!(take(2), [(agent(3), 2), (agent(1), 1)]);
        offer(&latest, 3, 3, "changed again");
        assert_eq!(take(9), [(agent(2), 1), (agent(3), 3)]);
        assert_eq!(take(9), []);
    }

    /// Agents that come and are let go, before anyone took them, leave nothing behind.
    #[test]
    fn what_waits_to_be_taken_is_bounded_by_what_is_held() {
        let latest = Latest { agents_max: 4, evicted: 2, ..Latest::default() };
        for number in 0..100 {
            offer(&latest, number, number as i64, "passing");
            assert!(latest.lock().changed.len() <= 4, "after {number}");
        }
        assert!(latest.take_dirty(usize::MAX).len() <= 4);
    }
}
