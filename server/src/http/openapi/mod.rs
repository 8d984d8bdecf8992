//! `GET /api/v1/openapi.json`: OpenAPI 3.1, made from the route table and the types that travel.
//!
//! Method, path, who may come, body cap and query parameters are the table's; what cannot be read off it
//! (words, bodies, answers, refusals of its own) stands in [`routes`]. A test holds the two together.

mod prometheus;
mod routes;
mod senders;

use super::{
    envelope::ErrorType,
    problem::Refusal,
    respond::{self, Representation},
    route::Route,
    router::table,
    rules::{Auth, Dialect, Rules},
};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use pingup_protocol::{
    plain,
    problem::{MEDIA_TYPE, Problem, ProblemType},
};
use routes::{Answer, Doc, Schemas};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};
use utoipa::openapi::{
    self, ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, Paths, Ref, RefOr, Required,
    Schema,
    header::{Header, HeaderBuilder},
    path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::{RequestBody, RequestBodyBuilder},
    response::ResponseBuilder,
    schema::{ObjectBuilder, Type},
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};

/// `GET /api/v1/openapi.json`. Anyone may ask for it, so it is written once: readers who take nothing share what they do not take.
pub async fn get() -> Response {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let written = || serde_json::to_vec(&document()).map(plain::json);
    let bytes = match DOCUMENT.get() {
        Some(bytes) => bytes,
        None => match written() {
            Ok(bytes) => DOCUMENT.get_or_init(|| bytes.into()),
            Err(error) => {
                return Refusal::internal("an answer could not be written", &error).into_response();
            }
        },
    };
    respond::of(Representation::Json.media_type(), bytes.clone())
}

fn document() -> OpenApi {
    let mut schemas = Schemas::default();
    schemas.register::<Problem>();
    schemas.register::<prometheus::Failure>();
    schemas.register::<senders::Status>();
    let mut paths = Paths::new();
    for route in table() {
        let Some(doc) = routes::doc(&route.method, route.path) else { continue };
        let operation = operation(&route, doc, &mut schemas);
        paths.add_path_operation(route.path, vec![method(&route)], operation);
    }
    let bearer = |format: &str, what: &str| {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format(format);
        SecurityScheme::Http(scheme.description(Some(what)).build())
    };
    let password = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some("An operator's token as the password, under any name."))
        .build();
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas.all())
        .schema("Signed", signed_member())
        .security_scheme("password", SecurityScheme::Http(password))
        .security_scheme("operator", bearer("JWT", "An operator's token: `pingup-server token create`, or one of the OpenID provider that the hub trusts."))
        .security_scheme("agent", bearer("JWT", "An agent's token, handed over at registration."))
        .build();
    let info = InfoBuilder::new().title("pingup hub").version(env!("CARGO_PKG_VERSION")).description(Some(
        "Agents' doors are signed as docs/protocol.md says; operators' doors take a bearer token.",
    ));
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).build()
}

