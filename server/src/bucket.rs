//! Token buckets: so much a second, and so much at once after a quiet time.
//!
//! A bucket is one number: the moment at which it will be full again (the generic cell rate algorithm of ITU-T I.371). So one
//! that is asked on the main road is an atomic beside what is at hand anyway: no lock, no map, and no clock of its own, for the
//! caller brings the time. What was refused does not count.
//!
//! What is taken may cost more than one. It is had as soon as there is one; the rest is owed, up to as much again as a bucket holds, and
//! nobody gets any before that is paid. So what is dear is never too dear, and is not had often.
//!
//! The time is the wall clock's, which can be set: a bucket that would be full later than any bucket can be is of before the clock
//! was set back, and counts as full.

use pingup_protocol::time::Timestamp;
use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    sync::atomic::{AtomicI64, Ordering},
};

const SECOND_NANOS: i64 = 1_000_000_000;

/// How much a bucket gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// From one to the next.
    step_nanos: i64,
    /// Until an empty bucket is full.
    window_nanos: i64,
}

impl Allowance {
    /// So many a second, and after a quiet time those of `burst_seconds` at once.
    pub fn per_second(rate: u32, burst_seconds: u32) -> Self {
        let step_nanos = SECOND_NANOS / i64::from(rate.max(1));
        let window_nanos = (SECOND_NANOS * i64::from(burst_seconds)).max(step_nanos);
        Self { step_nanos, window_nanos }
    }

    /// Takes `cost` at `now` out of a bucket that is full at `full_at`: when it is full then, or in how many seconds there is one.
    fn take(self, full_at: i64, cost: u32, now: i64) -> Result<i64, u64> {
        // Empty, and as much again owed.
        let latest = now + 2 * self.window_nanos;
        let full_at = if full_at > latest { now } else { full_at.max(now) };
        match full_at + self.step_nanos - now - self.window_nanos {
            ..=0 => Ok(full_at.saturating_add(self.step_nanos.saturating_mul(i64::from(cost))).min(latest)),
            short => Err(short.unsigned_abs().div_ceil(SECOND_NANOS.unsigned_abs())),
        }
    }
}

const fn nanos(now: Timestamp) -> i64 {
    now.as_micros().saturating_mul(1_000)
}

/// One bucket, full at first.
#[derive(Debug, Default)]
pub struct Bucket(AtomicI64);

impl Bucket {
    /// Whether there is one, or in how many seconds there is. Nothing is taken.
    pub fn look(&self, allowance: Allowance, now: Timestamp) -> Result<(), u64> {
        allowance.take(self.0.load(Ordering::Relaxed), 1, nanos(now)).map(drop)
    }

    /// Takes `cost` if there is one, or says in how many seconds there is.
    pub fn take(&self, allowance: Allowance, cost: u32, now: Timestamp) -> Result<(), u64> {
        let now = nanos(now);
        let mut full_at = self.0.load(Ordering::Relaxed);
        loop {
            let later = allowance.take(full_at, cost, now)?;
            // A number and nothing else: nothing is handed over by it.
            match self.0.compare_exchange_weak(full_at, later, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => full_at = other,
            }
        }
    }
}

/// A bucket for each address, or whatever else there are many of; so many of them. When there is no room, those that are full again go;
/// where too many are not, all go: a flood of addresses can loosen the brake, but keeps nobody out.
#[derive(Debug)]
pub struct Buckets<K> {
    allowance: Allowance,
    full_at: HashMap<K, i64>,
    keys_max: usize,
}

impl<K: Eq + Hash> Buckets<K> {
    /// Nobody has taken anything yet.
    pub fn new(allowance: Allowance, keys_max: usize) -> Self {
        Self { allowance, full_at: HashMap::new(), keys_max }
    }

