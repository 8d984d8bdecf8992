//! How the agent does, for whoever asks on this machine: a small file in the state folder, written by the agent at
//! work, and read by `pingup-agent status`. No socket is opened for it.
//!
//! The file holds no secret. It says when it was written, so that one that an agent left behind when it died is
//! not mistaken for news.

mod judge;
mod keeper;
mod report;
mod vitals;

pub use keeper::StatusKeeper;
pub use report::report;
pub use vitals::Vitals;

use pingup_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The file's name in the state folder.
pub const FILE: &str = "status.json";

/// How the agent does, or did when it was last heard of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// When this was written, by the machine's clock.
    pub written_at: Timestamp,
    /// What its loops have heard.
    #[serde(flatten)]
    pub heard: Heard,
    /// Why who answers at the hub's address is not trusted, if he is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distrust: Option<String>,
    /// What waits for the hub.
    pub spool: SpoolState,
    /// Results of commands that wait for the hub.
    pub results_waiting: u64,
    /// Whether one of them cannot be kept on disk yet; then no command is run.
    #[serde(default)]
    pub result_unkept: bool,
    /// The configuration in force; 0 before any was, null when the one that was kept cannot be read.
    pub config_version: Option<u64>,
    /// What needs a signed order, and whose.
    #[serde(default)]
    pub orders: OrdersState,
}

/// What needs a signed order, and whose; nothing where there is no key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrdersState {
    /// Public keys, each perhaps with a name.
    pub keys: Vec<String>,
    /// Actions that run only by an order that one of them signed.
    pub actions: Vec<String>,
}

/// What the agent's loops have heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heard {
    /// The program's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Who it is.
    pub agent_id: String,
    /// Where its hub is.
    pub hub: String,
    /// By what it knows that one; not told by versions without TLS.
    #[serde(default)]
    pub hub_known_by: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// Why it ended, if it has.
    pub ended: Option<String>,
    /// The last push.
    pub last_push: Option<Push>,
    /// When the hub last committed anything.
    pub committed_at: Option<Timestamp>,
    /// When the hub last answered a heartbeat.
    pub heartbeat_at: Option<Timestamp>,
    /// Commands that waited at the hub then.
    pub pending_commands: Option<u64>,
    /// Why it neither pushes nor pulls any more, if so: this state is a copy.
    pub copied: Option<String>,
}

/// One push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Push {
    /// When it was answered, or given up.
    pub at: Timestamp,
    /// Whether the hub committed it.
    pub committed: bool,
    /// What came of it, in words.
    pub answer: String,
    /// Why the hub stored nothing of it, and never will, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unstored: Option<String>,
}

/// What waits for the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpoolState {
    /// Records that wait.
    pub records: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes that there may be.
    pub bytes_max: u64,
    /// Records that went without the hub having had them, ever.
    pub dropped: u64,
}
