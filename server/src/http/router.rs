//! The route table: each row names its method, path, who may come, the body it takes, its query parameters,
//! what it answers with, and its handler. What is not in the table does not exist.
//!
//! Paths under `/prometheus/` are Prometheus's, those under `/otlp/` OpenTelemetry's: their parameters, their words for
//! what is refused ([`Dialect`]).
//!
//! A handler that changes something runs to its end though its client hangs up. Rows that say
//! [`Route::nothing_follows`] go without: all they do once their work is handed over is to wait for the answer.

use super::{
    Porch,
    body::Kind,
    dispatch::Dispatch,
    no_such_method, no_such_path, openapi,
    respond::Representation::{self, Arrow, Csv, EventStream, Json, NdJson, Parquet, Protobuf, Text},
    route::Route,
    rules::{Auth, Dialect, Rules},
    senders,
};
use crate::{
    audit::{self, Audit},
    auth::{Keyring, Role},
    commands::{self, Commands},
    config::{self, Configs},
    discovery::{self, Discovery},
    events::{self, Events},
    figures::{self, FiguresRoom},
    health::{self, Health},
    history::{self, History},
    ingest::{self, Ingest},
    prometheus::{self, Prometheus},
    registry::{self, Registry},
    series::{self, Doors, Series},
    sql::{self, Sql},
    tokens::{self, handler::TokensRoom},
};
use Auth::{Agent, AgentOr, Dashboard, Enrol, Open, Operator};
use Role::{Admin, Operator as Op, Scrape, Viewer, Writer};
use axum::{Router, extract::FromRef, handler::Handler};
use http::Method;
use pingup_protocol::limits::{BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX};
use std::sync::Arc;

const NONE: Option<usize> = None;
const BODY: Option<usize> = Some(BODY_BYTES_MAX);
const BATCH: Option<usize> = Some(BATCH_BODY_BYTES_MAX);
const SERIES: Option<usize> = Some(series::handler::BODY_BYTES_MAX);
const WRITTEN: Option<usize> = Some(series::handler::WRITE_BODY_BYTES_MAX);
const JSON: &[Representation] = &[Json];
const TABLE: &[Representation] = &[Json, NdJson, Csv, Arrow, Parquet];
const ROWS: &[Representation] = &[Json, NdJson, Csv, Arrow];
const SCANS: &[&str] = &["from", "to", "hosts", "limit", "cursor"];
const CHANGES: &[&str] = &["from", "to", "limit", "cursor"];
const AUDIT: &[&str] = &["from", "to", "act", "agentId", "who", "limit", "cursor"];
const HISTORY: &[&str] = &["from", "to", "step", "fields", "limit", "cursor"];
const INSTANT: &[&str] = &["query", "time", "timeout", "limit", "lookback_delta", "stats"];
const RANGE: &[&str] = &["query", "start", "end", "step", "timeout", "limit", "lookback_delta", "stats"];
const EXEMPLARS: &[&str] = &["query", "start", "end"];
const MATCHING: &[&str] = &["match[]", "start", "end", "limit"];
const DELETED: &[&str] = &["match[]", "sender"];
const METADATA: &[&str] = &["metric", "limit", "limit_per_metric"];