fn method(route: &Route) -> HttpMethod {
    match route.method.as_str() {
        "POST" => HttpMethod::Post,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn operation(route: &Route, doc: Doc, schemas: &mut Schemas) -> Operation {
    let mut operation = OperationBuilder::new().summary(Some(doc.summary));
    for parameter in parameters(route) {
        operation = operation.parameter(parameter);
    }
    for scheme in schemes(route.rules.auth) {
        let requirement = match *scheme {
            "" => SecurityRequirement::default(),
            scheme => SecurityRequirement::new::<_, [&str; 0], &str>(scheme, []),
        };
        operation = operation.security(requirement);
    }
    if let Some(request) = doc.request {
        operation = operation.request_body(Some(request_body(&request(schemas), &route.rules)));
    } else if route.rules.body_bytes_max.is_some() {
        operation = match route.rules.dialect {
            Dialect::Pingup => operation,
            Dialect::Prometheus => operation.request_body(Some(prometheus::request(&route.rules))),
            Dialect::RemoteWrite | Dialect::Otlp(_) => {
                operation.request_body(Some(senders::request(&route.rules)))
            }
        };
    }
    for answer in doc.answers {
        let status = answer.status.to_string();
        operation = operation.response(status, success(answer, &route.rules, schemas));
    }
    for (status, names) in refusals(route, &doc) {
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        let named = |schema: &str| Content::new(Some(Ref::from_schema_name(schema)));
        let contents = match route.rules.dialect {
            Dialect::Pingup => vec![(MEDIA_TYPE, named("Problem"))],
            Dialect::Prometheus => vec![(Representation::Json.media_type(), named("Failure"))],
            senders => senders::refusal(senders),
        };
        let mut response = ResponseBuilder::new().description(names);
        for (media_type, content) in contents {
            response = response.content(media_type, content);
        }
        response = match status {
            401 => response.header("WWW-Authenticate", header("The schemes that are asked for")),
            405 => response.header("Allow", header("The methods of this path")),
            429 | 503 => response.header("Retry-After", header("Seconds to wait")),
            _ => response,
        };
        operation = operation.response(status.to_string(), response.build());
    }
    operation.build()
}

/// The names of a route's refusals, by status.
fn refusals(route: &Route, doc: &Doc) -> BTreeMap<u16, BTreeSet<&'static str>> {
    let mut names: BTreeMap<u16, BTreeSet<&'static str>> = BTreeMap::new();
    let described = |kind: &&ProblemType| doc.answers.iter().all(|answer| answer.status != kind.status());
    for &kind in general_refusals(&route.rules).iter().chain(doc.refusals).filter(described) {
        let name = match route.rules.dialect {
            Dialect::Prometheus => ErrorType::from(kind).name(),
            Dialect::Pingup | Dialect::RemoteWrite | Dialect::Otlp(_) => kind.name(),
        };
        names.entry(kind.status()).or_default().insert(name);
    }
    if route.rules.dialect == Dialect::Prometheus {
        for failure in prometheus::failures(route.path, &route.rules) {
            names.entry(failure.status()).or_default().insert(failure.name());
        }
    }
    if route.rules.dialect.is_senders() {
        let (status, name) = senders::BAD_SAMPLES;
        names.entry(status).or_default().insert(name);
    }
    names
}

const fn schemes(auth: Auth) -> &'static [&'static str] {
    match auth {
        Auth::Open => &[],
        Auth::Operator(_) => &["operator"],
        Auth::Dashboard(_) => &["operator", "password"],
        // Or nobody's: a join token signs the body instead.
        Auth::Enrol(_) => &["operator", ""],
        Auth::Agent(_) => &["agent"],
        Auth::AgentOr(..) => &["operator", "agent"],
    }
}

fn parameters(route: &Route) -> Vec<Parameter> {
    let one = |name: &str, place, required| {
        let text = ObjectBuilder::new().schema_type(Type::String).build();
        let words = match route.rules.dialect {
            Dialect::Prometheus => prometheus::parameter(name),
            Dialect::Pingup | Dialect::RemoteWrite | Dialect::Otlp(_) => routes::parameter(name),
        };
        let description = Some(words).filter(|text| !text.is_empty());
        ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(required)
            .description(description)
            .schema(Some(text))
            .build()
    };
    let path = route.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let path = path.map(|name| one(name, ParameterIn::Path, Required::True));
    let needed = |name: &str| match (name, route.rules.auth) {
        ("nonce", Auth::Agent(_)) => Required::True,
        _ => Required::False,
    };
    let query = route.rules.query.iter().map(|name| one(name, ParameterIn::Query, needed(name)));
    let streams = route.rules.offers.contains(&Representation::EventStream);
    let header = streams.then(|| one("Last-Event-ID", ParameterIn::Header, Required::False));
    path.chain(query).chain(header).collect()
}

