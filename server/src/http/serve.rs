//! The accept loop: connections on hyper, each with its limits, all of them ended in order.

use super::Peer;
use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use std::{future::Future, io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

/// How long a request's header block may take to arrive; also how long a kept-alive connection may idle.
const HEADER_DEADLINE: Duration = Duration::from_secs(75);
/// What hyper buffers of a header block. Larger than the protocol's limit, so that a block between the two
/// gets a refusal with a name; hyper itself answers beyond.
const HEADER_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long connections get to finish what they are at when the hub stops.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);
/// How long an answer may wait for its reader to take more of it.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// A pause after `accept` failed for want of file descriptors, so that failing costs no processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` on `listener` until `shutdown`, then lets open requests finish. Returns how many
/// connections had to be left behind.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections_max: usize,
    shutdown: impl Future<Output = ()>,
) -> usize {
    let places = Arc::new(Semaphore::new(connections_max));
    let graceful = GracefulShutdown::new();
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
        attend(stream, place, router.clone(), &graceful);
    }
    drop(listener);
    match tokio::time::timeout(DRAIN_DEADLINE, graceful.shutdown()).await {
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

fn attend(stream: TcpStream, place: OwnedSemaphorePermit, router: Router, graceful: &GracefulShutdown) {
    let Ok(peer) = stream.peer_addr() else { return };
    // An answer is small and awaited: never hold it back.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_DEADLINE));
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_buf_size(HEADER_BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        // A client that hangs up or times out is its own affair.
        if let Err(error) = watched.await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(place);
    });
}
