//! The accept loop: connections on hyper, each with its limits, all of them ended in order.

use super::{
    dispatch::Dispatch,
    line::{Line, Turn},
    respond::Endless,
};
use axum::response::Response;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

/// What hyper buffers of a header block. Larger than the protocol's limit, so that a block between the two
/// gets a refusal with a name; hyper itself answers beyond.
const HEADER_BUFFER_BYTES_MAX: usize = 32 * 1024;
/// How long connections get to finish what they are at when the hub stops.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);
/// A pause after `accept` failed for want of file descriptors, so that failing costs no processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the table on `listener` until `shutdown`, then lets open requests finish. Returns how many
/// connections had to be left behind.
pub async fn serve(
    listener: TcpListener,
    dispatch: Dispatch,
    connections_max: usize,
    shutdown: impl Future<Output = ()>,
) -> usize {
    let places = Arc::new(Semaphore::new(connections_max));
    let dispatch = Arc::new(dispatch);
    let (stop, stopping) = watch::channel(());
    tokio::pin!(shutdown);
    loop {
        let (place, stream) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        attend(stream, place, Arc::clone(&dispatch), stopping.clone());
    }
    drop((listener, stopping));
    stop.send_replace(());
    match tokio::time::timeout(DRAIN_DEADLINE, stop.closed()).await {
        Ok(()) => 0,
        Err(_) => connections_max - places.available_permits(),
    }
}

/// Waits for a free place first: beyond the limit, connections wait in the kernel's queue.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(OwnedSemaphorePermit, TcpStream)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((place, stream))
}

fn attend(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    dispatch: Arc<Dispatch>,
    stopping: watch::Receiver<()>,
) {
    let Ok(peer) = stream.peer_addr() else { return };
    // An answer is small and awaited: never hold it back.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    tokio::spawn(async move {
        // A client that hangs up or times out is its own affair.
        if let Err(error) = converse(stream, peer, dispatch, stopping).await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(place);
    });
}

/// Answers one request after the other; when the hub stops, the one at hand is the last.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    dispatch: Arc<Dispatch>,
    mut stopping: watch::Receiver<()>,
) -> hyper::Result<()> {
    let turn = Turn::new();
    let own_turn = Arc::clone(&turn);
    let line = TokioIo::new(Line::new(stream, Arc::clone(&turn)));
    // One count for each connection: what all share would be written to by every thread at every request.
    let table = Arc::new((dispatch, turn, peer));
    let service = service_fn(move |request: Request<Incoming>| {
        let table = Arc::clone(&table);
        // In a box, so that a connection holds the room for an answer only while it makes one.
        Box::pin(async move {
            let (dispatch, turn, peer) = &*table;
            turn.ours();
            let response = dispatch.answer(request, *peer).await;
            match response.extensions().get() {
                Some(Endless) => turn.endless(),
                None => turn.clients(),
            }
            Ok::<Response, Infallible>(response)
        })
    });
    let connection = http1::Builder::new()
        // The line has deadlines of its own.
        .header_read_timeout(None)
        .max_buf_size(HEADER_BUFFER_BYTES_MAX)
        .serve_connection(line, service);
    let mut connection = pin!(connection);
    let told = stopping.clone();
    let mut stop = pin!(stopping.changed());
    let (mut waits_for_stop, mut stops) = (false, false);
    poll_fn(|context| {
        // Polled once to be woken, for it is always this task that is; afterwards a look is enough.
        if !stops && (!waits_for_stop || told.has_changed().unwrap_or(true)) {
            waits_for_stop = true;
            if stop.as_mut().poll(context).is_ready() {
                stops = true;
                connection.as_mut().graceful_shutdown();
            }
        }
        match connection.as_mut().poll(context) {
            // Its end is written, but not taken: it would hold up the stop for nothing.
            Poll::Pending if stops && own_turn.is_endless_and_stuck() => Poll::Ready(Ok(())),
            polled => polled,
        }
    })
    .await
}
