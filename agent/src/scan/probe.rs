//! One connection tried, and what came of it.

use std::{
    future::poll_fn,
    io::{self, Error, ErrorKind},
    net::Ipv4Addr,
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, time::timeout};

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The connection was taken, after this long.
    Open(Duration),
    /// It was refused, after this long: somebody is there.
    Refused(Duration),
    /// Nobody answered in time.
    Silent,
    /// Somebody on the way, or a firewall there, said no. It does not say who is there.
    Unreachable,
    /// There is no way there from here.
    NoRoute,
    /// This machine would not: its own firewall forbids it.
    Forbidden,
    /// This machine could not just now: files, ports or buffers have run out.
    NotMade,
}

impl Outcome {
    /// How long the host took to answer, if it did.
    pub(super) const fn answer(self) -> Option<Duration> {
        match self {
            Self::Open(after) | Self::Refused(after) => Some(after),
            _ => None,
        }
    }

    /// Whether anything left this machine.
    pub(super) const fn is_sent(self) -> bool {
        !matches!(self, Self::NoRoute | Self::Forbidden | Self::NotMade)
    }
}

/// Tries to connect.
pub(super) async fn connect(address: Ipv4Addr, port: u16, within: Duration) -> Outcome {
    let asked = Instant::now();
    let mut connecting = pin!(TcpStream::connect((address, port)));
    let ended = match poll_fn(|context| Poll::Ready(connecting.as_mut().poll(context))).await {
        Poll::Ready(Err(error)) => return refused_here(&error, asked.elapsed()),
        Poll::Ready(Ok(stream)) => Ok(Ok(stream)),
        Poll::Pending => timeout(within, connecting).await,
    };
    outcome(ended, asked.elapsed())
}

fn outcome<T, E>(ended: Result<io::Result<T>, E>, after: Duration) -> Outcome {
    match ended {
        Ok(Ok(_)) => Outcome::Open(after),
        Ok(Err(error)) => failed(&error, after),
        Err(_) => Outcome::Silent,
    }
}

/// What the kernel says at once it says by itself: that nobody is to be reached there is a route of its own then, such as
/// people set for the time that a tunnel is down.
fn refused_here(error: &Error, after: Duration) -> Outcome {
    match error.kind() {
        ErrorKind::HostUnreachable => Outcome::NoRoute,
        _ => failed(error, after),
    }
}

fn failed(error: &Error, after: Duration) -> Outcome {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Outcome::Refused(after),
        ErrorKind::HostUnreachable => Outcome::Unreachable,
        // The last is how a route into a black hole refuses.
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown | ErrorKind::InvalidInput => Outcome::NoRoute,
        ErrorKind::PermissionDenied => Outcome::Forbidden,
        ErrorKind::TimedOut => Outcome::Silent,
        _ => Outcome::NotMade,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn taken_refused_and_nothing_are_told_apart() {
        let within = Duration::from_secs(5);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let open = connect(Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port(), within).await;
        assert!(matches!(open, Outcome::Open(_)), "{open:?}");
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert!(matches!(connect(Ipv4Addr::LOCALHOST, port, within).await, Outcome::Refused(_)));
    }

    #[test]
    fn every_error_says_whose_it_is() {
        let outcome = |kind| failed(&Error::from(kind), Duration::ZERO);
        assert_eq!(outcome(ErrorKind::HostUnreachable), Outcome::Unreachable);
        assert_eq!(outcome(ErrorKind::NetworkUnreachable), Outcome::NoRoute);
        assert_eq!(outcome(ErrorKind::InvalidInput), Outcome::NoRoute);
        assert_eq!(refused_here(&ErrorKind::HostUnreachable.into(), Duration::ZERO), Outcome::NoRoute);
        assert_eq!(outcome(ErrorKind::PermissionDenied), Outcome::Forbidden);
        assert_eq!(outcome(ErrorKind::AddrNotAvailable), Outcome::NotMade);
        assert_eq!(outcome(ErrorKind::ResourceBusy), Outcome::NotMade);
        assert_eq!(outcome(ErrorKind::ConnectionReset).answer(), Some(Duration::ZERO));
        let files = Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error());
        assert_eq!(failed(&files, Duration::ZERO), Outcome::NotMade);
    }
}
