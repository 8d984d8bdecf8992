//! One keep-alive HTTP/1.1 connection to the hub, with one request in flight.
//!
//! Written by hand, because it shares the machine with what it measures: one write and one read a request,
//! answers borrowed from the connection's own buffer, one timer a connection that is only set anew when it
//! rings. It knows answers with a Content-Length and nothing else; anything unexpected is an error and ends
//! the connection. It reconnects when it is told to send and has none, and never sends twice on its own
//! account: whoever calls knows what may be sent again, and counts it.

mod attempts;
mod manner;

pub(crate) use attempts::Attempts;
pub(crate) use manner::Manner;

use crate::{
    answer::{Answer, Head, Unexpected},
    settings::Hub,
};
use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, Sleep, sleep, timeout},
};

/// An answer's bytes with its head: a page of history, and far more than that.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a buffer for answers begins with: an ordinary answer with its head fits.
const ANSWER_BYTES_USUAL: usize = 1024;
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may take; a hub that is slower than this is as good as gone.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nothing listens there, or nobody may open another connection.
    #[error("no connection to {hub}: {source}")]
    Connect {
        /// Where to.
        hub: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody took the connection or gave an answer in time.
    #[error("{hub} did not answer within {} s", .after.as_secs())]
    Timeout {
        /// Who.
        hub: String,
        /// How long it was given.
        after: Duration,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// What came was not what is understood here.
    #[error("the answer could not be read: {0}")]
    Unreadable(#[from] Unexpected),
}

/// The connection, open or to be opened.
pub(crate) struct Client {
    hub: Arc<Hub>,
    manner: Manner,
    stream: Option<TcpStream>,
    input: Vec<u8>,
    /// Of the answer in `input`.
    head: Option<Head>,
    timer: Pin<Box<Sleep>>,
    patience: Duration,
}

impl Client {
    /// A connection to `hub`, to be opened with the first request.
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        let timer = Box::pin(sleep(Duration::ZERO));
        Self {
            hub,
            manner: Manner::default(),
            stream: None,
            input: vec![0; ANSWER_BYTES_USUAL],
            head: None,
            timer,
            patience: ANSWER_TIMEOUT,
        }
    }

    /// Gives answers `patience` and no longer.
    pub(crate) fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Opens and keeps it so.
    pub(crate) fn with_manner(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }

    /// Whether it is open, as far as is known.
    pub(crate) const fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Lets an idle connection go that the other side has closed meanwhile: the next request opens another, as with any
    /// client that waits for nothing and still hears.
    pub(crate) fn notice(&mut self) {
        let is_idle = |stream: &TcpStream| {
            let heard = stream.try_read(&mut [0]);
            heard.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        };
        self.stream = self.stream.take().filter(is_idle);
    }

    /// Whether it is opened for each request.
    pub(crate) const fn is_brief(&self) -> bool {
        self.manner.brief.is_some()
    }

    /// Whether it is a connection to this very hub.
    pub(crate) fn talks_to(&self, hub: &Arc<Hub>) -> bool {
        Arc::ptr_eq(&self.hub, hub)
    }

    /// Opens the connection, if it is not open.
    pub(crate) async fn open(&mut self) -> Result<(), ClientError> {
        if self.stream.is_none() {
            self.stream = Some(open(&self.hub, &self.manner).await?);
        }
        Ok(())
    }

    /// Sends a whole `request` and reads the whole answer. After an error the next call opens a new connection.
    ///
    /// Not safe to cancel and go on: a call that was dropped leaves no connection behind, and nobody knows
    /// whether the hub acted.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, ClientError> {
        self.head = None;
        let _turn = self.manner.turn().await;
        self.open().await?;
        let Some(mut stream) = self.stream.take() else { return Err(io::Error::other("not open").into()) };
        let deadline = Instant::now() + self.patience;
        let exchanged = {
            let talk = pin!(talk(&mut stream, request, &mut self.input));
            by(deadline, &mut self.timer, talk).await
        };
        let head = match exchanged {
            Some(head) => head?,
            None => return Err(ClientError::Timeout { hub: self.hub.url(), after: self.patience }),
        };
        if !head.closes() && self.manner.brief.is_none() {
            self.stream = Some(stream);
        }
        Ok(self.head.insert(head).over(&self.input))
    }

    /// The last answer, if the last exchange brought one.
    pub(crate) fn last(&self) -> Option<Answer<'_>> {
        self.head.as_ref().map(|head| head.over(&self.input))
    }
}

async fn open(hub: &Hub, manner: &Manner) -> Result<TcpStream, ClientError> {
    timeout(CONNECT_TIMEOUT, manner.connect(hub))
        .await
        .map_err(|_| ClientError::Timeout { hub: hub.url(), after: CONNECT_TIMEOUT })?
        .map_err(|source| ClientError::Connect { hub: hub.url(), source })
}

async fn talk(stream: &mut TcpStream, request: &[u8], input: &mut Vec<u8>) -> Result<Head, ClientError> {
    stream.write_all(request).await?;
    let mut filled = 0;
    let mut head: Option<Head> = None;
    loop {
        if filled == input.len() {
            let more = head.as_ref().map_or(0, Head::bytes).max(2 * input.len());
            input.resize(more.min(ANSWER_BYTES_MAX), 0);
        }
        match stream.read(&mut input[filled..]).await? {
            0 if filled == input.len() => return Err(Unexpected::TooLong.into()),
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            read => filled += read,
        }
        if head.is_none() {
            head = Head::parse(&input[..filled])?;
        }
        match &head {
            Some(whole) if whole.bytes() > ANSWER_BYTES_MAX => return Err(Unexpected::TooLong.into()),
            Some(whole) if whole.bytes() < filled => return Err(Unexpected::MoreThanAsked.into()),
            Some(whole) if whole.bytes() == filled => return head.ok_or(Unexpected::NotHttp.into()),
            _ => {}
        }
    }
}

/// What `work` comes to; `None` if it takes beyond `deadline`. The timer stays set from one call to the next,
/// and is set anew only when it rings: setting a timer for every request costs more than the whole rest here.
async fn by<T>(
    deadline: Instant,
    timer: &mut Pin<Box<Sleep>>,
    mut work: Pin<&mut impl Future<Output = T>>,
) -> Option<T> {
    poll_fn(|context: &mut Context<'_>| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Some(done));
        }
        while timer.as_mut().poll(context).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(None);
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests;