    /// Whether there is one for `key`, or in how many seconds there is. Nothing is taken.
    pub fn look<Q>(&self, key: &Q, now: Timestamp) -> Result<(), u64>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let full_at = self.full_at.get(key).copied().unwrap_or_default();
        self.allowance.take(full_at, 1, nanos(now)).map(drop)
    }

    /// Takes `cost` for `key` if there is one, or says in how many seconds there is.
    pub fn take<Q>(&mut self, key: &Q, cost: u32, now: Timestamp) -> Result<(), u64>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let now = nanos(now);
        if let Some(full_at) = self.full_at.get_mut(key) {
            *full_at = self.allowance.take(*full_at, cost, now)?;
            return Ok(());
        }
        if self.full_at.len() >= self.keys_max {
            self.full_at.retain(|_, full_at| *full_at > now);
            // Looking through all of them must not become the price of each newcomer.
            if self.full_at.len() > self.keys_max / 2 {
                self.full_at.clear();
            }
        }
        self.full_at.insert(key.to_owned(), self.allowance.take(0, cost, now)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn after(micros: i64) -> Timestamp {
        Timestamp::from_micros(NOW.as_micros() + micros)
    }

    fn taken(bucket: &Bucket, allowance: Allowance, now: Timestamp) -> u32 {
        (0..).take_while(|_| bucket.take(allowance, 1, now).is_ok()).count() as u32
    }

    #[test]
    fn a_burst_at_once_and_then_the_rate() {
        let (bucket, allowance) = (Bucket::default(), Allowance::per_second(100, 10));
        assert_eq!(taken(&bucket, allowance, NOW), 1_000);
        assert_eq!((bucket.take(allowance, 1, NOW), bucket.look(allowance, NOW)), (Err(1), Err(1)));
        assert_eq!(bucket.look(allowance, after(500_000)), Ok(()));
        assert_eq!(taken(&bucket, allowance, after(500_000)), 50);
        assert_eq!(taken(&bucket, allowance, after(3_600_000_000)), 1_000, "no more than full");
    }

    #[test]
    fn who_is_refused_is_told_when_and_it_holds() {
        let (bucket, allowance) = (Bucket::default(), Allowance::per_second(1, 3));
        assert_eq!(taken(&bucket, allowance, NOW), 3);
        let seconds = bucket.take(allowance, 1, after(1)).unwrap_err();
        assert_eq!(bucket.take(allowance, 1, NOW.plus_seconds(seconds as i64)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_out() {
        let (bucket, allowance) = (Bucket::default(), Allowance::per_second(10, 1));
        assert_eq!(taken(&bucket, allowance, NOW), 10);
        assert_eq!(taken(&bucket, allowance, NOW.plus_seconds(-3_600)), 10);
    }

    #[test]
    fn what_is_dear_is_had_and_owed() {
        let (bucket, allowance) = (Bucket::default(), Allowance::per_second(10, 10));
        assert_eq!(bucket.take(allowance, 30, NOW), Ok(()));
        assert_eq!(taken(&bucket, allowance, NOW), 70, "thirty are gone");
        let later = NOW.plus_seconds(10);
        assert_eq!(taken(&bucket, allowance, later), 100);
        let last = NOW.plus_seconds(11);
        assert_eq!(bucket.take(allowance, 60, last), Ok(()), "ten are there, so it is had");
        assert_eq!(bucket.take(allowance, 1, last), Err(6), "fifty are owed, and one more is wanted");
        assert_eq!(taken(&bucket, allowance, last.plus_seconds(5)), 0);
        assert_eq!(taken(&bucket, allowance, last.plus_seconds(6)), 10);
    }

    #[test]
    fn what_is_owed_has_an_end() {
        let (bucket, allowance) = (Bucket::default(), Allowance::per_second(10, 10));
        for moment in [NOW, NOW.plus_seconds(3_600)] {
            assert_eq!(bucket.take(allowance, u32::MAX, moment), Ok(()));
            assert_eq!(bucket.take(allowance, 1, moment), Err(11), "as much again as it holds, and one");
            assert_eq!(bucket.take(allowance, 1, moment.plus_seconds(11)), Ok(()));
        }
    }

    #[test]
    fn the_least_burst_is_one() {
        let (bucket, allowance) = (Bucket::default(), Allowance::per_second(1, 0));
        assert_eq!(taken(&bucket, allowance, NOW), 1);
        assert_eq!(taken(&Bucket::default(), Allowance::per_second(0, 1), NOW), 1, "none a second is one");
    }

    fn host(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    #[test]
    fn addresses_have_buckets_of_their_own_and_the_book_is_bounded() {
        let mut buckets = Buckets::new(Allowance::per_second(1, 1), 8);
        assert_eq!(buckets.take(&host(0), 1, NOW), Ok(()));
        assert_eq!(buckets.take(&host(0), 1, NOW), Err(1));
        for number in 1..8 {
            assert_eq!(buckets.take(&host(number), 1, NOW), Ok(()));
        }
        assert_eq!(buckets.take(&host(8), 1, NOW), Ok(()), "nobody is kept out");
        assert_eq!(buckets.full_at.len(), 1, "none was full, so all went");
        for number in 0..7 {
            assert_eq!(buckets.take(&host(number), 1, NOW.plus_seconds(i64::from(number))), Ok(()));
        }
        assert_eq!(buckets.take(&host(9), 1, NOW.plus_seconds(7)), Ok(()));
        assert!(buckets.full_at.len() <= 2, "those that were full again went");
    }
}
