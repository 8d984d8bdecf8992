//! Prometheus's HTTP API under `/prometheus/api/v1/`, for Grafana and whoever else speaks it.
//!
//! Parameters come from the URL and from a form ([`params`]), answers and errors go in Prometheus's envelope. What
//! reads series does so in a question's turn, and is written there ([`write`]), packed if the asker takes that: what
//! a turn holds is bounded, and so is what leaves it. Who hangs up ends the question.

mod about;
mod escape;
mod find;
mod json;
mod params;
mod proto;
mod query;
mod read;
mod stats;
mod write;

pub use about::{alerts, buildinfo, flags, metadata, rules, tsdb};
pub use find::{label_values, labels, series};
pub use params::{Asked, SELECTORS_MAX};
pub use query::{format_query, query, query_exemplars, query_range};
pub use read::read;

use super::{Prometheus, Source};
use crate::{
    http::{
        envelope::{Complaint, ErrorType},
        pack::Packing,
        problem::Refusal,
        respond,
    },
    storage::Wanted,
};
use axum::response::Response;
use http::StatusCode;
use pingup_promql::{Cancel, ErrorKind};
use serde::Serialize;

/// Asks the room in a turn, and writes its answer there.
async fn ask(
    room: &Prometheus,
    gzip: bool,
    work: impl FnOnce(&Source, &Cancel, &mut Packing<'_>) -> Result<(), Complaint> + Send + 'static,
) -> Result<Response, Complaint> {
    let outbox = room.outbox().clone();
    let write = move |source: &Source, cancel: &Cancel, wanted: &Wanted| {
        let mut out = Packing::new(gzip, wanted);
        work(source, cancel, &mut out)?;
        out.finish(&outbox)
    };
    room.ask(write).await
}

/// A short answer that needs no turn.
fn success(data: &impl Serialize) -> Response {
    #[derive(Serialize)]
    struct Success<'a, T> {
        status: &'static str,
        data: &'a T,
    }
    respond::json(StatusCode::OK, &Success { status: "success", data })
}

/// Works on a text off the threads that serve: it may be long.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Complaint> + Send + 'static,
) -> Result<T, Complaint> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Refusal::internal("a query could not be read", &error).into()))
}

/// What a query ended with. A text that is no query is its parameter's fault.
fn complaint(error: &pingup_promql::Error) -> Complaint {
    let kind = match error.kind() {
        ErrorKind::Query => return Complaint::parameter("query", error),
        ErrorKind::Execution | ErrorKind::Limit => ErrorType::Execution,
        ErrorKind::Timeout => ErrorType::Timeout,
        ErrorKind::Cancelled => ErrorType::Canceled,
        // What failed was logged where it failed; or nobody waits any more.
        ErrorKind::Source => ErrorType::Internal,
    };
    Complaint::Error(kind, error.to_string())
}
