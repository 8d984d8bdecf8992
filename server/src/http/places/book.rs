//! The book of connections, by address. Pure: the caller brings the time.

use crate::bucket::{Allowance, Buckets};
use pingup_protocol::time::Timestamp;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    time::Duration,
};
use tokio::{task::AbortHandle, time::Instant};

/// Addresses of which it is remembered how many connections they opened lately; some 40 bytes each.
const HOSTS_MAX: usize = 65_536;
/// How long an address may open connections faster than it may: longer than a fleet takes to come back after a restart.
const BURST_SECONDS: u32 = 20;
/// How long a connection has to bring its first token before it gives way: a request is there at once.
const GRACE: Duration = Duration::from_millis(500);

/// Why a connection is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// Its address has as many as it may have.
    TooMany,
    /// Its address opened too many lately; the next is taken in so many seconds.
    TooFast(u64),
}

/// Connections, by address and by number.
#[derive(Debug)]
pub(super) struct Book {
    hosts: HashMap<IpAddr, Host>,
    /// Addresses by how many unproven connections they have, and since when the oldest of them.
    crowd: BTreeSet<(usize, Reverse<u64>, IpAddr)>,
    arrivals: Buckets<IpAddr>,
    last_number: u64,
}

#[derive(Debug, Default)]
struct Host {
    open: usize,
    /// By number, so by age.
    unproven: BTreeMap<u64, Unproven>,
}

#[derive(Debug)]
struct Unproven {
    since: Instant,
    /// What ends it; none in the moment before it is known.
    conversation: Option<AbortHandle>,
}

impl Host {
    fn place(&self, host: IpAddr) -> Option<(usize, Reverse<u64>, IpAddr)> {
        let (oldest, _) = self.unproven.first_key_value()?;
        Some((self.unproven.len(), Reverse(*oldest), host))
    }
}

impl Book {
    pub(super) fn new(connections_per_second: u32) -> Self {
        let allowance = Allowance::per_second(connections_per_second, BURST_SECONDS);
        let arrivals = Buckets::new(allowance, HOSTS_MAX);
        Self { hosts: HashMap::new(), crowd: BTreeSet::new(), arrivals, last_number: 0 }
    }

    /// Enters a connection of `host`, at the moment by both clocks (the wall clock's only where arrivals count): its number.
    pub(super) fn seat(
        &mut self,
        host: IpAddr,
        (since, now): (Instant, Option<Timestamp>),
        at_once: Option<usize>,
    ) -> Result<u64, Turned> {
        let open = self.hosts.get(&host).map_or(0, |known| known.open);
        if at_once.is_some_and(|most| open >= most) {
            return Err(Turned::TooMany);
        }
        if let Some(now) = now {
            self.arrivals.take(&host, 1, now).map_err(Turned::TooFast)?;
        }
        self.last_number += 1;
        let number = self.last_number;
        self.alter(host, |known| {
            known.open += 1;
            known.unproven.insert(number, Unproven { since, conversation: None });
        });
        Ok(number)
    }

    /// What ends a connection, while it is unproven.
    pub(super) fn give_way_by(&mut self, host: IpAddr, number: u64, conversation: AbortHandle) {
        let unproven = self.hosts.get_mut(&host).and_then(|known| known.unproven.get_mut(&number));
        if let Some(unproven) = unproven {
            unproven.conversation = Some(conversation);
        }
    }

    /// A connection is proven: it does not give way any more.
    pub(super) fn prove(&mut self, host: IpAddr, number: u64) {
        self.alter(host, |known| known.unproven.remove(&number).is_some());
    }

    /// A connection is gone.
    pub(super) fn leave(&mut self, host: IpAddr, number: u64) {
        self.alter(host, |known| {
            known.open = known.open.saturating_sub(1);
            known.unproven.remove(&number).is_some()
        });
    }

