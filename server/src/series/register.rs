//! Which series there are: their labels and numbers, in memory and in the records.
//!
//! A series is in the records before its first sample is in the journal. Its number is given in memory and written with
//! whatever else the records' writer commits; should that fail, whoever sends it next writes it again. Numbers are never
//! given twice: files may have samples of a series that was forgotten, and a copy of the journal some of a series that
//! the copy of the records is too old for.
//!
//! From when to when a series has samples is known about, after a restart: the records are brought up to date before
//! samples that would make them wrong by more than [`BEHIND_MS`], so that nothing that was answered is left out.

mod ask;
mod tidy;

use super::{
    Incoming, Labels, LimitReached, SERIES_MAX, Whose,
    index::{self, Entry, Index, Pair},
    store,
};
use crate::{
    storage::{Sqlite, StorageError},
    tsdb::{Tier, Tsdb, rows::SeriesId},
};
use foldhash::HashSet;
use pingup_protocol::time::Timestamp;
use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// Every moment but the last.
const EVER: Range<Timestamp> = Timestamp::from_micros(i64::MIN)..Timestamp::from_micros(i64::MAX);

/// How far the records may be behind of from when to when a series has samples.
const SLACK_MS: u32 = 6 * 3_600 * 1_000;
pub(super) const BEHIND_MS: i64 = SLACK_MS as i64;

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) of_sender: usize,
    pub(super) of_all: usize,
    /// What all of them may take in memory, as it is reckoned.
    pub(super) bytes: usize,
}

/// Which series there are; shared by those who write and those who ask.
#[derive(Debug)]
pub struct Register {
    index: Arc<RwLock<Index>>,
    bounds: Bounds,
    sqlite: Sqlite,
    /// Series that were forgotten and are still in the records.
    forgotten: Mutex<Vec<SeriesId>>,
}

/// What a push's series are.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// The number of each, in order; none for a new one beyond a limit.
    pub(super) ids: Vec<Option<SeriesId>>,
    /// The limit, if one was reached.
    pub(super) limit: Option<LimitReached>,
    /// Those that the records may not have yet.
    unstored: Vec<store::Row>,
    /// Those of which the records would be too far behind.
    behind: Vec<store::Noted>,
}

impl Register {
    /// Reads what the records have, also where that is more than may be. A sender may write so many series, and all of them
    /// may take so many `bytes` of memory. Blocks.
    ///
    /// # Errors
    /// The records cannot be read.
    pub fn open(sqlite: Sqlite, tsdb: &Tsdb, of_sender: usize, bytes: usize) -> Result<Self, StorageError> {
        Self::within(sqlite, tsdb, Bounds { of_sender, of_all: SERIES_MAX, bytes })
    }

    pub(super) fn within(sqlite: Sqlite, tsdb: &Tsdb, bounds: Bounds) -> Result<Self, StorageError> {
        let last = last_in(tsdb);
        let index = sqlite.reclaim_blocking(move |connection| {
            let mut index = Index::behind(last.max(store::last_number(connection)?));
            // One by one: all rows together take more than the index does.
            store::each(connection, |store::Row { id, sender, labels, times: noted }| {
                let labels = labels.chunks_exact(2).map(|pair| (&*pair[0], &*pair[1]));
                index.put(id, &sender, labels, noted, SLACK_MS);
                if let Some(entry) = index.entries().last() {
                    entry.set_stored(noted);
                }
            })?;
            Ok::<_, StorageError>(index)
        })?;
        Ok(Self { index: Arc::new(RwLock::new(index)), bounds, sqlite, forgotten: Mutex::default() })
    }

    /// The numbers of `series`, given to those that are new; a limit keeps all new ones out, also one that what came
    /// before has `reached`.
    pub(super) fn resolve(
        &self,
        sender: &str,
        series: &[Incoming],
        reached: Option<LimitReached>,
    ) -> Resolved {
        let mut pairs = Vec::new();
        let mut ids = Vec::with_capacity(series.len());
        {
            let index = self.read();
            for incoming in series {
                ids.push(index.find(&incoming.labels, &mut pairs).map(|entry| meet(entry, incoming)));
            }
        }
        let mut resolved = Resolved { ids, limit: reached, ..Resolved::default() };
        match resolved.ids.contains(&None) {
            true => self.add_new(sender, series, &mut resolved, &mut pairs),
            false => resolved.limit = None,
        }
        let index = self.read();
        for entry in resolved.ids.iter().flatten().filter_map(|id| index.entry(*id)) {
            if !entry.is_stored() {
                resolved.unstored.push(row(&index, entry));
            } else if entry.is_behind(BEHIND_MS) {
                resolved.behind.push((entry.id, entry.times()));
            }
        }
        resolved
    }

