//! What was refused for want of a right, counted in memory until it is written down.
//!
//! Bounded: a minute has [`NAMED_PER_MINUTE_MAX`] strangers in rows of their own, an hour [`NAMED_PER_HOUR_MAX`]; whoever
//! a token of this hub names has as much room beside them, so strangers hide nobody who is known. All others are counted
//! together, a row for each kind of refusal. Under a flood that never ends, from any number of addresses, that is some
//! 3 000 rows a day, a megabyte; twice that where the known take part. An address is a host, as where it is braked. A
//! kill loses the minute that is open.

use crate::{
    brake::host,
    deed::{Act, Attempt, By, Deed, Who},
};
use pingup_protocol::{problem::ProblemType, time::Timestamp};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// Strangers that have a row of their own in a minute; and so many who are known.
pub const NAMED_PER_MINUTE_MAX: usize = 16;
/// The same in an hour.
pub const NAMED_PER_HOUR_MAX: usize = 64;
const MINUTE_SECONDS: i64 = 60;
const HOUR_SECONDS: i64 = 3_600;

/// What is counted together; no address where there are too many.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    address: Option<IpAddr>,
    who: Option<Who>,
    kind: ProblemType,
}

/// What is known of attempts that are counted together.
#[derive(Clone, Debug)]
struct Tally {
    /// What was tried first.
    route: String,
    first: Timestamp,
    last: Timestamp,
    times: u64,
}

/// Attempts that become a row.
#[derive(Clone, Debug)]
pub(super) struct Folded {
    by: By,
    kind: ProblemType,
    tally: Tally,
}

impl Folded {
    /// The row.
    pub(super) fn deed(&self) -> Deed<'_> {
        let Tally { route, first, last, times } = &self.tally;
        Deed::new(Act::RequestRefused, &self.by, *last)
            .with("route", route.as_str())
            .with("firstAt", first.to_string())
            .refused(self.kind)
            .times(*times)
    }
}

/// The book.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<Book>);

/// How many had a row of their own.
#[derive(Debug, Default)]
struct Rooms {
    strangers: usize,
    known: usize,
}

#[derive(Debug, Default)]
struct Book {
    tallies: HashMap<Key, Tally>,
    /// When the first of them came.
    begun: Option<Timestamp>,
    /// When the hour began in which doers are counted, and how many had a row of their own since.
    hour: Option<Timestamp>,
    named: Rooms,
}

impl Attempts {
    /// Counts an attempt.
    pub(super) fn note(&self, attempt: Attempt, now: Timestamp) {
        let Attempt { address, who, route, kind } = attempt;
        let tally = Tally { route, first: now, last: now, times: 1 };
        let key = Key { address: Some(host(address)), who, kind };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(key, tally, now);
    }

    /// What is to be written down, once its minute is over, or at once with `all`.
    pub(super) fn take(&self, now: Timestamp, all: bool) -> Vec<Folded> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match book.begun {
            // A clock that was set back must not keep them for ever.
            Some(begun) if !all && begun <= now && now < begun.plus_seconds(MINUTE_SECONDS) => Vec::new(),
            _ => book.drain(),
        }
    }

    /// Takes back what could not be written down.
    pub(super) fn give_back(&self, folded: Vec<Folded>, now: Timestamp) {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for Folded { by, kind, tally } in folded {
            let who = Some(by.who).filter(|who| *who != Who::Unknown);
            book.add(Key { address: by.address, who, kind }, tally, now);
        }
    }
}

impl Book {
    fn add(&mut self, key: Key, tally: Tally, now: Timestamp) {
        self.begun.get_or_insert(now);
        let key = if self.tallies.contains_key(&key) || self.has_room(key.who.is_some(), now) {
            key
        } else {
            Key { address: None, who: None, kind: key.kind }
        };
        let known = self.tallies.entry(key).or_insert(Tally { times: 0, ..tally.clone() });
        known.times = known.times.saturating_add(tally.times);
        known.first = known.first.min(tally.first);
        known.last = known.last.max(tally.last);
    }

    /// Whether one doer more may have a row of its own; counts it, if so.
    fn has_room(&mut self, is_known: bool, now: Timestamp) -> bool {
        if self.hour.is_none_or(|hour| hour > now || hour.plus_seconds(HOUR_SECONDS) <= now) {
            (self.hour, self.named) = (Some(now), Rooms::default());
        }
        let is_of_it = |key: &&Key| key.address.is_some() && key.who.is_some() == is_known;
        let here = self.tallies.keys().filter(is_of_it).count();
        let named = if is_known { &mut self.named.known } else { &mut self.named.strangers };
        let has_room = here < NAMED_PER_MINUTE_MAX && *named < NAMED_PER_HOUR_MAX;
        *named += usize::from(has_room);
        has_room
    }

