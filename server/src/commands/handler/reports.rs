//! What agents say of their commands: that they run, and how they ended.

use super::Commands;
use crate::{
    auth::AgentMessage,
    commands::{
        Change, ResultAnswer,
        store::{self, Piece},
    },
    http::{problem::Refusal, respond},
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use pingup_protocol::{
    command::{ProgressAnswer, ProgressBody, ResultBody},
    schema::SchemaError,
};
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
    let (now, seq, by, named) =
        (room.clock.now(), body.command_seq, body.agent_id.clone(), command_id.clone());
    let piece = Piece { started_at: body.started_at, offset: body.offset, output: body.output };
    let placed = room
        .sqlite
        .write(move |connection| store::keep_progress(connection, &by, (&named, seq), &piece, now))
        .await?;
    let (agent_id, status) = (body.agent_id, placed.status);
    if placed.new {
        room.teller.tell(vec![Change { command_id: command_id.clone(), agent_id, status, at: now }]);
    }
    let answer = ProgressAnswer { command_id, status, output_bytes: placed.output_bytes, server_time: now };
    Ok(respond::json(StatusCode::OK, &answer))
}

/// `POST /api/v1/commands/:id/result`. 200: on disk, now or before.
pub async fn result(
    State(room): State<Arc<Commands>>,
    Path(command_id): Path<String>,
    message: AgentMessage,
) -> Result<Response, Refusal> {
    let body: ResultBody = message.read()?;
    same_command(&body.command_id, &command_id)?;
    let (now, agent_id, seq) = (room.clock.now(), body.agent_id.clone(), body.command_seq);
    let outcome = body.into();
    let (by, named) = (agent_id.clone(), command_id.clone());
    let (status, new) = room
        .sqlite
        .write(move |connection| store::keep_result(connection, &by, (&named, seq), &outcome, now))
        .await?;
    if new {
        room.teller.tell(vec![Change { command_id: command_id.clone(), agent_id, status, at: now }]);
    }
    Ok(respond::json(StatusCode::OK, &ResultAnswer { command_id, status, server_time: now }))
}

fn same_command(in_body: &str, in_path: &str) -> Result<(), SchemaError> {
    match in_body == in_path {
        true => Ok(()),
        false => Err(SchemaError::at("/commandId", "the command that the path names expected")),
    }
}
