//! High-water marks: how every number of a stream is committed exactly once.
//!
//! A stream is (agent, boot); its mark is the greatest seq that was committed, with that sample's timestamp.
//! Pure: [`Draft::decide`] looks at the marks and at what the same group decided before; nothing changes until
//! the group is on disk and [`Marks::adopt`] is called.
//!
//! The rules: a seq up to the mark is a duplicate. A seq at the mark with another timestamp means two machines
//! with one identity, and the whole request is refused. A new boot must be greater than every boot known of
//! that agent; one that is known may go on. Numbers may jump; that is counted.
//!
//! Bounded by the agents there are and [`BOOTS_PER_AGENT_MAX`]: of each agent only the greatest boots are
//! known. One that was let go is less than all that are left, so it is refused as retired, never stored twice.

use super::IngestError;
use crate::tsdb::rows::{BOOTS_PER_AGENT_MAX, Mark, MarkRow};
use foldhash::{HashMap, HashMapExt};
use pingup_protocol::{ids::AgentId, time::Timestamp};

/// What is to be done with a request of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// So many of its entries, from the first, were committed before; the rest is new.
    pub duplicates: usize,
    /// How often the numbers jump.
    pub gaps: u64,
    /// The mark once this is committed.
    pub high_water: u64,
}

/// The streams of one agent, boots rising.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Boots(Vec<(u64, Mark)>);

/// All that is committed.
#[derive(Debug, Default)]
pub struct Marks {
    agents: HashMap<AgentId, Boots>,
}

/// What a group changes, on top of what is committed.
#[derive(Debug)]
pub struct Draft<'a> {
    committed: &'a Marks,
    changed: HashMap<AgentId, Boots>,
}

/// What a group changed, to be adopted once it is on disk.
#[derive(Debug, Default)]
pub struct Changes(HashMap<AgentId, Boots>);

impl Boots {
    fn newest(&self) -> Option<u64> {
        self.0.last().map(|(boot, _)| *boot)
    }

    fn get(&self, boot: u64) -> Option<Mark> {
        let place = self.0.binary_search_by_key(&boot, |(boot, _)| *boot).ok()?;
        Some(self.0[place].1)
    }

    fn set(&mut self, boot: u64, mark: Mark) {
        match self.0.binary_search_by_key(&boot, |(boot, _)| *boot) {
            Ok(place) => self.0[place].1 = mark,
            Err(place) => self.0.insert(place, (boot, mark)),
        }
        if self.0.len() > BOOTS_PER_AGENT_MAX {
            self.0.remove(0);
        }
    }
}

impl Marks {
    /// The marks that are on disk, in any order; the greatest seq of a stream counts.
    pub fn from_rows(rows: impl IntoIterator<Item = MarkRow>) -> Self {
        let mut marks = Self::default();
        for MarkRow { agent_id, boot, mark } in rows {
            let boots = marks.agents.entry(agent_id).or_default();
            if boots.get(boot).is_none_or(|known| known.seq < mark.seq) {
                boots.set(boot, mark);
            }
        }
        marks
    }

    /// Begins a group.
    pub fn draft(&self) -> Draft<'_> {
        Draft { committed: self, changed: HashMap::new() }
    }

    /// Takes over what a group changed. To be called once it is on disk, before the next draft.
    pub fn adopt(&mut self, changes: Changes) {
        self.agents.extend(changes.0);
    }
}

impl Draft<'_> {
    /// Decides over a request's entries (numbers rising, timestamps where they can be relied on) and takes note
    /// of them. A refusal changes nothing.
    pub fn decide(
        &mut self,
        agent_id: &AgentId,
        boot: u64,
        entries: impl Iterator<Item = (u64, Option<Timestamp>)>,
    ) -> Result<Decision, IngestError> {
        let known = match self.changed.get(agent_id) {
            Some(changed) => changed,
            None => self.committed.agents.get(agent_id).unwrap_or(const { &Boots(Vec::new()) }),
        };
        let mark = known.get(boot);
        if let (None, Some(newest)) = (mark, known.newest())
            && boot < newest
        {
            return Err(IngestError::BootRetired { boot, min_boot: newest + 1 });
        }
        let (decision, new_mark) = advance(mark, boot, entries)?;
        if let Some(new_mark) = new_mark {
            self.change(agent_id, boot, new_mark);
        }
        Ok(decision)
    }

    fn change(&mut self, agent_id: &AgentId, boot: u64, mark: Mark) {
        if !self.changed.contains_key(agent_id) {
            let boots = self.committed.agents.get(agent_id).cloned().unwrap_or_default();
            self.changed.insert(agent_id.clone(), boots);
        }
        if let Some(changed) = self.changed.get_mut(agent_id) {
            changed.set(boot, mark);
        }
    }

    /// What the group changed.
    pub fn finish(self) -> Changes {
        Changes(self.changed)
    }
}

/// Walks the entries of one request past its stream's mark. The new mark is `None` if nothing is new.
fn advance(
    mark: Option<Mark>,
    boot: u64,
    entries: impl Iterator<Item = (u64, Option<Timestamp>)>,
) -> Result<(Decision, Option<Mark>), IngestError> {
    let committed = mark.map_or(0, |mark| mark.seq);
    let mut decision = Decision { duplicates: 0, gaps: 0, high_water: committed };
    let mut new_mark = None;
    for (seq, timestamp) in entries {
        if seq <= committed {
            if let Some(Mark { seq: at, timestamp: Some(known) }) = mark
                && seq == at
                && timestamp.is_some_and(|timestamp| timestamp != known)
            {
                return Err(IngestError::SequenceConflict { boot, seq });
            }
            decision.duplicates += 1;
            continue;
        }
        decision.gaps += u64::from(seq > decision.high_water + 1);
        decision.high_water = seq;
        new_mark = Some(Mark { seq, timestamp });
    }
    Ok((decision, new_mark))
}

#[cfg(test)]
mod tests;
