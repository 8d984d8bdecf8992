//! `GET /api/v1/metrics/:agentId` and `…/latest`.

use super::{
    History, Listing, Row,
    plan::{Fields, PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX, Place, Plan, PlanError, Question},
    store::{self, HistoryError},
    table,
};
use crate::{
    http::{
        cursor,
        problem::Refusal,
        query::Params,
        respond::{self, Page, Representation},
    },
    latest::LatestSample,
    standing::{NotLiving, Standing},
    storage::StorageError,
};
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use pingup_protocol::{ids::AgentId, problem::ProblemType, time::Timestamp};
use serde::Serialize;
use std::sync::Arc;

/// The cursor of a page that is not JSON: NDJSON and CSV have no place for it.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

/// Before every timestamp; DuckDB's minus infinity.
const BEGINNING: Timestamp = Timestamp::from_micros(-i64::MAX);

/// `GET /api/v1/metrics/:agentId`: raw rows, or buckets.
pub async fn get(
    State(room): State<Arc<History>>,
    Path(agent_id): Path<String>,
    params: Params,
    form: Representation,
) -> Result<Response, Refusal> {
    let question = Question {
        from: params.time("from")?,
        to: params.time("to")?,
        step: params.duration("step")?,
        fields: params.text("fields"),
        limit: params.number("limit", 1..=PAGE_ITEMS_MAX, PAGE_ITEMS_DEFAULT)?,
        after: params.text("cursor").map(cursor::decode::<Place>).transpose()?,
    };
    let plan = Plan::new(question, room.clock.now())?;
    room.known(&agent_id).await?;
    match plan {
        Plan::Rows(plan) => {
            let fields = plan.fields.clone();
            let ask = move |connection: &duckdb::Connection| store::rows(connection, &agent_id, &plan);
            present(form, room.duck.read(ask).await?, &fields, table::rows).await
        }
        Plan::Buckets(plan) => {
            let fields = plan.fields.clone();
            let ask = move |connection: &duckdb::Connection| store::buckets(connection, &agent_id, &plan);
            present(form, room.duck.read(ask).await?, &fields, table::buckets).await
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

impl History {
    async fn known(&self, agent_id: &str) -> Result<(), Refusal> {
        let (standing, id) = (self.standing, agent_id.to_owned());
        let found =
            self.sqlite.read(move |connection| Ok::<_, StorageError>(standing(connection, &id)?)).await?;
        known(found, agent_id)
    }

    /// The newest of what the sweep noted, the history holds and this run has seen; from then on memory knows.
    async fn newest_on_disk(&self, agent_id: &str) -> Result<Option<LatestSample>, Refusal> {
        let (standing, id) = (self.standing, agent_id.to_owned());
        let ask = move |connection: &rusqlite::Connection| {
            Ok::<_, StorageError>((standing(connection, &id)?, store::noted(connection, &id)?))
        };
        let (found, noted) = self.sqlite.read(ask).await?;
        known(found, agent_id)?;
        let seen = self.latest.get(agent_id).map(|sample| sample.timestamp);
        // What is noted or seen is in the history, so only what is newer has to be looked for.
        let from = seen.max(noted.as_ref().map(|sample| sample.timestamp));
        let from = from.unwrap_or(BEGINNING);
        let id = agent_id.to_owned();
        let stored = self.duck.read(move |connection| store::newest(connection, &id, from)).await?;
        let on_disk = [noted, stored].into_iter().flatten().max_by_key(|sample| sample.timestamp);
        Ok(match AgentId::parse(agent_id) {
            Ok(agent_id) => self.latest.settle(&agent_id, on_disk),
            Err(_) => on_disk,
        })
    }
}

/// What a removed agent left behind can still be read.
fn known(standing: Standing, agent_id: &str) -> Result<(), Refusal> {
    match standing {
        Standing::Living | Standing::Removed => Ok(()),
        Standing::Unknown => {
            let error = NotLiving::Unknown(agent_id.to_owned());
            Err(Refusal::new(error.problem(), error.to_string()))
        }
    }
}

/// Writes a page in the form that was asked for, off the threads that serve connections: it may be large.
async fn present<T: Serialize + Send + 'static>(
    form: Representation,
    listing: Listing<T>,
    fields: &Fields,
    to_table: fn(&[T], &Fields) -> String,
) -> Result<Response, Refusal> {
    let fields = fields.clone();
    let write = move || {
        let Listing { items, next } = listing;
        let next_cursor = next.map(|place| cursor::encode(&place));
        match form {
            Representation::NdJson => {
                lines(&items).map(|text| with_cursor(form.media_type(), text, next_cursor))
            }
            Representation::Csv => Ok(with_cursor(
                "text/csv; charset=utf-8; header=present",
                to_table(&items, &fields),
                next_cursor,
            )),
            Representation::Json | Representation::Text => {
                Ok(respond::json(StatusCode::OK, &Page { items, next_cursor }))
            }
        }
    };
    tokio::task::spawn_blocking(write)
        .await
        .map_err(|error| Refusal::internal("a page could not be written", &error))?
}

fn lines<T: Serialize>(items: &[T]) -> Result<String, Refusal> {
    let mut text = String::new();
    for item in items {
        let line = serde_json::to_string(item)
            .map_err(|error| Refusal::internal("an answer could not be written", &error))?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

fn with_cursor(media_type: &'static str, text: String, next_cursor: Option<String>) -> Response {
    let mut response = (StatusCode::OK, text).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    // A cursor is base64url, which any header takes.
    if let Some(next) = next_cursor.and_then(|next| HeaderValue::from_str(&next).ok()) {
        headers.insert(NEXT_CURSOR, next);
    }
    response
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
        }
    }
}
