//! An `ExportMetricsServiceResponse`: empty where all points are stored, else a partial success.

use crate::{
    http::{
        protobuf::{put_bytes, put_number},
        respond,
        senders::Encoding,
    },
    series::handler::outcome::Outcome,
};
use axum::response::Response;
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartialSuccess {
    /// A number as JSON has it that may be larger than a double can count.
    rejected_data_points: String,
    error_message: String,
}

/// The answer to a request of which `points` could be read. A histogram's point is several samples; how many points the
/// room left out is told by them, so it may be more than it was, but never more than could be read.
pub(super) fn taken(encoding: Encoding, points: usize, outcome: Outcome) -> Response {
    let read_refused = outcome.refused.count;
    let refused = outcome.refused();
    let by_room = (refused.count - read_refused).min(points);
    let (rejected, message) = (read_refused + by_room, refused.why());
    let body = match encoding {
        Encoding::Protobuf => protobuf(rejected, &message),
        Encoding::Json => json(rejected, message),
    };
    respond::of(encoding.media_type(), body.into())
}

fn protobuf(rejected: usize, message: &str) -> Vec<u8> {
    let mut body = Vec::new();
    if !message.is_empty() {
        let mut partial = Vec::new();
        put_number(&mut partial, 1, rejected as u64);
        put_bytes(&mut partial, 2, message.as_bytes());
        put_bytes(&mut body, 1, &partial);
    }
    body
}

fn json(rejected: usize, error_message: String) -> Vec<u8> {
    let partial = PartialSuccess { rejected_data_points: rejected.to_string(), error_message };
    let partial_success = Some(partial).filter(|partial| !partial.error_message.is_empty());
    serde_json::to_vec(&Answer { partial_success }).unwrap_or_default()
}
