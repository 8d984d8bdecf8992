//! `GET /api/v1/audit`, and the job that writes down what was refused.

use super::{
    Entry, Head,
    refused::Attempts,
    store::{self, Filter},
};
use crate::{
    clock::Clock,
    deed::{Act, Attempt, hex},
    http::{
        cursor,
        problem::Refusal,
        query::Params,
        respond::{self, LIST_LIMIT, LIST_LIMIT_DEFAULT, Page},
    },
    storage::{Sqlite, StorageError},
};
use axum::{extract::State, response::Response};
use http::StatusCode;
use rusqlite::Connection;
use serde::Serialize;
use std::{fmt, sync::Arc};

/// The room of the audit.
pub struct Audit {
    sqlite: Sqlite,
    clock: Clock,
    attempts: Attempts,
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Audit(…)")
    }
}

/// A page of the audit, and where the whole of it ended when that was read.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditPage {
    /// Rows, newest first.
    pub items: Vec<Entry>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
    /// To be kept elsewhere.
    pub head: Head,
}

impl Audit {
    /// The room over these records.
    pub fn new(sqlite: Sqlite, clock: Clock) -> Self {
        Self { sqlite, clock, attempts: Attempts::default() }
    }

    /// Counts what was refused; it is written down later.
    pub fn note(&self, attempt: Attempt) {
        self.attempts.note(attempt, self.clock.now());
    }

    /// Says in the log where the audit ends: who keeps the log elsewhere keeps a head with it.
    pub async fn tell_head(&self) {
        match self.sqlite.read(|connection| Ok::<_, StorageError>(store::head(connection)?)).await {
            Ok(Head { count, hash }) => {
                tracing::info!(rows = count, head = %hex(&hash), "the audit ends here");
            }
            Err(error) => tracing::warn!(%error, "where the audit ends could not be read"),
        }
    }

    /// Writes down what was refused in minutes that are over; with `all`, in this one too. What cannot be written stays,
    /// and is counted on.
    pub async fn write_attempts(&self, all: bool) -> Result<(), StorageError> {
        let folded = self.attempts.take(self.clock.now(), all);
        if folded.is_empty() {
            return Ok(());
        }
        let rows = folded.clone();
        let work = move |connection: &Connection| {
            rows.iter().try_for_each(|folded| store::record(connection, &folded.deed()))?;
            Ok::<_, StorageError>(())
        };
        let written = self.sqlite.write(work).await;
        if written.is_err() {
            self.attempts.give_back(folded, self.clock.now());
        }
        written
    }
}

/// `GET /api/v1/audit`: the newest first.
pub async fn list(State(room): State<Arc<Audit>>, params: Params) -> Result<Response, Refusal> {
    let limit = params.number("limit", LIST_LIMIT, LIST_LIMIT_DEFAULT)?;
    let filter = Filter {
        from: params.time("from")?,
        to: params.time("to")?,
        act: params.text("act").map(act_of).transpose()?,
        agent_id: params.text("agentId").map(str::to_owned),
        who: params.text("who").map(str::to_owned),
        before: params.text("cursor").map(cursor::decode::<u64>).transpose()?,
    };
    let work = move |connection: &Connection| {
        Ok::<_, StorageError>((store::list(connection, filter, limit)?, store::head(connection)?))
    };
    let (found, head) = room.sqlite.read(work).await?;
    let Page { items, next_cursor } = Page::new(found, |last: &Entry| cursor::encode(&last.seq));
    Ok(respond::json(StatusCode::OK, &AuditPage { items, next_cursor, head }))
}

fn act_of(word: &str) -> Result<Act, Refusal> {
    Act::from_word(word).ok_or_else(|| {
        let words: Vec<_> = Act::ALL.iter().map(|act| act.as_str()).collect();
        Refusal::parameter("act", format!("one of {} expected", words.join(", ")))
    })
}
