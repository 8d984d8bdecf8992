//! The accept loop: connections, no more than there may be, all of them ended in order. What each says to its client is
//! `converse`; over TLS, where the client wants that, `multiplex`.

use super::{
    Peer,
    converse::converse,
    desk::Answerer,
    dispatch::Dispatch,
    handshake::shake,
    multiplex::{self, multiplex},
    places::{Places, Seat, Turned},
};
use crate::{figures::Figures, tls::H2};
use futures_util::TryFutureExt;
use hyper::{Request, body::Incoming};
use pingup_protocol::problem::{MEDIA_TYPE, Problem, ProblemType};
use rustls::ServerConfig;
use socket2::SockRef;
use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::AbortHandle,
};

/// How long connections get to finish what they are at when the hub stops.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);
/// A pause after `accept` failed for want of file descriptors, so that failing costs no processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How much of an answer the system holds that is not on its way yet. Left to itself it takes megabytes, and more only
/// when a third of them is gone: a reader of 30 KB/s would seem to take nothing for longer than an answer may wait.
const UNSENT_BYTES_MAX: u32 = 64 * 1024;
/// When to come back for an address that has as many connections as it may have: no sooner will the hub find one idle.
const TOO_MANY_SECONDS: u64 = 10;

/// Serves the table on `listener`, over TLS if there is something to speak it with, until `shutdown`; then lets open
/// requests finish. Returns how many connections had to be left behind.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    dispatch: Dispatch,
    places: Arc<Places>,
    shutdown: impl Future<Output = ()>,
) -> usize {
    let dispatch = Arc::new(dispatch);
    // As many requests at once as there may be connections: one each over HTTP/1.1, and no more over HTTP/2.
    let tls = tls.map(|config| Sealed { config, places: Arc::new(Semaphore::new(places.all())) });
    let (stop, stopping) = watch::channel(());
    tokio::pin!(shutdown);
    loop {
        let (place, stream, address) = tokio::select! {
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
        let peer = Peer { address, is_tls: tls.is_some() };
        match places.seat(peer, place, dispatch.now()) {
            Ok(seat) => attend(stream, tls.as_ref(), seat, Arc::clone(&dispatch), stopping.clone()),
            Err(turned) => {
                dispatch.note_turned(peer);
                // Over TLS nothing can be said before the handshake, which would cost what is saved.
                if !peer.is_tls {
                    turn_away(&stream, turned);
                }
            }
        }
    }
    drop((listener, stopping));
    stop.send_replace(());
    match tokio::time::timeout(DRAIN_DEADLINE, stop.closed()).await {
        Ok(()) => 0,
        Err(_) => places.taken(),
    }
}

/// Waits for a free place first: where nobody gives way, connections wait in the kernel's queue.
async fn accept(
    listener: &TcpListener,
    places: &Places,
) -> io::Result<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let place = places.free().await.ok_or_else(|| io::Error::other("there are no places any more"))?;
    let (stream, address) = listener.accept().await?;
    Ok((place, stream, address))
}

/// Says why, in as many bytes as fit the system's own buffer, and hangs up: no more is spent on it.
fn turn_away(stream: &TcpStream, turned: Turned) {
    let seconds = match turned {
        Turned::TooMany => TOO_MANY_SECONDS,
        Turned::TooFast(seconds) => seconds,
    };
    let answer = turned_away(turned, seconds);
    // Who cannot be told will see a closed connection.
    let _ = stream.try_write(answer.as_bytes());
}

fn turned_away(turned: Turned, seconds: u64) -> String {
    let detail = match turned {
        Turned::TooMany => "this address has as many connections as one may have",
        Turned::TooFast(_) => "this address opens connections too fast",
    };
    let problem = Problem::new(ProblemType::RateLimited, detail);
    let body = serde_json::to_string(&problem).unwrap_or_default();
    format!(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: {MEDIA_TYPE}\r\nretry-after: {seconds}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Has the system send at once and hold little.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    // An answer is small and awaited: never hold it back.
    stream.set_nodelay(true)?;
    // Where the system will not, slow readers are given up earlier, and that is all.
    let _ = hold_little(&SockRef::from(stream));
    Ok(())
}

/// What is on its way does not count, so a long line is as fast as it was.
#[cfg(target_os = "linux")]
fn hold_little(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)
}

