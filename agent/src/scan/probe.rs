//! One connection tried.

use std::{
    io::ErrorKind,
    net::Ipv4Addr,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, time::timeout};

/// How long a host has to answer: several round trips of a slow local network.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// A host's answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// How long it took.
    pub(super) after: Duration,
    /// Whether it took the connection; otherwise it refused it.
    pub(super) open: bool,
}

/// Tries to connect; `None` when nobody answered.
pub(super) async fn connect(address: Ipv4Addr, port: u16) -> Option<Answer> {
    let asked = Instant::now();
    let open = match timeout(ANSWER_WITHIN, TcpStream::connect((address, port))).await.ok()? {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => false,
        Err(_) => return None,
    };
    Some(Answer { after: asked.elapsed(), open })
}
