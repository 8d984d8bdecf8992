//! One HTTP/1.1 connection to the hub: opened when it is needed, kept while the hub keeps it, closed when
//! anything about it is in doubt. Everything has a time limit, and an answer a size.

use super::{
    failure::{Failure, Refusal},
    hub::Hub,
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response,
    header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    body::Incoming,
    client::conn::http1::{Builder, SendRequest},
};
use hyper_util::rt::TokioIo;
use pingup_protocol::limits::BATCH_BODY_BYTES_MAX;
use std::{
    io,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// Bytes of an answer that are read: as many as the hub would read of us.
const ANSWER_BYTES_MAX: usize = BATCH_BODY_BYTES_MAX;
/// Bytes that hyper buffers of a connection: a header block's limit, since bodies are handed on.
const BUFFER_BYTES_MAX: usize = 16 * 1024;

const AGENT: &str = concat!("pingup-agent/", env!("CARGO_PKG_VERSION"));

/// What is asked.
#[derive(Clone, Debug)]
pub enum Method {
    /// To get.
    Get,
    /// To take this body.
    Post(Bytes),
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    hub: Hub,
    sender: Option<SendRequest<Full<Bytes>>>,
    /// The other side said with its last answer that it closes.
    is_closing: bool,
    /// How often open connections had been doubted when this one was opened.
    doubts: u64,
}

impl Connection {
    /// A connection to `hub`, not opened yet.
    pub const fn new(hub: Hub) -> Self {
        Self { hub, sender: None, is_closing: false, doubts: 0 }
    }

    /// Whether the other side said with its last answer that it closes the connection.
    pub const fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// How often open connections had been doubted when this one was opened.
    pub(super) const fn doubts(&self) -> u64 {
        self.doubts
    }

    /// Open connections were doubted so many times so far: one that was opened before the last time is closed.
    pub(super) fn doubted(&mut self, doubts: u64) {
        if self.doubts != doubts {
            (self.sender, self.doubts) = (None, doubts);
        }
    }

    /// Opens it where it is not open, and asks.
    pub async fn call(
        &mut self,
        method: Method,
        route: &str,
        bearer: Option<&str>,
        within: Duration,
    ) -> Result<(Bytes, Duration), Failure> {
        self.open().await?;
        self.exchange(method, route, bearer, within).await
    }

    /// Opens the connection where it is not open. One that was kept and that the other side has closed is opened anew.
    pub async fn open(&mut self) -> Result<(), Failure> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            self.sender = Some(sender);
            return Ok(());
        }
        let stream = Box::pin(self.hub.connect()).await?;
        let mut builder = Builder::new();
        builder.max_buf_size(BUFFER_BYTES_MAX);
        let shaken = builder.handshake(TokioIo::new(stream)).await;
        let (sender, driver) = shaken.map_err(|error| self.hub.unreachable(cause(&error)))?;
        // Ends when the connection does; what went wrong is told to whoever waits for the answer.
        tokio::spawn(async move {
            let _ = driver.await;
        });
        self.sender = Some(sender);
        Ok(())
    }

    /// Asks over the open connection, and reads the answer: the body of a 2xx, and how long the round trip took. Once:
    /// what breaks is not tried again here, since a hub that goes breaks the connections of all its agents together.
    pub async fn exchange(
        &mut self,
        method: Method,
        route: &str,
        bearer: Option<&str>,
        within: Duration,
    ) -> Result<(Bytes, Duration), Failure> {
        let request = self.request(method, route, bearer)?;
        // Put back only when an exchange over it has ended well.
        let Some(mut sender) = self.sender.take() else { return Err(self.hub.unreachable("not open")) };
        let asked = Instant::now();
        let exchange = async {
            let response = sender.send_request(request).await?;
            Ok::<_, hyper::Error>(read(response).await)
        };
        let answered = timeout(within, exchange).await;
        let Answer { status, retry_after, closes, body } = answered
            .map_err(|_| self.hub.unreachable(format!("no answer within {} s", within.as_secs())))?
            .map_err(|error| self.hub.unreachable(cause(&error)))?
            .map_err(|error| self.hub.unreachable(format!("its answer cannot be read: {error}")))?;
        (self.sender, self.is_closing) = (Some(sender), closes);
        match status {
            200..=299 => Ok((body, asked.elapsed())),
            _ => Err(Failure::Refused(Box::new(Refusal::read(status, retry_after, &body)))),
        }
    }

    fn request(
        &self,
        method: Method,
        route: &str,
        bearer: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let mut builder = Request::builder()
            .uri(self.hub.url().path(route))
            .header(HOST, self.hub.url().authority())
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "application/json, application/problem+json");
        if let Some(token) = bearer {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            let mut value = value.map_err(|_| Failure::Local("the bearer token is no token".to_owned()))?;
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        let built = match method {
            Method::Get => builder.method(http::Method::GET).body(Full::default()),
            Method::Post(body) => builder
                .method(http::Method::POST)
                .header(CONTENT_TYPE, "application/json")
                .body(Full::new(body)),
        };
        built.map_err(|error| Failure::Local(format!("a request cannot be made: {error}")))
    }
}

/// What came.
struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    closes: bool,
    body: Bytes,
}

async fn read(response: Response<Incoming>) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
    let closes =
        head.headers.get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    Ok(Answer { status: head.status.as_u16(), retry_after: retry_after(&head.headers), closes, body })
}

/// The seconds of a Retry-After; its other form, a date, is not used by the hub.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// hyper's error with what is behind it, which it does not say itself.
fn cause(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {}", told(source)),
        None => error.to_string(),
    }
}

/// What is behind an error, in words for whoever reads the log: of a line that was cut, TLS would tell programmers what to
/// read about it.
fn told(source: &(dyn std::error::Error + 'static)) -> String {
    match source.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::UnexpectedEof) => "the connection was cut".to_owned(),
        _ => source.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_is_told_without_a_librarys_address() {
        let cut =
            io::Error::new(io::ErrorKind::UnexpectedEof, "closed without close_notify: https://x.example/");
        assert_eq!(told(&cut), "the connection was cut");
        assert_eq!(told(&io::Error::other("no route")), "no route");
    }
}