fn request_body(schema: &RefOr<Schema>, rules: &Rules) -> RequestBody {
    let signed = matches!(rules.auth, Auth::Agent(_));
    let description = rules.body_bytes_max.map(|bytes| format!("At most {bytes} bytes."));
    RequestBodyBuilder::new()
        .description(description)
        .required(Some(Required::True))
        .content(
            "application/json",
            Content::new(Some(if signed { routes::signed_by(schema.clone()) } else { schema.clone() })),
        )
        .build()
}

fn header(what: &str) -> Header {
    let text = ObjectBuilder::new().schema_type(Type::String);
    HeaderBuilder::new().schema(Some(text)).description(Some(what)).build()
}

fn success(answer: &Answer, rules: &Rules, schemas: &mut Schemas) -> openapi::Response {
    let mut response = ResponseBuilder::new().description(answer.what);
    if rules.offers.contains(&Representation::NdJson) && rules.body_bytes_max.is_some() {
        response =
            response.header("X-Pingup-More", header("`true` where there are more rows than the limit"));
    } else if rules.offers.contains(&Representation::NdJson) {
        response = response
            .header("X-Next-Cursor", header("nextCursor of every form but JSON, where there is more"))
            .header("X-Pingup-Tiers", header("The tiers that were read"));
    }
    for offer in rules.offers.iter().filter(|_| answer.status != 204) {
        let content = match (offer, answer.schema) {
            (Representation::Json | Representation::EventStream, Some(schema)) => {
                let schema = schema(schemas);
                Content::new(Some(if answer.signed { routes::signed_by(schema) } else { schema }))
            }
            _ => Content::new(Some(RefOr::<Schema>::from(
                ObjectBuilder::new().schema_type(Type::String).build(),
            ))),
        };
        response = response.content(offer.media_type(), content);
    }
    response.build()
}

fn signed_member() -> Schema {
    let signature = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("base64 of HMAC-SHA256 over the canonical body without this member"))
        .min_length(Some(44))
        .max_length(Some(44));
    ObjectBuilder::new().property("signature", signature).required("signature").into()
}

/// The refusals that follow from a row of the table.
fn general_refusals(rules: &Rules) -> Vec<ProblemType> {
    use ProblemType as P;
    let mut kinds =
        vec![P::NotAcceptable, P::HeadersTooLarge, P::RateLimited, P::Overloaded, P::InternalError];
    if rules.dialect == Dialect::Pingup {
        kinds.push(P::SchemaInvalid);
    }
    if rules.auth != Auth::Open {
        kinds.extend([P::TokenMissing, P::TokenInvalid, P::TokenExpired]);
    }
    if rules.auth.takes_operators() {
        kinds.extend([P::ScopeDenied, P::RateLimited]);
    }
    if matches!(rules.auth, Auth::Agent(_) | Auth::AgentOr(..)) {
        kinds.extend([P::AgentRevoked, P::AgentMismatch]);
    }
    if rules.body_bytes_max.is_some() {
        kinds.push(P::UnsupportedMediaType);
    }
    // What is too large for remote write is 400, as all that it will never take.
    if rules.body_bytes_max.is_some() && rules.dialect != Dialect::RemoteWrite {
        kinds.push(P::PayloadTooLarge);
    }
    if rules.body_bytes_max.is_some() && rules.dialect == Dialect::Pingup {
        kinds.extend([P::MalformedJson, P::InvalidUnicode]);
        kinds.extend([P::DuplicateMember, P::NestingTooDeep, P::NumberOutOfRange]);
        if matches!(rules.auth, Auth::Agent(_)) {
            kinds.extend([P::SignatureMissing, P::SignatureMalformed, P::SignatureInvalid]);
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;

    #[tokio::test]
    async fn readers_share_one_document() {
        let one = to_bytes(get().await.into_body(), usize::MAX).await.unwrap();
        let other = to_bytes(get().await.into_body(), usize::MAX).await.unwrap();
        assert_eq!((one.as_ptr(), one.len()), (other.as_ptr(), other.len()));
    }
}
