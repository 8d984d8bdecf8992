//! `GET /api/v1/discovery/:agentId`, `…/latest` and `…/changes`.

use super::{
    Discovery, DiscoveryError, FoundScan, Listing, PAGE_SCANS_DEFAULT, PAGE_SCANS_MAX, Place, Range,
    ScanChanges,
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
use http::StatusCode;
use pingup_protocol::{discovery::Host, ids::AgentId, problem::ProblemType, time::Timestamp};
use serde::Serialize;
use std::sync::Arc;

/// `GET /api/v1/discovery/:agentId`: scans, newest first.
pub async fn get(
    State(room): State<Arc<Discovery>>,
    Path(agent_id): Path<String>,
    params: Params,
) -> Result<Response, Refusal> {
    let range = range(&params)?;
    let Listing { items, next } = room.scans(agent_id, range).await?;
    let next_cursor = next.map(|place| cursor::encode(&place));
    write(Page { items, next_cursor }).await
}

/// `GET /api/v1/discovery/:agentId/latest`: the newest scan.
pub async fn latest(
    State(room): State<Arc<Discovery>>,
    Path(agent_id): Path<String>,
) -> Result<Response, Refusal> {
    let none = Refusal::new(ProblemType::NotFound, format!("no scan of agent {agent_id:?} yet"));
    let newest = room.scans(agent_id, Range::ALL).await?.items.pop();
    write(newest.ok_or(none)?).await
}

/// `GET /api/v1/discovery/:agentId/changes`: what changed with each scan, newest first.
pub async fn changes(
    State(room): State<Arc<Discovery>>,
    Path(agent_id): Path<String>,
    params: Params,
) -> Result<Response, Refusal> {
    let range = range(&params)?;
    // The scan before the first of the range may lie before the range.
    let Listing { mut items, next } =
        room.scans(agent_id.clone(), Range { from: Range::ALL.from, ..range }).await?;
    let told = items.iter().take_while(|scan| scan.timestamp >= range.from).count();
    let mut next_cursor = None;
    if let Some(place) = next.filter(|_| told == items.len()) {
        // The page's last scan is compared with the next page's first.
        let before = room.scans(agent_id, Range { before: place, ..Range::ALL }).await?.items;
        let more = before.first().is_some_and(|scan| scan.timestamp >= range.from);
        next_cursor = more.then(|| cursor::encode(&place));
        items.extend(before);
    }
    blocking(move || {
        compare(&items, told).map(|items| respond::json(StatusCode::OK, &Page { items, next_cursor }))
    })
    .await?
}

/// What changed with each of the first `told` of `scans`, the newest first.
fn compare(scans: &[FoundScan], told: usize) -> Result<Vec<ScanChanges>, Refusal> {
    let read = |scan: &FoundScan| -> Result<(Timestamp, Vec<Host>), DiscoveryError> {
        Ok((scan.timestamp, serde_json::from_str(scan.hosts.get())?))
    };
    let mut changes = Vec::with_capacity(told);
    // Two are read at a time: a page of them may be large.
    let mut next = scans.first().map(read).transpose()?;
    for place in 1..=told {
        let Some((at, hosts)) = next else { break };
        next = scans.get(place).map(read).transpose()?;
        let before = next.as_ref().map(|(at, hosts)| (*at, hosts.as_slice()));
        changes.push(ScanChanges::between(before, (at, &hosts)));
    }
    Ok(changes)
}

/// What is asked for.
fn range(params: &Params) -> Result<Range, Refusal> {
    let limit = params.number("limit", 1..=PAGE_SCANS_MAX, PAGE_SCANS_DEFAULT)?;
    let range = Range {
        from: params.time("from")?.unwrap_or(Range::ALL.from),
        to: params.time("to")?.unwrap_or(Range::ALL.to),
        before: params.text("cursor").map(cursor::decode::<Place>).transpose()?.unwrap_or(Range::ALL.before),
        limit: usize::try_from(limit).unwrap_or(1),
    };
    match range.from < range.to {
        true => Ok(range),
        false => Err(Refusal::parameter("from", "must lie before to")),
    }
}

impl Discovery {
    async fn scans(&self, agent_id: String, range: Range) -> Result<Listing, Refusal> {
        let (standing, id) = (self.standing, agent_id.clone());
        let found =
            self.sqlite.read(move |connection| Ok::<_, StorageError>(standing(connection, &id)?)).await?;
        match (found, AgentId::parse(&agent_id)) {
            // What a removed agent left behind can still be read.
            (Standing::Living | Standing::Removed, Ok(agent)) => Ok(self.page(agent, range).await?),
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
            DiscoveryError::Columns | DiscoveryError::Hosts(_) => {
                Self::internal("scans could not be read", &error)
            }
        }
    }
}

async fn write(body: impl Serialize + Send + 'static) -> Result<Response, Refusal> {
    blocking(move || respond::json(StatusCode::OK, &body)).await
}

/// Makes an answer off the threads that serve connections: scans may be large.
async fn blocking<T: Send + 'static>(make: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(make)
        .await
        .map_err(|error| Refusal::internal("a page could not be written", &error))
}
