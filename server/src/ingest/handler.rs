//! `POST /api/v1/metrics` and `POST /api/v1/discovery`: a verified message in, its commit awaited, the answer out.

use super::{
    Ingest, IngestError, Job,
    accept::{self, Window},
};
use crate::{
    auth::AgentMessage,
    http::{problem::Refusal, respond},
};
use axum::{extract::State, response::Response};
use http::StatusCode;
use pingup_protocol::{
    limits::{BODY_BYTES_MAX, INTEGER_MAX},
    metrics::MetricsBody,
    problem::ProblemType,
};
use std::sync::Arc;

/// Bodies above this are read off the threads that serve connections: a full batch takes milliseconds.
const INLINE_BYTES_MAX: usize = 64 * 1024;

/// `POST /api/v1/metrics`: one sample, or a batch.
pub async fn post_metrics(
    State(room): State<Arc<Ingest>>,
    message: AgentMessage,
) -> Result<Response, Refusal> {
    let window = room.window();
    let body_bytes = message.body_bytes();
    let read = move || {
        let body = message.read_metrics()?;
        if matches!(body, MetricsBody::Single(_)) && body_bytes > BODY_BYTES_MAX {
            let detail = format!("one sample may take {BODY_BYTES_MAX} bytes; only a batch may take more");
            return Err(Refusal::new(ProblemType::PayloadTooLarge, detail));
        }
        Ok(accept::metrics(body, &window)?)
    };
    commit(&room, &window, body_bytes, read).await
}

/// `POST /api/v1/discovery`: one scan.
pub async fn post_discovery(
    State(room): State<Arc<Ingest>>,
    message: AgentMessage,
) -> Result<Response, Refusal> {
    let window = room.window();
    let body_bytes = message.body_bytes();
    let read = move || Ok(accept::discovery(message.read()?, &window)?);
    commit(&room, &window, body_bytes, read).await
}

async fn commit(
    room: &Ingest,
    window: &Window,
    body_bytes: usize,
    read: impl FnOnce() -> Result<Job, Refusal> + Send + 'static,
) -> Result<Response, Refusal> {
    let job = match body_bytes {
        ..=INLINE_BYTES_MAX => read()?,
        _ => tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| Refusal::internal("a body could not be read", &error))??,
    };
    let stored = room.commit(job, window).await?;
    Ok(respond::json(StatusCode::OK, &stored.answer(room.now())))
}

impl From<IngestError> for Refusal {
    fn from(error: IngestError) -> Self {
        let detail = error.to_string();
        match error {
            IngestError::InFuture { .. } => Self::new(ProblemType::TimestampInFuture, detail),
            IngestError::SequenceConflict { .. } => Self::new(ProblemType::SequenceConflict, detail),
            IngestError::BootRetired { min_boot, .. } => {
                let refusal = Self::new(ProblemType::BootRetired, detail);
                // Beyond it there is no boot that a body could name.
                if min_boot <= INTEGER_MAX { refusal.min_boot(min_boot) } else { refusal }
            }
            IngestError::QueueFull
            | IngestError::TooManyLate
            | IngestError::TooManyDays
            | IngestError::Stopping
            | IngestError::NotCommitted => Self::new(ProblemType::Overloaded, detail),
        }
    }
}
