//! How a connection is opened and kept: from which address, counted by whom, and for how long.

use super::Attempts;
use crate::settings::Hub;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Instant,
};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// How one connection is opened and kept; unless said otherwise as any other, and for as long as the hub keeps it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manner {
    /// The address of this machine that it comes from: an address has only so many ports. The system's choice if none.
    pub(crate) source: Option<Ipv4Addr>,
    /// Who counts the attempts to open it.
    pub(crate) attempts: Option<Arc<Attempts>>,
    /// Not kept: opened for each request, as soon as it has a turn, and closed after the answer.
    pub(crate) brief: Option<Arc<Semaphore>>,
}

impl Manner {
    /// Waits for a turn, where connections are not kept.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        match &self.brief {
            // Nobody closes the semaphore; a closed one would give no turns, and hold nobody up.
            Some(turns) => Arc::clone(turns).acquire_owned().await.ok(),
            None => None,
        }
    }

    /// Opens a connection to `hub`.
    pub(super) async fn connect(&self, hub: &Hub) -> io::Result<TcpStream> {
        if let Some(attempts) = &self.attempts {
            attempts.note(Instant::now());
        }
        let stream = match (self.source, hub.host.parse::<IpAddr>()) {
            (Some(source), Ok(address)) => {
                let socket = TcpSocket::new_v4()?;
                socket.bind(SocketAddr::from((source, 0)))?;
                socket.connect(SocketAddr::new(address, hub.port)).await?
            }
            _ => TcpStream::connect((hub.host.as_str(), hub.port)).await?,
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
