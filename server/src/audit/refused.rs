//! What was refused for want of a right, counted in memory until it is written down.
//!
//! Bounded: a minute has [`NAMED_PER_MINUTE_MAX`] strangers in rows of their own, an hour [`NAMED_PER_HOUR_MAX`]; all others
//! are counted together, a row for each kind of refusal. Under a flood that never ends, from any number of addresses, that is
//! some 3 000 rows a day, a megabyte.
//!
//! Whoever a token names has rows that strangers cannot take. Those who are known are in rooms: whoever has a token of the
//! hub's own in one of [`OWN_DOERS_PER_HOUR_MAX`], which nobody fills who cannot make tokens; people of the provider, who may
//! be called what they like, in one of [`DOERS_PER_HOUR_MAX`], and agents in another. Each of them has [`ADDRESSES_PER_DOER_MAX`]
//! addresses told apart in an hour, and what comes from elsewhere is counted under the name alone. So one token that is misused
//! without end takes four rows a minute at most, and they say which one it is. Whoever is past their room is counted with others of
//! their kind: operators by role, as [`SEVERAL`] or [`PROVIDERS_OTHERS`], agents as [`SEVERAL`]. A row says what was left out of it
//! ([`NOT_TOLD`]), so that several are not taken for one. An address is a host, as where it is braked. A kill loses the minute that
//! is open.

use crate::{
    brake::host,
    deed::{Act, Attempt, By, Deed, SEVERAL, Who},
};
use pingup_protocol::{problem::ProblemType, time::Timestamp};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// Strangers that have a row of their own in a minute.
pub const NAMED_PER_MINUTE_MAX: usize = 16;
/// The same in an hour.
pub const NAMED_PER_HOUR_MAX: usize = 64;
/// People of the provider that an hour tells apart, and agents: more than try what they may not in most houses.
pub const DOERS_PER_HOUR_MAX: usize = 32;
/// Tokens of the hub's own that an hour tells apart: only admins make more.
pub const OWN_DOERS_PER_HOUR_MAX: usize = 1_024;
/// What people of the provider are called together, where there are too many.
pub const PROVIDERS_OTHERS: &str = "oidc:*";
/// Addresses of one of them that an hour tells apart.
pub const ADDRESSES_PER_DOER_MAX: usize = 3;
/// What a row's detail calls that which it does not tell apart: [`NAMES`], which have addresses, or [`ADDRESSES`].
const NOT_TOLD: &str = "notTold";
const NAMES: &str = "names";
const ADDRESSES: &str = "addresses";
const MINUTE_SECONDS: i64 = 60;
const HOUR_SECONDS: i64 = 3_600;

/// What is counted together; no address where there are too many.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    address: Option<IpAddr>,
    who: Option<Who>,
    kind: ProblemType,
}

/// Who share their bound of doers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Own,
    Provider,
    Other,
}

impl Room {
    const fn of(who: &Who) -> Self {
        match who {
            Who::Operator { token: Some(_), .. } => Self::Own,
            Who::Operator { token: None, .. } => Self::Provider,
            _ => Self::Other,
        }
    }

    const fn doers_max(self) -> usize {
        match self {
            Self::Own => OWN_DOERS_PER_HOUR_MAX,
            Self::Provider | Self::Other => DOERS_PER_HOUR_MAX,
        }
    }
}

/// Who stands for all those like `who` that there is no room for.
fn others(who: &Who) -> Who {
    let Who::Operator { role, token, .. } = who else { return Who::Several(who.kind()) };
    let name = if token.is_some() { SEVERAL } else { PROVIDERS_OTHERS };
    Who::Operator { name: name.to_owned(), role: *role, token: None }
}

/// Whether that is several, as [`others`] calls them.
fn are_others(who: &Who) -> bool {
    match who {
        Who::Several(_) => true,
        Who::Operator { name, token: None, .. } => [SEVERAL, PROVIDERS_OTHERS].contains(&name.as_str()),
        _ => false,
    }
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
        let deed = Deed::new(Act::RequestRefused, &self.by, *last)
            .with("route", route.as_str())
            .with("firstAt", first.to_string())
            .refused(self.kind)
            .times(*times);
        match (&self.by.who, self.by.address) {
            (who, _) if are_others(who) => deed.with(NOT_TOLD, NAMES),
            (_, None) => deed.with(NOT_TOLD, ADDRESSES),
            (_, Some(_)) => deed,
        }
    }
}

/// The book.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<Book>);

/// Who had rows of their own in an hour.
#[derive(Debug, Default)]
struct Hour {
    began: Option<Timestamp>,
    /// How many rows strangers had.
    strangers: usize,
    /// Those who are known, and from where each came.
    doers: HashMap<Who, Vec<IpAddr>>,
}

impl Hour {
    /// Begins anew where it is over; a clock that was set back ends it too.
    fn turn(&mut self, now: Timestamp) {
        if self.began.is_none_or(|began| began > now || began.plus_seconds(HOUR_SECONDS) <= now) {
            *self = Self { began: Some(now), ..Self::default() };
        }
    }

    /// The addresses of whoever is known, if there is room for one more of those.
    fn addresses_of(&mut self, who: &Who) -> Option<&mut Vec<IpAddr>> {
        let room = Room::of(who);
        let here = || self.doers.keys().filter(|other| Room::of(other) == room).count();
        let has_room = self.doers.contains_key(who) || here() < room.doers_max();
        has_room.then(|| self.doers.entry(who.clone()).or_default())
    }
}

#[derive(Debug, Default)]
struct Book {
    tallies: HashMap<Key, Tally>,
    /// When the first of them came.
    begun: Option<Timestamp>,
    hour: Hour,
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
        let key = self.counted_as(key, now);
        let known = self.tallies.entry(key).or_insert(Tally { times: 0, ..tally.clone() });
        known.times = known.times.saturating_add(tally.times);
        known.first = known.first.min(tally.first);
        known.last = known.last.max(tally.last);
    }

    /// What an attempt is counted as: what it is, for as long as there is room for that.
    fn counted_as(&mut self, key: Key, now: Timestamp) -> Key {
        if self.tallies.contains_key(&key) {
            return key;
        }
        self.hour.turn(now);
        let Some(who) = &key.who else { return self.as_stranger(key) };
        if are_others(who) {
            return Key { address: None, ..key };
        }
        match (self.hour.addresses_of(who), key.address) {
            (None, _) => Key { address: None, who: Some(others(who)), ..key },
            (Some(_), None) => key,
            (Some(addresses), Some(address)) if addresses.contains(&address) => key,
            (Some(addresses), Some(address)) if addresses.len() < ADDRESSES_PER_DOER_MAX => {
                addresses.push(address);
                key
            }
            (Some(_), Some(_)) => Key { address: None, ..key },
        }
    }

    fn as_stranger(&mut self, key: Key) -> Key {
        let here = self.tallies.keys().filter(|key| key.address.is_some() && key.who.is_none()).count();
        let has_room = here < NAMED_PER_MINUTE_MAX && self.hour.strangers < NAMED_PER_HOUR_MAX;
        if key.address.is_none() || !has_room {
            return Key { address: None, ..key };
        }
        self.hour.strangers += 1;
        key
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
mod tests;
