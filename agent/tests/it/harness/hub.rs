//! The hub's door: a thread with a listener that can go away and come back on the same port; bare, or with TLS.

use super::{routes, shared::SharedState, state::HubState, tls::Shows};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::JoinHandle,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::oneshot,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// A hub.
pub(crate) struct Hub {
    pub(crate) state: SharedState,
    address: SocketAddr,
    /// What it shows in TLS, where it speaks that.
    tls: Option<Arc<ServerConfig>>,
    door: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Hub {
    /// A hub on a free port, without TLS.
    pub(crate) fn start() -> Self {
        Self::open(None)
    }

    /// One with TLS.
    pub(crate) fn start_tls(shows: &Shows) -> Self {
        Self::open(Some(shows.config()))
    }

    fn open(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut hub = Self { state: SharedState::new(), address, tls, door: None };
        hub.serve(listener);
        hub
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Cuts every connection, and shows this from now on, on the same port.
    pub(crate) fn show(&mut self, shows: &Shows) {
        self.go_away();
        self.tls = Some(shows.config());
        self.come_back();
    }

    /// Cuts every connection, and takes none.
    pub(crate) fn go_away(&mut self) {
        if let Some((close, thread)) = self.door.take() {
            let _ = close.send(());
            thread.join().unwrap();
        }
    }

    /// Takes connections again, on the same port.
    pub(crate) fn come_back(&mut self) {
        self.serve(TcpListener::bind(self.address).unwrap());
    }

    fn serve(&mut self, listener: TcpListener) {
        let (close, closed) = oneshot::channel();
        let (state, tls) = (self.state.clone(), self.tls.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, tls, state) => {}
                    _ = closed => {}
                }
            });
        });
        self.door = Some((close, thread));
    }

    /// Waits until `found` finds something in the hub's state.
    pub(crate) fn wait<T>(&self, what: &str, found: impl FnMut(&mut HubState) -> Option<T>) -> T {
        self.state.wait(what, found)
    }

    /// Waits until `is` holds.
    pub(crate) fn until(&self, what: &str, mut is: impl FnMut(&HubState) -> bool) {
        self.state.wait(what, |state| is(state).then_some(()));
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.go_away();
        if !std::thread::panicking() {
            assert_eq!(self.state.lock().complaints, Vec::<String>::new());
        }
    }
}

async fn accept(listener: TcpListener, tls: Option<Arc<ServerConfig>>, state: SharedState) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let counted = Counted::new(state.clone());
        let (tls, state) = (tls.clone(), state.clone());
        connections.spawn(async move {
            let _counted = counted;
            match tls {
                None => serve(stream, state).await,
                Some(tls) => shake(stream, tls, state).await,
            }
        });
    }
}

async fn shake(stream: TcpStream, tls: Arc<ServerConfig>, state: SharedState) {
    match TlsAcceptor::from(tls).accept(stream).await {
        Ok(stream) => {
            let kind = stream.get_ref().1.handshake_kind();
            state.change(|state| state.handshakes.extend(kind));
            serve(stream, state).await;
        }
        Err(error) => state.change(|state| state.refused.push(error.to_string())),
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, state: SharedState) {
    let service = service_fn(move |request| routes::answer(request, state.clone()));
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// A connection that is open for as long as this is there.
struct Counted(SharedState);

impl Counted {
    fn new(state: SharedState) -> Self {
        state.change(|state| {
            state.opened += 1;
            state.open += 1;
        });
        Self(state)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.change(|state| state.open -= 1);
    }
}
