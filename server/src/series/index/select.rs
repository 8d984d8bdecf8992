//! Which series fulfil a selector.

use super::{Entry, Index, place};
use crate::{series::Which, tsdb::rows::SeriesId};
use foldhash::HashMap;
use pingup_promql as promql;

impl Index {
    /// The series that fulfil all matchers and may have samples between the two moments, by number.
    pub(in crate::series) fn select(
        &self,
        matchers: &[promql::Matcher],
        (first_ms, last_ms): (i64, i64),
    ) -> Vec<SeriesId> {
        let mut tests: Vec<_> = matchers.iter().map(|matcher| Test::new(self, matcher)).collect();
        let meant = |at: u32| {
            let entry = &self.entries[at as usize];
            let (first, last) = entry.about();
            let is_there = first <= last_ms && last >= first_ms;
            (is_there && tests.iter_mut().all(|test| test.holds(self, entry))).then_some(entry.id)
        };
        match self.rarest(matchers) {
            Some(list) => list.iter().copied().filter_map(meant).collect(),
            None => (0..place(self.entries.len())).filter_map(meant).collect(),
        }
    }

    /// The series that are meant, whenever they have samples, by number.
    pub(in crate::series) fn meant(&self, which: &Which) -> Vec<SeriesId> {
        let ever = (i64::MIN, i64::MAX);
        let mut meant: Vec<_> = match &which.selectors[..] {
            [] => self.select(&[], ever),
            several => several.iter().flat_map(|matchers| self.select(matchers, ever)).collect(),
        };
        meant.sort_unstable();
        meant.dedup();
        if let Some(sender) = &which.sender {
            let number = self.senders.get(sender);
            meant.retain(|id| self.entry(*id).is_some_and(|entry| Some(entry.sender) == number));
        }
        meant
    }

    /// The shortest list of those that a selector names; `None` if it names none.
    fn rarest(&self, matchers: &[promql::Matcher]) -> Option<&[u32]> {
        let named = matchers.iter().filter_map(|matcher| match &matcher.test {
            promql::Test::Equal(value) if !value.is_empty() => Some((&matcher.name, value)),
            _ => None,
        });
        let list = |(name, value): (&String, &String)| {
            let pair = self.texts.get(name).zip(self.texts.get(value));
            pair.map_or(&[][..], |pair| self.lists.of(pair))
        };
        named.map(list).min_by_key(|list| list.len())
    }
}

/// A matcher, and what it said of values before: a pattern is tried once for each.
struct Test<'a> {
    matcher: &'a promql::Matcher,
    name: Option<u32>,
    without: bool,
    known: HashMap<u32, bool>,
}

impl<'a> Test<'a> {
    fn new(index: &Index, matcher: &'a promql::Matcher) -> Self {
        let (name, without) = (index.texts.get(&matcher.name), matcher.accepts(""));
        Self { matcher, name, without, known: HashMap::default() }
    }

    fn holds(&mut self, index: &Index, entry: &Entry) -> bool {
        let Some(name) = self.name else { return self.without };
        let Some((_, value)) = entry.pairs.iter().find(|pair| pair.0 == name) else { return self.without };
        let matcher = self.matcher;
        *self.known.entry(*value).or_insert_with(|| matcher.accepts(index.texts.text(*value)))
    }
}
