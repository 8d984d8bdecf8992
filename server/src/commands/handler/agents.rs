//! The agents' side of commands: pulled signed, reported once.

use super::{Commands, Neighbours};
use crate::{
    auth::{AgentCaller, AgentKeys, AgentMessage},
    commands::{
        Change, CommandsError, ResultAnswer,
        store::{self, Deliverable, Delivery},
        waiters::Woken,
    },
    http::{problem::Refusal, query::Params, respond},
    standing::Standing,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use pingup_protocol::{
    command::{CommandStatus, PendingAnswer, ResultBody},
    ids::{AgentId, is_nonce},
    limits::{INTEGER_MAX, WAIT_SECONDS_MAX},
    schema::SchemaError,
    time::Timestamp,
};
use serde_json::Value;
use std::{collections::HashSet, sync::Arc, time::Duration};

/// `GET /api/v1/commands/pending/:agentId`: what is due to the agent, each command and the answer signed. With
/// `wait`, held open until there is something. Marked as delivered on disk before the answer leaves.
pub async fn pending(
    State(room): State<Arc<Commands>>,
    agent: AgentCaller,
    params: Params,
) -> Result<Response, Refusal> {
    let nonce = params.required("nonce")?;
    if !is_nonce(nonce) {
        return Err(Refusal::parameter("nonce", "1 to 128 visible ASCII characters expected"));
    }
    let after = params.number("after", 0..=INTEGER_MAX, 0)?;
    let patience = Duration::from_secs(params.number("wait", 0..=WAIT_SECONDS_MAX, 0)?);
    // Registered before the first look: what is queued after it is a call, not a loss.
    let waiter = if patience.is_zero() { None } else { Some(room.waiters.register(agent.agent_id())?) };
    let (mut commands, mut config_version) = room.hand_out(agent.keys(), after).await?;
    if commands.is_empty()
        && let Some(mut waiter) = waiter
        && waiter.wait(patience).await == Woken::Called
    {
        (commands, config_version) = room.hand_out(agent.keys(), after).await?;
    }
    let answer = PendingAnswer {
        agent_id: agent.agent_id().clone(),
        nonce: nonce.to_owned(),
        server_time: room.clock.now(),
        commands,
        config_version,
    };
    Ok(respond::signed(StatusCode::OK, agent.keys().sign(&answer)?))
}

/// `POST /api/v1/commands/:id/result`. 200: on disk, now or before.
pub async fn result(
    State(room): State<Arc<Commands>>,
    Path(command_id): Path<String>,
    message: AgentMessage,
) -> Result<Response, Refusal> {
    let body: ResultBody = message.read()?;
    if body.command_id != command_id {
        return Err(SchemaError::at("/commandId", "the command that the path names expected").into());
    }
    let (now, agent_id, seq) = (room.clock.now(), body.agent_id.clone(), body.command_seq);
    let outcome = body.into();
    let named = command_id.clone();
    let by = agent_id.clone();
    let (status, new) = room
        .sqlite
        .write(move |connection| store::keep_result(connection, &by, (&named, seq), &outcome, now))
        .await?;
    if new {
        room.teller.tell(vec![Change { command_id: command_id.clone(), agent_id, status, at: now }]);
    }
    Ok(respond::json(StatusCode::OK, &ResultAnswer { command_id, status, server_time: now }))
}

impl Commands {
    /// Hands out what is due to the agent: signed, and marked as delivered on disk. Also says which version of
    /// its configuration is in force.
    async fn hand_out(&self, keys: &AgentKeys, after: u64) -> Result<(Vec<Value>, u64), Refusal> {
        let _turn = self.turns.acquire().await;
        let (agent_id, now) = (keys.agent_id().clone(), self.clock.now());
        let Neighbours { standing, config_version, .. } = self.neighbours;
        let (due, version) = self
            .sqlite
            .read(move |connection| {
                // The key that this is signed with may have died while the request waited.
                if standing(connection, agent_id.as_str())? != Standing::Living {
                    return Err(CommandsError::Revoked(agent_id.to_string()));
                }
                let due = store::deliverable(connection, &agent_id, after, now)?;
                Ok::<_, CommandsError>((due, config_version(connection, agent_id.as_str())?))
            })
            .await?;
        let mut signed = Vec::with_capacity(due.len());
        let (mut unmarked, mut new) = (Vec::new(), Vec::new());
        for Deliverable { command, handed_out_with } in due {
            let value = keys.sign_command(&command)?;
            let signature = value["signature"].as_str().unwrap_or_default().to_owned();
            if handed_out_with.is_none() {
                new.push(command.command_id.clone());
            }
            if handed_out_with.as_ref() != Some(&signature) {
                unmarked.push(Delivery { command_id: command.command_id.clone(), signature });
            }
            signed.push((command.command_id, value));
        }
        let now = self.clock.now();
        let withheld = self.mark(unmarked, now).await?;
        new.retain(|id| !withheld.contains(id));
        self.teller.tell(new.into_iter().map(|id| delivered(id, keys.agent_id(), now)).collect());
        let commands = signed.into_iter().filter(|(id, _)| !withheld.contains(id)).map(|(_, value)| value);
        Ok((commands.collect(), version))
    }

    /// Marks deliveries on disk, and returns those that may not be handed out after all.
    async fn mark(
        &self,
        deliveries: Vec<Delivery>,
        now: Timestamp,
    ) -> Result<HashSet<String>, CommandsError> {
        let mut unmarked: HashSet<_> =
            deliveries.iter().map(|delivery| delivery.command_id.clone()).collect();
        if deliveries.is_empty() {
            return Ok(unmarked);
        }
        let marked = self
            .sqlite
            .write(move |connection| {
                Ok::<_, CommandsError>(store::mark_delivered(connection, &deliveries, now)?)
            })
            .await?;
        marked.iter().for_each(|id| {
            unmarked.remove(id);
        });
        Ok(unmarked)
    }
}

fn delivered(command_id: String, agent_id: &AgentId, at: Timestamp) -> Change {
    Change { command_id, agent_id: agent_id.clone(), status: CommandStatus::Delivered, at }
}
