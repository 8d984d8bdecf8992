//! What the hub knows of an agent id: nothing, a living agent, or a tombstone; and how a living one does. Several
//! rooms ask; the registry answers, through a function that each is handed.

use pingup_protocol::{ids::AgentId, problem::ProblemType, time::Timestamp};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The word by which an agent's sample says that its machine is in trouble.
const ERROR_WORD: &str = "error";

/// Where an agent id stands. An id goes from unknown to living to removed, and never back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Never given out.
    Unknown,
    /// An agent has it.
    Living,
    /// An agent had it; it is not given out again.
    Removed,
}

/// No agent to work with under this id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLiving {
    /// Never given out.
    #[error("there is no agent {0:?}; GET /api/v1/agents lists those there are")]
    Unknown(String),
    /// A tombstone.
    #[error("agent {0:?} was removed; its id is not used again")]
    Removed(String),
}

impl Standing {
    /// Goes on only for a living agent.
    pub fn living(self, agent_id: &str) -> Result<(), NotLiving> {
        match self {
            Self::Living => Ok(()),
            Self::Unknown => Err(NotLiving::Unknown(agent_id.to_owned())),
            Self::Removed => Err(NotLiving::Removed(agent_id.to_owned())),
        }
    }
}

impl NotLiving {
    /// The name under which this travels.
    pub const fn problem(&self) -> ProblemType {
        match self {
            Self::Unknown(_) => ProblemType::NotFound,
            Self::Removed(_) => ProblemType::Gone,
        }
    }
}

/// What became of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentChange {
    /// It was registered, or enrolled.
    Registered,
    /// It beats, and did not before.
    Online,
    /// It said farewell, or missed its beats.
    Offline,
    /// It was removed; what was open for it is cancelled.
    Removed,
}

/// Told of each change that is on disk, in the order of the commits, with when by the hub's clock. Called where the
/// records are written: it must not take long.
pub type TellAgents = Arc<dyn Fn(AgentChange, Vec<AgentId>, Timestamp) + Send + Sync>;

/// What is to be told once the write that it comes from is on disk.
pub type Untold = Box<dyn FnOnce() + Send>;

/// Ends what is open for an agent that goes, inside the write that removes it.
pub type CancelOpen = Arc<dyn Fn(&Connection, &AgentId, Timestamp) -> rusqlite::Result<Untold> + Send + Sync>;

/// How an agent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentStatus {
    /// Registered, and not heard of yet.
    Pending,
    /// It beats.
    Online,
    /// It said farewell, or missed its beats.
    Offline,
    /// It beats, and its newest sample says `error`.
    Error,
    /// Removed.
    Revoked,
}

impl AgentStatus {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Online, Self::Offline, Self::Error, Self::Revoked];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Error => ERROR_WORD,
            Self::Revoked => "revoked",
        }
    }

    /// The status of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// What `stored` means beside a tombstone and the newest sample's word.
    pub fn seen(stored: Self, removed: bool, newest_word: Option<&str>) -> Self {
        match stored {
            _ if removed => Self::Revoked,
            Self::Online if newest_word == Some(ERROR_WORD) => Self::Error,
            stored => stored,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_living_can_be_worked_with() {
        assert_eq!(Standing::Living.living("a"), Ok(()));
        assert_eq!(Standing::Removed.living("a").map_err(|error| error.problem()), Err(ProblemType::Gone));
        assert_eq!(
            Standing::Unknown.living("a").map_err(|error| error.problem()),
            Err(ProblemType::NotFound)
        );
    }

    #[test]
    fn a_status_is_what_is_stored_unless_more_is_known() {
        use AgentStatus::{Error, Offline, Online, Pending, Revoked};
        for (stored, removed, word, seen) in [
            (Pending, false, None, Pending),
            (Online, false, Some("online"), Online),
            (Online, false, Some("error"), Error),
            (Offline, false, Some("error"), Offline),
            (Offline, true, Some("error"), Revoked),
        ] {
            assert_eq!(AgentStatus::seen(stored, removed, word), seen);
        }
        for status in AgentStatus::ALL {
            assert_eq!(AgentStatus::from_word(status.as_str()), Some(status));
        }
    }
}
