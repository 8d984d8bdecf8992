//! What the route table cannot say of a route: what it is for, the bodies that travel, refusals of its own.

use super::{prometheus, senders};
use crate::{
    audit::handler::AuditPage,
    commands::{BatchProgress, BatchView, CommandBody, CommandView, ResultAnswer},
    config::ConfigView,
    discovery::{FoundScan, ScanChanges},
    events::Event,
    health::HealthView,
    history::{Bucket, Row, handler::FleetTop},
    registry::{AgentView, PatchBody, Registered, RotateBody},
    sql::handler::{SqlAnswer, SqlBody},
    tokens::{Made, TokenBody, TokenView},
};
use http::Method;
use pingup_protocol::{
    command::{PendingAnswer, ProgressAnswer, ProgressBody, ResultBody},
    config::{ConfigAnswer, ConfigBody},
    discovery::DiscoveryBody,
    enrol::{EnrolAnswer, EnrolBody, RegisterBody},
    heartbeat::{HeartbeatAnswer, HeartbeatBody},
    metrics::{PushAnswer, Sample, SingleBody},
    problem::ProblemType::{self, *},
};
use std::collections::BTreeMap;
use utoipa::{
    ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{AllOfBuilder, ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type},
    },
};

/// Names a schema, and registers it with all that it refers to.
pub(super) type SchemaOf = fn(&mut Schemas) -> RefOr<Schema>;

/// An answer that is no refusal.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) what: &'static str,
    pub(super) schema: Option<SchemaOf>,
    pub(super) signed: bool,
}

/// A route in words and types.
pub(super) struct Doc {
    pub(super) summary: &'static str,
    pub(super) request: Option<SchemaOf>,
    pub(super) answers: &'static [Answer],
    pub(super) refusals: &'static [ProblemType],
}

/// The schemas that were named so far.
#[derive(Default)]
pub(super) struct Schemas(BTreeMap<String, RefOr<Schema>>);

impl Schemas {
    pub(super) fn register<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let mut found = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        self.0.extend(found);
        RefOr::Ref(Ref::from_schema_name(T::name()))
    }

    pub(super) fn all(self) -> impl Iterator<Item = (String, RefOr<Schema>)> {
        self.0.into_iter()
    }
}

fn of<T: ToSchema>(schemas: &mut Schemas) -> RefOr<Schema> {
    schemas.register::<T>()
}

fn page_of<T: ToSchema>(schemas: &mut Schemas) -> RefOr<Schema> {
    page(schemas.register::<T>())
}

fn page(item: RefOr<Schema>) -> RefOr<Schema> {
    RefOr::T(page_with(item).into())
}

fn page_with(item: RefOr<Schema>) -> ObjectBuilder {
    let text_or_null = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new()
        .property("items", ArrayBuilder::new().items(item))
        .property("nextCursor", ObjectBuilder::new().schema_type(text_or_null))
        .required("items")
        .required("nextCursor")
}

/// A page of the history, which also says which tiers were read.
fn history_page(item: RefOr<Schema>) -> RefOr<Schema> {
    let tiers = ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::String));
    RefOr::T(page_with(item).property("tiers", tiers).required("tiers").into())
}

fn rows_or_buckets(schemas: &mut Schemas) -> RefOr<Schema> {
    let either = OneOfBuilder::new().item(schemas.register::<Row>()).item(schemas.register::<Bucket>());
    history_page(RefOr::T(either.into()))
}

fn buckets(schemas: &mut Schemas) -> RefOr<Schema> {
    history_page(schemas.register::<Bucket>())
}

fn one_or_batch(schemas: &mut Schemas) -> RefOr<Schema> {
    let samples = ArrayBuilder::new().items(schemas.register::<Sample>());
    let batch = ObjectBuilder::new()
        .property("agentId", ObjectBuilder::new().schema_type(Type::String))
        .property("boot", ObjectBuilder::new().schema_type(Type::Integer))
        .property("samples", samples)
        .required("agentId")
        .required("boot")
        .required("samples");
    RefOr::T(OneOfBuilder::new().item(schemas.register::<SingleBody>()).item(batch).into())
}

