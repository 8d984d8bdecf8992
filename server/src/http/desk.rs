//! A connection's desk: what hyper hands each request to, and where an answer that has to wait lies meanwhile, so that
//! the conversation can take it and let hyper go.

use super::{held::Waiting, respond::Endless, turn::Turn};
use axum::response::Response;
use http::{HeaderMap, Method, StatusCode, Version, header};
use hyper::{
    Request,
    body::{Body, Incoming},
    service::Service,
};
use pin_project_lite::pin_project;
use std::{
    cell::Cell,
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

/// What a request came to.
pub(super) enum Answer {
    /// This.
    Now(Response),
    /// What this wait comes to.
    Later(Waiting),
}

/// Whoever answers requests. What makes an answer stands where hyper keeps it, for as long as hyper stays: a box for each
/// request would be a few KiB that are taken and given back with each.
pub(super) trait Answerer: Send + Sync + 'static {
    /// An answer that is being made.
    type Making: Future<Output = Answer> + Send;

    /// Answers one.
    fn answer(&self, request: Request<Incoming>) -> Self::Making;
}

impl<F, M> Answerer for F
where
    F: Fn(Request<Incoming>) -> M + Send + Sync + 'static,
    M: Future<Output = Answer> + Send,
{
    type Making = M;

    fn answer(&self, request: Request<Incoming>) -> M {
        self(request)
    }
}

/// What a connection's desk and its conversation share.
pub(super) struct Counter<A> {
    answerer: A,
    pub(super) turn: Arc<Turn>,
    waits: Mutex<Option<(Waiting, Head)>>,
}

/// The first line of a request and how its connection goes on, in the words that hyper is shown once more when the
/// answer is there: all that an answer's form depends on.
pub(super) type Head = &'static [u8];

/// A request after whose answer the connection is closed.
pub(super) const LAST: Head = b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n";
const KEPT: Head = b"GET / HTTP/1.1\r\n\r\n";
const FORMER_KEPT: Head = b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n";
const FORMER_LAST: Head = b"GET / HTTP/1.0\r\n\r\n";

impl<A> Counter<A> {
    pub(super) fn new(answerer: A) -> Arc<Self> {
        Arc::new(Self { answerer, turn: Turn::new(), waits: Mutex::default() })
    }

    /// Takes the answer that has to wait, if one lies here.
    pub(super) fn take_waiting(&self) -> Option<(Waiting, Head)> {
        self.turn.held(false);
        self.waits().take()
    }

    fn waits(&self) -> MutexGuard<'_, Option<(Waiting, Head)>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how the connection goes on behind `response`.
    fn answered(&self, response: Response, has_body: bool) -> Response {
        let status = response.status();
        let is_refused = status.is_client_error() || status.is_server_error();
        // Whoever asks too often is not read to the end for courtesy.
        self.turn.refused(has_body && is_refused && status != StatusCode::TOO_MANY_REQUESTS);
        match response.extensions().get() {
            Some(Endless) => self.turn.endless(),
            None => self.turn.answered(response.body().size_hint().exact().is_some()),
        }
        response
    }
}

/// The service that hyper calls. With `ready`, the next request is one whose answer was waited for, shown once more.
pub(super) struct Desk<A> {
    counter: Arc<Counter<A>>,
    ready: Cell<Option<Response>>,
}

impl<A: Answerer> Desk<A> {
    pub(super) const fn new(counter: Arc<Counter<A>>, ready: Option<Response>) -> Self {
        Self { counter, ready: Cell::new(ready) }
    }
}

impl<A: Answerer> Service<Request<Incoming>> for Desk<A> {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering<A>;

    fn call(&self, request: Request<Incoming>) -> Answering<A> {
        self.counter.turn.ours();
        let counter = Arc::clone(&self.counter);
        if let Some(response) = self.ready.take() {
            let step = Step::Ready { response: Some(response) };
            return Answering { counter, head: None, has_body: false, step };
        }
        let (head, has_body) = (head(&request), !request.body().is_end_stream());
        let making = counter.answerer.answer(request);
        Answering { counter, head, has_body, step: Step::Making { making } }
    }
}