/// The table.
#[rustfmt::skip]
pub fn table() -> Vec<Route> {
    use Method as M;
    let mut rows = vec![
        row(M::GET,    "/health",                            Open,                 NONE,  &[],                                      JSON,    health::handler::get),
        row(M::GET,    "/metrics",                           Operator(Scrape),     NONE,  &[],                                      &[Text], figures::handler::get),
        row(M::GET,    "/api/v1/openapi.json",               Open,                 NONE,  &[],                                      JSON,    openapi::get),
        row(M::GET,    "/api/v1/audit",                      Operator(Admin),      NONE,  AUDIT,                                    JSON,    audit::handler::list),
        row(M::GET,    "/api/v1/events",                     Operator(Viewer),     NONE,  &["types", "agentId"],                    &[EventStream], events::handler::get),
        row(M::GET,    "/api/v1/agents",                     Operator(Viewer),     NONE,  &["status", "q", "label", "limit", "cursor"], JSON,    registry::handler::list),
        row(M::POST,   "/api/v1/agents",                     Enrol(Op),            BODY,  &[],                                      JSON,    registry::handler::register),
        row(M::GET,    "/api/v1/agents/{id}",                Operator(Viewer),     NONE,  &[],                                      JSON,    registry::handler::get),
        row(M::PATCH,  "/api/v1/agents/{id}",                Operator(Op),         BODY,  &[],                                      JSON,    registry::handler::patch),
        row(M::DELETE, "/api/v1/agents/{id}",                Operator(Admin),      NONE,  &[],                                      JSON,    registry::handler::remove),
        row(M::POST,   "/api/v1/agents/{id}/rotate",         Operator(Op),         BODY,  &[],                                      JSON,    registry::handler::rotate),
        row(M::POST,   "/api/v1/agents/{id}/heartbeat",      Agent(Some("id")),    BODY,  &[],                                      JSON,    registry::handler::heartbeat),
        row(M::POST,   "/api/v1/metrics",                    Agent(None),          BATCH, &[],                                      JSON,    ingest::handler::post_metrics).nothing_follows(),
        row(M::GET,    "/api/v1/metrics/{agentId}",          Operator(Viewer),     NONE,  HISTORY,                                  TABLE,   history::handler::get),
        row(M::GET,    "/api/v1/metrics/{agentId}/latest",   Operator(Viewer),     NONE,  &[],                                      JSON,    history::handler::latest),
        row(M::GET,    "/api/v1/fleet/metrics",              Operator(Viewer),     NONE,  HISTORY,                                  TABLE,   history::handler::fleet),
        row(M::GET,    "/api/v1/fleet/top",                  Operator(Viewer),     NONE,  &["field", "window", "of", "order", "limit"], JSON, history::handler::top),
        row(M::POST,   "/api/v1/discovery",                  Agent(None),          BATCH, &[],                                      JSON,    ingest::handler::post_discovery).nothing_follows(),
        row(M::GET,    "/api/v1/discovery/{agentId}",        Operator(Viewer),     NONE,  SCANS,                                    JSON,    discovery::handler::get),
        row(M::GET,    "/api/v1/discovery/{agentId}/latest", Operator(Viewer),     NONE,  &[],                                      JSON,    discovery::handler::latest),
        row(M::GET,    "/api/v1/discovery/{agentId}/changes", Operator(Viewer),    NONE,  CHANGES,                                  JSON,    discovery::handler::changes),
        row(M::POST,   "/api/v1/commands",                   Operator(Op),         BATCH, &[],                                      JSON,    commands::handler::create),
        row(M::GET,    "/api/v1/commands",                   Operator(Viewer),     NONE,  &["agentId", "batchId", "status", "action", "since", "limit", "cursor"], JSON, commands::handler::list),
        row(M::GET,    "/api/v1/commands/{id}",              Operator(Viewer),     NONE,  &[],                                      JSON,    commands::handler::get),
        row(M::DELETE, "/api/v1/commands/{id}",              Operator(Op),         NONE,  &[],                                      JSON,    commands::handler::cancel),
        row(M::GET,    "/api/v1/commands/batches/{id}",      Operator(Viewer),     NONE,  &["limit", "cursor"],                     JSON,    commands::handler::get_batch),
        row(M::DELETE, "/api/v1/commands/batches/{id}",      Operator(Op),         NONE,  &[],                                      JSON,    commands::handler::cancel_batch),
        row(M::GET,    "/api/v1/commands/pending/{agentId}", Agent(Some("agentId")), NONE, &["nonce", "wait", "after"],             JSON,    commands::handler::pending),
        row(M::POST,   "/api/v1/commands/{id}/progress",     Agent(None),          BODY,  &[],                                      JSON,    commands::handler::progress),
        row(M::POST,   "/api/v1/commands/{id}/result",       Agent(None),          BODY,  &[],                                      JSON,    commands::handler::result),
        row(M::GET,    "/api/v1/config/{agentId}",           AgentOr("agentId", Viewer), NONE, &["nonce"],                          JSON,    config::handler::get),
        row(M::POST,   "/api/v1/config/{agentId}",           Operator(Op),         BODY,  &[],                                      JSON,    config::handler::post),
        row(M::GET,    "/api/v1/config/{agentId}/versions",  Operator(Viewer),     NONE,  &["limit", "cursor"],                     JSON,    config::handler::versions),
        row(M::GET,    "/api/v1/tokens",                     Operator(Admin),      NONE,  &["limit", "cursor"],                     JSON,    tokens::handler::list),
        row(M::POST,   "/api/v1/tokens",                     Operator(Admin),      BODY,  &[],                                      JSON,    tokens::handler::create),
        row(M::DELETE, "/api/v1/tokens/{id}",                Operator(Admin),      NONE,  &[],                                      JSON,    tokens::handler::revoke),
        row(M::POST,   "/api/v1/sql",                        Operator(Viewer),     BODY,  &[],                                      ROWS,    sql::handler::post).nothing_follows(),
        row(M::GET,    "/prometheus/api/v1/label/{name}/values", Dashboard(Viewer), NONE, MATCHING,                             JSON,    prometheus::handler::label_values),
        row(M::GET,    "/prometheus/api/v1/metadata",        Dashboard(Viewer),    NONE,  METADATA,                                 JSON,    prometheus::handler::metadata),
        row(M::GET,    "/prometheus/api/v1/rules",           Dashboard(Viewer),    NONE,  &[],                                      JSON,    prometheus::handler::rules),
        row(M::GET,    "/prometheus/api/v1/alerts",          Dashboard(Viewer),    NONE,  &[],                                      JSON,    prometheus::handler::alerts),
        row(M::GET,    "/prometheus/api/v1/status/buildinfo", Dashboard(Viewer),   NONE,  &[],                                      JSON,    prometheus::handler::buildinfo),
        row(M::GET,    "/prometheus/api/v1/status/flags",    Dashboard(Viewer),    NONE,  &[],                                      JSON,    prometheus::handler::flags),
        row(M::GET,    "/prometheus/api/v1/status/tsdb",     Dashboard(Viewer),    NONE,  &["limit"],                               JSON,    prometheus::handler::tsdb),
        row(M::POST,   "/prometheus/api/v1/admin/tsdb/delete_series", Dashboard(Admin), BODY, DELETED,                           JSON,    series::handler::delete),
        row(M::POST,   "/prometheus/api/v1/read",            Dashboard(Viewer),    BODY,  &[],                                      &[Protobuf], prometheus::handler::read).takes(Kind::Snappy).nothing_follows(),
        row(M::POST,   senders::WRITE,                       Dashboard(Writer),    WRITTEN, &[],                                    &[Text], series::handler::write).nothing_follows(),
        row(M::POST,   "/otlp/v1/metrics",                   Dashboard(Writer),    SERIES, &[],                                     &[Protobuf, Json], series::handler::otlp).nothing_follows(),
    ];
    rows.extend(asked("/prometheus/api/v1/query",            INSTANT,   prometheus::handler::query));
    rows.extend(asked("/prometheus/api/v1/query_range",      RANGE,     prometheus::handler::query_range));
    rows.extend(asked("/prometheus/api/v1/query_exemplars",  EXEMPLARS, prometheus::handler::query_exemplars));
    rows.extend(asked("/prometheus/api/v1/format_query",     &["query"], prometheus::handler::format_query));
    rows.extend(asked("/prometheus/api/v1/labels",           MATCHING,  prometheus::handler::labels));
    rows.extend(asked("/prometheus/api/v1/series",           MATCHING,  prometheus::handler::series));
    rows
}

