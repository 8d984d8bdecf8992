//! Series by their labels, in memory: which number a label set has, and which series fulfil a selector.
//!
//! A text is kept once and then by its number; labels are pairs of numbers. Of each pair there is a list of the series
//! that have it, in the order of their numbers, so that a selector looks at those of its rarest pair alone. Whatever is
//! held is counted ([`Index::bytes`]), about, and from above.

mod select;
mod texts;

use super::Labels;
use crate::tsdb::rows::SeriesId;
use foldhash::{HashMap, HashSet};
use pingup_promql as promql;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
};

use texts::Texts;

/// A label: the numbers of its name and of its value.
pub(super) type Pair = (u32, u32);

/// What a series takes beside its labels: itself, and its place in the table of label sets, which may just have grown.
const SERIES_BYTES: usize = size_of::<Entry>() + 2 * size_of::<(Arc<[Pair]>, u32)>() + 16;
/// What a label of a series takes: in its set, and in a list, which may just have grown.
const PAIR_BYTES: usize = size_of::<Pair>() + 2 * size_of::<u32>();
/// What a text takes beside itself, and what a list takes beside what is in it.
const TEXT_BYTES: usize = 96;
const LIST_BYTES: usize = 96;

/// What labels take at most that come anew.
pub(super) fn bytes_of(labels: &Labels) -> usize {
    let of_label =
        |(name, value): (&str, &str)| name.len() + value.len() + 2 * TEXT_BYTES + LIST_BYTES + PAIR_BYTES;
    SERIES_BYTES + labels.iter().map(of_label).sum::<usize>()
}

/// A series.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: SeriesId,
    pairs: Arc<[Pair]>,
    sender: u32,
    /// The first and the last moment of its samples, milliseconds, as far as is known.
    first_ms: AtomicI64,
    last_ms: AtomicI64,
    /// How much earlier and later there may be some, milliseconds.
    slack_ms: i64,
    /// The same as the records have it.
    noted: (AtomicI64, AtomicI64),
    /// Whether the records have it.
    is_stored: AtomicBool,
}

impl Entry {
    /// Takes note of samples between two moments.
    pub(super) fn note(&self, (first_ms, last_ms): (i64, i64)) {
        self.first_ms.fetch_min(first_ms, Relaxed);
        self.last_ms.fetch_max(last_ms, Relaxed);
    }

    /// The first and the last moment at which it may have samples, milliseconds.
    pub(super) fn about(&self) -> (i64, i64) {
        let (first, last) = self.times();
        (first.saturating_sub(self.slack_ms), last.saturating_add(self.slack_ms))
    }

    /// The first and the last moment of its samples, milliseconds, as far as is known.
    pub(super) fn times(&self) -> (i64, i64) {
        (self.first_ms.load(Relaxed), self.last_ms.load(Relaxed))
    }

    /// Says that the records have it, with these times or more.
    pub(super) fn set_stored(&self, (first_ms, last_ms): (i64, i64)) {
        if self.is_stored.swap(true, Relaxed) {
            self.noted.0.fetch_min(first_ms, Relaxed);
            self.noted.1.fetch_max(last_ms, Relaxed);
        } else {
            self.noted.0.store(first_ms, Relaxed);
            self.noted.1.store(last_ms, Relaxed);
        }
    }

    pub(super) fn is_stored(&self) -> bool {
        self.is_stored.load(Relaxed)
    }

    /// Whether the records' times are wrong by more than so much.
    pub(super) fn is_behind(&self, by_ms: i64) -> bool {
        let (first, last) = self.times();
        let apart = |noted: &AtomicI64, now: i64| noted.load(Relaxed).abs_diff(now) > by_ms.unsigned_abs();
        self.is_stored() && (apart(&self.noted.0, first) || apart(&self.noted.1, last))
    }
}

