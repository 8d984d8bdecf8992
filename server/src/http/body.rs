//! Reading bodies: of the [`kind`] that the route takes, no more than it takes, no longer than a patient network needs.
//!
//! Most bodies are there, whole, when they are asked for: such a one is taken as it lies in the connection's
//! buffer, without a copy and without a timer. Only one that has to be waited for is put under the deadlines.

mod budget;
mod kind;
mod own;
mod shares;

pub use budget::{
    BODIES_BYTES_MAX, Budget, OPERATORS_BODIES_BYTES_MAX, SENDER_BODIES_BYTES_MAX, SENDER_BYTES_MAX,
    SENDERS_BODIES_BYTES_MAX, SENDERS_RESERVED_BYTES, STRANGERS_BODIES_BYTES_MAX, Share,
};
pub use kind::{Kind, check_headers};
pub use own::Own;
pub use shares::Shares;

use super::problem::Refusal;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use pingup_protocol::problem::ProblemType;
use std::{future::poll_fn, pin::Pin, sync::atomic::AtomicUsize, task::Poll, time::Duration};
use tokio::time::timeout;

/// How long a body may take to arrive, whole: a full batch over a line of 15 kB a second.
const BODY_DEADLINE: Duration = Duration::from_secs(300);
/// How long a body may pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// What a body takes that has to be waited for, beside its bytes: the two buffers of whatever reads it, and some. Of nobody's bodies, or one
/// sender's, there must not be thousands that say nothing.
pub const WAITING_BYTES: usize = 16 * 1024;
/// Room that is made at once for what a body has announced: a batch arrives in some ten parts, and each doubling of
/// its buffer would copy it. What never arrives is never touched, so it takes no memory.
const ROOM_BYTES_MAX: u64 = 256 * 1024;

/// What is read of a body that is refused for its length, so that its sender hears why.
const DROPPED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A body on its way.
struct Arriving<'a, 'o, B> {
    body: B,
    bytes_max: usize,
    share: Share<&'a AtomicUsize>,
    /// What it takes of its sender's own, once it has to be waited for.
    own: Option<(Share<&'o AtomicUsize>, Own<'o>)>,
    /// Its first part, as long as that is all there is.
    first: Bytes,
    /// All of it, once there was a second part.
    whole: BytesMut,
}

/// Reads a body of at most `bytes_max`, and what it takes of the budget. While it is on its way it also takes of what its sender
/// has left, `own`.
pub async fn read<'a, B>(
    body: B,
    bytes_max: usize,
    budget: &'a Budget,
    own: Option<Own<'_>>,
) -> Result<(Bytes, Share<&'a AtomicUsize>), Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large(bytes_max));
    }
    let share = budget.share();
    let (first, whole) = (Bytes::new(), BytesMut::new());
    let mut arriving = Arriving { body, bytes_max, share, own: None, first, whole };
    if !arriving.take_what_is_there().await? {
        let waiting = arriving.count_for(own, budget)?;
        // In a box: few bodies come this way, and every request would have to hold the room for it.
        match Box::pin(timeout(BODY_DEADLINE, arriving.wait(waiting))).await {
            Ok(arrived) => arrived?,
            Err(_) => return Err(too_slow(BODY_DEADLINE)),
        }
    }
    let Arriving { share, first, whole, .. } = arriving;
    Ok((if whole.is_empty() { first } else { whole.freeze() }, share))
}

/// Reads what is left of a body and keeps nothing of it. A sender that writes and does not listen until all of it is out
/// would else see a broken line instead of the answer, and come back with the same for ever.
pub async fn drop_rest<B: Body<Data = Bytes> + Unpin>(body: &mut B) {
    let mut left = DROPPED_BYTES_MAX;
    let drop_all = async {
        while let Ok(Some(Ok(frame))) = timeout(PAUSE_MAX, body.frame()).await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(rest) = left.checked_sub(length) else { return };
            left = rest;
        }
    };
    // Whoever takes longer hears it as he can.
    let _ = timeout(BODY_DEADLINE, drop_all).await;
}

/// Whether a body was refused for its length.
pub fn is_too_large(refusal: &Refusal) -> bool {
    refusal.kind() == ProblemType::PayloadTooLarge
}

impl<'a, 'o, B: Body<Data = Bytes> + Unpin> Arriving<'a, 'o, B> {
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

    /// Counts what is there for its sender, and all that is still to come; and what its waiting takes.
    fn count_for(
        &mut self,
        own: Option<Own<'o>>,
        budget: &'a Budget,
    ) -> Result<Option<Share<&'a AtomicUsize>>, Refusal> {
        if let Some(own) = own {
            let mut share = own.share();
            if !share.grow(self.share.bytes() + WAITING_BYTES) {
                return Err(own.refusal());
            }
            self.own = Some((share, own));
        }
        Own::wait(own, budget, WAITING_BYTES)
    }

    /// Takes the rest, and gives up on one that pauses; `_waiting` is held until then.
    async fn wait(&mut self, _waiting: Option<Share<&'a AtomicUsize>>) -> Result<(), Refusal> {
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
            Some(Err(_)) => {
                let refusal = Refusal::new(ProblemType::MalformedJson, "the body broke off");
                return Err(refusal.after(self.share.bytes()));
            }
        };
        if let Ok(data) = frame.into_data() {
            if data.len() > self.bytes_max - self.share.bytes() {
                return Err(too_large(self.bytes_max).after(self.share.bytes()));
            }
            if let Some((share, own)) = &mut self.own
                && !share.grow(data.len())
            {
                return Err(own.refusal());
            }
            if !self.share.grow(data.len()) {
                return Err(too_many());
            }
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

fn too_many() -> Refusal {
    Refusal::new(ProblemType::Overloaded, "too many bodies arrive at once; try again")
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