    fn drain(&mut self) -> Vec<Folded> {
        self.begun = None;
        let folded = self.tallies.drain().map(|(Key { address, who, kind }, tally)| Folded {
            by: By { who: who.unwrap_or(Who::Unknown), address },
            kind,
            tally,
        });
        let mut folded: Vec<_> = folded.collect();
        folded.sort_by_key(|folded| folded.tally.last);
        folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::ids::AgentId;
    use std::net::Ipv4Addr;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn attempt(number: u32) -> Attempt {
        let address = Ipv4Addr::from_bits(0x0a00_0000 + number).into();
        Attempt { address, who: None, route: "DELETE /x".to_owned(), kind: ProblemType::TokenInvalid }
    }

    fn rows(folded: &[Folded]) -> Vec<(Option<IpAddr>, u64)> {
        folded.iter().map(|folded| (folded.by.address, folded.tally.times)).collect()
    }

    #[test]
    fn a_flood_of_one_address_is_one_row_a_minute() {
        let attempts = Attempts::default();
        for second in 0..60 {
            (0..100).for_each(|_| attempts.note(attempt(1), NOW.plus_seconds(second)));
            assert!(rows(&attempts.take(NOW.plus_seconds(second), false)).is_empty());
        }
        let folded = attempts.take(NOW.plus_seconds(60), false);
        assert_eq!(rows(&folded), [(Some(attempt(1).address), 6_000)]);
        assert_eq!((folded[0].tally.first, folded[0].tally.last), (NOW, NOW.plus_seconds(59)));
        assert!(attempts.take(NOW.plus_seconds(600), true).is_empty(), "told once");
    }

    #[test]
    fn kinds_and_doers_are_told_apart() {
        let attempts = Attempts::default();
        let who =
            Some(Who::Operator { name: "ada".to_owned(), role: crate::auth::Role::Viewer, token: None });
        attempts.note(attempt(1), NOW);
        attempts.note(Attempt { kind: ProblemType::ScopeDenied, who, ..attempt(1) }, NOW);
        let folded = attempts.take(NOW, true);
        let mut names: Vec<_> = folded.iter().map(|folded| folded.by.name()).collect();
        names.sort_unstable();
        assert_eq!(names, ["", "ada"]);
    }

    #[test]
    fn many_addresses_are_counted_together_and_the_hour_has_its_bound() {
        let attempts = Attempts::default();
        let (mut named, mut others, mut all) = (0, 0, 0);
        for minute in 0..60 {
            let now = NOW.plus_seconds(minute * 60);
            for number in 0..1_000 {
                attempts.note(attempt(number), now);
            }
            let folded = rows(&attempts.take(now.plus_seconds(59), true));
            assert!(folded.len() <= NAMED_PER_MINUTE_MAX + 1);
            named += folded.iter().filter(|(address, _)| address.is_some()).count();
            others += folded.iter().filter(|(address, _)| address.is_none()).count();
            all += folded.iter().map(|(_, times)| times).sum::<u64>();
        }
        assert_eq!((named, others, all), (NAMED_PER_HOUR_MAX, 60, 60_000), "and none is lost");
        attempts.note(attempt(7), NOW.plus_seconds(HOUR_SECONDS));
        let next = rows(&attempts.take(NOW.plus_seconds(HOUR_SECONDS), true));
        assert_eq!(next, [(Some(attempt(7).address), 1)], "the next hour has its own");
    }

    #[test]
    fn strangers_take_no_room_from_whoever_a_token_names() {
        let attempts = Attempts::default();
        for minute in 0..60 {
            let now = NOW.plus_seconds(minute * 60);
            (0..1_000).for_each(|number| attempts.note(attempt(number), now));
            let name = "mallory".to_owned();
            let who = Some(Who::Operator { name, role: crate::auth::Role::Viewer, token: None });
            attempts.note(Attempt { who, kind: ProblemType::ScopeDenied, ..attempt(7) }, now);
            let folded = attempts.take(now, true);
            let hers: Vec<_> = folded.iter().filter(|folded| folded.by.name() == "mallory").collect();
            assert_eq!(hers.len(), 1, "in minute {minute}");
            assert_eq!(hers[0].by.address, Some(attempt(7).address));
        }
        // The room of the known has its bound too.
        for number in 0..1_000 {
            let who = Some(Who::Agent(AgentId::parse(&format!("a-{number}")).unwrap()));
            attempts.note(Attempt { who, ..attempt(number) }, NOW.plus_seconds(2 * HOUR_SECONDS));
        }
        let folded = rows(&attempts.take(NOW, true));
        assert_eq!(folded.len(), NAMED_PER_MINUTE_MAX + 1);
        assert_eq!(folded.iter().map(|(_, times)| times).sum::<u64>(), 1_000);
    }

    #[test]
    fn a_host_of_ipv6_is_one_address() {
        let attempts = Attempts::default();
        for low in 0..100_u128 {
            let address = std::net::Ipv6Addr::from_bits((0x2001_0db8 << 96) + low).into();
            attempts.note(Attempt { address, ..attempt(0) }, NOW);
        }
        assert_eq!(rows(&attempts.take(NOW, true)), [(Some("2001:db8::".parse().unwrap()), 100)]);
    }

    #[test]
    fn what_could_not_be_written_is_counted_on() {
        let attempts = Attempts::default();
        attempts.note(attempt(1), NOW);
        let folded = attempts.take(NOW, true);
        attempts.give_back(folded, NOW.plus_seconds(1));
        attempts.note(attempt(1), NOW.plus_seconds(2));
        let folded = attempts.take(NOW, true);
        assert_eq!(rows(&folded), [(Some(attempt(1).address), 2)]);
        assert_eq!(folded[0].tally.first, NOW);
    }
}
