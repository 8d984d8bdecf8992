//! What wakes a connection besides its client.

use super::{HEADER_BUFFER_BYTES_MAX, LOOK_EVERY, Line};
use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::AsyncRead,
    sync::watch,
    time::{Instant, Sleep},
};

/// What wakes a connection besides its client: the hub's stop, and its timer. Each is polled to be woken, and then only
/// looked at, for it is always the same task that is woken.
pub(super) struct Signals<'a, F> {
    stop: Pin<&'a mut F>,
    told: watch::Receiver<()>,
    waits_for_stop: bool,
    timer: Pin<&'a mut Sleep>,
    waits_for_timer: bool,
}

impl<'a, F: Future> Signals<'a, F> {
    /// `stop` is over when the hub stops, of which `told` tells too.
    pub(super) const fn new(
        stop: Pin<&'a mut F>,
        told: watch::Receiver<()>,
        timer: Pin<&'a mut Sleep>,
    ) -> Self {
        Self { stop, told, waits_for_stop: false, timer, waits_for_timer: false }
    }

    /// Whether the hub stops.
    pub(super) fn has_stop(&self) -> bool {
        self.told.has_changed().unwrap_or(true)
    }

    /// The same, and has the task woken when it does.
    pub(super) fn poll_stop(&mut self, context: &mut Context<'_>) -> bool {
        if self.waits_for_stop {
            return self.has_stop();
        }
        self.waits_for_stop = true;
        self.stop.as_mut().poll(context).is_ready()
    }

    /// Sets the timer to the next look.
    pub(super) fn look_later(&mut self) {
        self.look_at(Instant::now() + LOOK_EVERY);
    }

    fn look_at(&mut self, moment: Instant) {
        self.waits_for_timer = false;
        self.timer.as_mut().reset(moment);
    }

    /// Whether the timer has gone off; has the task woken when it does.
    pub(super) fn poll_timer(&mut self, context: &mut Context<'_>) -> bool {
        if self.waits_for_timer {
            return self.timer.is_elapsed();
        }
        self.waits_for_timer = true;
        self.timer.as_mut().poll(context).is_ready()
    }

    /// Waits for the first bytes of the next request; false when none will come, since the client hung up or the hub
    /// stops. An error: none came until `due`.
    pub(super) async fn next_request<S: AsyncRead + Unpin>(
        &mut self,
        line: &mut Line<S>,
        due: Option<Instant>,
    ) -> io::Result<bool> {
        if let Some(due) = due {
            self.look_at(due);
        }
        poll_fn(|context| {
            if self.poll_stop(context) {
                return Poll::Ready(Ok(false));
            }
            match line.poll_read_ahead(context) {
                Poll::Ready(read) => Poll::Ready(read.map(|count| count > 0)),
                Poll::Pending if self.poll_timer(context) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Waits for nothing more of a head for which there is no room: true when it is there whole. Any other is forgotten, and what follows it is
    /// too, until the client has hung up, the hub stops (false), or it was `due` or said too much (errors).
    pub(super) async fn rest_of_head<S: AsyncRead + Unpin>(
        &mut self,
        line: &mut Line<S>,
        due: Option<Instant>,
    ) -> io::Result<bool> {
        while line.is_part_of_head() {
            match poll_fn(|context| Poll::Ready(line.poll_read_ahead(context))).await {
                Poll::Ready(Ok(0)) => return Ok(false),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return self.deaf(line, due).await,
            }
        }
        Ok(true)
    }

    async fn deaf<S: AsyncRead + Unpin>(
        &mut self,
        line: &mut Line<S>,
        due: Option<Instant>,
    ) -> io::Result<bool> {
        let mut left = HEADER_BUFFER_BYTES_MAX;
        loop {
            let Some(rest) = left.checked_sub(line.forget()) else {
                return Err(io::ErrorKind::OutOfMemory.into());
            };
            left = rest;
            if !self.next_request(line, due).await? {
                return Ok(false);
            }
        }
    }
}
