//! `/api/v1/tokens`.

use super::{Made, TokenBody, TokenView};
use crate::{
    auth::{
        Operator, OperatorBody, Operators, Role, Stay,
        operators::{
            Fresh,
            store::{self, CreateError, Maker, Row},
        },
    },
    clock::Clock,
    deed::{Act, By, Record},
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
    record: Record,
}

impl TokensRoom {
    /// The room over these records; what is done is written down by `record`.
    pub const fn new(operators: Operators, sqlite: Sqlite, clock: Clock, record: Record) -> Self {
        Self { operators, sqlite, clock, record }
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
    by: By,
    stay: Stay,
    body: OperatorBody,
) -> Result<Response, Refusal> {
    let TokenBody { role, name, ttl_seconds } = body.read()?;
    let own = by.who.role();
    if !own.is_some_and(|own| own.allows(role)) {
        let own = own.map(Role::as_str).unwrap_or_default();
        let detail = format!("a token of the role {own} makes none of the role {}", role.as_str());
        return Err(Refusal::new(ProblemType::ScopeDenied, detail));
    }
    let now = room.clock.now();
    let whose = Operator { name: name.unwrap_or_else(|| role.as_str().to_owned()), role };
    let seconds = ttl_seconds.unwrap_or(role.ttl_seconds());
    let fresh = Fresh::write(room.operators.tokens(), whose, seconds, now)
        .map_err(|error| Refusal::internal("an operator's token could not be made", &error))?;
    let made_by = Maker { name: by.name().to_owned(), token_id: stay.token_id().map(str::to_owned) };
    let row = Row::new(&fresh.token, fresh.digest(), Some(made_by));
    let (record, operator) = (room.record, by.name().to_owned());
    let work = move |connection: &Connection| {
        store::create(connection, &row, now)?;
        record(connection, &row.deed(Act::TokenCreated, &by, now))?;
        Ok::<_, CreateError>(row)
    };
    let row = room.sqlite.write(work).await?;
    room.operators.heed(&row);
    tracing::info!(token = row.id, role = role.as_str(), name = ?row.name, ?operator, "token made");
    Ok(respond::json(StatusCode::CREATED, &Made { token: room.view(row, now), bearer: fresh.text }))
}

/// `DELETE /api/v1/tokens/:id`: 200 means that it opens nothing any more. A second time it is 200 too.
pub async fn revoke(
    State(room): State<Arc<TokensRoom>>,
    Path(id): Path<String>,
    by: By,
) -> Result<Response, Refusal> {
    let (now, record, operator) = (room.clock.now(), room.record, by.name().to_owned());
    let asked = id.clone();
    let work = move |connection: &Connection| {
        let revoked = store::revoke(connection, &asked, Some(by.name()), now)?;
        // Again is no deed.
        if let Some((row, true)) = &revoked {
            record(connection, &row.deed(Act::TokenRevoked, &by, now))?;
        }
        Ok::<_, StorageError>(revoked.map(|(row, _)| row))
    };
    let Some(row) = room.sqlite.write(work).await? else {
        let detail = format!("there is no token {id:?}; GET /api/v1/tokens lists those there are");
        return Err(Refusal::new(ProblemType::NotFound, detail));
    };
    room.operators.heed(&row);
    tracing::info!(token = row.id, name = ?row.name, ?operator, "token revoked");
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
