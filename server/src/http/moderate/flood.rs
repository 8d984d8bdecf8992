//! Floods: who is refused for asking too often, in the log, for whoever looks there at three in the morning.
//!
//! One line when it begins, one a minute while it goes on, and one when a minute went by without. That is bounded, whatever comes from
//! however many: in a minute so many agents and tokens are counted by name, and so many addresses beside them, so that
//! strangers hide nobody who is known; all others are counted together. A line names a few, those with the most.

use crate::deed::Who;
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{
    collections::HashMap,
    fmt::{self, Write},
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// Agents and tokens that are counted by name; and so many addresses. Some 100 bytes each.
const NAMED_MAX: usize = 64;
/// Those that a line names.
const TOLD_MAX: usize = 5;
const MINUTE_SECONDS: i64 = 60;

/// Who asks too often.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Doer {
    /// An agent, by its token.
    Agent(AgentId),
    /// An operator's token, by the name in it.
    Token(String),
    /// Whoever is there.
    Address(IpAddr),
}

impl Doer {
    /// Who was refused, if that is known, or else the address.
    pub(super) fn of(who: Option<&Who>, host: IpAddr) -> Self {
        match who {
            Some(Who::Agent(agent_id)) => Self::Agent(agent_id.clone()),
            Some(Who::Operator { name, .. }) => Self::Token(name.clone()),
            _ => Self::Address(host),
        }
    }

    const fn is_known(&self) -> bool {
        !matches!(self, Self::Address(_))
    }
}

impl fmt::Display for Doer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(agent_id) => write!(f, "agent {agent_id}"),
            Self::Token(name) => write!(f, "token {name:?}"),
            Self::Address(host) => write!(f, "{host}"),
        }
    }
}

/// The book, shared.
#[derive(Debug, Default)]
pub(super) struct Floods(Mutex<Book>);

/// What was counted since the last line.
#[derive(Debug, Default)]
struct Book {
    /// By who, and of what there were too many.
    named: HashMap<(Doer, &'static str), u64>,
    others: u64,
    /// Connections that gave way, in all, when that was looked at last.
    evicted: u64,
    flood: Option<Flood>,
}

/// A flood that goes on.
#[derive(Debug)]
struct Flood {
    begun: Timestamp,
    told: Timestamp,
    times: u64,
}

/// What is to be told.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Begins(Counted),
    GoesOn(Counted),
    Over { seconds: i64, times: u64 },
}

/// Who was refused how often, and how many connections gave way.
#[derive(Debug, PartialEq, Eq)]
struct Counted {
    times: u64,
    of: String,
    given_way: u64,
}

impl Floods {
    /// Counts what was refused, or slowed.
    pub(super) fn note(&self, doer: Doer, what: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add((doer, what), 1);
    }

    /// Tells the log, if it is time to. So many connections gave way so far.
    pub(super) fn tell(&self, evicted: u64, now: Timestamp) {
        let line = self.0.lock().unwrap_or_else(PoisonError::into_inner).look(evicted, now);
        match line {
            None => {}
            Some(Line::Begins(Counted { times, of, given_way })) => {
                tracing::warn!(times, of, given_way, "too much is asked of the hub, and refused slowly");
            }
            Some(Line::GoesOn(Counted { times, of, given_way })) => {
                tracing::warn!(times, of, given_way, "too much is still asked of the hub");
            }
            Some(Line::Over { seconds, times }) => {
                tracing::warn!(times, seconds, "nobody has asked too much of the hub for a minute");
            }
        }
    }
}

impl Book {
    fn add(&mut self, key: (Doer, &'static str), times: u64) {
        if let Some(known) = self.named.get_mut(&key) {
            *known = known.saturating_add(times);
            return;
        }
        let alike = self.named.keys().filter(|(doer, _)| doer.is_known() == key.0.is_known()).count();
        if alike < NAMED_MAX {
            self.named.insert(key, times);
        } else {
            self.others = self.others.saturating_add(times);
        }
    }

    fn look(&mut self, evicted: u64, now: Timestamp) -> Option<Line> {
        // A clock that was set back must not silence it.
        let is_early = |flood: &Flood| flood.told <= now && now < flood.told.plus_seconds(MINUTE_SECONDS);
        if self.flood.as_ref().is_some_and(is_early) {
            return None;
        }
        let counted = self.take(evicted);
        let is_quiet = counted.times == 0 && counted.given_way == 0;
        match (&mut self.flood, is_quiet) {
            (None, true) => None,
            (None, false) => {
                self.flood = Some(Flood { begun: now, told: now, times: counted.times });
                Some(Line::Begins(counted))
            }
            (Some(Flood { begun, times, .. }), true) => {
                let seconds = (now.as_micros() - begun.as_micros()).max(0) / 1_000_000;
                let line = Line::Over { seconds, times: *times };
                self.flood = None;
                Some(line)
            }
            (Some(flood), false) => {
                flood.told = now;
                flood.times = flood.times.saturating_add(counted.times);
                Some(Line::GoesOn(counted))
            }
        }
    }

    /// What was counted, which begins anew.
    fn take(&mut self, evicted: u64) -> Counted {
        let given_way = evicted.saturating_sub(self.evicted);
        self.evicted = evicted;
        let mut named: Vec<_> = self.named.drain().map(|((doer, what), times)| (times, doer, what)).collect();
        named.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.to_string().cmp(&b.1.to_string())));
        let all = named.iter().map(|(times, ..)| *times).sum::<u64>();
        let mut others = std::mem::take(&mut self.others);
        let times = all.saturating_add(others);
        let mut of = String::new();
        for (place, (times, doer, what)) in named.into_iter().enumerate() {
            if place >= TOLD_MAX {
                others = others.saturating_add(times);
                continue;
            }
            // Writing to a String cannot fail.
            let _ = write!(of, "{doer}: {times} {what}; ");
        }
        if others > 0 {
            let _ = write!(of, "others: {others}");
        }
        let length = of.trim_end_matches("; ").len();
        of.truncate(length);
        Counted { times, of, given_way }
    }
}

#[cfg(test)]
impl Floods {
    /// What was counted since the last line, in words.
    pub(super) fn of(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take(0).of
    }
}

#[cfg(test)]
mod tests;
