//! What agents say of their commands: that they run, and how they ended.

use super::Commands;
use crate::{
    auth::AgentMessage,
    commands::{
        Change, ResultAnswer,
        deeds::{self, Ended},
        store::{self, Kept, Piece},
    },
    deed::{By, Who},
    http::{Peer, problem::Refusal, respond},
};
use axum::{
    Extension,
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use pingup_protocol::{
    command::{ProgressAnswer, ProgressBody, ResultBody},
    schema::SchemaError,
};
use rusqlite::Connection;
use std::sync::Arc;

/// `POST /api/v1/commands/:id/progress`: it runs, and this is what it printed since. Of a command that is over it is
/// heard, and changes nothing.
pub async fn progress(
    State(room): State<Arc<Commands>>,
    Path(command_id): Path<String>,
    message: AgentMessage,
) -> Result<Response, Refusal> {
    let body: ProgressBody = message.read()?;
    same_command(&body.command_id, &command_id)?;
    let now = room.clock.now();
    let work = move |connection: &Connection| {
        let ProgressBody { agent_id, command_seq, started_at, offset, output, .. } = body;
        let piece = Piece { started_at, offset, output };
        let placed = store::keep_progress(connection, &agent_id, (&command_id, command_seq), &piece, now)?;
        let answer = ProgressAnswer {
            command_id: command_id.clone(),
            status: placed.status,
            output_bytes: placed.output_bytes,
            server_time: now,
        };
        Ok((answer, changes(placed.new, Change { command_id, agent_id, status: placed.status, at: now })))
    };
    let answer = room.change(work).await?;
    Ok(respond::json(StatusCode::OK, &answer))
}

/// `POST /api/v1/commands/:id/result`. 200: on disk, now or before.
pub async fn result(
    State(room): State<Arc<Commands>>,
    Path(command_id): Path<String>,
    Extension(peer): Extension<Peer>,
    message: AgentMessage,
) -> Result<Response, Refusal> {
    let body: ResultBody = message.read()?;
    same_command(&body.command_id, &command_id)?;
    let (now, agent_id, seq) = (room.clock.now(), body.agent_id.clone(), body.command_seq);
    let (record, by) = (room.neighbours.record, By::over(Who::Agent(agent_id.clone()), peer.address.ip()));
    let (ended, outcome) = (Ended::from(&body), body.into());
    let work = move |connection: &Connection| {
        let kept = store::keep_result(connection, &agent_id, (&command_id, seq), &outcome, now)?;
        let Kept { status, is_new, is_of_batch } = kept;
        // How a batch ended is told once, of all its commands.
        if is_new && !is_of_batch {
            record(connection, &deeds::ended(&agent_id, &command_id, &ended, &by, now))?;
        }
        let answer = ResultAnswer { command_id: command_id.clone(), status, server_time: now };
        Ok((answer, changes(is_new, Change { command_id, agent_id, status, at: now })))
    };
    let answer = room.change(work).await?;
    Ok(respond::json(StatusCode::OK, &answer))
}

fn changes(new: bool, change: Change) -> Vec<Change> {
    if new { vec![change] } else { Vec::new() }
}

fn same_command(in_body: &str, in_path: &str) -> Result<(), SchemaError> {
    match in_body == in_path {
        true => Ok(()),
        false => Err(SchemaError::at("/commandId", "the command that the path names expected")),
    }
}
