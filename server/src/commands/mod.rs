//! What operators ask of agents: queued here, pulled by the agent, signed, and reported back once.
//!
//! # The story
//! An operator queues a command; it gets an id (`CMD-<year>-<number>`) and the next place in its agent's order.
//! The agent keeps a request open ([`waiters`]) that is answered the moment there is something for it. What is
//! handed out is marked delivered **before** the answer leaves, so that a command an agent may have seen is
//! never cancelled as if nobody had. It is handed out again until the agent says that it runs, or a result comes: the
//! agent's own record of the last place it began makes that "at most once" (docs/protocol.md).
//!
//! ```text
//! pending → delivered → running → succeeded | failed | rejected | cancelled | unknown
//!                     → the same, without a word that it runs
//! pending → expired | cancelled          delivered → expired | cancelled, when the agent has not begun it
//! ```
//! Nothing stays delivered or running for ever: once it must have ended, whatever its agent did, it is `unknown`
//! ([`GIVE_UP_SECONDS`]). What the hub concluded by itself of a command that was handed out gives way to the agent's
//! own word: a first result is taken however late it comes. Time alone ends a pending command: it reads as expired
//! from that moment on, whether or not the sweep has written it down yet.
//!
//! Cancelling ends a pending command here. Of one that was handed out it is a wish: the agent hears it in its next
//! answer, ends the command and says so; or it says that the command was over before.
//!
//! One word can ask many agents ([`BatchView`]): each gets a command of its own, like any other, and all of them are
//! queued in one write or none is. An agent that has too many open is left out of it, and named in the answer.
//!
//! An operator may sign what is asked with a key of their own ([`SignedBody`]): the hub keeps that and hands it on, and could
//! not have made it.
//!
//! # Promises
//! A command that was answered 201 is on disk, and so is a result that was answered 200. The same result twice
//! is one result; another one for the same command changes nothing. Asking twice with one idempotency key makes
//! one command.
//!
//! Commands that are over go some time after they were queued ([`store::forget`]), and a batch with the last of its
//! commands; their numbers and places are never given out again.
//!
//! # Refuses
//! Commands for agents that do not live, parameters that a known action cannot have or that could not be handed
//! out, more than [`OPEN_COMMANDS_MAX`] open ones of an agent, results for what the agent was never given.

mod batch;
mod changes;
mod deeds;
mod error;
pub mod handler;
mod order;
mod rules;
mod signed;
pub mod store;
#[cfg(test)]
mod tests;
pub mod waiters;

pub use batch::{
    BATCH_AGENTS_MAX, BATCH_PARAMS_BYTES_MAX, BatchProgress, BatchView, Counts, LEFT_OUT_MAX, LeftOut,
    LeftOutReason, Missing,
};
pub use changes::{Change, Teller};
pub use deeds::{batch_ended, lapsed};
pub use error::CommandsError;
pub use handler::{Commands, Neighbours};
pub use order::{
    Asked, BatchOrder, CommandBody, IDEMPOTENCY_KEY_CHARS_MAX, Order, PARAMS_BYTES_MAX, PARAMS_DEPTH_MAX,
    Task, Wanted,
};
pub use rules::{Verdict, judge, reason, status_at};
pub use signed::{SignedBatch, SignedBody, verify_order};
pub use waiters::WAITERS_MAX;

use pingup_protocol::{
    command::{CommandStatus, ResultBody, ResultStatus},
    ids::AgentId,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Commands of one agent that may still be handed out or reported: an agent that far behind needs no more.
pub const OPEN_COMMANDS_MAX: u64 = 1_000;
/// Commands in one answer to an agent.
pub const DELIVERY_MAX: usize = 32;
/// Parameters in one answer to an agent, in bytes of compact JSON; what is over waits for the next.
pub const DELIVERY_BYTES_MAX: usize = 512 * 1024;

/// Commands in one answer that the agent is to end: it has no more than it was handed out.
pub const CANCEL_MAX: usize = DELIVERY_MAX;
/// How long after the latest moment at which a command can have ended its result is waited for: clocks differ, and a
/// result may be on its way.
pub const GIVE_UP_SECONDS: u64 = 600;
/// Commands that one sweep ends; what is over waits for the next.
pub const LAPSE_MAX: usize = 65_536;
/// Rows that one sweep deletes; what is over waits for the next. In a second that is five times what ten thousand agents
/// get when each has a command every two minutes, and a write that others hardly wait for.
pub const FORGET_ROWS_MAX: usize = 512;

const _: () = assert!(PARAMS_BYTES_MAX <= DELIVERY_BYTES_MAX, "every command must fit an answer");

/// A command as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommandView {
    /// `CMD-<year>-<number>`.
    pub command_id: String,
    /// Its place in the agent's order, from 1.
    pub command_seq: u64,
    /// Who is to do it.
    pub agent_id: AgentId,
    /// What to do.
    pub action: String,
    /// With what.
    #[schema(value_type = Object)]
    pub params: Map<String, Value>,
    /// Where it stands.
    pub status: CommandStatus,
    /// How many seconds it may run; what its action says when null.
    pub timeout_seconds: Option<u64>,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When it may no longer be begun.
    pub expires_at: Timestamp,
    /// When it was first handed to the agent.
    pub delivered_at: Option<Timestamp>,
    /// When an operator took it back, or wanted it ended.
    pub cancel_asked_at: Option<Timestamp>,
    /// When it began, by the agent's clock.
    pub started_at: Option<Timestamp>,
    /// When it ended, by the agent's clock.
    pub finished_at: Option<Timestamp>,
    /// What it printed so far, while it runs, and when nobody could say more.
    pub output_so_far: Option<String>,
    /// What the agent reported.
    pub result: Option<Outcome>,
    /// Why it ended without a report.
    pub reason: Option<&'static str>,
    /// Whose signed order it is: an operator's public key; null for one that nobody signed.
    pub signed_by: Option<String>,
}

impl CommandView {
    /// What it takes in an answer.
    pub fn bytes(&self) -> usize {
        serde_json::to_vec(self).map_or(0, |json| json.len())
    }
}

/// What an agent reported of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// How it ended.
    pub status: ResultStatus,
    /// The exit code of the program it ran.
    pub exit_code: Option<i64>,
    /// What it printed, or why it was not run.
    pub output: Option<String>,
    /// When it began, by the agent's clock.
    pub started_at: Timestamp,
    /// When it ended, by the agent's clock.
    pub finished_at: Timestamp,
}

impl From<ResultBody> for Outcome {
    fn from(body: ResultBody) -> Self {
        Self {
            status: body.status,
            exit_code: body.exit_code,
            output: body.output,
            started_at: body.started_at,
            finished_at: body.finished_at,
        }
    }
}

/// The answer to a result that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResultAnswer {
    /// Which command.
    pub command_id: String,
    /// Where it stands now.
    pub status: CommandStatus,
    /// The hub's clock.
    pub server_time: Timestamp,
}
