//! A connection while hyper serves it: until its end, until it has nothing at hand, or until an answer has to wait.

use super::{Rest, signals::Signals};
use crate::http::{
    desk::{Answerer, Counter, Desk},
    line::{HEADER_BUFFER_BYTES_MAX, Line},
};
use axum::response::Response;
use hyper::server::conn::http1::{self, Parts};
use hyper_util::rt::TokioIo;
use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::Arc,
    task::Poll,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

/// A line that hyper serves.
pub(super) struct Served<S, A: Answerer> {
    /// In a box: a connection that it does not serve need not hold the room.
    hyper: Box<http1::Connection<TokioIo<Line<S>>, Desk<A>>>,
    /// It was made to write an answer, and for nothing else.
    is_to_write: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin, A: Answerer> Served<S, A> {
    pub(super) fn new(line: Line<S>, counter: &Arc<Counter<A>>, ready: Option<Response>) -> Self {
        let is_to_write = ready.is_some();
        let desk = Desk::new(Arc::clone(counter), ready);
        let mut builder = http1::Builder::new();
        // The conversation has deadlines of its own.
        builder.header_read_timeout(None).max_buf_size(HEADER_BUFFER_BYTES_MAX);
        let hyper = Box::new(builder.serve_connection(TokioIo::new(line), desk));
        Self { hyper, is_to_write }
    }

    /// Until hyper has nothing at hand; then the line is back.
    pub(super) async fn serve(
        mut self,
        counter: &Counter<A>,
        signals: &mut Signals<'_, impl Future>,
    ) -> io::Result<(Line<S>, Rest)> {
        signals.look_later();
        let mut stops = false;
        let mut requests = counter.turn.requests();
        let rest = poll_fn(|context| {
            loop {
                if let Poll::Ready(ended) = Pin::new(&mut *self.hyper).poll(context) {
                    return Poll::Ready(ended.map(|()| Rest::Over).map_err(io::Error::other));
                }
                if stops || !signals.poll_stop(context) {
                    break;
                }
                // After a first look at what is there: before it, hyper would not look any more.
                stops = true;
                Pin::new(&mut *self.hyper).graceful_shutdown();
            }
            let turn = &counter.turn;
            match stops {
                // Its end is written, but not taken: it would hold up the stop for nothing.
                true if turn.is_endless_and_stuck() => return Poll::Ready(Ok(Rest::Over)),
                false if turn.is_held() => {
                    if let Some((waiting, head)) = counter.take_waiting() {
                        return Poll::Ready(Ok(Rest::Held(waiting, head)));
                    }
                }
                false if self.is_to_write && turn.is_idle() => return Poll::Ready(Ok(Rest::Idle)),
                _ => {}
            }
            while signals.poll_timer(context) {
                if turn.due().is_some_and(|due| due <= Instant::now()) {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                let is_busy = std::mem::replace(&mut requests, turn.requests()) != turn.requests();
                if !stops && !is_busy && turn.is_idle() {
                    return Poll::Ready(Ok(Rest::Unfinished));
                }
                signals.look_later();
            }
            Poll::Pending
        })
        .await?;
        let Parts { io, read_buf, .. } = self.hyper.into_parts();
        let mut line = io.into_inner();
        line.put_back(&read_buf);
        Ok((line, rest))
    }
}
