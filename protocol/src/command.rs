//! Commands: what an operator may ask of an agent ([`Action`]), how it is asked for, what is said while it runs
//! ([`ProgressBody`]), and what comes back.

mod action;
mod progress;

pub use action::{ARGV_MAX, Action, EXEC_TIMEOUT_SECONDS, check_timeout};
pub use progress::{ProgressAnswer, ProgressBody};

use crate::{
    ids::AgentId,
    limits::OUTPUT_BYTES_MAX,
    schema::{Checked, SchemaError},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The state of a command. pending → delivered → running → succeeded, failed, rejected, unknown or cancelled, and each of
/// the first three may end at once; pending and delivered → expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CommandStatus {
    /// Waits to be pulled.
    Pending,
    /// Was handed to the agent; nothing was heard since.
    Delivered,
    /// The agent said that it runs.
    Running,
    /// Ran, and ended well.
    Succeeded,
    /// Ran, and did not.
    Failed,
    /// The agent would not run it.
    Rejected,
    /// The agent died while it ran, or was never heard of again; it is never run again.
    Unknown,
    /// Was not begun in time.
    Expired,
    /// An operator took it back, or had it ended.
    Cancelled,
}

impl CommandStatus {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Delivered,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Rejected,
        Self::Unknown,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The word for it on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether nothing can follow.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Delivered | Self::Running)
    }
}

/// A command as the hub hands it out; signed under K_down, inside an answer that is signed too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Command {
    /// `CMD-<year>-<number>`.
    pub command_id: String,
    /// Whom it is for.
    pub agent_id: AgentId,
    /// Its place in that agent's order, from 1.
    pub command_seq: u64,
    /// What to do.
    pub action: String,
    /// With what.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub params: Map<String, Value>,
    /// When it was queued.
    pub issued_at: Timestamp,
    /// When it may no longer be begun.
    pub expires_at: Timestamp,
    /// How many seconds it may run. An agent that does not know this goes by what its action says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// What an operator signed ([`crate::order::Order`]), as it came: who needs none does not look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::order::Order>))]
    pub order: Option<Value>,
}

/// The signed answer to `GET /api/v1/commands/pending/:agentId`, before its signature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PendingAnswer {
    /// Whom it is for.
    pub agent_id: AgentId,
    /// The nonce that was asked with.
    pub nonce: String,
    /// The hub's clock.
    pub server_time: Timestamp,
    /// Commands in order, each with a signature of its own.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Command>))]
    pub commands: Vec<Value>,
    /// Commands handed out before that the agent is to end; one that it does not know is no error.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancel: Vec<String>,
    /// The version of the agent's configuration; 0 when there is none.
    pub config_version: u64,
}

/// How a command ended, by the agent's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ResultStatus {
    /// It ended well.
    Succeeded,
    /// It did not.
    Failed,
    /// It was not run; `output` says why.
    Rejected,
    /// The agent died while it ran.
    Unknown,
    /// It was ended because an operator said so, or was not begun any more.
    Cancelled,
}

impl From<ResultStatus> for CommandStatus {
    fn from(status: ResultStatus) -> Self {
        match status {
            ResultStatus::Succeeded => Self::Succeeded,
            ResultStatus::Failed => Self::Failed,
            ResultStatus::Rejected => Self::Rejected,
            ResultStatus::Unknown => Self::Unknown,
            ResultStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// `POST /api/v1/commands/:id/result`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResultBody {
    /// Who ran it.
    pub agent_id: AgentId,
    /// The agent's clock when it signed this.
    pub timestamp: Timestamp,
    /// Which command.
    pub command_id: String,
    /// Its place in the agent's order.
    pub command_seq: u64,
    /// How it ended.
    pub status: ResultStatus,
    /// The exit code of the program it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// What it printed, or why it was not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
}

impl Checked for ResultBody {
    fn check(&self) -> Result<(), SchemaError> {
        match self.output.as_deref() {
            Some(output) if output.len() > OUTPUT_BYTES_MAX => {
                Err(SchemaError::at("/output", format!("at most {OUTPUT_BYTES_MAX} bytes expected")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_word() {
        for status in CommandStatus::ALL {
            assert_eq!(CommandStatus::from_word(status.as_str()), Some(status));
        }
    }
}