/// A schema with the member that a signature adds.
pub(super) fn signed_by(schema: RefOr<Schema>) -> RefOr<Schema> {
    let signed = RefOr::<Schema>::Ref(Ref::from_schema_name("Signed"));
    RefOr::T(AllOfBuilder::new().item(schema).item(signed).into())
}

fn operator_or_join_token(schemas: &mut Schemas) -> RefOr<Schema> {
    let by_join_token = signed_by(schemas.register::<EnrolBody>());
    RefOr::T(OneOfBuilder::new().item(schemas.register::<RegisterBody>()).item(by_join_token).into())
}

fn registered(schemas: &mut Schemas) -> RefOr<Schema> {
    let by_join_token = signed_by(schemas.register::<EnrolAnswer>());
    RefOr::T(OneOfBuilder::new().item(schemas.register::<Registered>()).item(by_join_token).into())
}

fn config_view_or_signed(schemas: &mut Schemas) -> RefOr<Schema> {
    let for_agent = signed_by(schemas.register::<ConfigAnswer>());
    RefOr::T(OneOfBuilder::new().item(schemas.register::<ConfigView>()).item(for_agent).into())
}

fn command_or_batch(schemas: &mut Schemas) -> RefOr<Schema> {
    RefOr::T(
        OneOfBuilder::new()
            .item(schemas.register::<CommandView>())
            .item(schemas.register::<BatchView>())
            .into(),
    )
}

fn object(_: &mut Schemas) -> RefOr<Schema> {
    RefOr::T(ObjectBuilder::new().schema_type(Type::Object).into())
}

pub(super) const fn ok(what: &'static str, schema: SchemaOf) -> Answer {
    Answer { status: 200, what, schema: Some(schema), signed: false }
}

const fn signed(what: &'static str, schema: SchemaOf) -> Answer {
    Answer { status: 200, what, schema: Some(schema), signed: true }
}

const fn created(what: &'static str, schema: SchemaOf) -> Answer {
    Answer { status: 201, what, schema: Some(schema), signed: false }
}

const fn accepted(what: &'static str, schema: SchemaOf) -> Answer {
    Answer { status: 202, what, schema: Some(schema), signed: false }
}

const SEQUENCE: &[ProblemType] = &[TimestampInFuture, SequenceConflict, BootRetired];
const ONE_AGENT: &[ProblemType] = &[NotFound, Gone];

macro_rules! doc {
    ($summary:literal, $request:expr, [$($answer:expr),*], $refusals:expr) => {
        Some(Doc { summary: $summary, request: $request, answers: const { &[$($answer),*] }, refusals: $refusals })
    };
}

