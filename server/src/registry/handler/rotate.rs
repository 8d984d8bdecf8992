//! `POST /api/v1/agents/:id/rotate`: the next generation of an agent's keys, or the end of all it has.

use super::{Known, Registry};
use crate::{
    auth::{
        OperatorBody,
        rotation::{Reason, offered},
    },
    deed::{Act, By, Deed},
    generations::{self, Offer},
    http::{problem::Refusal, respond},
    registry::{AgentStatus, RegistryError, RotateBody, store},
    standing::AgentChange,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use rusqlite::Connection;
use std::sync::Arc;

/// `POST /api/v1/agents/:id/rotate`. 200: the next generation is on disk, and is offered until the agent uses it; where one
/// is offered already, nothing changes. With `compromised`: its keys are dead, and so is what it has open.
pub async fn rotate(
    State(room): State<Arc<Registry>>,
    Path(id): Path<String>,
    by: By,
    body: OperatorBody,
) -> Result<Response, Refusal> {
    let RotateBody { compromised } = body.read()?;
    let known = match compromised {
        true => room.compromise(id, by).await?,
        false => room.offer(id, by).await?,
    };
    Ok(respond::json(StatusCode::OK, &room.view(known)))
}

impl Registry {
    async fn offer(&self, id: String, by: By) -> Result<Known, Refusal> {
        self.keyring.check_vouched().await?;
        let (now, material, versioned) = (self.clock.now(), self.keyring.material()?, self.versioned());
        let (record, operator) = (self.neighbours.record, by.name().to_owned());
        let work = move |connection: &Connection| {
            store::find_living(connection, &id)?;
            let offer = generations::offer(connection, &id, material, now)?
                .ok_or(RegistryError::NoKeys(id.clone()))?;
            if offer.is_new {
                record(connection, &offered(&id, &offer.row, Reason::Asked, &by, now))?;
            }
            Ok::<_, RegistryError>((versioned(connection, store::find_living(connection, &id)?)?, offer))
        };
        let keyring = self.keyring.clone();
        let told = move |(known, _): &(Known, Offer)| keyring.forget(known.record.id.as_str());
        let (known, offer) = self.sqlite.write_then(work, told).await?;
        (self.neighbours.call)(known.record.id.as_str());
        let (agent, generation) = (&known.record.id, offer.row.generation);
        tracing::info!(%agent, generation, new = offer.is_new, ?operator, "new keys are offered");
        Ok(known)
    }

    async fn compromise(&self, id: String, by: By) -> Result<Known, Refusal> {
        let (now, versioned) = (self.clock.now(), self.versioned());
        let (record, operator) = (self.neighbours.record, by.name().to_owned());
        let work = move |connection: &Connection| {
            let keys = generations::count(connection, &id)?;
            let before = store::compromise(connection, &id)?.stored_status;
            record(
                connection,
                &Deed::new(Act::KeysCompromised, &by, now).agent(&id).with("keysEnded", keys),
            )?;
            Ok::<_, RegistryError>((versioned(connection, store::find_living(connection, &id)?)?, before))
        };
        let (tell, keyring) = (self.telling(AgentChange::Offline, now), self.keyring.clone());
        let told = move |(known, before): &(Known, AgentStatus)| {
            keyring.forget(known.record.id.as_str());
            if *before == AgentStatus::Online {
                tell(known);
            }
        };
        let (known, _) = self.sqlite.write_then(work, told).await?;
        self.gone(known.record.id.as_str());
        let agent = &known.record.id;
        tracing::warn!(%agent, ?operator, "keys were called compromised, and are dead");
        Ok(known)
    }
}
