//! Batches: one word to many agents, and how far it has come.
//!
//! A batch is no state of its own. It is the commands that were queued with it; how many of them stand how is
//! counted when somebody asks. Only whom it left out, when it was queued, is kept with it. Commands are not kept for ever:
//! a batch counts those that are, and goes with the last of them.

use super::PARAMS_BYTES_MAX;
use pingup_protocol::{command::CommandStatus, ids::AgentId, time::Timestamp};
use serde::Serialize;

/// Agents of one batch: all are queued in one write, and nobody else writes meanwhile.
pub const BATCH_AGENTS_MAX: usize = 65_536;
/// Parameters of one batch, in bytes of compact JSON, times its agents: each command keeps its own.
pub const BATCH_PARAMS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Agents left out of one batch that the answer to its order names; all are counted, and pages of the batch name them all.
pub const LEFT_OUT_MAX: usize = 1_000;

const _: () = assert!(PARAMS_BYTES_MAX <= BATCH_PARAMS_BYTES_MAX, "what one may have, a batch of one may");

/// A batch as operators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchView {
    /// `BATCH-<year>-<number>`, with the number of its first command.
    pub batch_id: String,
    /// What each of its agents is to do.
    pub action: String,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When none of its commands may be begun any more.
    pub expires_at: Timestamp,
    /// Whose signed order it is: an operator's public key; null for one that nobody signed.
    pub signed_by: Option<String>,
    /// How many agents it was queued for; once its commands are deleted, one after the other, how many are left.
    pub agents: u64,
    /// How many of its commands stand how.
    pub counts: Counts,
    /// How many agents were meant too, but could not be given a command.
    pub left_out_count: u64,
    /// Some of them, by id: the first 1 000, or, where the batch is read page by page, those of the page.
    pub left_out: Vec<LeftOut>,
}

/// An agent that was meant, and has no command of the batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// Which agent.
    pub agent_id: AgentId,
    /// Why.
    pub reason: LeftOutReason,
}

/// Why an agent is left out of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOutReason {
    /// As many commands are open for it as may be.
    TooManyOpenCommands,
}

impl LeftOut {
    /// What it takes in an answer, but for a few words that are always the same.
    pub fn bytes(&self) -> usize {
        self.agent_id.as_str().len()
    }
}

impl LeftOutReason {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooManyOpenCommands => "too-many-open-commands",
        }
    }

    /// The reason of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        (word == Self::TooManyOpenCommands.as_str()).then_some(Self::TooManyOpenCommands)
    }
}

/// How many commands stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Counts {
    /// Wait to be pulled.
    pub pending: u64,
    /// Handed to their agents; nothing was heard since.
    pub delivered: u64,
    /// Run, by their agents' word.
    pub running: u64,
    /// Ran, and ended well.
    pub succeeded: u64,
    /// Ran, and did not.
    pub failed: u64,
    /// The agents would not run them.
    pub rejected: u64,
    /// The agents died while they ran, or were never heard of again.
    pub unknown: u64,
    /// Were not begun in time.
    pub expired: u64,
    /// Were taken back, or ended by an operator.
    pub cancelled: u64,
}

impl Counts {
    /// Counts `count` more that stand so.
    pub fn add(&mut self, status: CommandStatus, count: u64) {
        let place = match status {
            CommandStatus::Pending => &mut self.pending,
            CommandStatus::Delivered => &mut self.delivered,
            CommandStatus::Running => &mut self.running,
            CommandStatus::Succeeded => &mut self.succeeded,
            CommandStatus::Failed => &mut self.failed,
            CommandStatus::Rejected => &mut self.rejected,
            CommandStatus::Unknown => &mut self.unknown,
            CommandStatus::Expired => &mut self.expired,
            CommandStatus::Cancelled => &mut self.cancelled,
        };
        *place += count;
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        let Self { pending, delivered, running, succeeded, failed, rejected, unknown, expired, cancelled } =
            self;
        pending + delivered + running + succeeded + failed + rejected + unknown + expired + cancelled
    }
}

/// A batch, and a page of those who are missing and of those who were left out.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchProgress {
    /// The batch.
    #[serde(flatten)]
    pub batch: BatchView,
    /// Agents that did not report, and were not spared it, by id.
    pub missing: Vec<Missing>,
    /// Where the next page of both lists begins; null on the last.
    pub next_cursor: Option<String>,
}

/// An agent of a batch that did not report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// Which agent.
    pub agent_id: AgentId,
    /// Its command.
    pub command_id: String,
    /// Where that stands: `pending`, `delivered`, `running`, `expired`, or `unknown` when the hub gave it up unheard.
    pub status: CommandStatus,
}

impl Missing {
    /// What it takes in an answer, but for a few words that are always the same.
    pub fn bytes(&self) -> usize {
        self.agent_id.as_str().len() + self.command_id.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_counted_in_its_place() {
        let mut counts = Counts::default();
        for (status, count) in CommandStatus::ALL.into_iter().zip(1..) {
            counts.add(status, count);
        }
        let written = serde_json::to_value(counts).unwrap();
        for (status, count) in CommandStatus::ALL.into_iter().zip(1..) {
            assert_eq!(written[status.as_str()], count);
        }
        assert_eq!(counts.total(), (1..=9).sum::<u64>());
    }

    #[test]
    fn a_reason_is_kept_and_told_by_one_word() {
        let reason = LeftOutReason::TooManyOpenCommands;
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        assert_eq!(LeftOutReason::from_word(reason.as_str()), Some(reason));
        assert_eq!(LeftOutReason::from_word("asleep"), None);
    }
}
