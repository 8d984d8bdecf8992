//! One keep-alive HTTP/1.1 connection to the hub, with one request in flight.
//!
//! It reconnects when it is told to send and has no connection; it never sends twice on its own account.
//! Whoever calls knows what may be sent again, and counts it.

use crate::settings::Hub;
use bytes::Bytes;
use http::{
    HeaderValue, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use pingup_protocol::{
    limits::BATCH_BODY_BYTES_MAX,
    problem::{Problem, ProblemType},
};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};

/// An answer: the longest lists every sample of the longest batch as rejected.
const ANSWER_BYTES_MAX: usize = BATCH_BODY_BYTES_MAX;
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may take; a hub that is slower than this is as good as gone.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The wait after a retryable refusal that names none.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);
/// The least wait before a retry: a hub that says "0" is not to be hammered in a tight loop.
const RETRY_AFTER_MIN: Duration = Duration::from_millis(20);
/// The longest wait that a hub can ask of us.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nothing listens there, or nobody may open another connection.
    #[error("no connection to {hub}: {source}")]
    Connect {
        /// Where to.
        hub: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nobody took the connection or gave an answer in time.
    #[error("{hub} did not answer within {} s", .after.as_secs())]
    Timeout {
        /// Who.
        hub: String,
        /// How long it was given.
        after: Duration,
    },
    /// The connection broke, or what came was not HTTP.
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    /// An answer without an end.
    #[error("the answer could not be read: {0}")]
    Unreadable(Box<dyn std::error::Error + Send + Sync>),
    /// The request itself cannot be put into HTTP.
    #[error("the request cannot be made: {0}")]
    Request(#[from] http::Error),
}

/// What the hub said.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// The body, whatever it is.
    pub(crate) body: Bytes,
    retry_after: Option<Duration>,
}

impl Answer {
    /// The refusal in it, if it is one of the protocol's.
    pub(crate) fn problem(&self) -> Option<Problem> {
        serde_json::from_slice(&self.body).ok()
    }

    /// How long to wait before the same request may be sent again; `None` when that is of no use.
    pub(crate) fn retry_after(&self, problem: Option<ProblemType>) -> Option<Duration> {
        let overloaded =
            matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        (overloaded || problem.is_some_and(ProblemType::retryable))
            .then(|| self.retry_after.unwrap_or(RETRY_AFTER_DEFAULT).clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX))
    }
}

/// The connection, open or to be opened.
pub(crate) struct Client {
    hub: Arc<Hub>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// Opens a connection to `hub`.
    pub(crate) async fn connect(hub: Arc<Hub>) -> Result<Self, ClientError> {
        let sender = Some(open(&hub).await?);
        Ok(Self { hub, sender })
    }

    /// Posts `body` and reads the whole answer. After an error the next call opens a new connection.
    ///
    /// Not safe to cancel and go on: a call that was dropped leaves no connection behind, and nobody knows
    /// whether the hub acted.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        bearer: &HeaderValue,
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let request = Request::post(path)
            .header(HOST, &self.hub.authority)
            .header(AUTHORIZATION, bearer)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => open(&self.hub).await?,
        };
        let answer = timeout(ANSWER_TIMEOUT, exchange(&mut sender, request))
            .await
            .map_err(|_| ClientError::Timeout { hub: self.hub.url(), after: ANSWER_TIMEOUT })??;
        self.sender = Some(sender);
        Ok(answer)
    }
}

async fn open(hub: &Hub) -> Result<SendRequest<Full<Bytes>>, ClientError> {
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect((hub.host.as_str(), hub.port)))
        .await
        .map_err(|_| ClientError::Timeout { hub: hub.url(), after: CONNECT_TIMEOUT })?
        .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
        .map_err(|source| ClientError::Connect { hub: hub.url(), source })?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with its sender, and what breaks it also reaches the request that waits on it.
    tokio::spawn(connection);
    Ok(sender)
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Answer, ClientError> {
    sender.ready().await?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body =
        Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(ClientError::Unreadable)?.to_bytes();
    let seconds = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Ok(Answer { status: head.status, body, retry_after: seconds.map(Duration::from_secs) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<u64>) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            body: Bytes::new(),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    #[test]
    fn only_what_may_succeed_later_is_sent_again() {
        assert_eq!(answer(503, Some(2)).retry_after(None), Some(Duration::from_secs(2)));
        assert_eq!(answer(429, None).retry_after(None), Some(RETRY_AFTER_DEFAULT));
        assert_eq!(
            answer(500, None).retry_after(Some(ProblemType::InternalError)),
            Some(RETRY_AFTER_DEFAULT)
        );
        assert_eq!(answer(409, Some(2)).retry_after(Some(ProblemType::SequenceConflict)), None);
        assert_eq!(answer(400, None).retry_after(None), None);
    }

    #[test]
    fn waits_have_a_floor_and_a_ceiling() {
        assert_eq!(answer(503, Some(0)).retry_after(None), Some(RETRY_AFTER_MIN));
        assert_eq!(answer(503, Some(86_400)).retry_after(None), Some(RETRY_AFTER_MAX));
    }
}
