//! Batches over HTTP: queued by `POST /api/v1/commands`, watched and taken back here.

use super::{Commands, Neighbours};
use crate::{
    auth::Operator,
    commands::{
        Asked, BATCH_AGENTS_MAX, BatchOrder, BatchProgress, BatchView, Change, CommandsError,
        store::{self, Taken, batch_made_before, find_batch, queue_batch},
    },
    http::{
        cursor,
        problem::Refusal,
        query::Params,
        respond::{self, LIST_LIMIT, LIST_LIMIT_DEFAULT, Page},
    },
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;
use std::sync::Arc;

/// `GET /api/v1/commands/batches/:id`: how many stand how, and a page of who is missing.
pub async fn get_batch(
    State(room): State<Arc<Commands>>,
    Path(batch_id): Path<String>,
    params: Params,
) -> Result<Response, Refusal> {
    let limit = params.number("limit", LIST_LIMIT, LIST_LIMIT_DEFAULT)?;
    let after = params.text("cursor").map(cursor::decode::<String>).transpose()?.unwrap_or_default();
    let now = room.clock.now();
    let (batch, found) = room
        .sqlite
        .read(move |connection| {
            let batch = find_batch(connection, &batch_id, now)?;
            let found = store::missing(connection, &batch, &after, limit, now)?;
            Ok::<_, CommandsError>((batch, found))
        })
        .await?;
    let Page { items: missing, next_cursor } = Page::new(found, |last| cursor::encode(&last.agent_id));
    Ok(respond::json(StatusCode::OK, &BatchProgress { batch, missing, next_cursor }))
}

/// `DELETE /api/v1/commands/batches/:id`: takes back what nobody has seen yet, and has agents end what they have. Again
/// is no error, and changes nothing.
pub async fn cancel_batch(
    State(room): State<Arc<Commands>>,
    Path(batch_id): Path<String>,
    operator: Operator,
) -> Result<Response, Refusal> {
    let now = room.clock.now();
    let work = move |connection: &Connection| {
        let Taken { batch, cancelled, asked } = store::cancel_batch(connection, &batch_id, now)?;
        Ok(((batch, cancelled.len(), asked), cancelled))
    };
    let (batch, cancelled, asked) = room.change(work).await?;
    let (id, operator) = (&batch.batch_id, &operator.name);
    tracing::info!(batch = id, cancelled, asked = asked.len(), ?operator, "batch cancelled");
    asked.iter().for_each(|agent_id| room.wake(agent_id.as_str()));
    Ok(respond::json(StatusCode::OK, &batch))
}

impl Commands {
    /// Queues a batch. 201: all of it is on disk, and its agents are being woken; 200: this key queued it before. Either
    /// way the answer names whom it leaves out.
    pub(super) async fn create_batch(
        &self,
        order: BatchOrder,
        operator: &Operator,
    ) -> Result<Response, Refusal> {
        let (now, neighbours) = (self.clock.now(), self.neighbours);
        let work = move |connection: &Connection| {
            let (view, new) = queue(connection, neighbours, &order, now)?;
            let agents: Option<Vec<_>> =
                new.as_ref().map(|new| new.iter().map(|queued| queued.agent_id.clone()).collect());
            Ok(((view, agents), new.unwrap_or_default()))
        };
        let (view, new) = self.change(work).await?;
        let Some(agents) = new else { return Ok(respond::json(StatusCode::OK, &view)) };
        agents.iter().for_each(|agent_id| self.wake(agent_id.as_str()));
        let (batch, action, operator) = (&view.batch_id, &view.action, &operator.name);
        let left_out = view.left_out_count;
        tracing::info!(batch, agents = agents.len(), left_out, action, ?operator, "batch queued");
        Ok(respond::json(StatusCode::CREATED, &view))
    }
}

/// The batch, and what of it is new.
fn queue(
    connection: &Connection,
    neighbours: Neighbours,
    order: &BatchOrder,
    now: Timestamp,
) -> Result<(BatchView, Option<Vec<Change>>), CommandsError> {
    if let Some(id) = batch_made_before(connection, order)? {
        return Ok((find_batch(connection, &id, now)?, None));
    }
    let agents = match &order.asked {
        Asked::Agents(agents) => {
            for agent_id in agents {
                (neighbours.standing)(connection, agent_id.as_str())?.living(agent_id.as_str())?;
            }
            agents.clone()
        }
        // One more tells that there are too many.
        Asked::Fitting(selector) => (neighbours.select)(connection, selector, BATCH_AGENTS_MAX + 1)?,
    };
    let (id, queued) = queue_batch(connection, order, &agents, now)?;
    Ok((find_batch(connection, &id, now)?, Some(queued)))
}