/// Far fewer than 2^32: bytes are bounded.
fn place(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// All series.
#[derive(Debug, Default)]
pub(super) struct Index {
    texts: Texts,
    /// By number.
    entries: Vec<Entry>,
    places: HashMap<Arc<[Pair]>, u32>,
    lists: HashMap<Pair, Vec<u32>>,
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
        self.bytes + self.texts.bytes + self.senders.bytes
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
        self.entries.get(*self.places.get(&pairs[..])? as usize)
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
        slack_ms: i64,
    ) {
        let texts = &mut self.texts;
        let pairs: Arc<[Pair]> =
            labels.map(|(name, value)| (texts.number(name), texts.number(value))).collect();
        let at = place(self.entries.len());
        for pair in pairs.iter() {
            let bytes = &mut self.bytes;
            let list = self.lists.entry(*pair).or_insert_with(|| {
                *bytes += LIST_BYTES;
                Vec::new()
            });
            list.push(at);
        }
        let sender = self.senders.number(sender);
        self.of_sender.resize(self.senders.len(), 0);
        self.of_sender[sender as usize] += 1;
        self.bytes += SERIES_BYTES + pairs.len() * PAIR_BYTES;
        self.last = self.last.max(id.number());
        // Of two that are called the same the later counts: the earlier was forgotten, and is still to be deleted.
        self.places.insert(Arc::clone(&pairs), at);
        let at = |ms: i64| AtomicI64::new(ms);
        self.entries.push(Entry {
            id,
            pairs,
            sender,
            first_ms: at(times.0),
            last_ms: at(times.1),
            slack_ms,
            noted: (at(times.0), at(times.1)),
            is_stored: AtomicBool::new(false),
        });
    }

    /// Takes out the series that are `gone`, and tells which those were.
    pub(super) fn forget(&mut self, gone: impl Fn(&Entry) -> bool) -> Vec<SeriesId> {
        let forgotten: Vec<_> =
            self.entries.iter().filter(|entry| gone(entry)).map(|entry| entry.id).collect();
        if forgotten.is_empty() {
            return forgotten;
        }
        let mut kept = Self::behind(self.last);
        for entry in self.entries.iter().filter(|entry| forgotten.binary_search(&entry.id).is_err()) {
            let text = |number: u32| &**self.texts.text(number);
            let labels = entry.pairs.iter().map(|(name, value)| (text(*name), text(*value)));
            kept.put(entry.id, self.senders.text(entry.sender), labels, entry.times(), entry.slack_ms);
            let noted = (entry.noted.0.load(Relaxed), entry.noted.1.load(Relaxed));
            if let Some(put) = kept.entries.last().filter(|_| entry.is_stored()) {
                put.set_stored(noted);
            }
        }
        *self = kept;
        forgotten
    }

    /// What a series is called.
    pub(super) fn labels(&self, id: SeriesId) -> Option<promql::Labels> {
        let pairs = self.entry(id)?.pairs.iter();
        let text = |number: u32| Arc::clone(self.texts.text(number));
        Some(promql::Labels::new(pairs.map(|(name, value)| (text(*name), text(*value)))))
    }

    /// Names and values of a series, and who wrote it first; for the records.
    pub(super) fn told(&self, entry: &Entry) -> (&str, Vec<&str>) {
        let text = |number: u32| &**self.texts.text(number);
        let labels = entry.pairs.iter().flat_map(|(name, value)| [text(*name), text(*value)]);
        (self.senders.text(entry.sender), labels.collect())
    }

    /// Shows each label that any of these series has, once.
    pub(super) fn each_label(&self, series: &[SeriesId], show: &mut dyn FnMut(&str, &str)) {
        let mut seen = HashSet::default();
        for entry in series.iter().filter_map(|id| self.entry(*id)) {
            for pair in entry.pairs.iter().filter(|pair| seen.insert(**pair)) {
                show(self.texts.text(pair.0), self.texts.text(pair.1));
            }
        }
    }
}

#[cfg(test)]
mod tests;
