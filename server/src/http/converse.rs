//! A connection from its first byte to its last: hyper while there is something to do, and nearly nothing while there is
//! not.
//!
//! ```text
//!                         it begins ──→ parked ── a head comes ──→ served
//! served ── nothing to do for a look ──→ parked
//!    ├───── the answer has to wait ────→ held ──── it is there ───→ served ── it is out ──→ parked
//!    └── a head that goes no further ──→ parked ── more of it comes ──→ served
//! ```
//! hyper keeps two buffers of 8 KiB for each connection, busy or not; ten thousand agents, each with one connection that
//! waits for commands and others that say something twice a minute, would fill hundreds of megabytes with them. So hyper
//! is taken apart when it has nothing at hand, and made anew when a byte comes. What it had read ahead goes with the
//! line. An answer that was waited for is given to a new hyper, which is shown a request of the same form once more: so
//! there is one place that writes answers. That hyper goes as soon as the answer is out: a fleet that was told to come at
//! one moment, or was told something at one, must not find thousands of them made at once.
//!
//! One timer a connection. While hyper serves, it goes off at each look: a busy connection is left alone, one without a
//! request since the last look is parked, one that lets a deadline pass is ended. While a request is being answered
//! nothing is due from the client; its body has deadlines of its own (`body`).
//!
//! A request that is refused before all of it came ends its connection, once the client has heard why (`linger`).
//!
//! A head that is not whole is kept without hyper too, as it came, until it may be, so that one that never ends takes what it is
//! long and no more. A thousand bytes of it are the connection's; of what is more, all connections have so much together. Where that is
//! taken, a head that is there whole is served as ever. Any other is forgotten, and its connection heard no more until its deadline ends it:
//! whoever is closed at once comes back at once, and opening connections takes the hub longer than having them.
//!
//! An answer without an end (a stream of events) is our turn until it ends, and the last on its line. Its reader may be
//! silent for ever, but must take what is written; when the hub stops, one that does not is not waited for.

mod counted;
mod ending;
mod served;
mod signals;
#[cfg(test)]
mod tests;

use self::{
    counted::{Counted, NoRoom, keep_head, linger_on},
    ending::{farewell, linger},
    served::Served,
    signals::Signals,
};
use super::{
    desk::{Answerer, Counter, Head, LAST},
    held::Waiting,
    line::{HEADER_BUFFER_BYTES_MAX, Line},
};
use crate::figures::Figures;
use axum::response::Response;
use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::sleep,
};

/// How often a connection that is served is looked at. Shorter than any pause of an agent, longer than any of a
/// connection in full use. After its last request a connection has its hyper for one look to two: of ten thousand agents
/// that say something four times a minute, two hundred have.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Answers one request after the other; when the hub stops (`stopping` is closed or changes), the one at hand is the
/// last. An error: the client was too slow, or hung up in the middle.
///
/// Thousands of these rest at once, so nothing is in it twice: what an `async fn` is given, it keeps beside what it
/// makes of that, and what is not needed while a connection rests is not kept across a wait.
pub(super) fn converse<S, A>(
    stream: S,
    answerer: A,
    figures: Arc<Figures>,
    mut stopping: watch::Receiver<()>,
) -> impl Future<Output = io::Result<()>>
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Answerer,
{
    let counter = Counter::new(answerer);
    let (mut line, mut rest) = (Line::new(stream, Arc::clone(&counter.turn)), Rest::Idle);
    async move {
        let told = stopping.clone();
        let (stop, timer) = (pin!(stopping.changed()), pin!(sleep(LOOK_EVERY)));
        let mut signals = Signals::new(stop, told, timer);
        loop {
            let ready = match rest {
                Rest::Over => {
                    if counter.turn.is_refused()
                        && let Some(_room) = linger_on(&figures)
                    {
                        // In a box: few connections end so, and all would have to hold the room for it.
                        Box::pin(linger(&mut line)).await;
                    }
                    return Ok(());
                }
                // The next request, or what there is of it: that is hyper's to read.
                Rest::Idle if line.has_unread() => None,
                Rest::Idle | Rest::Unfinished => {
                    let _parked = Counted::one(&figures.connections_parked);
                    let (kept, due) = (keep_head(&figures, line.unread_bytes()), counter.turn.due());
                    let is_more = match kept {
                        Ok(_) => signals.next_request(&mut line, due).await?,
                        // In a box: only a flood comes to this.
                        Err(NoRoom) => Box::pin(signals.rest_of_head(&mut line, due)).await?,
                    };
                    if !is_more {
                        farewell(&mut line).await;
                        return Ok(());
                    }
                    if line.is_part_of_head() {
                        rest = Rest::Unfinished;
                        continue;
                    }
                    None
                }
                Rest::Held(waiting, head) => {
                    let _held = Counted::one(&figures.connections_held);
                    let Some(response) = outlast(&mut line, waiting).await? else { return Ok(()) };
                    line.put_back(if signals.has_stop() { LAST } else { head });
                    Some(response)
                }
            };
            (line, rest) = Served::new(line, &counter, ready).serve(&counter, &mut signals).await?;
        }
    }
}

/// What is left to do when hyper has nothing at hand.
enum Rest {
    /// Nothing: the connection is at its end.
    Over,
    /// To wait for the next request.
    Idle,
    /// To wait for the rest of the next request's head, which hyper has looked at.
    Unfinished,
    /// To wait for the answer to the last one.
    Held(Waiting, Head),
}

/// Waits for the answer, for as long as the client does; none when it hung up. What it sends meanwhile is kept.
async fn outlast<S: AsyncRead + Unpin>(
    line: &mut Line<S>,
    mut waiting: Waiting,
) -> io::Result<Option<Response>> {
    poll_fn(|context| {
        if let Poll::Ready(response) = waiting.as_mut().poll(context) {
            return Poll::Ready(Ok(Some(response)));
        }
        while !line.has_unread() {
            match line.poll_read_ahead(context) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(None)),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => break,
            }
        }
        Poll::Pending
    })
    .await
}
