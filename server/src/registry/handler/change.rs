//! Operators change agents, and remove them.

use super::{Known, Registry};
use crate::{
    auth::OperatorBody,
    deed::{Act, By, Deed, digest},
    generations,
    http::{problem::Refusal, respond},
    registry::{
        PatchBody, RegistryError, metadata_text,
        store::{self, Change},
    },
    standing::{AgentChange, Untold},
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use pingup_protocol::{labels::Labels, time::Timestamp};
use rusqlite::Connection;
use serde_json::Value;
use std::{cell::Cell, sync::Arc};

/// `PATCH /api/v1/agents/:id`: its name, metadata and labels; what is absent stays.
pub async fn patch(
    State(room): State<Arc<Registry>>,
    Path(id): Path<String>,
    by: By,
    body: OperatorBody,
) -> Result<Response, Refusal> {
    let PatchBody { name, metadata, labels } = body.read()?;
    let change = Change { name, metadata: metadata.map(metadata_text).transpose()?, labels };
    let (versioned, record, now) = (room.versioned(), room.neighbours.record, room.clock.now());
    let work = move |connection: &Connection| {
        let (deed, is_relabelled) = (changed(&change, &by, now), change.labels.is_some());
        let patched = store::patch(connection, &id, change)?;
        if let Some(deed) = deed {
            let deed = if is_relabelled { deed.with("labels", text(&patched.labels)?) } else { deed };
            record(connection, &deed.agent(&id))?;
        }
        Ok::<_, RegistryError>(versioned(connection, patched)?)
    };
    let known = room.sqlite.write(work).await?;
    Ok(respond::json(StatusCode::OK, &room.view(known)))
}

/// What of an agent is changed; none where that is nothing. Name and metadata may hold anything.
fn changed<'a>(change: &Change, by: &'a By, now: Timestamp) -> Option<Deed<'a>> {
    let Change { name, metadata, labels } = change;
    if name.is_none() && metadata.is_none() && labels.is_none() {
        return None;
    }
    let mut deed = Deed::new(Act::AgentChanged, by, now);
    if let Some(name) = name {
        deed = deed.with("nameSha256", name.as_ref().map(|name| digest(name.as_bytes())));
    }
    if let Some(metadata) = metadata {
        deed = deed.with("metadataSha256", digest(metadata.as_bytes()));
    }
    Some(deed)
}

/// Labels as they are now: they steer who is ordered what, so they are told whole.
fn text(labels: &Labels) -> rusqlite::Result<Value> {
    serde_json::to_value(labels).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// `DELETE /api/v1/agents/:id`: 200 means that its key is dead and a tombstone is on disk.
pub async fn remove(
    State(room): State<Arc<Registry>>,
    Path(id): Path<String>,
    by: By,
) -> Result<Response, Refusal> {
    let (now, cancel_open) = (room.clock.now(), Arc::clone(&room.neighbours.cancel_open));
    let (record, operator) = (room.neighbours.record, by.name().to_owned());
    let (versioned, tell) = (room.versioned(), room.telling(AgentChange::Removed, now));
    let work = move |connection: &Connection| {
        let keys = generations::count(connection, &id)?;
        let (removed, cancelled) = store::remove(connection, &id, now, &cancel_open)?;
        record(connection, &Deed::new(Act::AgentRemoved, &by, now).agent(&id).with("keysEnded", keys))?;
        Ok::<_, RegistryError>((versioned(connection, removed)?, Cell::new(Some(cancelled))))
    };
    let told = move |(known, cancelled): &(Known, Cell<Option<Untold>>)| {
        cancelled.take().into_iter().for_each(|cancelled| cancelled());
        tell(known);
    };
    let (known, _) = room.sqlite.write_then(work, told).await?;
    room.gone(known.record.id.as_str());
    tracing::info!(agent = %known.record.id, ?operator, "agent removed");
    Ok(respond::json(StatusCode::OK, &room.view(known)))
}
