//! One row of the route table as an operation: who may come, what it takes, what it answers.

use super::{
    examples::Examples,
    prometheus, refusals,
    routes::{self, Answer, Doc, Schemas},
    senders,
};
use crate::auth::Role;
use crate::http::{
    respond::Representation,
    route::Route,
    rules::{Auth, Dialect, Rules},
};
use pingup_protocol::problem::MEDIA_TYPE;
use serde_json::Value;
use utoipa::openapi::{
    self, Content, ContentBuilder, Ref, RefOr, Required, Schema,
    header::{Header, HeaderBuilder},
    path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::{RequestBody, RequestBodyBuilder},
    response::ResponseBuilder,
    schema::{ObjectBuilder, Type},
    security::SecurityRequirement,
};

/// What is said of one row.
pub(super) fn operation(route: &Route, doc: Doc, schemas: &mut Schemas, examples: &Examples) -> Operation {
    let mut operation =
        OperationBuilder::new().summary(Some(doc.summary)).description(Some(who(&route.rules)));
    for parameter in parameters(route) {
        operation = operation.parameter(parameter);
    }
    for scheme in schemes(route.rules.auth) {
        let requirement = match *scheme {
            "" => SecurityRequirement::default(),
            "agent" => SecurityRequirement::new::<_, [&str; 0], &str>("agent", []),
            scheme => SecurityRequirement::new(scheme, least_role(route.rules.auth).map(Role::as_str)),
        };
        operation = operation.security(requirement);
    }
    if let Some(request) = doc.request {
        operation = operation.request_body(Some(request_body(
            &request(schemas),
            &route.rules,
            examples.request(route),
        )));
    } else if route.rules.body_bytes_max.is_some() {
        operation = match route.rules.dialect {
            Dialect::Pingup => operation,
            Dialect::Prometheus => operation.request_body(Some(prometheus::request(&route.rules))),
            Dialect::RemoteWrite | Dialect::Otlp(_) => {
                operation.request_body(Some(senders::request(&route.rules)))
            }
        };
    }
    let mut example = examples.answer(route);
    for answer in doc.answers {
        let status = answer.status.to_string();
        operation = operation.response(status, success(answer, &route.rules, schemas, example.take()));
    }
    for (status, names) in refusals::of(route, &doc) {
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

fn request_body(schema: &RefOr<Schema>, rules: &Rules, example: Option<Value>) -> RequestBody {
    let signed = matches!(rules.auth, Auth::Agent(_));
    let content = ContentBuilder::new().schema(Some(if signed {
        routes::signed_by(schema.clone())
    } else {
        schema.clone()
    }));
    let description = rules.body_bytes_max.map(|bytes| format!("At most {bytes} bytes."));
    RequestBodyBuilder::new()
        .description(description)
        .required(Some(Required::True))
        .content("application/json", content.example(example).build())
        .build()
}

fn header(what: &str) -> Header {
    let text = ObjectBuilder::new().schema_type(Type::String);
    HeaderBuilder::new().schema(Some(text)).description(Some(what)).build()
}

fn success(
    answer: &Answer,
    rules: &Rules,
    schemas: &mut Schemas,
    example: Option<Value>,
) -> openapi::Response {
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
                let schema = if answer.signed { routes::signed_by(schema) } else { schema };
                let example = example.clone().filter(|_| *offer == Representation::Json);
                ContentBuilder::new().schema(Some(schema)).example(example).build()
            }
            _ => Content::new(Some(RefOr::<Schema>::from(
                ObjectBuilder::new().schema_type(Type::String).build(),
            ))),
        };
        response = response.content(offer.media_type(), content);
    }
    response.build()
}

/// The least role of those that open the door, if operators' tokens do.
const fn least_role(auth: Auth) -> Option<Role> {
    match auth {
        Auth::Operator(role) | Auth::Dashboard(role) | Auth::Enrol(role) | Auth::AgentOr(_, role) => {
            Some(role)
        }
        Auth::Open | Auth::Agent(_) => None,
    }
}

/// Who may come, in words.
fn who(rules: &Rules) -> String {
    let roles = |least: Role| {
        let able = Role::ALL.into_iter().filter(|role| role.allows(least)).map(Role::as_str);
        format!("an operator's token of one of the roles {}", able.collect::<Vec<_>>().join(", "))
    };
    let signed =
        if rules.body_bytes_max.is_some() { ", and what it sends is signed with its key" } else { "" };
    match rules.auth {
        Auth::Open => "For anyone.".to_owned(),
        Auth::Operator(least) => format!("For {}.", roles(least)),
        Auth::Dashboard(least) => {
            format!("For {}, also as the password of Basic authentication.", roles(least))
        }
        Auth::Enrol(least) => {
            format!("For {}; or without a token, signed with a join token's key.", roles(least))
        }
        Auth::Agent(None) => format!("For an agent, by its own token{signed}."),
        Auth::Agent(Some(_)) => format!("For the agent that the path names, by its own token{signed}."),
        Auth::AgentOr(_, least) => {
            format!("For the agent that the path names, by its own token; or for {}.", roles(least))
        }
    }
}
