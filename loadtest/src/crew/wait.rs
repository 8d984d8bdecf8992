//! Waiting for commands: the request that the hub holds open, its signed answer, and each command in it, which is
//! begun once.
//!
//! A command is begun when its signature, its agent, its number and its time have been found right. This agent's
//! allow-list has `ping` on it and nothing else; anything else is rejected, and the hub is told so.

use super::{
    chance::Chance,
    member::{Member, Said},
};
use crate::{client::Client, fleet::now};
use pingup_protocol::{
    backoff::{Backoff, REFUSED},
    command::{Command, PendingAnswer, ResultBody, ResultStatus},
    time::Timestamp,
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

/// How long the hub is asked to hold the request open.
pub(super) const HELD: Duration = Duration::from_secs(50);
/// An empty answer that comes sooner was not held open.
const HELD_LEAST: Duration = Duration::from_secs(1);
/// From one agent's first request to the next one's: a fleet that is there already did not come at a stroke.
const STEP: Duration = Duration::from_micros(500);

/// What came of a question.
enum Asked {
    /// So many commands came, and so many of them were begun or rejected.
    Answered { offered: usize, done: usize },
    /// The hub is away.
    Away,
    /// Not now, and perhaps when.
    Later(Option<Duration>),
}

/// Waits for the commands of one agent.
pub(super) struct Waiter {
    member: Arc<Member>,
    client: Client,
    /// When its connection was open.
    opened: Instant,
    results: mpsc::Sender<ResultBody>,
    last_seq: u64,
    asked: u64,
    backoff: Backoff,
    chance: Chance,
}

impl Waiter {
    /// A waiter over `client`; what its agent has to report goes to `results`.
    pub(super) fn new(member: Arc<Member>, client: Client, results: mpsc::Sender<ResultBody>) -> Self {
        let (backoff, chance) = (Backoff::new(REFUSED), Chance::new(member.random(14)));
        let opened = member.begin;
        Self { member, client, opened, results, last_seq: 0, asked: 0, backoff, chance }
    }

    /// Waits, over and over, for as long as somebody lets it.
    pub(super) async fn run(&mut self) {
        let turn = STEP.saturating_mul(u32::try_from(self.member.place).unwrap_or(u32::MAX));
        sleep_until(self.member.begin + turn).await;
        loop {
            let began = Instant::now();
            let retry_after = match self.ask().await {
                // Commands that nothing came of would be handed out again at once; so would nothing, too soon.
                Asked::Answered { offered, done }
                    if done > 0 || (offered == 0 && began.elapsed() >= HELD_LEAST) =>
                {
                    self.backoff.reset();
                    continue;
                }
                // Whoever asks next waits until it is back.
                Asked::Away => continue,
                Asked::Answered { .. } => None,
                Asked::Later(retry_after) => retry_after,
            };
            sleep(self.backoff.after_failure(retry_after, self.chance.draw())).await;
        }
    }

    /// Asks once.
    async fn ask(&mut self) -> Asked {
        self.asked += 1;
        let (one, two) = (self.member.random(self.asked << 8), self.member.random(!self.asked));
        let nonce = format!("{one:016x}{two:016x}");
        let (id, wait, after) = (self.member.agent_id.as_str(), HELD.as_secs(), self.last_seq);
        let path = format!("/api/v1/commands/pending/{id}?nonce={nonce}&wait={wait}&after={after}");
        let request = self.member.agent.get(&self.member.hub, &path);
        if !self.held(&request).await {
            return Asked::Away;
        }
        let answer = match self.member.judge(self.client.last()) {
            Said::Good => self.client.last().and_then(|answer| self.member.agent.verified(answer.body)),
            Said::Away => return Asked::Away,
            Said::Later(retry_after) => return Asked::Later(retry_after),
            Said::Never => return Asked::Later(None),
        };
        match answer {
            Some(PendingAnswer { agent_id, nonce: echoed, commands, .. })
                if agent_id == self.member.agent_id && echoed == nonce =>
            {
                let offered = commands.len();
                let mut done = 0;
                for command in &commands {
                    done += usize::from(self.take(command).await);
                }
                Asked::Answered { offered, done }
            }
            _ => {
                let id = &self.member.agent_id;
                self.member.diary.fault(|| format!("{id}: an answer to a wait is not the hub's to it"));
                Asked::Later(None)
            }
        }
    }

    /// Sends the request and waits for the answer; whether one came.
    async fn held(&mut self, request: &[u8]) -> bool {
        self.client.notice();
        let kept = self.client.is_open();
        if !self.member.reach(&mut self.client).await {
            return false;
        }
        if !kept {
            // Not when it was begun: what was begun at one hub may come about at the next.
            self.opened = Instant::now();
        }
        let _waiting = self.member.diary.waits(self.member.place, self.opened);
        let answered = self.member.exchange(&mut self.client, request).await;
        if answered && !self.client.is_open() {
            // A hub that stops answers all who wait, and closes.
            self.member.absence.lost();
        }
        answered
    }

    /// Begins a command, or rejects it; false if it is none of this agent's.
    async fn take(&mut self, offered: &Value) -> bool {
        let bytes = serde_json::to_vec(offered).unwrap_or_default();
        let command = self.member.agent.verified::<Command>(&bytes).filter(|command| {
            command.agent_id == self.member.agent_id && command.command_seq > self.last_seq
        });
        let Some(command) = command else {
            self.member.diary.fault(|| format!("{}: a command is not its own", self.member.agent_id));
            return false;
        };
        self.last_seq = command.command_seq;
        let at = now();
        let why_not = why_not(&command, at);
        if why_not.is_none() {
            let (id, begun) = (command.command_id.clone(), Instant::now());
            self.member.diary.note(|entries| {
                entries.begun.insert(id, begun);
            });
        }
        let result = ResultBody {
            agent_id: command.agent_id,
            timestamp: at,
            command_id: command.command_id,
            command_seq: command.command_seq,
            status: if why_not.is_none() { ResultStatus::Succeeded } else { ResultStatus::Rejected },
            exit_code: None,
            output: why_not.map(str::to_owned),
            started_at: at,
            finished_at: at,
        };
        // Whoever reports ends with this loop, not before.
        self.results.send(result).await.is_ok()
    }
}

/// Why a command may not run, if it may not.
fn why_not(command: &Command, now: Timestamp) -> Option<&'static str> {
    match command.action.as_str() {
        _ if command.expires_at <= now => Some("it expired before it got here"),
        "ping" => None,
        _ => Some("it is not on this agent's allow-list (ping)"),
    }
}
