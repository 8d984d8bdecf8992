//! ICMP echo without privilege: a datagram socket that may send echo requests and hear their answers, nothing else.
//!
//! Linux grants it to the groups in `net.ipv4.ping_group_range`; where it does not, scans go without. One socket serves a
//! scan. The kernel gives each socket an identifier of its own and hands it only what answers that.

use rustix::{
    io::ioctl_fioclex,
    net::{AddressFamily, SocketType, ipproto, socket},
};
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, UdpSocket as StdSocket},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{net::UdpSocket, sync::oneshot, task::JoinHandle, time::timeout};

const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;
const HEADER_BYTES: usize = 8;
/// Larger answers are not ours.
const ANSWER_BYTES_MAX: usize = 256;

/// Who waits for whom.
type Waiting = Mutex<HashMap<Ipv4Addr, oneshot::Sender<()>>>;

/// What came of an echo request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Echoed {
    /// It left this machine.
    pub(super) is_sent: bool,
    /// How long the answer took, if it came in time.
    pub(super) took: Option<Duration>,
}

/// A socket that asks, and whoever waits for an answer.
#[derive(Debug)]
pub(super) struct Echo {
    socket: Arc<UdpSocket>,
    waiting: Arc<Waiting>,
    reader: JoinHandle<()>,
}

impl Echo {
    /// Opens one; none where this user may not.
    pub(super) fn open() -> Option<Self> {
        match open_socket() {
            Ok(socket) => {
                let (socket, waiting) = (Arc::new(socket), Arc::new(Waiting::default()));
                let reader = tokio::spawn(read(Arc::clone(&socket), Arc::clone(&waiting)));
                Some(Self { socket, waiting, reader })
            }
            Err(error) => {
                tracing::debug!("no echo requests are sent: {error}");
                None
            }
        }
    }

    /// Asks `address` once, and waits for so long.
    pub(super) async fn ask(&self, address: Ipv4Addr, within: Duration) -> Echoed {
        let (tell, told) = oneshot::channel();
        lock(&self.waiting).insert(address, tell);
        let asked = Instant::now();
        let is_sent = self.socket.send_to(&request(), (address, 0)).await.is_ok();
        let is_answered = is_sent && matches!(timeout(within, told).await, Ok(Ok(())));
        let took = is_answered.then(|| asked.elapsed());
        lock(&self.waiting).remove(&address);
        Echoed { is_sent, took }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn open_socket() -> io::Result<UdpSocket> {
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, Some(ipproto::ICMP))?;
    ioctl_fioclex(&socket)?;
    let socket = StdSocket::from(socket);
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// Hears answers until it is aborted.
async fn read(socket: Arc<UdpSocket>, waiting: Arc<Waiting>) {
    let mut bytes = [0; ANSWER_BYTES_MAX];
    loop {
        // What is wrong with one answer, or was said of one request, concerns no other.
        let Ok((length, from)) = socket.recv_from(&mut bytes).await else {
            tokio::task::yield_now().await;
            continue;
        };
        if let IpAddr::V4(address) = from.ip()
            && is_reply(&bytes[..length])
            && let Some(tell) = lock(&waiting).remove(&address)
        {
            let _ = tell.send(());
        }
    }
}

/// The kernel fills in the checksum and the identifier.
const fn request() -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[0] = ECHO_REQUEST;
    bytes
}

/// Whether this answers a request. Some systems leave the header of IPv4 before it.
fn is_reply(bytes: &[u8]) -> bool {
    let behind_header = match bytes.first() {
        Some(first) if first >> 4 == 4 => bytes.get(usize::from(first & 0xf) * 4..),
        _ => Some(bytes),
    };
    behind_header.is_some_and(|icmp| icmp.len() >= HEADER_BYTES && icmp[0] == ECHO_REPLY)
}

fn lock(waiting: &Waiting) -> std::sync::MutexGuard<'_, HashMap<Ipv4Addr, oneshot::Sender<()>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_told_from_requests_and_scraps() {
        assert!(is_reply(&[0; 8]) && !is_reply(&request()) && !is_reply(&[]) && !is_reply(&[0; 7]));
        let mut with_header = [0; 28];
        with_header[0] = 0x45;
        assert!(is_reply(&with_header) && !is_reply(&with_header[..27]));
        with_header[20] = 3;
        assert!(!is_reply(&with_header), "somebody's word that nobody is there");
        assert!(!is_reply(&[0x4f; 20]));
    }

    /// Where this user may; the namespaces of the integration tests have both cases.
    #[tokio::test]
    async fn this_machine_answers() {
        if let Some(echo) = Echo::open() {
            let within = Duration::from_secs(5);
            assert!(echo.ask(Ipv4Addr::LOCALHOST, within).await.took.is_some());
            assert_eq!(echo.ask(Ipv4Addr::BROADCAST, within).await, Echoed::default(), "nobody may ask all");
            assert!(lock(&echo.waiting).is_empty());
        }
    }
}
