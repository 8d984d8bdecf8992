//! Commands as operators queue them: one, or a batch for many.

use super::{Commands, Neighbours};
use crate::{
    auth::OperatorBody,
    commands::{Change, CommandBody, Order, Wanted, deeds, store, verify_order},
    deed::By,
    http::{problem::Refusal, respond},
};
use axum::{extract::State, response::Response};
use http::StatusCode;
use std::sync::Arc;

/// `POST /api/v1/commands`: a command for one agent, or a batch for many.
pub async fn create(
    State(room): State<Arc<Commands>>,
    by: By,
    body: OperatorBody,
) -> Result<Response, Refusal> {
    let body = room.verified(body.read()?).await?;
    match Wanted::new(body)? {
        Wanted::One(order) => room.create_one(order, by).await,
        Wanted::Many(order) => room.create_batch(order, by).await,
    }
}

impl Commands {
    /// The body, if what is signed in it is what it asks. Many signatures are verified off the threads that serve.
    async fn verified(&self, body: CommandBody) -> Result<CommandBody, Refusal> {
        let now = self.clock.now();
        if body.order.is_none() || body.agent_id.is_some() {
            verify_order(&body, now)?;
            return Ok(body);
        }
        let _turn = self.proofs.acquire().await;
        let work = move || verify_order(&body, now).map(|()| body);
        let verified = tokio::task::spawn_blocking(work).await;
        Ok(verified.map_err(|error| Refusal::internal("signatures could not be verified", &error))??)
    }

    /// Queues one command. 201: on disk, and the agent is being woken; 200: this key queued it before.
    async fn create_one(&self, order: Order, by: By) -> Result<Response, Refusal> {
        let (now, Neighbours { standing, record, .. }) = (self.clock.now(), self.neighbours);
        let (agent_id, operator) = (order.agent_id.clone(), by.name().to_owned());
        let (view, new) = self
            .change(move |connection| {
                standing(connection, order.agent_id.as_str())?.living(order.agent_id.as_str())?;
                let (view, new) = store::queue(connection, &order, now)?;
                if !new {
                    return Ok(((view, new), Vec::new()));
                }
                record(connection, &deeds::queued(&view, &order, &by))?;
                let changes = vec![Change::of(&view, now)];
                Ok(((view, new), changes))
            })
            .await?;
        if new {
            self.wake(agent_id.as_str());
            let (command, action, signed_by) = (&view.command_id, &view.action, view.signed_by.as_deref());
            tracing::info!(agent = %agent_id, command, action, ?operator, signed_by, "command queued");
        }
        Ok(respond::json(if new { StatusCode::CREATED } else { StatusCode::OK }, &view))
    }
}
