//! Series by their labels, in memory: which number a label set has, and which series fulfil a selector.
//!
//! A text is kept once and then by its number; labels are pairs of numbers. Of each pair there is a list of the series
//! that have it, in the order of their numbers, so that a selector looks at those of its rarest pair alone. Nothing is kept
//! twice to be found by it: tables have places alone. Whatever is held is counted ([`Index::bytes`]), about, and from above.

mod entry;
mod forget;
mod lists;
mod places;
mod select;
mod tell;
mod texts;

use super::Labels;
use crate::tsdb::rows::SeriesId;
use foldhash::fast::RandomState;
use std::hash::BuildHasher;

pub(super) use entry::Entry;
use lists::{LIST_BYTES, Lists, ONE_BYTES};
use places::{PLACE_BYTES, Places};
use texts::Texts;

/// A label: the numbers of its name and of its value.
pub(super) type Pair = (u32, u32);

/// What a series takes beside its labels: itself, as if there were room for a quarter more, and its place by its labels.
const SERIES_BYTES: usize = size_of::<Entry>() * 5 / 4 + PLACE_BYTES;
/// What a label of a series takes: in its set, and in a list, as if there were room for a quarter more.
const PAIR_BYTES: usize = size_of::<Pair>() + size_of::<u32>() * 5 / 4;
/// Sets of labels have room in steps of so much.
const STEP_BYTES: usize = 16;

/// What labels take at most that come anew.
pub(super) fn bytes_of(labels: &Labels) -> usize {
    let of_label = |(name, value): (&str, &str)| {
        texts::bytes_of(name.len()) + texts::bytes_of(value.len()) + ONE_BYTES + LIST_BYTES + PAIR_BYTES
    };
    SERIES_BYTES + STEP_BYTES + labels.iter().map(of_label).sum::<usize>()
}

/// Far fewer than 2^32: bytes are bounded.
fn place(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Puts one more behind; room grows by a quarter: doubled, it would be empty for its half when there are most.
fn grow<T>(list: &mut Vec<T>, one: T) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 4).max(2));
    }
    list.push(one);
}

/// All series.
#[derive(Debug, Default)]
pub(super) struct Index {
    texts: Texts,
    /// By number.
    entries: Vec<Entry>,
    by_labels: Places,
    state: RandomState,
    lists: Lists,
    senders: Texts,
    /// How many series each sender has, by its number.
    of_sender: Vec<usize>,
    bytes: usize,
    /// The greatest number that was ever given.
    last: u32,
}

impl Index {
    /// No series yet; numbers up to `last` were given.
    pub(super) fn behind(last: u32) -> Self {
        Self { last, ..Self::default() }
    }

    /// What it takes in memory, about.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes + self.texts.bytes + self.lists.bytes + self.senders.bytes
    }

    /// The greatest number that was ever given.
    pub(super) const fn last(&self) -> u32 {
        self.last
    }

    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Series that this sender wrote first.
    pub(super) fn count_of(&self, sender: &str) -> usize {
        self.senders.get(sender).map_or(0, |number| self.of_sender[number as usize])
    }

    /// By number.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn entry(&self, id: SeriesId) -> Option<&Entry> {
        self.entries.get(self.entries.binary_search_by_key(&id, |entry| entry.id).ok()?)
    }

    /// The series that is called so; `pairs` is scratch.
    pub(super) fn find(&self, labels: &Labels, pairs: &mut Vec<Pair>) -> Option<&Entry> {
        pairs.clear();
        for (name, value) in labels.iter() {
            pairs.push((self.texts.get(name)?, self.texts.get(value)?));
        }
        self.entries.get(self.place_of(pairs)? as usize)
    }

    /// Gives a new series the next number; `None` once there are no more.
    pub(super) fn add(&mut self, sender: &str, labels: &Labels, times: (i64, i64)) -> Option<SeriesId> {
        let id = SeriesId::new(self.last.checked_add(1)?);
        self.put(id, sender, labels.iter(), times, 0);
        Some(id)
    }

    /// Puts in a series whose number is greater than all before. It may have samples so much earlier and later than
    /// `times` tell.
    pub(super) fn put<'a>(
        &mut self,
        id: SeriesId,
        sender: &str,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
        times: (i64, i64),
        slack_ms: u32,
    ) {
        let texts = &mut self.texts;
        let pairs: Box<[Pair]> =
            labels.map(|(name, value)| (texts.number(name), texts.number(value))).collect();
        let sender = self.senders.number(sender);
        self.of_sender.resize(self.senders.len(), 0);
        self.last = self.last.max(id.number());
        grow(&mut self.entries, Entry::new(id, pairs, sender, times, slack_ms));
        self.enter(place(self.entries.len() - 1));
    }

    fn place_of(&self, pairs: &[Pair]) -> Option<u32> {
        self.by_labels.find(self.state.hash_one(pairs), |at| *self.entries[at as usize].pairs == *pairs)
    }

    /// Notes where a series stands. Of two that are called the same the later counts: the earlier was forgotten, and is
    /// still to be deleted.
    fn enter(&mut self, at: u32) {
        let Entry { pairs, sender, .. } = &self.entries[at as usize];
        pairs.iter().for_each(|pair| self.lists.push(*pair, at));
        self.of_sender[*sender as usize] += 1;
        self.bytes += SERIES_BYTES + (pairs.len() * PAIR_BYTES).next_multiple_of(STEP_BYTES);
        let (entries, state) = (&self.entries, &self.state);
        let hash = |at: u32| state.hash_one(&*entries[at as usize].pairs);
        match self.by_labels.find(hash(at), |known| entries[known as usize].pairs == *pairs) {
            Some(former) => self.by_labels.replace(hash(at), former, at),
            None => self.by_labels.put(hash(at), at, hash),
        }
    }
}

#[cfg(test)]
mod tests;
