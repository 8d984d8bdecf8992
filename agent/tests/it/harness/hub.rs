//! The hub's door: a thread with a listener that can go away and come back on the same port.

use super::{
    routes,
    state::{HubState, SharedState},
};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::{
    net::{SocketAddr, TcpListener},
    thread::JoinHandle,
};
use tokio::{sync::oneshot, task::JoinSet};

/// A hub.
pub(crate) struct Hub {
    pub(crate) state: SharedState,
    address: SocketAddr,
    door: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Hub {
    /// A hub on a free port.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut hub = Self { state: SharedState::new(), address, door: None };
        hub.serve(listener);
        hub
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
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
        let state = self.state.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, state) => {}
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

async fn accept(listener: TcpListener, state: SharedState) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let counted = Counted::new(state.clone());
        let state = state.clone();
        connections.spawn(async move {
            let _counted = counted;
            let service = service_fn(move |request| routes::answer(request, state.clone()));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
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
