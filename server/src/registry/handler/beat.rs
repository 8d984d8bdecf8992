//! `POST /api/v1/agents/:id/heartbeat`: an agent is there, or says farewell.

use super::Registry;
use crate::{
    auth::{AgentMessage, keyring::revoked},
    http::{problem::Refusal, respond},
    registry::{
        RegistryError, check_not_future,
        store::{self, Beat, Beaten},
    },
};
use axum::{extract::State, response::Response};
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
}

/// `POST /api/v1/agents/:id/heartbeat`. One that is not newer than the last is answered the same and changes
/// nothing.
pub async fn heartbeat(
    State(room): State<Arc<Registry>>,
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
    let work = move |connection: &Connection| {
        let agent_id = beat.agent_id.as_str();
        Ok::<_, RegistryError>(Heard {
            beaten: store::beat(connection, &beat, now)?,
            newest_word: store::newest_word(connection, agent_id)?,
            config_version: (neighbours.config_version)(connection, agent_id)?,
            pending_commands: (neighbours.count_pending)(connection, agent_id, now)?,
        })
    };
    let (tell, agent_id) = (Arc::clone(&room.neighbours.tell), body.agent_id.clone());
    let told = move |heard: &Heard| {
        if let Beaten::Newer(Some(change)) = heard.beaten {
            tell(change, vec![agent_id], now);
        }
    };
    let heard = room.sqlite.write_then(work, told).await.map_err(|error| match error {
        // It was removed since the gate let it in.
        RegistryError::NotLiving(_) => revoked(&body.agent_id),
        error => error.into(),
    })?;
    if let Some(metrics) = body.metrics.filter(|_| heard.beaten != Beaten::Older) {
        // Heartbeats bring numbers and no word: the newest sample's stays.
        let held = room.latest.get(body.agent_id.as_str()).map(|sample| sample.status);
        let word = held.or(heard.newest_word);
        room.latest.offer(&body.agent_id, body.timestamp, word.as_deref().unwrap_or(FIRST_WORD), &metrics);
    }
    let answer = HeartbeatAnswer {
        server_time: now,
        config_version: heard.config_version,
        pending_commands: heard.pending_commands,
        generation: message.keys().generation(),
    };
    Ok(respond::signed(StatusCode::OK, message.keys().sign(&answer)?))
}
