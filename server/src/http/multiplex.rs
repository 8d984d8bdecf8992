//! A connection of HTTP/2: many requests at once on one line, each answered as over HTTP/1.1.
//!
//! hyper speaks it from the first byte to the last; there is nothing to take apart while it rests. An answer that has to
//! wait is just awaited. What of a client may grow has a bound here: requests at once, their headers, what waits to be
//! read and to be written, requests that are taken back ([`streams`] watches those that are being answered).
//!
//! Deadlines are those of HTTP/1.1: a connection without a request ends after as long, and so does one of whose answers
//! nothing is taken. When the hub stops, the requests at hand are the last.

mod streams;
#[cfg(test)]
mod tests;

use self::streams::{Paced, Streams, Verdict};
use super::desk::{Answer, Answerer};
use crate::figures::Figures;
use axum::response::Response;
use hyper::{Request, body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{convert::Infallible, future::Future, io, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep},
};

/// Requests at once on one connection: what RFC 9113 §6.5.2 wants at least.
const STREAMS_MAX: u32 = 100;
/// What the headers of one request may take, as over HTTP/1.1: those between this and the protocol's limit are refused
/// with a name.
const HEADER_LIST_BYTES_MAX: u32 = 32 * 1024;
/// What a client may send of one body before somebody reads it, and of all bodies of a connection.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 128 * 1024;
/// What of one answer may wait in the connection to be sent.
const SEND_BYTES_MAX: usize = 32 * 1024;
/// Requests that a client took back before they were looked at, and those that were ended for an error of its: with one
/// more the connection ends.
const TAKEN_BACK_MAX: usize = 20;
const FAULTY_MAX: usize = 100;

/// How often a client is asked whether it is there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_DEADLINE: Duration = Duration::from_secs(30);

/// How often a connection is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The same while the hub stops.
const LOOK_EVERY_AT_STOP: Duration = Duration::from_millis(200);
/// How long a connection that was told to end may take to do so.
const LEAVE_DEADLINE: Duration = Duration::from_secs(30);

/// Where a connection's requests go.
pub(super) struct Counter<A, R> {
    /// Answers them.
    pub(super) answerer: Arc<A>,
    /// The answer where there is no place.
    pub(super) overloaded: R,
    /// Places for requests of all connections.
    pub(super) places: Arc<Semaphore>,
}

/// Answers requests until the client goes, lets a deadline pass, or the hub stops (`stopping` is closed or changes). An
/// error: the client was too slow, or broke the protocol.
pub(super) async fn multiplex<S, A, R>(
    stream: S,
    counter: Counter<A, R>,
    figures: Arc<Figures>,
    mut stopping: watch::Receiver<()>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Answerer,
    R: Fn() -> Response + Send + Sync + 'static,
{
    figures.connections_multiplexed.add(1);
    let _counted = Leaving(figures);
    let streams = Arc::new(Streams::new());
    let (watched, counter) = (Arc::clone(&streams), Arc::new(counter));
    let service = service_fn(move |request| answer(request, Arc::clone(&counter), Arc::clone(&watched)));
    let mut connection = pin!(builder().serve_connection(TokioIo::new(stream), service));
    let (mut stops, mut leave_by) = (false, None);
    let mut look = pin!(sleep(LOOK_EVERY));
    loop {
        tokio::select! {
            ended = connection.as_mut() => match ended {
                // Whoever was told to go may go as it likes.
                Err(error) if !stops && leave_by.is_none() => return Err(io::Error::other(error)),
                _ => return Ok(()),
            },
            _ = stopping.changed(), if !stops => {
                stops = true;
                connection.as_mut().graceful_shutdown();
                look.as_mut().reset(Instant::now() + LOOK_EVERY_AT_STOP);
            }
            () = look.as_mut() => {
                let now = Instant::now();
                if leave_by.is_some_and(|by| by <= now) {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                match streams.judge(now) {
                    Verdict::Stuck => return Err(io::ErrorKind::TimedOut.into()),
                    // Nothing is at hand, or ends that are written and not taken: to wait for the client's last word, which need
                    // not come, would hold up the stop for nothing.
                    Verdict::Quiet | Verdict::Idle | Verdict::Endless if stops => return Ok(()),
                    Verdict::Idle if leave_by.is_none() => {
                        leave_by = Some(now + LEAVE_DEADLINE);
                        connection.as_mut().graceful_shutdown();
                    }
                    Verdict::Quiet | Verdict::Idle | Verdict::Endless | Verdict::Busy => {}
                }
                look.as_mut().reset(now + if stops { LOOK_EVERY_AT_STOP } else { LOOK_EVERY });
            }
        }
    }
}

fn builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BYTES_MAX)
        .max_pending_accept_reset_streams(TAKEN_BACK_MAX)
        .max_local_error_reset_streams(FAULTY_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_DEADLINE);
    builder
}

/// Answers one request.
fn answer<A, R>(
    request: Request<Incoming>,
    counter: Arc<Counter<A, R>>,
    streams: Arc<Streams>,
) -> impl Future<Output = Result<hyper::Response<Paced<OwnedSemaphorePermit>>, Infallible>> + Send
where
    A: Answerer,
    R: Fn() -> Response + Send + Sync + 'static,
{
    let stream = streams.open();
    async move {
        let place = Arc::clone(&counter.places).try_acquire_owned().ok();
        let response = match place {
            // In a box, which is gone while an answer waits: thousands may.
            Some(_) => match Box::pin(counter.answerer.answer(request)).await {
                Answer::Now(response) => response,
                Answer::Later(waiting) => waiting.await,
            },
            None => (counter.overloaded)(),
        };
        Ok(stream.pace(response, place))
    }
}

/// One less on the gauge when this is dropped.
struct Leaving(Arc<Figures>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.connections_multiplexed.sub(1);
    }
}
