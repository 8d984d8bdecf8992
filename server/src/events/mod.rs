//! What happens, told while it happens: `GET /api/v1/events`, a stream of server-sent events.
//!
//! # The story
//! Rooms tell what they committed, each through a function that `app/` handed to it: agents that come, go, and fall
//! silent; commands that change their state; scans that were stored. It is put into one [`ring`] in memory, numbered,
//! and a bell is rung. Each [`stream`] has a place in the ring and takes what lies behind it, at its reader's pace,
//! leaving away what its [`filter`] does not want.
//!
//! The number travels as the event's id, `<start>-<number>`, where `<start>` is the moment this hub began. A reader
//! that comes back names the last id it saw and goes on behind it. The first event of a stream says whether that is
//! possible: `ready`, and nothing is missing; or `reset`, since the hub began anew meanwhile or the ring has let go of
//! what came next: then the reader asks for everything again.
//!
//! # Promises
//! Nothing is told that is not on disk. Of the agents and their commands, what was committed first is told first. A
//! stream leaves nothing away silently: it ends with `end`, which says why.
//!
//! # Refuses
//! More than [`STREAMS_MAX`] streams; types that there are not; what is no agent id. A reader that is so slow that
//! the ring laps it is cut, and so is one whose token expires or is revoked.

pub mod filter;
pub mod handler;
mod ring;
mod stream;
#[cfg(test)]
mod tests;
mod text;

pub use ring::{Behind, Opening, Page, Ring};
pub use stream::{EventStream, Why};

use crate::{auth::Stay, clock::Clock, figures::Figures, standing::AgentChange};
use filter::Filter;
use pingup_protocol::{command::CommandStatus, ids::AgentId, time::Timestamp};
use serde::Serialize;
use std::{mem::size_of, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, watch};

/// Streams open at once: dashboards and scripts, not agents. Each costs a connection and some kilobytes.
pub const STREAMS_MAX: usize = 256;
/// What the events in the ring may take in memory, whatever number of them was asked for.
pub const RING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long a stream is silent at most: so long may a reader, and whatever lies between, wait to learn that all is
/// well. Shorter than the patience of common proxies.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// Something that happened, as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Event {
    /// Of the type `agent`.
    Agent(AgentEvent),
    /// Of the type `command`.
    Command(CommandEvent),
    /// Of the type `scan`.
    Scan(ScanEvent),
}

/// An agent came or went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentEvent {
    /// Which agent.
    pub agent_id: AgentId,
    /// What became of it.
    pub change: AgentChange,
    /// When, by the hub's clock.
    pub at: Timestamp,
}

/// A command changed its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandEvent {
    /// Whose it is.
    pub agent_id: AgentId,
    /// `CMD-<year>-<number>`.
    pub command_id: String,
    /// Where it stands from now on.
    pub status: CommandStatus,
    /// When, by the hub's clock.
    pub at: Timestamp,
}

/// A scan was stored; `GET /api/v1/discovery/:agentId` has it.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScanEvent {
    /// Who made it.
    pub agent_id: AgentId,
    /// When it began, by the agent's clock.
    pub timestamp: Timestamp,
    /// How long it took, milliseconds.
    pub duration: f64,
    /// How many hosts answered.
    pub hosts: usize,
    /// When it was stored, by the hub's clock.
    pub at: Timestamp,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Agents come, go, fall silent.
    Agent,
    /// Commands change their state.
    Command,
    /// Scans are stored.
    Scan,
}

impl Type {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Agent, Self::Command, Self::Scan];

    /// The word for it, in a stream and in its question.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Command => "command",
            Self::Scan => "scan",
        }
    }
}

impl Event {
    /// Of which type it is.
    pub const fn kind(&self) -> Type {
        match self {
            Self::Agent(_) => Type::Agent,
            Self::Command(_) => Type::Command,
            Self::Scan(_) => Type::Scan,
        }
    }

    /// Whose it is.
    pub const fn agent_id(&self) -> &AgentId {
        match self {
            Self::Agent(event) => &event.agent_id,
            Self::Command(event) => &event.agent_id,
            Self::Scan(event) => &event.agent_id,
        }
    }

    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        let command_id = match self {
            Self::Command(event) => event.command_id.capacity(),
            Self::Agent(_) | Self::Scan(_) => 0,
        };
        size_of::<Self>() + self.agent_id().as_str().len() + command_id
    }
}

/// The room.
#[derive(Debug)]
pub struct Events {
    ring: Ring,
    places: Arc<Semaphore>,
    clock: Clock,
    figures: Arc<Figures>,
    stopping: watch::Receiver<bool>,
}

impl Events {
    /// A room that keeps the newest `events_max`, and from which streams end once `stopping` turns true.
    pub fn new(
        events_max: usize,
        clock: Clock,
        figures: Arc<Figures>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let ring = Ring::new(clock.now(), events_max, RING_BYTES_MAX);
        Self { ring, places: Arc::new(Semaphore::new(STREAMS_MAX)), clock, figures, stopping }
    }

    /// Tells what happened, in this order. Takes no longer than putting it into a list: to be called where the
    /// order of the commits is known.
    pub fn tell(&self, events: impl IntoIterator<Item = Event>) {
        self.figures.events.add(self.ring.tell(events));
    }

    /// A stream of what `wanted` lets through, for a reader that saw `last_id` last and may read until `until`.
    /// None when there are too many.
    pub fn stream(
        self: &Arc<Self>,
        wanted: Filter,
        last_id: Option<&str>,
        until: Stay,
    ) -> Option<EventStream> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(EventStream::new(Arc::clone(self), place, wanted, last_id, until))
    }
}
