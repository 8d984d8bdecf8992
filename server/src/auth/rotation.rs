//! How generations of agents' keys follow each other: who is offered the next one, what puts it in use, what time does.
//!
//! The records decide (`generations`); what is kept in memory of an agent's keys is dropped once they changed there. A
//! rotation of the master key needs no sweep: whoever beats with keys of the former one is offered its next generation
//! then, and where nothing comes from the former one any more, that is said ([`Tended`]).

use super::{keyring::Keyring, keys::AgentKeys};
use crate::{
    deed::{Act, By, Deed, Who},
    generations::{self, KeyFigures, KeyRow, MasterId, Offer},
    http::problem::Refusal,
    storage::StorageError,
};
use pingup_protocol::{ids::AgentId, keys::SALT_BYTES, time::Timestamp};
use rusqlite::Connection;
use std::{net::IpAddr, time::Duration};

/// Agents that are offered new keys by a sweep at once: a fleet that came in one minute is not rotated in one.
pub const OFFERED_PER_SWEEP_MAX: usize = 64;

/// Agents that the row of ends names; the others are counted.
const ENDED_NAMED_MAX: usize = 64;

/// What a generation is made of: a salt, and the master key in force.
pub type Material = ([u8; SALT_BYTES], MasterId);

/// Why an agent gets the next generation of its keys, in the audit's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody asked for it.
    Asked,
    /// The last one is old.
    Age,
    /// The last one comes from the former master key.
    MasterKey,
}

/// That an agent is offered a generation, for the audit.
pub fn offered<'a>(agent_id: &str, row: &KeyRow, reason: Reason, by: &'a By, now: Timestamp) -> Deed<'a> {
    let reason = match reason {
        Reason::Asked => "asked",
        Reason::Age => "age",
        Reason::MasterKey => "master-key",
    };
    let deed = Deed::new(Act::KeysOffered, by, now).agent(agent_id);
    deed.with("generation", row.generation).with("reason", reason)
}

/// That generations of these agents came to their end; none where that is nothing.
fn ended(agents: &[String], now: Timestamp) -> Option<Deed<'static>> {
    let named: Vec<_> = agents.iter().take(ENDED_NAMED_MAX).map(String::as_str).collect();
    let deed =
        || Deed::new(Act::KeysEnded, &By::HUB, now).with("agentIds", named).with("count", agents.len());
    (!agents.is_empty()).then(deed)
}

/// What follows for whoever comes with a generation's keys.
#[derive(Debug)]
pub enum Prospect {
    /// They are refused by now.
    Ended,
    /// Nothing: they go on.
    Nothing,
    /// These are to be handed over, in a box since few are.
    Next(Box<Offer>),
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    /// Generations that had come to their end, and were deleted.
    pub ended: usize,
    /// Agents that are offered a new one, since theirs is old.
    pub offered: usize,
    /// There is a former master key, and nothing comes from it any more.
    pub is_former_idle: bool,
}

impl Keyring {
    /// A message verified with these keys, which came from `address`: where they were only offered so far, they are in use
    /// from now on.
    pub(crate) async fn note_use(
        &self,
        keys: &AgentKeys,
        address: Option<IpAddr>,
    ) -> Result<(), StorageError> {
        let (agent_id, generation, now) = (keys.agent_id().clone(), keys.generation(), self.0.clock.now());
        let (keyring, id, record) = (self.clone(), agent_id.clone(), self.0.record);
        let by =
            By { who: Who::Agent(agent_id.clone()), address: address.map(|address| address.to_canonical()) };
        let work = move |connection: &Connection| {
            // Two messages may both be the first, as far as their senders' keys in memory tell.
            if generations::note_use(connection, agent_id.as_str(), generation, now)? {
                let deed = Deed::new(Act::KeysUsed, &by, now).agent(agent_id.as_str());
                record(connection, &deed.with("generation", generation))?;
            }
            Ok::<_, StorageError>(())
        };
        self.0.sqlite.write_then(work, move |()| keyring.forget(id.as_str())).await?;
        tracing::info!(agent = %keys.agent_id(), generation, "new keys are in use");
        Ok(())
    }