    fn add_new(&self, sender: &str, series: &[Incoming], resolved: &mut Resolved, pairs: &mut Vec<Pair>) {
        let mut index = self.write();
        let unknown = |id: &Option<SeriesId>| id.is_none();
        let of_new =
            resolved.ids.iter().zip(series).filter(|(id, _)| unknown(id)).map(|(_, new)| &new.labels);
        // Another push may have brought some meanwhile.
        let new: HashSet<&Labels> = of_new.filter(|labels| index.find(labels, pairs).is_none()).collect();
        resolved.limit = match (new.len(), resolved.limit) {
            (0, _) => None,
            (new, Some(reached)) => Some(LimitReached { new, ..reached }),
            (_, None) => self.limit(&index, sender, &new),
        };
        for (id, incoming) in resolved.ids.iter_mut().zip(series).filter(|(id, _)| unknown(id)) {
            *id = match index.find(&incoming.labels, pairs) {
                Some(entry) => Some(meet(entry, incoming)),
                None if resolved.limit.is_some() => None,
                None => index.add(sender, &incoming.labels, incoming.times()),
            };
        }
    }

    /// The limit that so many more would be beyond.
    fn limit(&self, index: &Index, sender: &str, new: &HashSet<&Labels>) -> Option<LimitReached> {
        let Bounds { of_sender, of_all, bytes } = self.bounds;
        let more: usize = new.iter().map(|labels| index::bytes_of(labels)).sum();
        let numbers_left = usize::try_from(u32::MAX - index.last()).unwrap_or(usize::MAX);
        let reached = |whose, max| Some(LimitReached { whose, max, new: new.len() });
        match new.len() {
            count if index.count_of(sender) + count > of_sender => reached(Whose::Sender, of_sender),
            count if index.len() + count > of_all || count > numbers_left => reached(Whose::Everyone, of_all),
            _ if index.bytes() + more > bytes => reached(Whose::Memory, bytes),
            _ => None,
        }
    }

    /// Writes down what the records may not have yet; on `Ok` all of it is committed, but for what was forgotten meanwhile.
    pub(super) async fn store(&self, resolved: &mut Resolved) -> Result<(), StorageError> {
        let (rows, behind) = (std::mem::take(&mut resolved.unstored), std::mem::take(&mut resolved.behind));
        if rows.is_empty() && behind.is_empty() {
            return Ok(());
        }
        let stored: Vec<_> =
            rows.iter().map(|row| (row.id, row.times)).chain(behind.iter().copied()).collect();
        let index = Arc::clone(&self.index);
        let work = move |connection: &rusqlite::Connection| {
            store::add(connection, &still_there(&index, rows))?;
            Ok::<_, StorageError>(store::note(connection, &behind)?)
        };
        self.sqlite.write(work).await?;
        let index = self.read();
        for (id, times) in stored {
            index.entry(id).into_iter().for_each(|entry| entry.set_stored(times));
        }
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Index> {
        read(&self.index)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(index: &RwLock<Index>) -> RwLockReadGuard<'_, Index> {
    index.read().unwrap_or_else(PoisonError::into_inner)
}

/// The rows of series that were not forgotten since they got their numbers: of those nobody would delete the row any more.
/// To be asked where rows are written: what is forgotten later is deleted from the records later too.
fn still_there(index: &RwLock<Index>, mut rows: Vec<store::Row>) -> Vec<store::Row> {
    let index = read(index);
    rows.retain(|row| index.entry(row.id).is_some());
    rows
}

/// Takes note of samples that come. Before they are committed: who forgets what nobody wrote looks at this.
fn meet(entry: &Entry, incoming: &Incoming) -> SeriesId {
    entry.note(incoming.times());
    entry.id
}

fn row(index: &Index, entry: &Entry) -> store::Row {
    let (sender, labels) = index.told(entry);
    let labels = labels.into_iter().map(str::to_owned).collect();
    store::Row { id: entry.id, sender: sender.to_owned(), labels, times: entry.times() }
}

/// The greatest number that the history has samples of; 0 if it has none.
fn last_in(tsdb: &Tsdb) -> u32 {
    let view = tsdb.view();
    let keys = view.parts.iter().map(|part| part.row()).filter(|row| row.tier == Tier::Points);
    let mut last = keys.filter_map(|row| SeriesId::from_key(&row.agents.1)).max();
    for segment in &view.segments {
        segment.each_point(&EVER, |point| last = last.max(Some(point.series)));
    }
    last.map_or(0, SeriesId::number)
}

#[cfg(test)]
mod tests;