/// What is on its way counts too, for want of better.
#[cfg(not(target_os = "linux"))]
fn hold_little(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_send_buffer_size(2 * UNSENT_BYTES_MAX as usize)
}

/// What connections over TLS share.
#[derive(Clone)]
struct Sealed {
    config: Arc<ServerConfig>,
    /// For requests over HTTP/2.
    places: Arc<Semaphore>,
}

fn attend(
    stream: TcpStream,
    tls: Option<&Sealed>,
    seat: Arc<Seat>,
    dispatch: Arc<Dispatch>,
    stopping: watch::Receiver<()>,
) {
    if prepare(&stream).is_err() {
        return;
    }
    let figures = Arc::clone(dispatch.figures());
    // Of this connection alone: what all count up and down together is slow.
    let table = Arc::new(AtTable::sit(dispatch, Arc::clone(&seat)));
    let conversation = match tls {
        None => go(converse(stream, answerer(table), figures, stopping)),
        Some(tls) => tokio::spawn(begin(stream, tls.clone(), table, figures, stopping)).abort_handle(),
    };
    seat.give_way_by(conversation);
}

/// A connection over TLS: a task for its handshake, and one for what follows, which need not hold the room of the former.
async fn begin(
    stream: TcpStream,
    tls: Sealed,
    table: Arc<AtTable>,
    figures: Arc<Figures>,
    mut stopping: watch::Receiver<()>,
) {
    let seat = Arc::clone(&table.seat);
    let stream = match shake(stream, tls.config, &mut stopping).await {
        // In a box: it goes from hand to hand with each request.
        Ok(stream) => Box::new(stream),
        Err(error) => {
            figures.handshakes_failed.add(1);
            return tracing::debug!(%error, peer = %seat.peer.address, "no handshake");
        }
    };
    let conversation = match stream.get_ref().1.alpn_protocol() {
        Some(H2) => {
            let asked = Arc::clone(&table);
            let overloaded = move || asked.dispatch.overloaded();
            let answerer = Arc::new(answerer(table));
            let counter = multiplex::Counter { answerer, overloaded, places: tls.places };
            go(multiplex(stream, counter, figures, stopping))
        }
        _ => go(converse(stream, answerer(table), figures, stopping)),
    };
    seat.give_way_by(conversation);
}

fn answerer(table: Arc<AtTable>) -> impl Answerer {
    move |request: Request<Incoming>| {
        let table = Arc::clone(&table);
        async move { table.dispatch.answer(request, &table.seat).await }
    }
}

/// Has a conversation take its course.
fn go(conversation: impl Future<Output = io::Result<()>> + Send + 'static) -> AbortHandle {
    // A client that hangs up or times out is its own affair.
    let conversation = conversation.inspect_err(|error| tracing::debug!(%error, "a connection ended early"));
    tokio::spawn(conversation).abort_handle()
}

/// The table, as one client's connection asks it; it is counted as open, and has its place, until this is dropped.
struct AtTable {
    dispatch: Arc<Dispatch>,
    seat: Arc<Seat>,
}

impl AtTable {
    fn sit(dispatch: Arc<Dispatch>, seat: Arc<Seat>) -> Self {
        dispatch.figures().connections.add(1);
        Self { dispatch, seat }
    }
}

impl Drop for AtTable {
    fn drop(&mut self) {
        self.dispatch.figures().connections.sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::turn::WRITE_DEADLINE, *};
    use tokio::{io::AsyncReadExt, time::timeout};

    /// The slowest reader that is kept, as the documents say.
    const READ_BYTES_A_SECOND: u64 = 5_000;

    /// What such a reader takes within the deadline shows at the hub's end.
    #[tokio::test]
    async fn a_reader_that_is_slow_is_seen_to_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut reader = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        prepare(&stream).unwrap();
        let answer = vec![7; 1 << 20];
        // Until the system takes no more, and no longer moves what it has.
        while timeout(Duration::from_millis(500), stream.writable()).await.is_ok() {
            match stream.try_write(&answer) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        let taken = READ_BYTES_A_SECOND * WRITE_DEADLINE.as_secs();
        let read = (&mut reader).take(taken).read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(read as u64, taken);
        timeout(Duration::from_secs(60), stream.writable())
            .await
            .expect("it can be written to again")
            .unwrap();
    }
}
