//! What the loops of one agent share: who it is, where the hub is, how it speaks.

use super::{
    Habits,
    backoff::below,
    diary::Diary,
    lines::{Lines, Purpose},
};
use crate::{
    answer::{Answer, OK},
    client::{Client, ClientError, Manner},
    fleet::FleetAgent,
    measured::mix,
    settings::Hub,
};
use pingup_protocol::{ids::AgentId, signing::SignError};
use std::{net::Ipv4Addr, sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long an answer may take that the hub does not hold open on purpose.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Where the agents' own addresses begin, when the hub is on this machine: from one address there are fewer ports than
/// ten thousand agents need.
const SOURCES_BEGIN: u32 = u32::from_be_bytes([127, 1, 0, 1]);

/// One agent.
pub(super) struct Member {
    /// Its place in the crew.
    pub(super) place: usize,
    /// Its identity and its stream.
    pub(super) agent: Arc<FleetAgent>,
    /// Its id, as messages carry it.
    pub(super) agent_id: AgentId,
    /// Where the hub is.
    pub(super) hub: Arc<Hub>,
    /// Where everything is taken down.
    pub(super) diary: Arc<Diary>,
    /// How all of them live.
    pub(super) habits: Habits,
    /// When the crew began.
    pub(super) begin: Instant,
    /// Its connections.
    pub(super) lines: Lines,
    /// Whether each has an address of its own.
    pub(super) own_address: bool,
}

/// What a request came to that did what was asked, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A 200.
    Good,
    /// Not now: the hub is away, or asks to come again, after a time that it may name.
    Later(Option<Duration>),
    /// Never.
    Never,
}

impl Member {
    /// A connection for `purpose`, not open yet; answers may take `held` longer than they do by themselves.
    pub(super) fn line(&self, purpose: Purpose, held: Duration) -> Client {
        let place = u32::try_from(self.place).unwrap_or_default();
        let source = self.own_address.then(|| Ipv4Addr::from_bits(SOURCES_BEGIN.saturating_add(place)));
        let manner = Manner { source, attempts: Some(Arc::clone(&self.diary.attempts)), brief: None };
        Client::new(Arc::clone(&self.hub))
            .with_patience(ANSWER_WITHIN + held)
            .with_manner(self.lines.manner(purpose, manner))
    }

    /// A number that follows from the agent and `salt`.
    pub(super) fn random(&self, salt: u64) -> u64 {
        mix(self.agent.seed() ^ salt)
    }

    /// When something that comes every `every` first does: machines were started at any moment.
    pub(super) fn first(&self, every: Duration, salt: u64) -> Instant {
        self.begin + below(every, self.random(salt))
    }

    /// Sends `request` until there is an answer: once, and once more at once where the connection was a kept one,
    /// which may have been closed at that very moment. So does the real agent.
    pub(super) async fn exchange(&self, client: &mut Client, request: &[u8]) -> Result<(), ClientError> {
        let kept = client.is_open();
        let first = client.exchange(request).await.map(drop);
        match first {
            Err(_) if kept => {
                self.broke();
                client.exchange(request).await.map(drop).inspect_err(|_| self.broke())
            }
            other => other.inspect_err(|_| self.broke()),
        }
    }

    /// A connection broke, or did not open.
    pub(super) fn broke(&self) {
        self.diary.note(|entries| entries.broken += 1);
    }

    /// Sends a request that was signed, and says what came of it; the answer is in `client` still.
    pub(super) async fn say(&self, client: &mut Client, request: Result<Vec<u8>, SignError>) -> Said {
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                self.diary.fault(|| error.to_string());
                return Said::Never;
            }
        };
        match self.exchange(client, &request).await {
            Ok(()) => self.judge(client.last()),
            Err(_) => Said::Later(None),
        }
    }

    /// What an answer means to an agent.
    pub(super) fn judge(&self, answer: Option<Answer<'_>>) -> Said {
        let Some(answer) = answer else { return Said::Later(None) };
        if answer.status == OK {
            return Said::Good;
        }
        let problem = answer.problem();
        match answer.retry_after(problem.as_ref().and_then(|problem| problem.problem_type())) {
            Some(wait) => {
                self.diary.note(|entries| entries.put_off += 1);
                Said::Later(Some(wait))
            }
            None => {
                let detail = problem.map_or_else(String::new, |problem| problem.detail);
                self.diary.fault(|| format!("{}: {} {detail}", self.agent_id, answer.status));
                Said::Never
            }
        }
    }
}
