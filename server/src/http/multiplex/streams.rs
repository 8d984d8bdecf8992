//! The requests of one HTTP/2 connection that are being answered, and how it goes with each: whether its client takes what
//! it is given.
//!
//! An answer is given out in small pieces ([`PIECE_BYTES`]), so that taking is seen. While a piece waits for its client
//! to have room it is the client's turn; while the next one is made it is ours, and nothing is due.

use crate::http::{pieces::Pieces, respond::Endless, turn};
use axum::{body::Body as Whole, response::Response};
use bytes::Bytes;
use hyper::{
    body::{Body, Frame, SizeHint},
    header,
};
use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Instant;

/// What is given out at once.
const PIECE_BYTES: usize = 16 * 1024;
/// When the hub stops, a piece that has waited for so long is stuck, and no request comes any more from who has sent none
/// for so long.
const OVER_AT_STOP: Duration = Duration::from_secs(1);

/// How a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Something is being done, or awaited that may be waited for.
    Busy,
    /// No request for a moment: a connection that is to end may.
    Quiet,
    /// No request for too long.
    Idle,
    /// Of an answer nothing was taken for too long.
    Stuck,
    /// There are only answers without an end, and nobody takes of them.
    Endless,
}

/// What is known of all requests of a connection.
#[derive(Debug)]
pub(super) struct Streams(Mutex<Known>);

#[derive(Debug)]
struct Known {
    /// Requests that are being answered.
    open: usize,
    /// Since when that is as it is.
    since: Instant,
    /// The next one's number.
    next: u64,
    /// Since when a piece of an answer waits, and whether the answer has no end.
    given: HashMap<u64, (Instant, bool)>,
}

impl Streams {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Known { open: 0, since: Instant::now(), next: 0, given: HashMap::new() }))
    }

    /// A request is here.
    pub(super) fn open(self: Arc<Self>) -> Stream {
        let mut known = self.known();
        known.open += 1;
        known.since = Instant::now();
        let number = known.next;
        known.next += 1;
        drop(known);
        Stream { streams: self, number, is_endless: false }
    }

    /// How the connection does.
    pub(super) fn judge(&self, now: Instant) -> Verdict {
        let known = self.known();
        let waits_for = |since: &Instant| now.saturating_duration_since(*since);
        let is_stuck = |(since, _): &(Instant, bool)| waits_for(since) >= turn::WRITE_DEADLINE;
        let is_lost = |(since, is_endless): &(Instant, bool)| *is_endless && waits_for(since) >= OVER_AT_STOP;
        match () {
            () if known.given.values().any(is_stuck) => Verdict::Stuck,
            () if known.open == 0 && waits_for(&known.since) >= turn::HEADER_DEADLINE => Verdict::Idle,
            () if known.open == 0 && waits_for(&known.since) >= OVER_AT_STOP => Verdict::Quiet,
            () if known.open > 0 && known.given.len() == known.open && known.given.values().all(is_lost) => {
                Verdict::Endless
            }
            () => Verdict::Busy,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being answered, until this is dropped.
#[derive(Debug)]
pub(super) struct Stream {
    streams: Arc<Streams>,
    number: u64,
    is_endless: bool,
}

impl Stream {
    /// Its answer, which takes `place` until it is out.
    pub(super) fn pace<P>(mut self, response: Response, place: Option<P>) -> hyper::Response<Paced<P>> {
        self.is_endless = response.extensions().get::<Endless>().is_some();
        let mut paced = response.map(|body| Paced { body: Pieces::of(body), stream: self, _place: place });
        // Says something of a connection, which goes on (RFC 9113 §8.2.2).
        paced.headers_mut().remove(header::CONNECTION);
        paced
    }

    /// Its client has room for more.
    fn taken(&self) {
        self.streams.known().given.remove(&self.number);
    }

    /// A piece waits for its client.
    fn given(&self) {
        self.streams.known().given.insert(self.number, (Instant::now(), self.is_endless));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut known = self.streams.known();
        known.given.remove(&self.number);
        known.open -= 1;
        known.since = Instant::now();
    }
}

/// An answer's body, in small pieces.
pub(super) struct Paced<P> {
    body: Pieces<Whole>,
    stream: Stream,
    _place: Option<P>,
}

impl<P: Unpin> Body for Paced<P> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.stream.taken();
        let piece = ready!(self.body.poll_piece(context, PIECE_BYTES));
        if matches!(&piece, Some(Ok(frame)) if frame.is_data()) {
            self.stream.given();
        }
        Poll::Ready(piece)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use http_body_util::BodyExt;
    use tokio::time::advance;

    fn answer(streams: &Arc<Streams>, body: impl Into<Whole>) -> Paced<()> {
        Arc::clone(streams).open().pace(Response::new(body.into()), None).into_body()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_comes_in_pieces_and_is_stuck_when_one_is_not_taken() {
        let streams = Arc::new(Streams::new());
        let mut body = answer(&streams, vec![7; 2 * PIECE_BYTES + 1]);
        assert_eq!(body.size_hint().exact(), Some(2 * PIECE_BYTES as u64 + 1));
        for (length, is_last) in [(PIECE_BYTES, false), (PIECE_BYTES, false), (1, true)] {
            advance(turn::WRITE_DEADLINE).await;
            let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!((piece.len(), body.is_end_stream()), (length, is_last));
            assert_eq!(streams.judge(Instant::now()), Verdict::Busy, "it was taken just now");
        }
        advance(turn::WRITE_DEADLINE).await;
        assert_eq!(streams.judge(Instant::now()), Verdict::Stuck);
        drop(body);
        assert_eq!(streams.judge(Instant::now()), Verdict::Busy);
        advance(turn::HEADER_DEADLINE).await;
        assert_eq!(streams.judge(Instant::now()), Verdict::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_still_made_is_not_due_from_the_client() {
        let streams = Arc::new(Streams::new());
        let waiting = Arc::clone(&streams).open();
        let never = Whole::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let mut body = answer(&streams, never);
        assert!(body.frame().now_or_never().is_none());
        advance(Duration::from_secs(3600)).await;
        assert_eq!(streams.judge(Instant::now()), Verdict::Busy);
        drop((waiting, body));
    }

    #[tokio::test(start_paused = true)]
    async fn streams_that_nobody_reads_are_told_from_answers_at_work() {
        let streams = Arc::new(Streams::new());
        let mut response = Response::new(Whole::from("event"));
        response.extensions_mut().insert(Endless);
        let mut body = Arc::clone(&streams).open().pace(response, Some(())).into_body();
        body.frame().await.unwrap().unwrap();
        assert_eq!(streams.judge(Instant::now()), Verdict::Busy, "it may be taken yet");
        advance(OVER_AT_STOP).await;
        assert_eq!(streams.judge(Instant::now()), Verdict::Endless);
        let _another = Arc::clone(&streams).open();
        assert_eq!(streams.judge(Instant::now()), Verdict::Busy);
    }
}
