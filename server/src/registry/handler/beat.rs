//! `POST /api/v1/agents/:id/heartbeat`: an agent is there, or says farewell.

use super::Registry;
use crate::{
    auth::{AgentMessage, keyring::revoked, rotation::Prospect},
    generations::Offer,
    http::{Peer, problem::Refusal, respond},
    registry::{
        RegistryError, check_not_future,
        store::{self, Beat, Beaten},
    },
    standing::NotLiving,
};
use axum::{Extension, extract::State, response::Response};
use http::StatusCode;
use pingup_protocol::heartbeat::{HeartbeatAnswer, HeartbeatBody};
use rusqlite::Connection;
use std::sync::Arc;

/// The word for a machine of which no sample has told anything yet.
const FIRST_WORD: &str = "online";

/// What a heartbeat found and left.
struct Heard {
    beaten: Beaten,
    newest_word: Option<String>,
    config_version: u64,
    pending_commands: u64,
    /// The next generation of its keys.
    next: Option<Box<Offer>>,
}

/// `POST /api/v1/agents/:id/heartbeat`. One that is not newer than the last is answered the same and changes
/// nothing, and is handed no keys: it may be another's replay.
pub async fn heartbeat(
    State(room): State<Arc<Registry>>,
    Extension(peer): Extension<Peer>,
    message: AgentMessage,
) -> Result<Response, Refusal> {
    let body: HeartbeatBody = message.read()?;
    let now = room.clock.now();
    check_not_future(body.timestamp, now)?;
    let info =
        body.info.as_ref().map(serde_json::to_string).transpose().map_err(|error| {
            Refusal::internal("what a machine says of itself could not be written", &error)
        })?;
    let agent_id = body.agent_id.clone();
    let beat = Beat { agent_id, timestamp: body.timestamp, presence: body.status, info, config: body.config };
    let neighbours = room.neighbours.clone();
    // Whoever cannot be told of new keys keeps those it has.
    let replacement = if peer.keeps_secrets() { room.keyring.replacement()? } else { None };
    let (keyring, keys) = (room.keyring.clone(), Arc::clone(message.keys()));
    let work = move |connection: &Connection| {
        let agent_id = beat.agent_id.as_str();
        let beaten = store::beat(connection, &beat, now)?;
        let is_fresh = beaten != Beaten::Older;
        let next = match keyring.prospect(connection, &keys, replacement.filter(|_| is_fresh), now)? {
            Prospect::Ended => return Err(NotLiving::Removed(agent_id.to_owned()).into()),
            Prospect::Next(offer) if is_fresh => Some(offer),
            Prospect::Next(_) | Prospect::Nothing => None,
        };
        Ok::<_, RegistryError>(Heard {
            next,
            beaten,
            newest_word: store::newest_word(connection, agent_id)?,
            config_version: (neighbours.config_version)(connection, agent_id)?,
            pending_commands: (neighbours.count_pending)(connection, agent_id, now)?,
        })
    };
    let (tell, agent_id) = (Arc::clone(&room.neighbours.tell), body.agent_id.clone());
    let keyring = room.keyring.clone();
    let told = move |heard: &Heard| {
        if heard.next.as_ref().is_some_and(|offer| offer.is_new) {
            keyring.forget(agent_id.as_str());
        }
        if let Beaten::Newer(Some(change)) = heard.beaten {
            tell(change, vec![agent_id], now);
        }
    };
    let heard = room.sqlite.write_then(work, told).await.map_err(|error| match error {
        // It was removed since the gate let it in, or its key came to its end.
        RegistryError::NotLiving(_) => revoked(&body.agent_id),
        error => error.into(),
    })?;
    if let Some(metrics) = body.metrics.filter(|_| heard.beaten != Beaten::Older) {
        // Heartbeats bring numbers and no word: the newest sample's stays.
        let held = room.latest.get(body.agent_id.as_str()).map(|sample| sample.status);
        let word = held.or(heard.newest_word);
        room.latest.offer(&body.agent_id, body.timestamp, word.as_deref().unwrap_or(FIRST_WORD), &metrics);
    }
    let next = heard.next.filter(|_| peer.keeps_secrets());
    let credentials = next.map(|offer| room.keyring.credentials(&body.agent_id, &offer.row)).transpose()?;
    let answer = HeartbeatAnswer {
        server_time: now,
        config_version: heard.config_version,
        pending_commands: heard.pending_commands,
        generation: message.keys().generation(),
        credentials,
    };
    Ok(respond::signed(StatusCode::OK, message.keys().sign(&answer)?))
}
