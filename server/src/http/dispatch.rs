//! From a request to its row of the table, and from the handler's answer to one that may leave.
//!
//! A row whose path has no parameters is found by its path and called straight; axum's router, which has all
//! rows, takes the rest: parameters, HEAD, and what does not exist. The gate and the handler are the same.
//!
//! Every answer is finished here, also one that has to wait first (`held`): a refusal becomes a problem document with the
//! hub's clock (or takes the form that Prometheus's clients and senders of series read), and is counted; a panic becomes a refusal; an oversized
//! header block is refused before anything looks at it.

use super::{
    Peer, Porch,
    desk::Answer,
    envelope, held,
    moderate::{ForAnyone, Verdict},
    places::Seat,
    problem::Refusal,
    route::Gated,
    router::House,
    rules::{Auth, Dialect},
    senders,
};
use crate::{brake, clock::Clock, figures::Figures};
use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Request, Uri, header};
use hyper::body::Incoming;
use pingup_protocol::{
    limits::HEADER_BYTES_MAX,
    plain,
    problem::{MEDIA_TYPE, ProblemType},
    time::Timestamp,
};
use std::{collections::HashMap, fmt, future::Future, panic::AssertUnwindSafe, sync::Arc};
use tower::ServiceExt;

/// The table at work.
pub struct Dispatch {
    router: Router,
    /// Rows without path parameters, by their path.
    straight: HashMap<&'static str, Vec<Gated>>,
    house: House,
    porch: Porch,
}

impl fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dispatch(…)")
    }
}

impl Dispatch {
    pub(super) fn new(
        router: Router,
        rows: impl IntoIterator<Item = Gated>,
        house: House,
        porch: Porch,
    ) -> Self {
        let mut straight: HashMap<_, Vec<_>> = HashMap::new();
        for row in rows {
            straight.entry(row.path()).or_default().push(row);
        }
        Self { router, straight, house, porch }
    }

    /// The figures that the porch counts on.
    pub(super) const fn figures(&self) -> &Arc<Figures> {
        &self.porch.figures
    }

    /// Now, by the hub's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.porch.clock.now()
    }

    /// Hears of a connection that was turned away.
    pub(super) fn note_turned(&self, peer: Peer) {
        self.porch.moderator.note_turned(brake::host(peer.address.ip()));
    }

    /// Answers a request that came from `seat`.
    pub(super) async fn answer(self: &Arc<Self>, request: Request<Incoming>, seat: &Arc<Seat>) -> Answer {
        let dialect = Dialect::of(&request);
        let mut response = match header_bytes(&request) {
            ..=HEADER_BYTES_MAX => unbroken(self.pass_on(request, seat)).await,
            _ => too_large_headers().into_response(),
        };
        match held::take(&mut response) {
            None => self.moderated(response, dialect, seat),
            Some(waiting) => {
                let dispatch = Arc::clone(self);
                Answer::Later(Box::pin(async move { dispatch.finish(unbroken(waiting).await, dialect) }))
            }
        }
    }

    /// The answer where there is no place for one more request.
    pub(super) fn overloaded(&self) -> Response {
        let refusal =
            Refusal::new(ProblemType::Overloaded, "too many requests are being answered at once; try again");
        self.finish(refusal.into_response(), Dialect::Pingup)
    }

    /// An answer, at once or slowly.
    fn moderated(self: &Arc<Self>, mut response: Response, dialect: Dialect, seat: &Seat) -> Answer {
        match self.porch.moderator.judge(seat, &mut response, || self.porch.clock.now()) {
            Verdict::Leaves => Answer::Now(self.finish(response, dialect)),
            Verdict::Last => {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                Answer::Now(self.finish(response, dialect))
            }
            Verdict::Waits(penalty) => {
                let dispatch = Arc::clone(self);
                Answer::Later(Box::pin(async move {
                    penalty.served().await;
                    dispatch.finish(response, dialect)
                }))
            }
        }
    }

    /// What every answer has.
    fn finish(&self, mut response: Response, dialect: Dialect) -> Response {
        if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
            self.porch.figures.refused(refusal.kind());
            match dialect {
                Dialect::Pingup => write_problem(&mut response, &refusal, &self.porch.clock),
                Dialect::Prometheus => envelope::write_refusal(&mut response, &refusal),
                Dialect::RemoteWrite => senders::write_text(&mut response, &refusal),
                Dialect::Otlp(encoding) => senders::write_status(&mut response, encoding, &refusal),
            }
        }
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        response
    }

    async fn pass_on(&self, mut request: Request<Incoming>, seat: &Arc<Seat>) -> Response {
        let rows = self.straight.get(request.uri().path()).map_or(&[][..], Vec::as_slice);
        match rows.iter().find(|row| row.method() == request.method()) {
            Some(row) => {
                // On the main road nobody asks.
                if row.rules().auth.takes_operators() {
                    request.extensions_mut().insert(seat.peer);
                }
                let mut response = row.answer(request, seat, &self.house).await;
                if row.rules().auth == Auth::Open {
                    response.extensions_mut().insert(ForAnyone);
                }
                response
            }
            None => {
                request.extensions_mut().insert(seat.peer);
                request.extensions_mut().insert(Arc::clone(seat));
                // In a box: a connection on the main road need not hold the room for it.
                let routed = self.router.clone().oneshot(request.map(Body::new));
                Box::pin(routed).await.into_response()
            }
        }
    }
}

/// What panics is a defect, but its asker is answered, and the connection lives.
async fn unbroken(answering: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(answering).catch_unwind().await.unwrap_or_else(|_| {
        Refusal::internal("a handler panicked", &"the panic's own message stands above").into_response()
    })
}

fn write_problem(response: &mut Response, refusal: &Refusal, clock: &Clock) {
    let mut problem = refusal.problem().clone();
    problem.server_time = Some(clock.now());
    // What was wrong is often said in the asker's words.
    let bytes = plain::json(serde_json::to_vec(&problem).unwrap_or_default());
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    *response.body_mut() = Body::from(bytes);
}

fn too_large_headers() -> Refusal {
    let detail = format!("request line and headers may take {HEADER_BYTES_MAX} bytes together");
    Refusal::new(ProblemType::HeadersTooLarge, detail)
}

/// Bytes of the request line and headers, as they stood on the wire but for white space.
fn header_bytes<B>(request: &Request<B>) -> usize {
    let line = request.method().as_str().len() + uri_bytes(request.uri()) + "  HTTP/1.1\r\n".len();
    let one = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + ": \r\n".len();
    line + request.headers().iter().map(one).sum::<usize>()
}

fn uri_bytes(uri: &Uri) -> usize {
    match (uri.authority(), uri.path_and_query()) {
        (None, Some(path_and_query)) => path_and_query.as_str().len(),
        _ => uri.to_string().len(),
    }
}
