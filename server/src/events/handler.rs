//! `GET /api/v1/events`: what happens, as server-sent events.

use super::{EventStream, Events, STREAMS_MAX, filter::Filter};
use crate::{
    auth::Stay,
    http::{problem::Refusal, query::Params, respond},
};
use axum::{body::Body, extract::State, response::Response};
use bytes::Bytes;
use futures_util::stream::unfold;
use http::HeaderMap;
use pingup_protocol::problem::ProblemType;
use std::{convert::Infallible, sync::Arc};

/// Where a reader that comes back says what it saw last.
const LAST_EVENT_ID: &str = "last-event-id";
/// When to come back for a place among the streams.
const TOO_MANY_RETRY_SECONDS: u64 = 30;

/// `GET /api/v1/events`. An id that is not known is not refused: the stream begins with `reset` instead.
pub async fn get(
    State(room): State<Arc<Events>>,
    until: Stay,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let wanted = Filter::read(&params)?;
    // One that is no text is an unknown one.
    let last_id = headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or_default());
    let stream = room.stream(wanted, last_id, until).ok_or_else(|| {
        let detail =
            format!("{STREAMS_MAX} streams of events are open, and no more are; close one, or come back");
        Refusal::new(ProblemType::Overloaded, detail).retry_after(TOO_MANY_RETRY_SECONDS)
    })?;
    Ok(respond::event_stream(body(stream)))
}

fn body(stream: EventStream) -> Body {
    let parts = unfold(stream, |mut stream| async {
        let text = stream.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), stream))
    });
    Body::from_stream(parts)
}
