//! `GET /api/v1/discovery/:agentId`, `…/latest` and `…/changes`.

use super::{
    Discovery, DiscoveryError, Listing, PAGE_SCANS_DEFAULT, PAGE_SCANS_MAX, Place, Range, changes, told,
};
use crate::{
    http::{
        cursor,
        problem::Refusal,
        query::Params,
        respond::{self, Page},
    },
    standing::{NotLiving, Standing},
    storage::StorageError,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use pingup_protocol::{ids::AgentId, problem::ProblemType};
use std::sync::Arc;

/// `GET /api/v1/discovery/:agentId`: scans, newest first.
pub async fn get(
    State(room): State<Arc<Discovery>>,
    Path(agent_id): Path<String>,
    params: Params,
) -> Result<Response, Refusal> {
    let range = range(&params)?;
    let (agent, outbox) = (room.known(agent_id).await?, room.readers.outbox().clone());
    let take = move |page: told::Page, next: Option<Place>, wanted: &_| {
        let next_cursor = next.map(|place| cursor::encode(&place));
        respond::long(page.end(next_cursor.as_deref())?, &outbox, wanted)
    };
    room.tell_page(agent, range, take).await
}

/// `GET /api/v1/discovery/:agentId/latest`: the newest scan.
pub async fn latest(
    State(room): State<Arc<Discovery>>,
    Path(agent_id): Path<String>,
) -> Result<Response, Refusal> {
    let none = Refusal::new(ProblemType::NotFound, format!("no scan of agent {agent_id:?} yet"));
    let (agent, outbox) = (room.known(agent_id).await?, room.readers.outbox().clone());
    let tell = move |mut page: Listing, wanted: &_| {
        let newest = page.items.pop().ok_or(none)?;
        respond::long(told::one(newest)?, &outbox, wanted)
    };
    room.tell(agent, Range::ALL, tell).await
}

/// `GET /api/v1/discovery/:agentId/changes`: what changed with each scan, newest first.
pub async fn changes(
    State(room): State<Arc<Discovery>>,
    Path(agent_id): Path<String>,
    params: Params,
) -> Result<Response, Refusal> {
    let asked = range(&params)?;
    // The scan before the first of a time may lie before that time.
    let range = Range { from: Range::ALL.from, ..asked };
    let (agent, outbox) = (room.known(agent_id).await?, room.readers.outbox().clone());
    let tell = move |page: Listing, before: Option<_>, wanted: &_| {
        let (items, next) = changes::of(page, before, asked.from, wanted)?;
        let next_cursor = next.map(|place| cursor::encode(&place));
        respond::long_json(Page { items, next_cursor }, &outbox, wanted)
    };
    room.tell_beside(agent, range, tell).await
}

/// What is asked for.
fn range(params: &Params) -> Result<Range, Refusal> {
    let limit = params.number("limit", 1..=PAGE_SCANS_MAX, PAGE_SCANS_DEFAULT)?;
    let range = Range {
        from: params.time("from")?.unwrap_or(Range::ALL.from),
        to: params.time("to")?.unwrap_or(Range::ALL.to),
        before: params.text("cursor").map(cursor::decode::<Place>).transpose()?.unwrap_or(Range::ALL.before),
        limit: usize::try_from(limit).unwrap_or(1),
        with_hosts: match params.text("hosts") {
            None | Some("list") => true,
            Some("count") => false,
            Some(_) => return Err(Refusal::parameter("hosts", "list or count expected")),
        },
    };
    match range.from < range.to {
        true => Ok(range),
        false => Err(Refusal::parameter("from", "must lie before to")),
    }
}

impl Discovery {
    async fn known(&self, agent_id: String) -> Result<AgentId, Refusal> {
        let (standing, id) = (self.standing, agent_id.clone());
        let found =
            self.sqlite.read(move |connection| Ok::<_, StorageError>(standing(connection, &id)?)).await?;
        match (found, AgentId::parse(&agent_id)) {
            // What a removed agent left behind can still be read.
            (Standing::Living | Standing::Removed, Ok(agent)) => Ok(agent),
            _ => {
                let error = NotLiving::Unknown(agent_id);
                Err(Refusal::new(error.problem(), error.to_string()))
            }
        }
    }
}

impl From<DiscoveryError> for Refusal {
    fn from(error: DiscoveryError) -> Self {
        match error {
            DiscoveryError::Storage(error) => error.into(),
            DiscoveryError::File(_) | DiscoveryError::Unlike | DiscoveryError::Hosts(_) => {
                Self::internal("scans could not be read", &error)
            }
        }
    }
}
