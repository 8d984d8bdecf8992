//! How often one address may try to enrol: so many times within any minute, counted exactly.
//!
//! Pure: the caller brings the time. An IPv6 host has a whole /64 to itself, so that counts as one address. The
//! book is bounded; when it is full, the address that tried longest ago is forgotten: a flood of addresses
//! can loosen the brake, but keeps nobody out, and a join token's secret is not guessed anyway.

use crate::address::host;
use pingup_protocol::time::Timestamp;
use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
};

/// Addresses kept in the book; some 150 bytes each.
pub const ADDRESSES_MAX: usize = 4_096;
const WINDOW_SECONDS: i64 = 60;

/// The book of recent tries.
#[derive(Debug)]
pub struct RateLimit {
    tries_per_minute_max: usize,
    recent: HashMap<IpAddr, VecDeque<Timestamp>>,
}

impl RateLimit {
    /// Allows each address so many tries within any minute.
    pub fn new(tries_per_minute_max: u32) -> Self {
        let tries_per_minute_max = usize::try_from(tries_per_minute_max).unwrap_or(usize::MAX);
        Self { tries_per_minute_max, recent: HashMap::new() }
    }

    /// Counts a try, or says in how many seconds the next is allowed. A refused try is not counted.
    pub fn take(&mut self, address: IpAddr, now: Timestamp) -> Result<(), u64> {
        let address = host(address);
        self.make_room_for(address, now);
        let tries = self.recent.entry(address).or_default();
        // A clock that was set back must not keep anyone out: what seems to come later counts no more.
        tries.retain(|&tried| is_recent(tried, now));
        match tries.front() {
            Some(&oldest) if tries.len() >= self.tries_per_minute_max => Err(seconds_until_free(oldest, now)),
            None if self.tries_per_minute_max == 0 => Err(WINDOW_SECONDS.unsigned_abs()),
            _ => {
                tries.push_back(now);
                Ok(())
            }
        }
    }

    fn make_room_for(&mut self, address: IpAddr, now: Timestamp) {
        if self.recent.len() < ADDRESSES_MAX || self.recent.contains_key(&address) {
            return;
        }
        self.recent.retain(|_, tries| tries.back().is_some_and(|&last| is_recent(last, now)));
        while self.recent.len() >= ADDRESSES_MAX {
            let Some((&quietest, _)) = self.recent.iter().min_by_key(|(_, tries)| tries.back().copied())
            else {
                return;
            };
            self.recent.remove(&quietest);
        }
    }
}

fn is_recent(tried: Timestamp, now: Timestamp) -> bool {
    tried <= now && tried.plus_seconds(WINDOW_SECONDS) > now
}

fn seconds_until_free(oldest: Timestamp, now: Timestamp) -> u64 {
    let micros = oldest.plus_seconds(WINDOW_SECONDS).as_micros() - now.as_micros();
    u64::try_from(micros).unwrap_or(0).div_ceil(1_000_000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    #[test]
    fn an_address_has_so_many_tries_in_any_minute() {
        let mut limit = RateLimit::new(2);
        assert_eq!(limit.take(address(1), NOW), Ok(()));
        assert_eq!(limit.take(address(1), NOW.plus_seconds(40)), Ok(()));
        assert_eq!(limit.take(address(1), NOW.plus_seconds(45)), Err(15));
        assert_eq!(limit.take(address(2), NOW.plus_seconds(45)), Ok(()), "others are not held up");
        assert_eq!(limit.take(address(1), NOW.plus_seconds(60)), Ok(()));
        assert_eq!(limit.take(address(1), NOW.plus_seconds(61)), Err(39));
    }

    #[test]
    fn none_allowed_is_none() {
        assert_eq!(RateLimit::new(0).take(address(1), NOW), Err(60));
    }

    #[test]
    fn a_clock_set_back_keeps_nobody_out() {
        let mut limit = RateLimit::new(1);
        assert_eq!(limit.take(address(1), NOW), Ok(()));
        assert_eq!(limit.take(address(1), NOW.plus_seconds(-3_600)), Ok(()));
    }

    #[test]
    fn a_host_does_not_multiply_by_its_ipv6_addresses() {
        let mut limit = RateLimit::new(1);
        assert_eq!(limit.take("2001:db8::1".parse().unwrap(), NOW), Ok(()));
        assert_eq!(limit.take("2001:db8::2".parse().unwrap(), NOW), Err(60));
        assert_eq!(limit.take("2001:db8:0:1::1".parse().unwrap(), NOW), Ok(()));
        assert_eq!(limit.take("10.0.0.1".parse().unwrap(), NOW), Ok(()));
        assert_eq!(limit.take("::ffff:10.0.0.1".parse().unwrap(), NOW), Err(60), "one host, two notations");
    }

    #[test]
    fn the_book_is_bounded_and_forgets_the_quietest() {
        let mut limit = RateLimit::new(1);
        for number in (0..).take(ADDRESSES_MAX) {
            let now = NOW.plus_seconds(if number == 7 { -1 } else { 0 });
            assert_eq!(limit.take(address(number), now), Ok(()));
        }
        assert_eq!(limit.take(address(1 << 20), NOW), Ok(()));
        assert_eq!(limit.recent.len(), ADDRESSES_MAX);
        assert_eq!(limit.take(address(7), NOW), Ok(()), "the quietest was forgotten");
        assert_eq!(limit.take(address(1 << 20), NOW), Err(60), "the newest was not");
    }
}
