//! Whether the connections that are open can be trusted to be alive.
//!
//! A connection can die without a word: the machine slept, a NAT forgot it, a firewall drops what belongs to it. One that
//! only waits would not notice for as long as the hub may hold it. So when one was found dead, or the machine has slept,
//! all that were opened before are doubted: they are not used again, and who waits over one waits over another.
//! Beside that the system asks the other side while nothing is said ([`keep`]), which finds a dead one by itself.

use crate::clock::slept;
use rustix::net::sockopt;
use std::{cell::Cell, os::fd::AsFd, time::Duration};
use tokio::{sync::Notify, time::timeout};

/// How often somebody who waits looks whether the machine has slept.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A shorter sleep kills nothing.
const SLEEP_MIN: Duration = Duration::from_secs(1);
/// After how long a silence the system asks the other side whether it is there.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How long after that it asks again, and
const ASK_EVERY: Duration = Duration::from_secs(5);
/// … after how many questions in vain a connection is dead.
const ASKED_MAX: u32 = 2;
/// How long the other side may leave unconfirmed what was sent, milliseconds. Nothing to do with an answer: the other
/// side's system confirms, whatever its program does.
#[cfg(target_os = "linux")]
const UNCONFIRMED_MILLIS_MAX: u32 = 10_000;

/// How often all open connections were doubted so far.
#[derive(Debug)]
pub(super) struct Doubt {
    count: Cell<u64>,
    raised: Notify,
    /// What the machine had slept at the last look.
    slept: Cell<Duration>,
}

impl Doubt {
    pub(super) fn new() -> Self {
        Self { count: Cell::new(0), raised: Notify::new(), slept: Cell::new(slept()) }
    }

    /// The count as of now; what is opened from here on is trusted until it grows.
    pub(super) fn count(&self) -> u64 {
        self.look(slept());
        self.count.get()
    }

    /// One that was opened when the count was `opened` is dead. Where that is older than the last doubt, it says nothing
    /// of those that were opened since.
    pub(super) fn found_dead(&self, opened: u64) {
        if opened == self.count.get() {
            self.raise();
        }
    }

    /// Ends when one that was opened when the count was `opened` is doubted.
    pub(super) async fn since(&self, opened: u64) {
        loop {
            // From before the look: a doubt after it is heard of.
            let raised = self.raised.notified();
            if self.count() != opened {
                return;
            }
            let _ = timeout(LOOK_EVERY, raised).await;
        }
    }

    fn look(&self, slept: Duration) {
        if slept > self.slept.get() + SLEEP_MIN {
            self.slept.set(slept);
            self.raise();
        }
    }

    fn raise(&self) {
        self.count.set(self.count.get() + 1);
        self.raised.notify_waiters();
    }
}

/// Has the system find out by itself when the other side of `stream` is gone. One that cannot do that leaves it to the
/// time limits of answers.
pub(super) fn keep(stream: impl AsFd) {
    let _ = sockopt::set_tcp_keepidle(&stream, SILENCE_MAX);
    let _ = sockopt::set_tcp_keepintvl(&stream, ASK_EVERY);
    let _ = sockopt::set_tcp_keepcnt(&stream, ASKED_MAX);
    #[cfg(target_os = "linux")]
    let _ = sockopt::set_tcp_user_timeout(&stream, UNCONFIRMED_MILLIS_MAX);
    let _ = sockopt::set_socket_keepalive(&stream, true);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_dead_one_puts_the_others_in_doubt_but_not_those_that_came_after() {
        let doubt = Doubt::new();
        let opened = doubt.count();
        doubt.found_dead(opened);
        let later = doubt.count();
        assert_ne!(opened, later);
        doubt.found_dead(opened);
        assert_eq!(doubt.count(), later, "another of the old ones");
    }

    #[test]
    fn a_sleep_puts_all_in_doubt_once() {
        let doubt = Doubt::new();
        let (opened, before) = (doubt.count(), doubt.slept.get());
        doubt.look(before + SLEEP_MIN);
        assert_eq!(doubt.count.get(), opened, "as good as none");
        doubt.look(before + Duration::from_secs(60));
        doubt.look(before + Duration::from_secs(60));
        assert_eq!(doubt.count.get(), opened + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_hears_of_a_doubt() {
        let doubt = Doubt::new();
        let opened = doubt.count();
        let waits = doubt.since(opened);
        tokio::pin!(waits);
        let early = timeout(Duration::from_secs(600), &mut waits).await;
        assert!(early.is_err(), "nothing speaks against it");
        doubt.found_dead(opened);
        waits.await;
        doubt.since(opened).await;
    }

    #[test]
    fn the_system_asks_while_nothing_is_said() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        keep(&stream);
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), SILENCE_MAX);
        assert_eq!(sockopt::tcp_keepintvl(&stream).unwrap(), ASK_EVERY);
        assert_eq!(sockopt::tcp_keepcnt(&stream).unwrap(), ASKED_MAX);
        #[cfg(target_os = "linux")]
        assert_eq!(sockopt::tcp_user_timeout(&stream).unwrap(), UNCONFIRMED_MILLIS_MAX);
    }
}