/// A question that is asked by GET, or by POST with a form: for dashboards, whose queries may be longer than a URL.
fn asked<H: Handler<T, House> + Sync, T: 'static>(
    path: &'static str,
    query: &'static [&'static str],
    handler: H,
) -> [Route; 2] {
    [
        row(Method::GET, path, Dashboard(Viewer), NONE, query, JSON, handler.clone()),
        row(Method::POST, path, Dashboard(Viewer), BODY, query, JSON, handler).nothing_follows(),
    ]
}

fn row<H: Handler<T, House> + Sync, T: 'static>(
    method: Method,
    path: &'static str,
    auth: Auth,
    body_bytes_max: Option<usize>,
    query: &'static [&'static str],
    offers: &'static [Representation],
    handler: H,
) -> Route {
    let to_the_end = method != Method::GET;
    let dialect = Dialect::at(path);
    let body_kind = match dialect {
        Dialect::Pingup => Kind::Json,
        Dialect::Prometheus => Kind::Form,
        Dialect::RemoteWrite => Kind::Written,
        Dialect::Otlp(_) => Kind::Otlp,
    };
    let rules = Rules { auth, body_bytes_max, body_kind, dialect, query, offers, to_the_end };
    Route::new(method, path, rules, handler)
}

macro_rules! rooms {
    ($($field:ident: $room:ty,)*) => {
        /// The rooms, as handlers reach them.
        #[derive(Clone)]
        #[expect(missing_docs, reason = "each field is the room of its type")]
        pub struct Rooms { $(pub $field: Arc<$room>,)* }

        $(impl FromRef<House> for Arc<$room> {
            fn from_ref(house: &House) -> Self { Arc::clone(&house.0.$field) }
        })*
    };
}

rooms! {
    audit: Audit,
    commands: Commands,
    configs: Configs,
    discovery: Discovery,
    doors: Doors,
    events: Events,
    figures: FiguresRoom,
    health: Health,
    history: History,
    ingest: Ingest,
    prometheus: Prometheus,
    registry: Registry,
    series: Series,
    sql: Sql,
    tokens: TokensRoom,
}

/// All rooms, for handlers to find theirs: a request holds one reference, not one a room.
#[derive(Clone)]
pub(super) struct House(Arc<Rooms>);

/// The table as a service: every row behind its gate.
pub fn router(rooms: Rooms, keyring: &Keyring, porch: &Porch) -> Dispatch {
    let house = House(Arc::new(rooms));
    let mut router = Router::new();
    let mut straight = Vec::new();
    for route in table() {
        let row = route.gated(keyring, porch);
        router = router.route(row.path(), row.routed());
        if !row.path().contains('{') {
            straight.push(row);
        }
    }
    let router =
        router.fallback(no_such_path).method_not_allowed_fallback(no_such_method).with_state(house.clone());
    Dispatch::new(router, straight, house, porch.clone())
}
