//! `GET /api/v1/openapi.json`: OpenAPI 3.1, made from the route table and the types that travel.
//!
//! Method, path, who may come, body cap and query parameters are the table's; what cannot be read off it
//! (words, bodies, answers, refusals of its own) stands in [`routes`]. A test holds the two together.

mod examples;
mod operation;
mod prometheus;
mod refusals;
mod routes;
mod senders;

use super::{
    problem::Refusal,
    respond::{self, Representation},
    route::Route,
    router::table,
};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use examples::Examples;
use operation::operation;
use pingup_protocol::{plain, problem::Problem};
use routes::Schemas;
use std::sync::OnceLock;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Paths, Schema,
    path::HttpMethod,
    schema::{ObjectBuilder, Type},
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
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
    let (mut schemas, examples) = (Schemas::default(), Examples::read());
    schemas.register::<Problem>();
    schemas.register::<prometheus::Failure>();
    schemas.register::<senders::Status>();
    let mut paths = Paths::new();
    for route in table() {
        let Some(doc) = routes::doc(&route.method, route.path) else { continue };
        let operation = operation(&route, doc, &mut schemas, &examples);
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
        "Agents' doors are signed as docs/protocol.md says; operators' doors take a bearer token, of the role that each door names. Any request may be told 429 or 503 with `Retry-After`.",
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

fn signed_member() -> Schema {
    let signature = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("base64 of HMAC-SHA256 over the canonical body without this member"))
        .min_length(Some(44))
        .max_length(Some(44));
    ObjectBuilder::new().property("signature", signature).required("signature").into()
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