    /// Takes out the connection that gives way first.
    pub(super) fn give_way(&mut self, now: Instant) -> Option<AbortHandle> {
        let &(_, Reverse(number), host) = self.crowd.last()?;
        let oldest = self.hosts.get(&host)?.unproven.get(&number)?;
        if now.duration_since(oldest.since) < GRACE {
            return None;
        }
        self.alter(host, |known| known.unproven.remove(&number))?.conversation
    }

    /// Changes what is known of an address, and finds its new place in the crowd.
    fn alter<T>(&mut self, host: IpAddr, change: impl FnOnce(&mut Host) -> T) -> T {
        let known = self.hosts.entry(host).or_default();
        let before = known.place(host);
        let changed = change(known);
        let (after, is_gone) = (known.place(host), known.open == 0);
        if before != after {
            if let Some(place) = before {
                self.crowd.remove(&place);
            }
            self.crowd.extend(after);
        }
        if is_gone {
            self.hosts.remove(&host);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn host(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    async fn conversation() -> AbortHandle {
        tokio::spawn(std::future::pending::<()>()).abort_handle()
    }

    /// Which address's connection would go next; none of them is really a conversation.
    async fn gives_way(book: &mut Book, now: Instant) -> Option<IpAddr> {
        let (_, _, host) = *book.crowd.last()?;
        book.give_way(now).map(|conversation| {
            conversation.abort();
            host
        })
    }

    async fn seat(book: &mut Book, of: IpAddr, since: Instant) -> u64 {
        let number = book.seat(of, (since, None), None).unwrap();
        book.give_way_by(of, number, conversation().await);
        number
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_of_whoever_has_most_gives_way() {
        let (mut book, begun) = (Book::new(1), Instant::now());
        seat(&mut book, host(1), begun).await;
        let proven = seat(&mut book, host(2), begun).await;
        seat(&mut book, host(2), begun).await;
        seat(&mut book, host(2), begun).await;
        book.prove(host(2), proven);
        assert_eq!(gives_way(&mut book, begun).await, None, "each has its grace");
        let later = begun + GRACE;
        assert_eq!(gives_way(&mut book, later).await, Some(host(2)), "it has two");
        assert_eq!(gives_way(&mut book, later).await, Some(host(1)), "the older of two that have one each");
        assert_eq!(gives_way(&mut book, later).await, Some(host(2)));
        assert_eq!(gives_way(&mut book, later).await, None, "who is proven stays");
        assert_eq!(book.hosts[&host(2)].open, 3, "they leave by themselves");
    }

    #[tokio::test]
    async fn an_address_has_so_many_at_once_and_nothing_is_left_behind() {
        let (mut book, now) = (Book::new(1), Instant::now());
        let first = book.seat(host(1), (now, None), Some(2)).unwrap();
        let second = book.seat(host(1), (now, None), Some(2)).unwrap();
        assert_eq!(book.seat(host(1), (now, None), Some(2)), Err(Turned::TooMany));
        assert!(book.seat(host(2), (now, None), Some(2)).is_ok(), "others are not held up");
        book.prove(host(1), second);
        assert_eq!(book.seat(host(1), (now, None), Some(2)), Err(Turned::TooMany), "proven ones count");
        book.leave(host(1), first);
        assert!(book.seat(host(1), (now, None), Some(2)).is_ok());
        book.leave(host(1), second);
        book.leave(host(1), 4);
        book.leave(host(2), 3);
        assert!(book.hosts.is_empty() && book.crowd.is_empty(), "{book:?}");
    }

    #[test]
    fn an_address_opens_so_many_a_second() {
        let (mut book, since) = (Book::new(10), Instant::now());
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        for _ in 0..10 * BURST_SECONDS {
            assert!(book.seat(host(1), (since, Some(now)), None).is_ok());
        }
        assert_eq!(book.seat(host(1), (since, Some(now)), None), Err(Turned::TooFast(1)));
        assert!(book.seat(host(2), (since, Some(now)), None).is_ok());
        assert!(book.seat(host(1), (since, Some(now.plus_seconds(1))), None).is_ok());
        assert!(book.seat(host(1), (since, None), None).is_ok(), "where it does not count");
    }
}