    /// What replaces keys of the former master key; `None` while there is none.
    pub fn replacement(&self) -> Result<Option<Material>, Refusal> {
        match self.master_ids() {
            (_, Some(_)) => self.material().map(Some),
            (_, None) => Ok(None),
        }
    }

    /// What follows for these keys, inside the caller's write. Where they come from the former master key and nothing
    /// follows yet, the next generation is made of `replacement`.
    pub fn prospect(
        &self,
        connection: &Connection,
        keys: &AgentKeys,
        replacement: Option<Material>,
        now: Timestamp,
    ) -> rusqlite::Result<Prospect> {
        let id = keys.agent_id().as_str();
        let Some(outlook) = generations::look(connection, id, keys.generation(), now)? else {
            return Ok(Prospect::Ended);
        };
        let is_former = outlook.last().is_some_and(|last| last.used_at.is_some() && self.is_of_former(last));
        let next = match replacement.filter(|_| is_former) {
            Some(material) => generations::offer(connection, id, material, now)?,
            None => outlook.offered().map(|row| Offer { row, is_new: false }),
        };
        if let Some(Offer { row, is_new: true }) = &next {
            (self.0.record)(connection, &offered(id, row, Reason::MasterKey, &By::HUB, now))?;
        }
        Ok(next.map_or(Prospect::Nothing, |offer| Prospect::Next(Box::new(offer))))
    }

    /// What time brings about: ends, and new generations for keys that are older than `period`.
    pub async fn tend(&self, now: Timestamp, period: Option<Duration>) -> Result<Tended, StorageError> {
        let made_before = period.map(|period| before(now, period));
        let (current, former) = self.master_ids();
        let (due, is_former_idle) = self
            .0
            .sqlite
            .read(move |connection| {
                // Of a wrong master key nothing may follow.
                let is_proven = former.is_some() || !generations::has_unproven(connection)?;
                let due = made_before
                    .filter(|_| is_proven)
                    .map(|moment| generations::due(connection, moment, OFFERED_PER_SWEEP_MAX))
                    .transpose()?;
                let is_idle =
                    former.is_some() && generations::count_of_others(connection, current, true)? == 0;
                Ok::<_, StorageError>((due.unwrap_or_default(), is_idle))
            })
            .await?;
        let material = due
            .into_iter()
            .map(|agent_id| Ok((agent_id, self.material()?)))
            .collect::<Result<Vec<(AgentId, Material)>, Refusal>>()
            .map_err(|_| StorageError::Folder("no random bytes to be had".to_owned()))?;
        let (keyring, record) = (self.clone(), self.0.record);
        let work = move |connection: &Connection| {
            let gone = generations::remove_ended(connection, now)?;
            if let Some(deed) = ended(&gone, now) {
                record(connection, &deed)?;
            }
            let mut fresh = Vec::new();
            for (agent_id, material) in material {
                let id = agent_id.as_str();
                if let Some(Offer { row, is_new: true }) = generations::offer(connection, id, material, now)?
                {
                    record(connection, &offered(id, &row, Reason::Age, &By::HUB, now))?;
                    fresh.push(agent_id);
                }
            }
            Ok::<_, StorageError>((gone.len(), fresh))
        };
        let told = move |(_, offered): &(usize, Vec<AgentId>)| {
            // What was ending is gone where a third was made.
            offered.iter().for_each(|agent_id| keyring.forget(agent_id.as_str()));
        };
        let (ended, offered) = self.0.sqlite.write_then(work, told).await?;
        Ok(Tended { ended, offered: offered.len(), is_former_idle })
    }

    /// How agents' keys do.
    pub fn figures(&self, connection: &Connection) -> rusqlite::Result<KeyFigures> {
        let (current, former) = self.master_ids();
        generations::figures(connection, former.map(|_| current), self.0.clock.now())
    }
}

/// The moment so long before `now`.
fn before(now: Timestamp, period: Duration) -> Timestamp {
    let micros = i64::try_from(period.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_sub(micros))
}
