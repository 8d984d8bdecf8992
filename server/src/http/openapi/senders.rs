//! The doors for senders of series, in words and types. What travels is described by its protocols' own documents.

use super::routes::{Answer, Doc, Schemas, ok};
use crate::http::{
    body::Kind,
    rules::{Dialect, Rules},
    senders::{Encoding, WRITE},
};
use serde::Serialize;
use utoipa::openapi::{
    Content, Ref, RefOr, Required, Schema,
    request_body::{RequestBody, RequestBodyBuilder},
    schema::{ObjectBuilder, Type},
};

/// `google.rpc.Status`: why an OTLP request was refused.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Status {
    /// One of `google.rpc.Code`.
    code: u32,
    /// What was wrong.
    message: String,
}

/// What cannot be stored of a request, or all of it cannot: no refusal of the porch, so this page has a name for it.
pub(super) const BAD_SAMPLES: (u16, &str) = (400, "bad-samples");

/// The description of a route.
pub(super) fn doc(path: &str) -> Option<Doc> {
    Some(match path {
        WRITE => Doc {
            summary: "Series that others measured, by Prometheus's remote write 1; answered once they are on disk. 400 names what was not stored; the rest is. 503: come back",
            request: None,
            answers: &[Answer { status: 204, what: "On disk", schema: None, signed: false }],
            refusals: &[],
        },
        "/otlp/v1/metrics" => Doc {
            summary: "Series that others measured, by OpenTelemetry's OTLP: gauges, cumulative sums, histograms and summaries; answered once they are on disk. 503: come back",
            request: None,
            answers: const { &[ok("On disk, but for what `partialSuccess` names", answer)] },
            refusals: &[],
        },
        _ => return None,
    })
}

/// What a route takes.
pub(super) fn request(rules: &Rules) -> RequestBody {
    let most = rules.body_bytes_max.unwrap_or_default();
    let message = || Content::new(Some(ObjectBuilder::new().schema_type(Type::String)));
    let body = RequestBodyBuilder::new().required(Some(Required::True));
    match rules.body_kind {
        Kind::Otlp => body
            .description(Some(format!(
                "An `ExportMetricsServiceRequest`, as it is or packed by gzip. At most {most} bytes."
            )))
            .content(Encoding::Protobuf.media_type(), message())
            .content(Encoding::Json.media_type(), message())
            .build(),
        kind => body
            .description(Some(format!(
                "A `prometheus.WriteRequest`, packed by snappy. At most {most} bytes."
            )))
            .content(kind.media_type(), message())
            .build(),
    }
}

/// How a refusal leaves.
pub(super) fn refusal(dialect: Dialect) -> Vec<(&'static str, Content)> {
    let text = || Content::new(Some(ObjectBuilder::new().schema_type(Type::String)));
    match dialect {
        Dialect::Otlp(_) => vec![
            (Encoding::Protobuf.media_type(), text()),
            (Encoding::Json.media_type(), Content::new(Some(Ref::from_schema_name("Status")))),
        ],
        _ => vec![("text/plain", text())],
    }
}

fn answer(_: &mut Schemas) -> RefOr<Schema> {
    let partial = ObjectBuilder::new()
        .property("rejectedDataPoints", ObjectBuilder::new().schema_type(Type::String))
        .property("errorMessage", ObjectBuilder::new().schema_type(Type::String));
    RefOr::T(ObjectBuilder::new().property("partialSuccess", partial).into())
}
