//! The accept loop: connections, no more than there may be, all of them ended in order. What each says to its client is
//! `converse`.

use super::{
    converse::{Counted, converse},
    desk::{Answerer, Making},
    dispatch::Dispatch,
};
use hyper::{Request, body::Incoming};
use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

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
        let figures = Arc::clone(dispatch.figures());
        let _open = Counted::one(&figures.connections);
        // A client that hangs up or times out is its own affair.
        if let Err(error) = converse(stream, AtTable { dispatch, peer }, &figures, stopping).await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(place);
    });
}

/// The table, as one client's connection asks it.
struct AtTable {
    dispatch: Arc<Dispatch>,
    peer: SocketAddr,
}

impl Answerer for AtTable {
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> Making {
        Box::pin(async move { self.dispatch.answer(request, self.peer).await })
    }
}
