//! `/api/v1/tokens`.

use super::{Made, TokenBody, TokenView};
use crate::{
    auth::{
        Operator, OperatorBody, Operators, Stay,
        operators::{
            Fresh,
            store::{self, CreateError, Maker, Row},
        },
    },
    clock::Clock,
    http::{
        cursor,
        problem::Refusal,
        query::Params,
        respond::{self, LIST_LIMIT, LIST_LIMIT_DEFAULT, Page},
    },
    storage::{Sqlite, StorageError},
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use pingup_protocol::{problem::ProblemType, time::Timestamp};
use rusqlite::Connection;
use std::sync::Arc;

/// The room.
#[derive(Debug)]
pub struct TokensRoom {
    operators: Operators,
    sqlite: Sqlite,
    clock: Clock,
}

impl TokensRoom {
    /// The room over these records.
    pub const fn new(operators: Operators, sqlite: Sqlite, clock: Clock) -> Self {
        Self { operators, sqlite, clock }
    }

    fn view(&self, row: Row, now: Timestamp) -> TokenView {
        let newest = self.operators.last_use(&row.digest);
        TokenView::new(row, newest, now)
    }
}

/// `GET /api/v1/tokens`: all that are kept, by id.
pub async fn list(State(room): State<Arc<TokensRoom>>, params: Params) -> Result<Response, Refusal> {
    let limit = params.number("limit", LIST_LIMIT, LIST_LIMIT_DEFAULT)?;
    let after = params.text("cursor").map(cursor::decode::<String>).transpose()?;
    let work = move |connection: &Connection| {
        Ok::<_, StorageError>(store::list(connection, after.as_deref(), limit)?)
    };
    let found = room.sqlite.read(work).await?;
    let Page { items, next_cursor } = Page::new(found, |last: &Row| cursor::encode(&last.id));
    let now = room.clock.now();
    let items: Vec<_> = items.into_iter().map(|row| room.view(row, now)).collect();
    Ok(respond::json(StatusCode::OK, &Page { items, next_cursor }))
}

/// `POST /api/v1/tokens`. 201: its row is on disk, and it opens doors.
pub async fn create(
    State(room): State<Arc<TokensRoom>>,
    operator: Operator,
    stay: Stay,
    body: OperatorBody,
) -> Result<Response, Refusal> {
    let TokenBody { role, name, ttl_seconds } = body.read()?;
    if !operator.role.allows(role) {
        let detail = format!(
            "a token of the role {} makes none of the role {}",
            operator.role.as_str(),
            role.as_str()
        );
        return Err(Refusal::new(ProblemType::ScopeDenied, detail));
    }
    let now = room.clock.now();
    let whose = Operator { name: name.unwrap_or_else(|| role.as_str().to_owned()), role };
    let seconds = ttl_seconds.unwrap_or(role.ttl_seconds());
    let fresh = Fresh::write(room.operators.tokens(), whose, seconds, now)
        .map_err(|error| Refusal::internal("an operator's token could not be made", &error))?;
    let made_by = Maker { name: operator.name.clone(), token_id: stay.token_id().map(str::to_owned) };
    let row = Row::new(&fresh.token, fresh.digest(), Some(made_by));
    let work = move |connection: &Connection| {
        store::create(connection, &row, now)?;
        Ok::<_, CreateError>(row)
    };
    let row = room.sqlite.write(work).await?;
    room.operators.heed(&row);
    tracing::info!(token = row.id, role = role.as_str(), name = ?row.name, operator = ?operator.name, "token made");
    Ok(respond::json(StatusCode::CREATED, &Made { token: room.view(row, now), bearer: fresh.text }))
}

/// `DELETE /api/v1/tokens/:id`: 200 means that it opens nothing any more. A second time it is 200 too.
pub async fn revoke(
    State(room): State<Arc<TokensRoom>>,
    Path(id): Path<String>,
    operator: Operator,
) -> Result<Response, Refusal> {
    let (now, by) = (room.clock.now(), operator.name.clone());
    let asked = id.clone();
    let work = move |connection: &Connection| {
        Ok::<_, StorageError>(store::revoke(connection, &asked, Some(&by), now)?)
    };
    let Some(row) = room.sqlite.write(work).await? else {
        let detail = format!("there is no token {id:?}; GET /api/v1/tokens lists those there are");
        return Err(Refusal::new(ProblemType::NotFound, detail));
    };
    room.operators.heed(&row);
    tracing::info!(token = row.id, name = ?row.name, operator = ?operator.name, "token revoked");
    Ok(respond::json(StatusCode::OK, &room.view(row, now)))
}

impl From<CreateError> for Refusal {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::TooMany => Self::new(ProblemType::Overloaded, error.to_string()),
            CreateError::Storage(error) => error.into(),
        }
    }
}
