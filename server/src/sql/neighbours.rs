//! What other rooms tell of what they know now: agents that live and commands that are kept, as the views show them.

use pingup_protocol::time::Timestamp;
use rusqlite::Connection;
use std::sync::Arc;

/// An agent that lives, as questions see it.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "each is the column of its name")]
pub struct AgentNow {
    pub agent_id: String,
    pub name: Option<String>,
    pub status: &'static str,
    pub last_seen: Option<Timestamp>,
    pub created_at: Timestamp,
    pub hostname: Option<String>,
    pub os: Option<String>,
    pub arch: Option<String>,
    pub version: Option<String>,
    pub ip_address: Option<String>,
    pub labels: Vec<(String, String)>,
    pub latest_at: Option<Timestamp>,
    /// Cpu, ram, disk and latency.
    pub own: [Option<f64>; 4],
}

/// A command that is kept, as questions see it: neither its parameters nor what it printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the column of its name")]
pub struct CommandNow {
    pub command_id: String,
    pub agent_id: String,
    pub seq: i64,
    pub batch_id: Option<String>,
    pub action: String,
    pub status: &'static str,
    pub timeout_seconds: Option<i64>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub delivered_at: Option<Timestamp>,
    pub cancel_asked_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub exit_code: Option<i64>,
    pub signed_by: Option<String>,
}

/// Tells agents, each once.
pub type TellAgents = Arc<dyn Fn(&Connection) -> rusqlite::Result<Vec<AgentNow>> + Send + Sync>;
/// Takes one command after the other; on `false` no more are wanted.
pub type TakeCommand<'a> = &'a mut dyn FnMut(CommandNow) -> bool;

/// What this room needs of others.
#[derive(Clone)]
pub struct Neighbours {
    /// Every agent that lives.
    pub agents: TellAgents,
    /// Every command that is kept, as it stands at a moment.
    pub commands: fn(&Connection, Timestamp, TakeCommand<'_>) -> rusqlite::Result<()>,
}
