//! A connection's line, and the deadlines on it: how long the next request may take to come, and how long an
//! answer may wait for its reader.
//!
//! One timer a connection, and it is left alone while all goes well: it is set once and only looked at when it
//! goes off, which then sets it to what is due by that time. So a request costs a look at the clock, no more.
//! While a request is being answered nothing is due from the client; its body has deadlines of its own (`body`).
//!
//! An answer without an end (a stream of events) is our turn until it ends, and the last on its line. Its reader may be
//! silent for ever, but must take what is written; when the hub stops, one that does not is not waited for.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// How long a request's header block may take to arrive, from the end of the last answer: also how long a
/// kept-alive connection may idle.
const HEADER_DEADLINE: Duration = Duration::from_secs(75);
/// How long an answer may wait for its reader to take more of it.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// Up to this size the parts of an answer (its head, its body) are copied together: for so little, one part costs
/// the kernel less than two.
const TOGETHER_BYTES_MAX: usize = 1024;

/// Whose turn it is on a line: the client's since a moment, or ours.
#[derive(Debug)]
pub(super) struct Turn {
    opened: Instant,
    /// Milliseconds after `opened`, plus one; zero while a request is being answered.
    clients_since: AtomicU64,
    /// The answer that is being written has no end.
    endless: AtomicBool,
    /// Its reader takes nothing.
    stuck: AtomicBool,
}

impl Turn {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            clients_since: AtomicU64::new(1),
            endless: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
        })
    }

    /// A request is here.
    pub(super) fn ours(&self) {
        self.clients_since.store(0, Ordering::Relaxed);
    }

    /// The answer to it is on its way.
    pub(super) fn clients(&self) {
        let since = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.clients_since.store(since + 1, Ordering::Relaxed);
    }

    /// The answer that is on its way has no end, and no request follows it.
    pub(super) fn endless(&self) {
        self.endless.store(true, Ordering::Relaxed);
    }

    /// Whether an answer without an end waits for a reader that takes nothing.
    pub(super) fn is_endless_and_stuck(&self) -> bool {
        self.endless.load(Ordering::Relaxed) && self.stuck.load(Ordering::Relaxed)
    }

    /// When the next request is due, if one is.
    fn due(&self) -> Option<Instant> {
        let since = self.clients_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.opened + Duration::from_millis(since) + HEADER_DEADLINE)
    }
}

/// A stream under deadlines.
pub(super) struct Line<S> {
    stream: S,
    turn: Arc<Turn>,
    /// Since when the reader of an answer takes nothing.
    stuck_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> Line<S> {
    pub(super) const fn new(stream: S, turn: Arc<Turn>) -> Self {
        Self { stream, turn, stuck_since: None, timer: None }
    }

    /// Has the task woken when `due`, or somewhat earlier; ready when it is past.
    fn poll_due(&mut self, context: &mut Context<'_>, due: Instant) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
    }

    fn after_write(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            if self.stuck_since.take().is_some() {
                self.turn.stuck.store(false, Ordering::Relaxed);
                if !self.turn.endless.load(Ordering::Relaxed) {
                    // A long answer: the next request is due from its end, not its beginning.
                    self.turn.clients();
                }
            }
            return written;
        }
        self.turn.stuck.store(true, Ordering::Relaxed);
        let since = *self.stuck_since.get_or_insert_with(Instant::now);
        self.poll_due(context, since + WRITE_DEADLINE).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let read @ Poll::Ready(_) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            return read;
        }
        match self.turn.due() {
            // As long as an answer is stuck, its own deadline is the one that counts.
            Some(due) if self.stuck_since.is_none() => {
                self.poll_due(context, due).map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
            _ => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.after_write(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut together = [0; TOGETHER_BYTES_MAX];
        let written = match put_together(parts, &mut together) {
            Some(bytes) => Pin::new(&mut self.stream).poll_write(context, bytes),
            None => Pin::new(&mut self.stream).poll_write_vectored(context, parts),
        };
        self.after_write(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The parts as one, if there is room for them.
fn put_together<'a>(parts: &[IoSlice<'_>], room: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut filled = 0;
    for part in parts {
        room.get_mut(filled..filled + part.len())?.copy_from_slice(part);
        filled += part.len();
    }
    room.get(..filled)
}

#[cfg(test)]
mod tests;