/// How hyper has to be shown a request whose answer may wait without it. None for one of which more may come: hyper must
/// stay to read that.
fn head<B: Body>(request: &Request<B>) -> Option<Head> {
    if *request.method() != Method::GET || !request.body().is_end_stream() {
        return None;
    }
    let headers = request.headers();
    match request.version() {
        Version::HTTP_11 if has_token(headers, "close") => Some(LAST),
        Version::HTTP_11 => Some(KEPT),
        Version::HTTP_10 if has_token(headers, "close") => Some(FORMER_LAST),
        Version::HTTP_10 if has_token(headers, "keep-alive") => Some(FORMER_KEPT),
        Version::HTTP_10 => Some(FORMER_LAST),
        _ => None,
    }
}

/// Whether `Connection` says this (RFC 9110 §7.6.1).
fn has_token(headers: &HeaderMap, token: &str) -> bool {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|said| said.trim().eq_ignore_ascii_case(token))
}

pin_project! {
    /// The answer to one request, as hyper waits for it.
    pub(super) struct Answering<A: Answerer> {
        counter: Arc<Counter<A>>,
        head: Option<Head>,
        has_body: bool,
        #[pin]
        step: Step<A::Making>,
    }
}

pin_project! {
    #[project = StepNow]
    enum Step<M> {
        Making {
            #[pin]
            making: M,
        },
        /// It has to wait, and hyper has to stay.
        Waits { waiting: Waiting },
        /// It has to wait, and lies on the counter.
        Lies,
        Ready { response: Option<Response> },
    }
}

impl<A: Answerer> Future for Answering<A> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let counter = &**this.counter;
        let response = loop {
            match this.step.as_mut().project() {
                StepNow::Making { making } => match (ready!(making.poll(context)), *this.head) {
                    (Answer::Now(response), _) => break response,
                    (Answer::Later(waiting), None) => this.step.set(Step::Waits { waiting }),
                    (Answer::Later(waiting), Some(head)) => {
                        *counter.waits() = Some((waiting, head));
                        counter.turn.held(true);
                        this.step.set(Step::Lies);
                    }
                },
                StepNow::Waits { waiting } => break ready!(waiting.as_mut().poll(context)),
                StepNow::Lies => {
                    let mut waits = counter.waits();
                    // Taken: then nobody asks here again.
                    let Some((waiting, _)) = waits.as_mut() else { return Poll::Pending };
                    let response = ready!(waiting.as_mut().poll(context));
                    *waits = None;
                    counter.turn.held(false);
                    break response;
                }
                StepNow::Ready { response } => match response.take() {
                    Some(response) => break response,
                    None => return Poll::Pending,
                },
            }
        };
        Poll::Ready(Ok(counter.answered(response, *this.has_body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body as Whole;

    #[test]
    fn a_request_that_may_wait_is_shown_again_in_its_own_version() {
        let shown = |method: &str, version, connection: &[&str]| {
            let mut request = Request::builder().method(method).version(version);
            for said in connection {
                request = request.header(header::CONNECTION, *said);
            }
            head(&request.body(Whole::empty()).unwrap())
        };
        assert_eq!(shown("GET", Version::HTTP_11, &[]), Some(KEPT));
        assert_eq!(shown("GET", Version::HTTP_11, &["te, Close"]), Some(LAST));
        assert_eq!(shown("GET", Version::HTTP_11, &["te", "close"]), Some(LAST));
        assert_eq!(shown("GET", Version::HTTP_10, &[]), Some(FORMER_LAST));
        assert_eq!(shown("GET", Version::HTTP_10, &["Keep-Alive"]), Some(FORMER_KEPT));
        assert_eq!(shown("HEAD", Version::HTTP_11, &[]), None);
        assert_eq!(shown("POST", Version::HTTP_11, &[]), None);
        let more = Request::builder().body(Whole::from("more")).unwrap();
        assert_eq!(head(&more), None, "hyper has a body to read");
    }
}
