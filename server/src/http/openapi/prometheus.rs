//! The routes of Prometheus's API in words and types. What they mean stands in Prometheus's own documentation; what
//! is different here stands in `docs/grafana.md`.

use super::routes::{Answer, Doc, Schemas, ok};
use crate::http::{
    body::Kind,
    envelope::{ErrorType, PREFIX},
    rules::Rules,
};
use serde::Serialize;
use utoipa::openapi::{
    Content, RefOr, Required, Schema,
    request_body::{RequestBody, RequestBodyBuilder},
    schema::{ArrayBuilder, ObjectBuilder, Type},
};

/// Why there is no answer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Failure {
    /// `error`.
    status: String,
    /// Prometheus's word for the kind of failure, e.g. `bad_data`.
    error_type: String,
    /// What was wrong.
    error: String,
}

macro_rules! told {
    ($summary:literal, $what:literal, $data:expr) => {
        Some(Doc { summary: $summary, request: None, answers: const { &[ok($what, $data)] }, refusals: &[] })
    };
}

/// The description of a route.
pub(super) fn doc(path: &str) -> Option<Doc> {
    match path.strip_prefix(PREFIX)?.strip_prefix("api/v1/")? {
        "query" => told!("A PromQL query at one moment", "`resultType` and `result`", object),
        "query_range" => told!("A PromQL query at the steps of a time", "A matrix", object),
        "query_exemplars" => told!("Exemplars of a query's series: there are none", "An empty list", list),
        "format_query" => told!("A PromQL query, made readable", "The query", text),
        "labels" => told!("Names of labels", "They, sorted", list),
        "label/{name}/values" => told!("Values of a label", "They, sorted", list),
        "series" => told!("Series that fulfil any of the selectors", "Their labels", list),
        "read" => told!("Series as they are, in Prometheus's remote read protocol", "Samples", object),
        "metadata" => told!("Type, help and unit of each metric", "By the metric's name", object),
        "rules" => told!("Rules: there are none", "No groups", object),
        "alerts" => told!("Alerts: there are none", "No alerts", object),
        "status/buildinfo" => told!("The version of Prometheus whose API this is", "The version", object),
        "status/flags" => told!("Flags that Prometheus was started with: there are none", "None", object),
        "status/tsdb" => told!("How many series and labels there are", "Counts", object),
        "admin/tsdb/delete_series" => Some(Doc {
            summary: "Deletes series that others wrote, whole: those that fulfil any of the selectors, of one sender if that is named. An agent's own series stay",
            request: None,
            answers: &[Answer { status: 204, what: "They are gone", schema: None, signed: false }],
            refusals: &[],
        }),
        _ => None,
    }
}

/// The failures that a route has beside those of the porch: any whose parameters are read, and more where a query
/// is evaluated.
pub(super) fn failures(path: &str, rules: &Rules) -> &'static [ErrorType] {
    match path.rsplit('/').next() {
        Some("query" | "query_range") => &[ErrorType::BadData, ErrorType::Execution, ErrorType::Timeout],
        Some("series" | "read") => &[ErrorType::BadData, ErrorType::Execution, ErrorType::Timeout],
        _ if rules.query.is_empty() => &[],
        _ => &[ErrorType::BadData, ErrorType::Timeout],
    }
}

/// What a parameter means.
pub(super) fn parameter(name: &str) -> &'static str {
    match name {
        "query" => "PromQL",
        "time" => "The moment: seconds since 1970, or RFC 3339; now without it",
        "start" => "The first moment: seconds since 1970, or RFC 3339",
        "end" => "The last moment: seconds since 1970, or RFC 3339",
        "step" => "From one step to the next: seconds, or a duration such as 1h30m",
        "timeout" => {
            "How long the evaluation may take: seconds, or a duration; no more than the hub's own 25 s"
        }
        "limit" => "How many to answer with; 0 or nothing: all",
        "limit_per_metric" => "How many entries of a metric",
        "lookback_delta" => "How old a sample may be that still counts; five minutes without it",
        "stats" => "Anything: the answer says what the query cost",
        "match[]" => "A series selector; of several, any may be fulfilled",
        "sender" => "The name of a sender's token: only series that this one wrote first",
        "metric" => "Only this metric",
        "name" => "The label's name; one that a path cannot hold as U__ and escapes",
        _ => "",
    }
}

/// What a POST takes: its parameters as a form, or a message that Prometheus's own documentation describes.
pub(super) fn request(rules: &Rules) -> RequestBody {
    let most = rules.body_bytes_max.unwrap_or_default();
    let media_type = rules.body_kind.media_type();
    if rules.body_kind == Kind::Snappy {
        let message = ObjectBuilder::new().schema_type(Type::String);
        return RequestBodyBuilder::new()
            .description(Some(format!("A message, packed by snappy. At most {most} bytes.")))
            .required(Some(Required::True))
            .content(media_type, Content::new(Some(message)))
            .build();
    }
    let fields = rules.query.iter().fold(ObjectBuilder::new(), |fields, name| {
        let field = ObjectBuilder::new().schema_type(Type::String).description(Some(parameter(name)));
        match name.ends_with("[]") {
            true => fields.property(*name, ArrayBuilder::new().items(field)),
            false => fields.property(*name, field),
        }
    });
    RequestBodyBuilder::new()
        .description(Some(format!(
            "The same parameters; they come before those of the URL. At most {most} bytes."
        )))
        .required(Some(Required::False))
        .content(media_type, Content::new(Some(fields)))
        .build()
}

fn object(_: &mut Schemas) -> RefOr<Schema> {
    success(ObjectBuilder::new().schema_type(Type::Object).into())
}

fn list(_: &mut Schemas) -> RefOr<Schema> {
    success(ArrayBuilder::new().items(ObjectBuilder::new().build()).into())
}

fn text(_: &mut Schemas) -> RefOr<Schema> {
    success(ObjectBuilder::new().schema_type(Type::String).into())
}

/// Prometheus's envelope around an answer.
fn success(data: Schema) -> RefOr<Schema> {
    let said = || ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::String));
    let envelope = ObjectBuilder::new()
        .property("status", ObjectBuilder::new().schema_type(Type::String).description(Some("`success`")))
        .property("data", RefOr::T(data))
        .property("warnings", said())
        .property("infos", said())
        .required("status")
        .required("data");
    RefOr::T(envelope.into())
}
