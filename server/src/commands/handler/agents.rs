//! How agents get their commands: signed, over a request that is held open until there is something.

use super::{Commands, Neighbours};
use crate::{
    auth::{AgentCaller, AgentKeys, keyring::revoked},
    commands::{
        Change, CommandsError,
        store::{self, Deliverable, Delivery, Due},
        waiters::{Waiter, Woken},
    },
    generations,
    http::{held::held, problem::Refusal, query::Params, respond},
    standing::Standing,
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::StatusCode;
use pingup_protocol::{
    command::{CommandStatus, PendingAnswer},
    ids::{AgentId, is_nonce},
    limits::{INTEGER_MAX, WAIT_SECONDS_MAX},
};
use rusqlite::Connection;
use serde_json::Value;
use std::{collections::HashSet, sync::Arc, time::Duration};

/// How far an agent is, by what it asks with.
#[derive(Clone, Copy, Debug)]
enum After {
    /// It does not say; it may have begun anything.
    Unsaid,
    /// It has taken down the commands up to this one, and holds none beyond.
    Taken(u64),
    /// It wants none now, since it has enough to do: only what it is to end.
    Busy,
}

impl After {
    fn read(params: &Params) -> Result<Self, Refusal> {
        let seq = params.number("after", 0..=INTEGER_MAX, 0)?;
        Ok(match params.text("after") {
            None => Self::Unsaid,
            Some(_) if seq == INTEGER_MAX => Self::Busy,
            Some(_) => Self::Taken(seq),
        })
    }

    const fn seq(self) -> u64 {
        match self {
            Self::Unsaid => 0,
            Self::Taken(seq) => seq,
            Self::Busy => INTEGER_MAX,
        }
    }
}

/// Versions of an agent's configuration.
struct Config {
    /// The one in force.
    version: u64,
    /// The newest that the agent said it has, or will not have.
    reported: u64,
}

/// What the records have for an agent.
struct Looked {
    due: Due,
    config: Config,
}

/// What is said to an agent.
#[derive(Debug, Default)]
struct HandedOut {
    commands: Vec<Value>,
    cancel: Vec<String>,
    config_version: u64,
    /// Whether the agent has neither been told of that version nor said anything of it.
    is_config_new: bool,
}

impl HandedOut {
    /// Whether it is worth an answer at once. An agent that asks for commands runs none, and so has none to end.
    fn is_news(&self, after: After) -> bool {
        let is_order = match after {
            After::Busy => !self.cancel.is_empty(),
            After::Unsaid | After::Taken(_) => !self.commands.is_empty(),
        };
        is_order || self.is_config_new
    }
}

/// `GET /api/v1/commands/pending/:agentId`: what is due to the agent, each command and the answer signed, and which of
/// those that it has it is to end. With `wait`, held open until there is something. Marked as delivered on disk before
/// the answer leaves.
///
/// A bearer token alone opens it, so no keys are ever handed over here: that is the heartbeat's, which is signed.
pub async fn pending(
    State(room): State<Arc<Commands>>,
    agent: AgentCaller,
    params: Params,
) -> Result<Response, Refusal> {
    let nonce = params.required("nonce")?;
    if !is_nonce(nonce) {
        return Err(Refusal::parameter("nonce", "1 to 128 visible ASCII characters expected"));
    }
    let after = After::read(&params)?;
    let patience = Duration::from_secs(params.number("wait", 0..=WAIT_SECONDS_MAX, 0)?);
    let pull = Pull { agent, nonce: nonce.to_owned(), after };
    if patience.is_zero() {
        let out = room.hand_out(pull.agent.keys(), after).await?;
        return pull.answer(&room, out);
    }
    // Registered before the first look: what is queued after it is a call, not a loss.
    let waiter = room.waiters.register(pull.agent.agent_id())?;
    // The first look is a part of the wait: when a whole fleet comes back, it is the looks that take their time.
    Ok(held(pull.outwait(room, waiter, patience).map(IntoResponse::into_response)))
}

/// What an agent asked, as much of it as its answer needs.
struct Pull {
    agent: AgentCaller,
    nonce: String,
    after: After,
}

impl Pull {
    /// Says what there is for the agent; where that is nothing, waits until there may be something.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async fn keeps what it is given twice, and thousands wait at once"
    )]
    fn outwait(
        self,
        room: Arc<Commands>,
        mut waiter: Waiter,
        patience: Duration,
    ) -> impl Future<Output = Result<Response, Refusal>> {
        async move {
            // In a box, each time: those who wait need not hold the room for it.
            let mut out = Box::pin(room.hand_out(self.agent.keys(), self.after)).await?;
            if !out.is_news(self.after) {
                if waiter.wait(patience).await == Woken::Called {
                    drop(waiter);
                    out = Box::pin(room.hand_out(self.agent.keys(), self.after)).await?;
                } else if !self.agent.keys().live(&room.clock) {
                    // Whoever ends keys at once calls; a generation that was ending ends by time alone.
                    return Err(revoked(self.agent.agent_id()));
                }
            }
            self.answer(&room, out)
        }
    }

    fn answer(&self, room: &Commands, out: HandedOut) -> Result<Response, Refusal> {
        let HandedOut { commands, cancel, config_version, .. } = out;
        room.waiters.tell(self.agent.agent_id(), config_version);
        let answer = PendingAnswer {
            agent_id: self.agent.agent_id().clone(),
            nonce: self.nonce.clone(),
            server_time: room.clock.now(),
            commands,
            cancel,
            config_version,
        };
        Ok(respond::signed(StatusCode::OK, self.agent.keys().sign(&answer)?))
    }
}