/// The description of a route.
#[rustfmt::skip]
pub(super) fn doc(method: &Method, path: &str) -> Option<Doc> {
    match (method.as_str(), path) {
        ("GET", "/health") => doc!("How the hub does; 503 with the same body when a check fails", None, [ok("Well", of::<HealthView>), Answer { status: 503, what: "A check fails", schema: Some(of::<HealthView>), signed: false }], &[]),
        ("GET", "/metrics") => doc!("The hub's own figures, in Prometheus's text format", None, [Answer { status: 200, what: "Figures", schema: None, signed: false }], &[]),
        ("GET", "/api/v1/openapi.json") => doc!("This document", None, [ok("OpenAPI 3.1", object)], &[]),
        ("GET", "/api/v1/audit") => doc!("What was done to this hub, newest first: by whom, from where, and what came of it. Each row has the hash of the one before in its own; `head` is the end of the chain, to be kept elsewhere", None, [ok("A page", of::<AuditPage>)], &[]),
        ("GET", "/api/v1/events") => doc!("What happens, while it happens, as server-sent events: `agent`, `command` and `scan`, each with data as here. First comes `ready` (with Last-Event-ID: nothing was missed) or `reset` (ask for everything anew); last, where the hub ends it, `end` and why", None, [ok("Events, without an end", of::<Event>)], &[]),
        ("GET", "/api/v1/agents") => doc!("Agents, by id", None, [ok("A page", page_of::<AgentView>)], &[]),
        ("POST", "/api/v1/agents") => doc!("Registers an agent: by an operator, or signed with a join token's key", Some(operator_or_join_token),
            [created("Registered; credentials are shown this once", registered)],
            &[RateLimited, JoinTokenInvalid, JoinTokenExhausted, JoinTokenExpired, TimestampInFuture, MachineAlreadyEnrolled, AgentIdRetired, SignatureMissing, SignatureMalformed]),
        ("GET", "/api/v1/agents/{id}") => doc!("One agent", None, [ok("The agent", of::<AgentView>)], ONE_AGENT),
        ("PATCH", "/api/v1/agents/{id}") => doc!("Changes name, metadata and labels", Some(of::<PatchBody>), [ok("As it is now", of::<AgentView>)], ONE_AGENT),
        ("DELETE", "/api/v1/agents/{id}") => doc!("Removes an agent for good: its key is dead at once, its history is kept", None, [ok("As it was left", of::<AgentView>)], ONE_AGENT),
        ("POST", "/api/v1/agents/{id}/rotate") => doc!("Offers an agent the next generation of its keys, with its next heartbeat, over TLS or loopback; with `compromised` its keys are dead at once, and only a join token that re-keys it gives it others", Some(of::<RotateBody>), [ok("As it is now", of::<AgentView>)], ONE_AGENT),
        ("POST", "/api/v1/agents/{id}/heartbeat") => doc!("The agent is there, or says that it goes", Some(of::<HeartbeatBody>), [signed("Taken, or older than one that was", of::<HeartbeatAnswer>)], &[TimestampInFuture]),
        ("POST", "/api/v1/metrics") => doc!("One sample or a batch; answered once it is on disk", Some(one_or_batch), [ok("On disk", of::<PushAnswer>)], SEQUENCE),
        ("GET", "/api/v1/metrics/{agentId}") => doc!("Samples of a time, or buckets of them with `step`", None, [ok("A page", rows_or_buckets)], &[NotFound]),
        ("GET", "/api/v1/fleet/metrics") => doc!("Buckets of all agents together", None, [ok("A page", buckets)], &[]),
        ("GET", "/api/v1/fleet/top") => doc!("The agents that stand out by one measurement", None, [ok("They, in order", of::<FleetTop>)], &[]),
        ("GET", "/api/v1/metrics/{agentId}/latest") => doc!("The newest sample", None, [ok("The sample", of::<Row>)], &[NotFound]),
        ("POST", "/api/v1/discovery") => doc!("One scan; answered once it is on disk", Some(of::<DiscoveryBody>), [ok("On disk", of::<PushAnswer>)], SEQUENCE),
        ("GET", "/api/v1/discovery/{agentId}") => doc!("Scans of a time, newest first", None, [ok("A page", page_of::<FoundScan>)], &[NotFound]),
        ("GET", "/api/v1/discovery/{agentId}/latest") => doc!("The newest scan", None, [ok("The scan", of::<FoundScan>)], &[NotFound]),
        ("GET", "/api/v1/discovery/{agentId}/changes") => doc!("What appeared, disappeared and changed with each scan of a time since the scan before, newest first", None, [ok("A page", page_of::<ScanChanges>)], &[NotFound]),
        ("POST", "/api/v1/commands") => doc!("Queues a command for one agent, or a batch for many in one write; an agent with too many open commands is left out of a batch, and named. An `order` that is beside it is handed on as it is; it names its agents, and its signatures must be of what is asked", Some(of::<CommandBody>),
            [created("Queued: a command, or a batch", command_or_batch), ok("Queued before, with this idempotencyKey", command_or_batch)], ONE_AGENT),
        ("GET", "/api/v1/commands") => doc!("Commands that are kept, newest first: those that are over go `retention_commands` after they were queued", None, [ok("A page", page_of::<CommandView>)], &[]),
        ("GET", "/api/v1/commands/{id}") => doc!("One command; not found once it is no longer kept", None, [ok("The command", of::<CommandView>)], &[NotFound]),
        ("DELETE", "/api/v1/commands/{id}") => doc!("Cancels a command; one that was handed out is ended by its agent, who says so in its result", None, [ok("Cancelled: nobody had it", of::<CommandView>), accepted("Its agent is told to end it", of::<CommandView>)], &[NotFound, ResultConflict]),
        ("GET", "/api/v1/commands/batches/{id}") => doc!("A batch: how many of its commands stand how, and a page of the agents that are missing and of those it left out. Counted from the commands that are kept: it goes with the last of them", None, [ok("The batch", of::<BatchProgress>)], &[NotFound]),
        ("DELETE", "/api/v1/commands/batches/{id}") => doc!("Cancels what of a batch is pending, and has agents end what they were handed", None, [ok("As it is now", of::<BatchView>)], &[NotFound]),
        ("GET", "/api/v1/commands/pending/{agentId}") => doc!("What the agent is to do, and which of what it has it is to end; with `wait`, held open until there is something", None, [signed("Commands, each signed too", of::<PendingAnswer>)], &[]),
        ("POST", "/api/v1/commands/{id}/progress") => doc!("A command runs, and what it printed since; a piece that the hub has changes nothing", Some(of::<ProgressBody>), [ok("Heard, and on disk", of::<ProgressAnswer>)], &[]),
        ("POST", "/api/v1/commands/{id}/result") => doc!("How a command ended; the same again is 200 too", Some(of::<ResultBody>), [ok("Stored", of::<ResultAnswer>)], &[ResultConflict]),
        ("GET", "/api/v1/config/{agentId}") => doc!("The configuration in force; signed for an agent, who sends a nonce", None, [ok("For an operator, or signed for the agent", config_view_or_signed)], ONE_AGENT),
        ("POST", "/api/v1/config/{agentId}") => doc!("Sets a new version", Some(of::<ConfigBody>), [ok("The new version", of::<ConfigView>)], &[NotFound, Gone, VersionConflict]),
        ("GET", "/api/v1/config/{agentId}/versions") => doc!("Versions, newest first", None, [ok("A page", page_of::<ConfigView>)], ONE_AGENT),
        ("GET", "/api/v1/tokens") => doc!("Operators' tokens, by id: whose, for what, until when, used last when and from where; a week longer than they live", None, [ok("A page", page_of::<TokenView>)], &[]),
        ("POST", "/api/v1/tokens") => doc!("Makes an operator's token; never of a role that the maker's own does not allow", Some(of::<TokenBody>), [created("Made; the token is shown this once", of::<Made>)], &[]),
        ("DELETE", "/api/v1/tokens/{id}") => doc!("Revokes an operator's token: it opens nothing any more, and what was begun with it ends within a second", None, [ok("As it is now", of::<TokenView>)], &[NotFound]),
        ("POST", "/api/v1/sql") => doc!("One SELECT over what the hub has, in DuckDB's SQL, over the views that `query` describes; `now()` is the hub's clock. One question at a time, 25 seconds and some 64 MB unless set otherwise; 422 says in DuckDB's words what is wrong with it", Some(of::<SqlBody>), [ok("The rows", of::<SqlAnswer>)], &[]),
        _ => prometheus::doc(path).or_else(|| senders::doc(path)),
    }
}

