//! What the hub knows of an agent id: nothing, a living agent, or a tombstone. Several rooms ask; the registry
//! answers, through a function that each is handed.

use pingup_protocol::problem::ProblemType;

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
}
