//! What is told of commands: that one stands otherwise than before.
//!
//! Told after the commit, so that nobody hears of what a crash could take back, and in the order of the commits; also if
//! whoever brought it about has hung up by then. A hub that dies in between tells
//! nothing: who must not miss a change asks the records. What ends with an agent that is removed is told one by one too,
//! up to [`OPEN_COMMANDS_MAX`](super::OPEN_COMMANDS_MAX).

use super::CommandView;
use pingup_protocol::{command::CommandStatus, ids::AgentId, time::Timestamp};
use std::{fmt, sync::Arc};

/// A command that stands otherwise than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which command.
    pub command_id: String,
    /// Whose.
    pub agent_id: AgentId,
    /// Where it stands now.
    pub status: CommandStatus,
    /// Since when, by the hub's clock.
    pub at: Timestamp,
}

impl Change {
    /// That a command came to stand as `view` shows it, at `at`.
    pub fn of(view: &CommandView, at: Timestamp) -> Self {
        let CommandView { command_id, agent_id, status, .. } = view;
        Self { command_id: command_id.clone(), agent_id: agent_id.clone(), status: *status, at }
    }
}

/// Tells changes to whoever `app` has listen; by default to nobody. It is called where the records are written, with all
/// changes of one write at once, and must not take long.
#[derive(Clone)]
pub struct Teller(Arc<dyn Fn(Vec<Change>) + Send + Sync>);

impl Teller {
    /// A teller that tells `listener`.
    pub fn new(listener: impl Fn(Vec<Change>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Tells `changes`, which are on disk.
    pub fn tell(&self, changes: Vec<Change>) {
        if !changes.is_empty() {
            (self.0)(changes);
        }
    }
}

impl Default for Teller {
    fn default() -> Self {
        Self::new(drop)
    }
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Teller(…)")
    }
}
