//! Batches over HTTP: queued by `POST /api/v1/commands`, watched and taken back here.

use super::{Commands, Neighbours};
use crate::{
    commands::{
        Asked, BATCH_AGENTS_MAX, BatchOrder, BatchProgress, BatchView, Change, CommandsError, deeds,
        store::{self, Taken, batch_made_before, find_batch, queue_batch},
    },
    deed::By,
    http::{
        cursor,
        problem::Refusal,
        query::Params,
        respond::{self, LIST_LIMIT, LIST_LIMIT_DEFAULT, Page},
    },
    storage::Found,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;
use std::sync::Arc;

/// Where the next page of a batch begins, in each of its lists; none in one that is at its end.
type Places = (Option<String>, Option<String>);

/// `GET /api/v1/commands/batches/:id`: how many stand how, and a page of who is missing and of who was left out.
pub async fn get_batch(
    State(room): State<Arc<Commands>>,
    Path(batch_id): Path<String>,
    params: Params,
) -> Result<Response, Refusal> {
    let limit = params.number("limit", LIST_LIMIT, LIST_LIMIT_DEFAULT)?;
    let begin = || (Some(String::new()), Some(String::new()));
    let (missing, left_out) =
        params.text("cursor").map(cursor::decode::<Places>).transpose()?.unwrap_or_else(begin);
    let now = room.clock.now();
    let (mut batch, missing, left_out) = room
        .sqlite
        .read(move |connection| {
            let batch = find_batch(connection, &batch_id, now)?;
            let missing = missing
                .map(|after| store::missing(connection, &batch, &after, limit, now))
                .unwrap_or_else(nobody)?;
            let left_out = left_out
                .map(|after| store::left_out(connection, &batch.batch_id, &after, limit))
                .unwrap_or_else(nobody)?;
            Ok::<_, CommandsError>((batch, missing, left_out))
        })
        .await?;
    let Page { items: missing, next_cursor: missing_next } =
        Page::new(missing, |last| last.agent_id.to_string());
    let Page { items, next_cursor: left_out_next } = Page::new(left_out, |last| last.agent_id.to_string());
    batch.left_out = items;
    let places: Places = (missing_next, left_out_next);
    let next_cursor = (places != (None, None)).then(|| cursor::encode(&places));
    Ok(respond::json(StatusCode::OK, &BatchProgress { batch, missing, next_cursor }))
}

/// `DELETE /api/v1/commands/batches/:id`: takes back what nobody has seen yet, and has agents end what they have. Again
/// is no error, and changes nothing.
pub async fn cancel_batch(
    State(room): State<Arc<Commands>>,
    Path(batch_id): Path<String>,
    by: By,
) -> Result<Response, Refusal> {
    let (now, record, operator) = (room.clock.now(), room.neighbours.record, by.name().to_owned());
    let work = move |connection: &Connection| {
        let Taken { batch, cancelled, asked } = store::cancel_batch(connection, &batch_id, now)?;
        let counts = (cancelled.len(), asked.len());
        // Again is no deed.
        if counts != (0, 0) {
            record(connection, &deeds::batch_cancelled(&batch_id, counts, &by, now))?;
        }
        Ok(((batch, cancelled.len(), asked), cancelled))
    };
    let (batch, cancelled, asked) = room.change(work).await?;
    let id = &batch.batch_id;
    tracing::info!(batch = id, cancelled, asked = asked.len(), ?operator, "batch cancelled");
    asked.iter().for_each(|agent_id| room.wake(agent_id.as_str()));
    Ok(respond::json(StatusCode::OK, &batch))
}

impl Commands {
    /// Queues a batch. 201: all of it is on disk, and its agents are being woken; 200: this key queued it before. Either
    /// way the answer names whom it leaves out.
    pub(super) async fn create_batch(&self, order: BatchOrder, by: By) -> Result<Response, Refusal> {
        let (now, neighbours, operator) = (self.clock.now(), self.neighbours, by.name().to_owned());
        let work = move |connection: &Connection| {
            let (view, new) = queue(connection, neighbours, &order, now)?;
            if let Some(new) = &new {
                (neighbours.record)(connection, &deeds::batch_queued(&view, &order, new, &by))?;
            }
            let agents: Option<Vec<_>> =
                new.as_ref().map(|new| new.iter().map(|queued| queued.agent_id.clone()).collect());
            Ok(((view, agents), new.unwrap_or_default()))
        };
        let (view, new) = self.change(work).await?;
        let Some(agents) = new else { return Ok(respond::json(StatusCode::OK, &view)) };
        agents.iter().for_each(|agent_id| self.wake(agent_id.as_str()));
        let (batch, action) = (&view.batch_id, &view.action);
        let (left_out, signed_by) = (view.left_out_count, view.signed_by.as_deref());
        tracing::info!(batch, agents = agents.len(), left_out, action, ?operator, signed_by, "batch queued");
        Ok(respond::json(StatusCode::CREATED, &view))
    }
}

/// What is found of a list that was at its end before.
const fn nobody<T, E>() -> Result<Found<T>, E> {
    Ok(Found { items: Vec::new(), more: false })
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
