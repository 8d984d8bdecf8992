//! `otlp`: OpenTelemetry's metrics over HTTP, in protobuf and in JSON, as they are or packed by gzip.
//!
//! Points are numbers that were true at a moment: gauges, sums that add up from a start (cumulative), and histograms and
//! summaries that do. What only tells a difference (delta) is left out and told: it is a number only together with all
//! that came before, and a hub that adds up would count a repeated request twice.
//!
//! The answer to what is left out is 200 with a partial success, as the protocol has it: the sender tells its user, and
//! does not send it again.

mod answer;
mod attributes;
mod decode;
mod json;
mod message;
mod names;
mod sampled;
mod translate;
mod value;

use super::{
    Doors, INLINE_BYTES_MAX, UNPACKED_BYTES_MAX,
    brought::Brought,
    outcome::{Outcome, Unfit},
};
use crate::{
    auth::{Operator, PlainBody},
    http::{
        senders::{self, Encoding},
        unpack::{UnpackError, gunzip},
    },
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use std::{borrow::Cow, sync::Arc};

/// `POST /otlp/v1/metrics`.
pub async fn otlp(
    State(doors): State<Arc<Doors>>,
    sender: Operator,
    headers: HeaderMap,
    body: PlainBody,
) -> Response {
    let encoding = Encoding::of(&headers);
    let packed = headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
    match taken(&doors, sender, encoding, packed, body.0).await {
        Ok((points, outcome)) => answer::taken(encoding, points, outcome),
        Err(Unfit::Bad(why)) => senders::status(encoding, StatusCode::BAD_REQUEST, &why),
        Err(Unfit::Refused(refusal)) => refusal.into_response(),
    }
}

/// How many points were read, and what became of their samples.
async fn taken(
    doors: &Doors,
    sender: Operator,
    encoding: Encoding,
    packed: bool,
    body: Bytes,
) -> Result<(usize, Outcome), Unfit> {
    // How long a packed one will be is only known when it is unpacked.
    let length = if packed { INLINE_BYTES_MAX + 1 } else { body.len() };
    let reading = move |brought: &mut Brought| {
        let body = unpack(packed, &body, brought)?;
        read(encoding, &body, brought)
    };
    doors.take(sender.name, length, reading).await
}

fn unpack<'a>(packed: bool, body: &'a [u8], brought: &mut Brought) -> Result<Cow<'a, [u8]>, UnpackError> {
    Ok(match packed {
        true => Cow::Owned(gunzip(body, UNPACKED_BYTES_MAX, &mut brought.allowance)?),
        false => Cow::Borrowed(body),
    })
}

/// Reads a request, and counts the points that are kept.
fn read(encoding: Encoding, body: &[u8], brought: &mut Brought) -> Result<usize, Unfit> {
    let request = match encoding {
        Encoding::Protobuf => decode::request(body, &mut brought.allowance)?,
        Encoding::Json => json::request(body, &mut brought.allowance)?,
    };
    translate::translate(request, brought)
}

#[cfg(test)]
mod tests;
