//! The porch: the only place that knows HTTP's status codes, headers and limits.
//!
//! [`serve`] accepts connections on hyper; [`router`] is the route table; [`gate`] runs the checks that a
//! row of the table asks for; [`finish`] writes refusals as problem documents, adds the hub's clock to
//! them and counts them. Handlers live in their rooms and return a response or a [`problem::Refusal`].

pub mod body;
pub mod cursor;
pub mod gate;
pub mod openapi;
pub mod problem;
pub mod query;
pub mod respond;
pub mod router;
pub mod serve;

use crate::{clock::Clock, figures::Figures};
use ::http::{HeaderMap, HeaderValue, header};
use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use pingup_protocol::{
    limits::HEADER_BYTES_MAX,
    problem::{MEDIA_TYPE, ProblemType},
};
use problem::Refusal;
use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What the porch itself needs.
#[derive(Clone, Debug)]
pub struct Porch {
    /// For the time in refusals.
    pub clock: Clock,
    /// For counting them.
    pub figures: Arc<Figures>,
    /// For the bodies of all callers with a token.
    pub bodies: body::Budget,
    /// For the bodies of everyone else.
    pub strangers_bodies: body::Budget,
}

/// The outermost layer: refuses oversized header blocks, and finishes every answer.
pub async fn finish(State(porch): State<Porch>, request: Request, next: Next) -> Response {
    let mut response = match header_bytes(&request) {
        // What panics here is a defect, but its asker is answered, and the connection lives.
        ..=HEADER_BYTES_MAX => {
            AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
                Refusal::internal("a handler panicked", &"the panic's own message stands above")
                    .into_response()
            })
        }
        _ => too_large_headers().into_response(),
    };
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        porch.figures.refused(refusal.kind());
        write_problem(&mut response, &refusal, &porch.clock);
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn write_problem(response: &mut Response, refusal: &Refusal, clock: &Clock) {
    let mut problem = refusal.problem().clone();
    problem.server_time = Some(clock.now());
    let bytes = serde_json::to_vec(&problem).unwrap_or_default();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    *response.body_mut() = Body::from(bytes);
}

fn too_large_headers() -> Refusal {
    let detail = format!("request line and headers may take {HEADER_BYTES_MAX} bytes together");
    Refusal::new(ProblemType::HeadersTooLarge, detail)
}

/// Bytes of the request line and headers, as they stood on the wire but for white space.
fn header_bytes(request: &Request) -> usize {
    let line = request.method().as_str().len() + request.uri().to_string().len() + "  HTTP/1.1\r\n".len();
    let one = |(name, value): (&::http::HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + ": \r\n".len()
    };
    line + request.headers().iter().map(one).sum::<usize>()
}

/// The text of a header that stands once.
fn single<'a>(headers: &'a HeaderMap, name: &::http::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// For paths that no row of the table has.
pub(crate) async fn no_such_path() -> Refusal {
    Refusal::new(ProblemType::NotFound, "no such path; GET /api/v1/openapi.json lists them all")
}

/// For methods that no row of the table has for this path.
pub(crate) async fn no_such_method() -> Refusal {
    Refusal::new(ProblemType::MethodNotAllowed, "see the Allow header for the methods of this path")
}
