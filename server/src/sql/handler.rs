//! `POST /api/v1/sql`: one question, answered as JSON, NDJSON, CSV or an Arrow stream.

use super::{Answer, Form, QUERY_BYTES_MAX, Question, ROWS_DEFAULT, ROWS_MAX, Sql, SqlError};
use crate::{
    auth::{Operator, OperatorBody},
    http::{
        problem::Refusal,
        respond::{self, Representation},
    },
};
use axum::{extract::State, response::Response};
use http::{HeaderName, HeaderValue};
use pingup_protocol::{
    problem::ProblemType,
    schema::{Checked, SchemaError},
};
use serde::Deserialize;
use std::{sync::Arc, time::Instant};

/// Whether there are more rows than the limit.
const MORE: HeaderName = HeaderName::from_static("x-pingup-more");
const CSV: &str = "text/csv; charset=utf-8; header=present";

/// A question.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlBody {
    /// One SELECT, at most 32768 bytes. It may name these views, moments in UTC, latencies in milliseconds, the other
    /// measurements as the agents send them (cpu, ram and disk in percent):
    /// `metrics` (agent_id VARCHAR, timestamp TIMESTAMP, status VARCHAR, cpu, ram, disk, latency DOUBLE, further
    /// MAP(VARCHAR, DOUBLE)): samples that are kept, one row each;
    /// `discovery` (agent_id VARCHAR, timestamp TIMESTAMP, duration DOUBLE in milliseconds, host_count BIGINT, hosts
    /// STRUCT(ip VARCHAR, latency DOUBLE, ports USMALLINT[], hostname VARCHAR, mac VARCHAR)[]): scans;
    /// `agents_current` (agent_id, name, status VARCHAR, last_seen, created_at TIMESTAMP, hostname, os, arch, version,
    /// ip_address VARCHAR, labels MAP(VARCHAR, VARCHAR), latest_at TIMESTAMP, cpu, ram, disk, latency DOUBLE): agents that
    /// live, with their newest sample;
    /// `commands` (command_id, agent_id VARCHAR, seq BIGINT, batch_id, action, status VARCHAR, timeout_seconds BIGINT,
    /// created_at, expires_at, delivered_at, cancel_asked_at, started_at, finished_at TIMESTAMP, exit_code BIGINT):
    /// commands that are kept.
    pub query: String,
    /// Rows in the answer at most; 10000 without it.
    #[schema(minimum = 1, maximum = 100_000)]
    pub limit: Option<u64>,
}

/// An answer in JSON.
#[derive(Debug, utoipa::ToSchema)]
pub struct SqlAnswer {
    /// What the rows have.
    pub columns: Vec<SqlColumn>,
    /// A list a row, in the columns' order. Whole numbers that a double does not hold, decimals of more than 15 digits and
    /// what is no number are text; moments are RFC 3339.
    #[schema(value_type = Vec<Vec<Object>>)]
    pub rows: Vec<Vec<serde_json::Value>>,
    /// Whether there are more rows than the limit.
    pub more: bool,
}

/// A column of an answer.
#[derive(Debug, utoipa::ToSchema)]
pub struct SqlColumn {
    /// Its name; of several that are called the same, all but the first have a number behind it.
    pub name: String,
    /// Its type, as DuckDB calls it.
    #[schema(rename = "type")]
    pub of: String,
}

impl Checked for SqlBody {
    fn check(&self) -> Result<(), SchemaError> {
        if self.query.len() > QUERY_BYTES_MAX {
            return Err(SchemaError::at("/query", format!("at most {QUERY_BYTES_MAX} bytes expected")));
        }
        if self.query.contains('\0') {
            return Err(SchemaError::at("/query", "a text without U+0000 expected"));
        }
        match self.limit {
            Some(limit) if !(1..=ROWS_MAX).contains(&limit) => {
                Err(SchemaError::at("/limit", format!("1 to {ROWS_MAX} expected")))
            }
            _ => Ok(()),
        }
    }
}

/// `POST /api/v1/sql`.
pub async fn post(
    State(room): State<Arc<Sql>>,
    operator: Operator,
    form: Representation,
    body: OperatorBody,
) -> Result<Response, Refusal> {
    let SqlBody { query, limit } = body.read()?;
    let (media_type, form) = match form {
        Representation::NdJson => (form.media_type(), Form::NdJson),
        Representation::Csv => (CSV, Form::Csv),
        Representation::Arrow => (form.media_type(), Form::Arrow),
        _ => (Representation::Json.media_type(), Form::Json),
    };
    let begun = Instant::now();
    let asked = room.ask(Question { query, limit: limit.unwrap_or(ROWS_DEFAULT), form }).await;
    let Answer { body, rows, more } = asked.inspect_err(|error| {
        tracing::info!(operator = ?operator.name, why = error.word(), "a question in SQL was not answered");
    })?;
    let (bytes, milliseconds) = (body.len(), begun.elapsed().as_millis());
    tracing::info!(operator = ?operator.name, rows, bytes, milliseconds, "a question in SQL was answered");
    let mut response = respond::of(media_type, body);
    response.headers_mut().insert(MORE, HeaderValue::from_static(if more { "true" } else { "false" }));
    Ok(response)
}

impl From<SqlError> for Refusal {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Refused(_) | SqlError::Exhausted | SqlError::Died => {
                let detail = error.to_string();
                let pointed = SchemaError::at("/query", detail.clone()).errors;
                Self::new(ProblemType::SchemaInvalid, detail).with_errors(pointed)
            }
            SqlError::Storage(error) => error.into(),
            SqlError::Engine(_) => Self::internal("a question in SQL could not be answered", &error),
        }
    }
}
