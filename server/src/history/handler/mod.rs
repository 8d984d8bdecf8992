//! `GET /api/v1/metrics/:agentId` and `…/latest`; `GET /api/v1/fleet/metrics` and `/api/v1/fleet/top` ([`fleet`]).

mod fleet;
mod present;

pub use fleet::{FleetTop, fleet, top};

use super::{
    History, HistoryError, Row, newest,
    plan::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX, Place, Plan, PlanError, Question},
};
use crate::{
    http::{
        cursor,
        problem::Refusal,
        query::Params,
        respond::{self, Representation},
    },
    latest::LatestSample,
    standing::{NotLiving, Standing},
    storage::StorageError,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use pingup_protocol::{ids::AgentId, problem::ProblemType, time::Timestamp};
use std::sync::Arc;

/// Before every timestamp.
const BEGINNING: Timestamp = Timestamp::from_micros(-i64::MAX);

/// `GET /api/v1/metrics/:agentId`: raw rows, or buckets.
pub async fn get(
    State(room): State<Arc<History>>,
    Path(agent_id): Path<String>,
    params: Params,
    form: Representation,
) -> Result<Response, Refusal> {
    let plan = Plan::new(question(&params)?, room.clock.now())?;
    let agent = room.known(&agent_id).await?;
    let outbox = room.readers.outbox().clone();
    match plan {
        Plan::Rows(plan) => {
            let fields = plan.fields.clone();
            let tell = move |page, wanted: &_| present::write(form, page, &fields, &outbox, wanted);
            room.rows(agent, plan, tell).await
        }
        Plan::Buckets(plan) => {
            let fields = plan.fields.clone();
            let tell = move |page, wanted: &_| present::write(form, page, &fields, &outbox, wanted);
            room.buckets(Some(agent), plan, tell).await
        }
    }
}

/// `GET /api/v1/metrics/:agentId/latest`: the newest sample.
pub async fn latest(
    State(room): State<Arc<History>>,
    Path(agent_id): Path<String>,
) -> Result<Response, Refusal> {
    let newest = match room.latest.get_settled(&agent_id) {
        Some(sample) => Some(sample),
        None => room.newest_on_disk(&agent_id).await?,
    };
    let LatestSample { timestamp, status, metrics } = newest
        .ok_or_else(|| Refusal::new(ProblemType::NotFound, format!("no sample of agent {agent_id:?} yet")))?;
    Ok(respond::json(StatusCode::OK, &Row { timestamp, status, metrics }))
}

/// What was asked about rows or buckets.
fn question(params: &Params) -> Result<Question<'_>, Refusal> {
    Ok(Question {
        from: params.time("from")?,
        to: params.time("to")?,
        step: params.duration("step")?,
        fields: params.text("fields"),
        limit: params.number("limit", 1..=PAGE_ITEMS_MAX, PAGE_ITEMS_DEFAULT)?,
        after: params.text("cursor").map(cursor::decode::<Place>).transpose()?,
    })
}

impl History {
    async fn known(&self, agent_id: &str) -> Result<AgentId, Refusal> {
        let (standing, id) = (self.standing, agent_id.to_owned());
        let found =
            self.sqlite.read(move |connection| Ok::<_, StorageError>(standing(connection, &id)?)).await?;
        known(found, agent_id)
    }

    /// The newest of what the sweep noted, the history holds and this run has seen; from then on memory knows.
    async fn newest_on_disk(&self, agent_id: &str) -> Result<Option<LatestSample>, Refusal> {
        let (standing, id) = (self.standing, agent_id.to_owned());
        let ask = move |connection: &rusqlite::Connection| {
            Ok::<_, StorageError>((standing(connection, &id)?, newest::noted(connection, &id)?))
        };
        let (found, noted) = self.sqlite.read(ask).await?;
        let agent = known(found, agent_id)?;
        let seen = self.latest.get(agent_id).map(|sample| sample.timestamp);
        // What is noted or seen is in the history, so only what is newer has to be looked for.
        let from = seen.max(noted.as_ref().map(|sample| sample.timestamp));
        let query = newest::Query::new(self.tsdb.view(), agent.clone(), from.unwrap_or(BEGINNING));
        let stored = self.readers.run(move |wanted| query.run(wanted)).await?;
        let on_disk = [noted, stored].into_iter().flatten().max_by_key(|sample| sample.timestamp);
        Ok(self.latest.settle(&agent, on_disk))
    }
}

/// What a removed agent left behind can still be read.
fn known(standing: Standing, agent_id: &str) -> Result<AgentId, Refusal> {
    match (standing, AgentId::parse(agent_id)) {
        (Standing::Living | Standing::Removed, Ok(agent)) => Ok(agent),
        _ => {
            let error = NotLiving::Unknown(agent_id.to_owned());
            Err(Refusal::new(error.problem(), error.to_string()))
        }
    }
}

impl From<PlanError> for Refusal {
    fn from(error: PlanError) -> Self {
        Self::parameter(error.parameter, error.detail)
    }
}

impl From<HistoryError> for Refusal {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Plan(error) => error.into(),
            HistoryError::Storage(error) => error.into(),
            HistoryError::File(_) => Self::internal("a page could not be read", &error),
        }
    }
}