/// What a parameter means; the same on every route that has it.
pub(super) fn parameter(name: &str) -> &'static str {
    match name {
        "id" | "agentId" => "An identifier",
        "types" => "Only events of these types: agent, command, scan, with commas between",
        "Last-Event-ID" => "The id of the last event that was seen: the stream goes on behind it",
        "from" => "The first moment, RFC 3339",
        "to" => "The moment behind the last, RFC 3339",
        "step" => {
            "The length of a bucket, e.g. 1m; raw rows without it. One that nothing kept can answer where the range begins is refused, with the next that can"
        }
        "fields" => "Names of measurements, comma-separated; all without it",
        "limit" => "Items on a page",
        "hosts" => "`list`: each scan with its hosts; `count`: only how many they were",
        "cursor" => "`nextCursor` of the page before",
        "status" => "Only those in this state",
        "label" => "Only those with this label, as name:value",
        "batchId" => "Only those of this batch",
        "action" => "Only this action",
        "act" => "Only this act, such as command.queued",
        "who" => "Only what was done by the doer of this name",
        "since" => "Only those queued at or after this moment, RFC 3339",
        "q" => "Part of an id, a name or a hostname, in any case",
        "nonce" => "1 to 128 visible ASCII characters; the signed answer carries it back. Needed from agents",
        "wait" => "Seconds to wait for a command, at most 60",
        "after" => {
            "The last commandSeq that the agent persisted; 2^53 − 1 while it wants no more, and only hears what it is to end"
        }
        _ => "",
    }
}
