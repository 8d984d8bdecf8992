//! Reading bodies: no more than the route takes, no longer than a patient network needs.
//!
//! Most bodies are there, whole, when they are asked for: such a one is taken as it lies in the connection's
//! buffer, without a copy and without a timer. Only one that has to be waited for is put under the deadlines.

use super::{problem::Refusal, single};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use pingup_protocol::problem::ProblemType;
use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::time::timeout;

/// How long a body may take to arrive, whole: a full batch over a line of 15 kB a second.
const BODY_DEADLINE: Duration = Duration::from_secs(300);
/// How long a body may pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Room that is made at once for what a body has announced: a batch arrives in some ten parts, and each doubling of
/// its buffer would copy it. What never arrives is never touched, so it takes no memory.
const ROOM_BYTES_MAX: u64 = 256 * 1024;

/// What the body of a route must be by its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/x-protobuf` as a block of snappy: what Prometheus's remote protocols are made of.
    Snappy,
}

impl Kind {
    /// Its media type, without parameters.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Snappy => "application/x-protobuf",
        }
    }

    /// Its content encoding.
    const fn coding(self) -> Option<&'static str> {
        match self {
            Self::Json | Self::Form => None,
            Self::Snappy => Some("snappy"),
        }
    }

    /// Whether a body is that, and of no charset but UTF-8.
    fn is(self, content_type: &str) -> bool {
        let mut parts = content_type.split(';').map(str::trim);
        let charset =
            |parameter: &str| parameter.to_ascii_lowercase().strip_prefix("charset=").map(str::to_owned);
        parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case(self.media_type()))
            && parts.filter_map(charset).all(|charset| charset.trim_matches('"') == "utf-8")
    }
}

/// Refuses a body that is not of this kind by its own account, or larger than `bytes_max` by its own account.
pub fn check_headers(headers: &HeaderMap, kind: Kind, bytes_max: usize) -> Result<(), Refusal> {
    if !single(headers, &header::CONTENT_TYPE).is_some_and(|content_type| kind.is(content_type)) {
        let detail = format!("send Content-Type: {}", kind.media_type());
        return Err(Refusal::new(ProblemType::UnsupportedMediaType, detail));
    }
    if headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) != kind.coding().map(str::as_bytes) {
        let detail = match kind.coding() {
            Some(coding) => format!("send the body with Content-Encoding: {coding}"),
            None => "send the body without a content encoding".to_owned(),
        };
        return Err(Refusal::new(ProblemType::UnsupportedMediaType, detail));
    }
    let announced = single(headers, &header::CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|length| length > bytes_max) {
        return Err(too_large(bytes_max));
    }
    Ok(())
}

/// What all bodies of callers with a token, being read or answered, may take together.
pub const BODIES_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The same for strangers, who may only enrol: a pool of their own, so that filling it silences nobody else.
pub const STRANGERS_BODIES_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The memory for bodies, shared by all requests: this, not the number of connections, bounds what they fill.
#[derive(Clone, Debug)]
pub struct Budget(Arc<AtomicUsize>);

impl Budget {
    /// For callers whose token was checked.
    pub fn known() -> Self {
        Self::of(BODIES_BYTES_MAX)
    }

    /// For everyone else.
    pub fn strangers() -> Self {
        Self::of(STRANGERS_BODIES_BYTES_MAX)
    }

    fn of(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }
}

/// What of the budget a body takes, until this is dropped.
#[derive(Debug)]
pub struct Share<'a> {
    left: &'a AtomicUsize,
    bytes: usize,
}

impl Share<'_> {
    fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        // A count and nothing else: what is in the bodies is handed over by other means.
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes))
            .map_err(|_| {
                Refusal::new(ProblemType::Overloaded, "too many bodies arrive at once; try again")
            })?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// A body on its way.
struct Arriving<'a, B> {
    body: B,
    bytes_max: usize,
    share: Share<'a>,
    /// Its first part, as long as that is all there is.
    first: Bytes,
    /// All of it, once there was a second part.
    whole: BytesMut,
}

/// Reads a body of at most `bytes_max`, and what it takes of the budget.
pub async fn read<B>(body: B, bytes_max: usize, budget: &Budget) -> Result<(Bytes, Share<'_>), Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let share = Share { left: &budget.0, bytes: 0 };
    let mut arriving = Arriving { body, bytes_max, share, first: Bytes::new(), whole: BytesMut::new() };
    if !arriving.take_what_is_there().await? {
        // In a box: few bodies come this way, and every request would have to hold the room for it.
        match Box::pin(timeout(BODY_DEADLINE, arriving.wait())).await {
            Ok(arrived) => arrived?,
            Err(_) => return Err(too_slow(BODY_DEADLINE)),
        }
    }
    let Arriving { share, first, whole, .. } = arriving;
    Ok((if whole.is_empty() { first } else { whole.freeze() }, share))
}

impl<B: Body<Data = Bytes> + Unpin> Arriving<'_, B> {
    /// Takes what comes without waiting; true if that was the end.
    async fn take_what_is_there(&mut self) -> Result<bool, Refusal> {
        // A connection begins to read a body once it was asked for it: its first "not yet" means nothing.
        let mut asked = false;
        loop {
            let frame = poll_fn(|context| match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(frame) => Poll::Ready(Some(frame)),
                Poll::Pending if asked => Poll::Ready(None),
                Poll::Pending => {
                    asked = true;
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            });
            let Some(frame) = frame.await else { return Ok(false) };
            if self.take(frame)? {
                return Ok(true);
            }
        }
    }

    /// Takes the rest, and gives up on one that pauses.
    async fn wait(&mut self) -> Result<(), Refusal> {
        loop {
            let frame = timeout(PAUSE_MAX, self.body.frame()).await.map_err(|_| too_slow(PAUSE_MAX))?;
            if self.take(frame)? {
                return Ok(());
            }
        }
    }

    /// Takes a part; true if it was the last.
    fn take(&mut self, frame: Option<Result<Frame<Bytes>, B::Error>>) -> Result<bool, Refusal> {
        let frame = match frame {
            None => return Ok(true),
            Some(Ok(frame)) => frame,
            Some(Err(_)) => return Err(Refusal::new(ProblemType::MalformedJson, "the body broke off")),
        };
        if let Ok(data) = frame.into_data() {
            if data.len() > self.bytes_max - self.share.bytes {
                return Err(too_large(self.bytes_max));
            }
            self.share.grow(data.len())?;
            if self.first.is_empty() && self.whole.is_empty() {
                self.first = data;
            } else {
                if self.whole.is_empty() {
                    let announced = self.body.size_hint().lower().min(ROOM_BYTES_MAX) as usize;
                    self.whole.reserve(self.first.len() + data.len() + announced);
                }
                self.whole.extend_from_slice(&std::mem::take(&mut self.first));
                self.whole.extend_from_slice(&data);
            }
        }
        Ok(self.body.is_end_stream())
    }
}

/// Not the sender's fault, so it may try again.
fn too_slow(within: Duration) -> Refusal {
    let detail =
        format!("the body did not arrive within {} s; send less at once, or again", within.as_secs());
    Refusal::new(ProblemType::Overloaded, detail)
}

fn too_large(bytes_max: usize) -> Refusal {
    Refusal::new(
        ProblemType::PayloadTooLarge,
        format!("this route takes a body of at most {bytes_max} bytes"),
    )
}

#[cfg(test)]
mod tests;
