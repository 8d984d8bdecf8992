//! What the loops of one agent share: who it is, where the hub is, how it speaks.

use super::{
    Habits,
    absence::Absence,
    chance::below,
    diary::Diary,
    lines::{Lines, Purpose},
};
use crate::{
    answer::{Answer, OK},
    client::{Client, Manner},
    error::LoadError,
    fleet::FleetAgent,
    measured::mix,
    settings::Hub,
};
use pingup_protocol::{ids::AgentId, signing::SignError};
use std::{net::Ipv4Addr, sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::Instant,
};

/// How long an answer may take that the hub does not hold open on purpose.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Where the agents' own addresses begin, when the hub is on this machine: from one address there are fewer ports than
/// ten thousand agents need.
const SOURCES_BEGIN: u32 = u32::from_be_bytes([127, 1, 0, 1]);

/// Sets what an agent's waits follow from apart from the rest.
const ABSENCE_SALT: u64 = 10;

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
    /// Whether the hub is there.
    pub(super) absence: Absence,
    /// The connection for all that it says, one at a time.
    saying: Mutex<Client>,
}

/// What a request came to that did what was asked, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A 200.
    Good,
    /// The hub is away.
    Away,
    /// Not now: the hub asks to come again, after a time that it may name.
    Later(Option<Duration>),
    /// Never.
    Never,
}

/// What the agents of a crew have in common.
#[derive(Clone)]
pub(super) struct Common {
    /// Where the hub is.
    pub(super) hub: Arc<Hub>,
    /// Where everything is taken down.
    pub(super) diary: Arc<Diary>,
    /// How all of them live.
    pub(super) habits: Habits,
    /// When the crew began.
    pub(super) begin: Instant,
    /// Their connections.
    pub(super) lines: Lines,
    /// Whether each has an address of its own.
    pub(super) own_address: bool,
}

impl Common {
    /// A connection of the agent at `place`, not open yet; answers may take `held` longer than they do by themselves.
    pub(super) fn line(&self, place: usize, purpose: Purpose, held: Duration) -> Client {
        let offset = u32::try_from(place).unwrap_or_default();
        let source = self.own_address.then(|| Ipv4Addr::from_bits(SOURCES_BEGIN.saturating_add(offset)));
        let manner = Manner { source, attempts: Some(Arc::clone(&self.diary.attempts)), brief: None };
        Client::new(Arc::clone(&self.hub))
            .with_patience(ANSWER_WITHIN + held)
            .with_manner(self.lines.manner(purpose, manner))
    }
}

impl Member {
    /// The `agent` at `place`.
    pub(super) fn new(common: &Common, place: usize, agent: FleetAgent) -> Result<Self, LoadError> {
        let Common { hub, diary, habits, begin, .. } = common.clone();
        Ok(Self {
            place,
            agent_id: agent.agent_id()?,
            absence: Absence::new(mix(agent.seed() ^ ABSENCE_SALT)),
            agent: Arc::new(agent),
            hub,
            diary,
            habits,
            begin,
            saying: Mutex::new(common.line(place, Purpose::Say, Duration::ZERO)),
        })
    }

    /// The connection for all that is said, when it is free.
    pub(super) async fn saying(&self) -> MutexGuard<'_, Client> {
        self.saying.lock().await
    }

    /// A number that follows from the agent and `salt`.
    pub(super) fn random(&self, salt: u64) -> u64 {
        mix(self.agent.seed() ^ salt)
    }

    /// When something that comes every `every` first does: machines were started at any moment.
    pub(super) fn first(&self, every: Duration, salt: u64) -> Instant {
        self.begin + below(every, self.random(salt))
    }

    /// Has the connection open, as soon as it is known that the hub is there, or it is its turn to look; whether it is.
    /// One that is opened for each request is, with it.
    pub(super) async fn reach(&self, client: &mut Client) -> bool {
        self.absence.turn().await;
        client.notice();
        if client.is_brief() {
            return true;
        }
        let is_open = client.open().await.is_ok();
        if is_open {
            self.absence.found();
        } else {
            self.went();
        }
        is_open
    }

    /// Sends `request` over a connection that was reached, once; whether there is an answer.
    pub(super) async fn exchange(&self, client: &mut Client, request: &[u8]) -> bool {
        let asked = Instant::now();
        match client.exchange(request).await {
            Ok(_) => self.came(asked),
            Err(_) => self.went(),
        }
        client.last().is_some()
    }

    /// The hub answered what was `asked` then.
    pub(super) fn came(&self, asked: Instant) {
        self.absence.found();
        self.absence.answered(asked);
    }

    /// The hub is away: a connection broke, or did not open.
    pub(super) fn went(&self) {
        self.absence.lost();
        self.broke();
    }

    /// A connection broke, or did not open.
    pub(super) fn broke(&self) {
        self.diary.note(|entries| entries.broken += 1);
    }

    /// Sends a request that was signed, and says what came of it; the answer is in `client` still.
    pub(super) async fn say(&self, client: &mut Client, request: Result<Vec<u8>, SignError>) -> Said {
        if !self.reach(client).await {
            return Said::Away;
        }
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                self.diary.fault(|| error.to_string());
                return Said::Never;
            }
        };
        match self.exchange(client, &request).await {
            true => self.judge(client.last()),
            false => Said::Away,
        }
    }

    /// What an answer means to an agent.
    pub(super) fn judge(&self, answer: Option<Answer<'_>>) -> Said {
        let Some(answer) = answer else { return Said::Away };
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