impl Commands {
    /// Hands out what is due to the agent: signed, and marked as delivered on disk. Also says which version of
    /// its configuration is in force.
    async fn hand_out(&self, keys: &AgentKeys, after: After) -> Result<HandedOut, Refusal> {
        let _turn = self.turns.acquire().await;
        let Looked { due, config } = self.look(keys, after).await?;
        if due.forgone && matches!(after, After::Taken(_)) {
            self.conclude(keys.agent_id(), after.seq()).await?;
        }
        let mut signed = Vec::with_capacity(due.commands.len());
        let mut unmarked = Vec::new();
        for Deliverable { command, handed_out_with } in due.commands {
            let value = keys.sign_command(&command)?;
            let signature = value["signature"].as_str().unwrap_or_default().to_owned();
            if handed_out_with.as_ref() != Some(&signature) {
                unmarked.push(Delivery { command_id: command.command_id.clone(), signature });
            }
            signed.push((command.command_id, value));
        }
        let withheld = self.mark(keys.agent_id(), unmarked).await?;
        let commands = signed.into_iter().filter(|(id, _)| !withheld.contains(id)).map(|(_, value)| value);
        let known = config.reported.max(self.waiters.told(keys.agent_id()));
        Ok(HandedOut {
            commands: commands.collect(),
            cancel: due.cancel,
            config_version: config.version,
            is_config_new: config.version > known,
        })
    }

    async fn look(&self, keys: &AgentKeys, after: After) -> Result<Looked, CommandsError> {
        let (agent_id, generation, now) = (keys.agent_id().clone(), keys.generation(), self.clock.now());
        let Neighbours { standing, config_version, config_reported, .. } = self.neighbours;
        self.sqlite
            .read(move |connection| {
                // The key that this is signed with may have died while the request waited.
                if standing(connection, agent_id.as_str())? != Standing::Living {
                    return Err(CommandsError::Revoked(agent_id.to_string()));
                }
                if generations::look(connection, agent_id.as_str(), generation, now)?.is_none() {
                    return Err(CommandsError::Revoked(agent_id.to_string()));
                }
                let due = store::due(connection, &agent_id, after.seq(), now)?;
                let config = Config {
                    version: config_version(connection, agent_id.as_str())?,
                    reported: config_reported(connection, agent_id.as_str())?,
                };
                Ok(Looked { due, config })
            })
            .await
    }

    /// Ends what the agent was handed, has not begun by its own word, and must not begin any more.
    async fn conclude(&self, agent_id: &AgentId, after: u64) -> Result<(), CommandsError> {
        let (agent_id, now) = (agent_id.clone(), self.clock.now());
        self.change(move |connection| Ok(((), store::conclude(connection, &agent_id, after, now)?))).await
    }

    /// Marks deliveries on disk, and returns those that may not be handed out after all.
    async fn mark(
        &self,
        agent_id: &AgentId,
        deliveries: Vec<Delivery>,
    ) -> Result<HashSet<String>, CommandsError> {
        let mut unmarked: HashSet<_> =
            deliveries.iter().map(|delivery| delivery.command_id.clone()).collect();
        if deliveries.is_empty() {
            return Ok(unmarked);
        }
        let (agent_id, now) = (agent_id.clone(), self.clock.now());
        let work = move |connection: &Connection| {
            let marked = store::mark_delivered(connection, &deliveries, now)?;
            let new = marked.iter().filter(|(_, new)| *new).map(|(command_id, _)| Change {
                command_id: command_id.clone(),
                agent_id: agent_id.clone(),
                status: CommandStatus::Delivered,
                at: now,
            });
            let new = new.collect();
            Ok((marked, new))
        };
        for (id, _) in self.change(work).await? {
            unmarked.remove(&id);
        }
        Ok(unmarked)
    }
}
