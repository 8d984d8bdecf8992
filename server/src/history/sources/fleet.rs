//! The fleet's hours: what each file of rollups adds up to over all agents.
//!
//! A file never changes, and its number is given once, so what was added up is kept: a question about the fleet
//! reads only files that are new since the last. Kept are a bounded number of buckets, of files that the view
//! still has.

use super::{Files, names_are, raw::each_aggregate};
use crate::{
    history::{HistoryError, buckets::Sums},
    tsdb::{
        Part, View, quote,
        rollup::{Aggregate, bucket},
    },
};
use duckdb::Connection;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Buckets that are kept, some 70 bytes each; thirty days of eight measurements have 6 480.
pub(in crate::history) const FLEET_BUCKETS_MAX: usize = 100_000;

/// A measurement's buckets in a file, by their starts.
type Hours = Arc<[(i64, Aggregate)]>;
/// By the file's number and the measurement's name.
type Kept = HashMap<u64, HashMap<Box<str>, Hours>>;

/// What is kept.
#[derive(Debug)]
pub(in crate::history) struct FleetHours {
    kept: Mutex<Kept>,
    buckets_max: usize,
}

impl Default for FleetHours {
    fn default() -> Self {
        Self::keeping(FLEET_BUCKETS_MAX)
    }
}

impl FleetHours {
    /// Keeps so many buckets.
    pub(in crate::history) fn keeping(buckets_max: usize) -> Self {
        Self { kept: Mutex::default(), buckets_max }
    }

    /// Adds the rollups of `names` in `files` to `sums`, by the bucket of `step` microseconds.
    pub(in crate::history) fn add(
        &self,
        connection: &Connection,
        view: &View,
        files: &Files,
        names: &[&str],
        step: i64,
        sums: &mut Sums,
    ) -> Result<(), HistoryError> {
        for part in &files.parts {
            for (name, hours) in self.of(connection, view, part, names)? {
                for (start, sum) in hours.iter().filter(|(start, _)| files.range.contains(start)) {
                    sums.add(bucket(*start, step), name, sum);
                }
            }
        }
        Ok(())
    }

    /// Buckets kept now.
    #[cfg(test)]
    pub(in crate::history) fn kept(&self) -> usize {
        buckets(&self.lock())
    }

    /// What a file has of `names`: kept, or read.
    fn of<'a>(
        &self,
        connection: &Connection,
        view: &View,
        part: &Part,
        names: &[&'a str],
    ) -> Result<Vec<(&'a str, Hours)>, HistoryError> {
        let id = part.row().id;
        let mut found: Vec<_> = {
            let kept = self.lock();
            let of_part = kept.get(&id);
            names.iter().filter_map(|name| Some((*name, Arc::clone(of_part?.get(*name)?)))).collect()
        };
        if found.len() < names.len() {
            let missing: Vec<_> =
                names.iter().copied().filter(|name| found.iter().all(|(known, _)| known != name)).collect();
            let read = read(connection, part, &missing)?;
            self.keep(view, id, &read);
            found.extend(read);
        }
        Ok(found)
    }

    fn keep(&self, view: &View, id: u64, read: &[(&str, Hours)]) {
        let there: HashSet<_> = view.parts.iter().map(|part| part.row().id).collect();
        let mut kept = self.lock();
        let more: usize = read.iter().map(|(_, hours)| hours.len().max(1)).sum();
        if buckets(&kept) + more > self.buckets_max {
            kept.retain(|id, _| there.contains(id));
        }
        if buckets(&kept) + more > self.buckets_max {
            kept.clear();
        }
        if more <= self.buckets_max {
            kept.entry(id)
                .or_default()
                .extend(read.iter().map(|(name, hours)| ((*name).into(), Arc::clone(hours))));
        }
    }

    /// What is kept is whole after every step.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that has none of a measurement counts, too: its name is kept.
fn buckets(kept: &Kept) -> usize {
    kept.values().flat_map(HashMap::values).map(|hours| hours.len().max(1)).sum()
}

/// Adds up a file; a name that it does not have is told with nothing.
fn read<'a>(
    connection: &Connection,
    part: &Part,
    names: &[&'a str],
) -> Result<Vec<(&'a str, Hours)>, HistoryError> {
    let sql = format!(
        "SELECT name, epoch_us(start), sum(count)::BIGINT, min(min), max(max), sum(sum), arg_max(last, last_at),
                epoch_us(max(last_at))
         FROM read_parquet([{}]) WHERE {} GROUP BY name, start",
        quote(part.path()),
        names_are(Some(names.to_vec())),
    );
    let mut found: HashMap<&str, Vec<(i64, Aggregate)>> =
        names.iter().map(|name| (*name, Vec::new())).collect();
    super::each_batch(connection, &sql, |batch| {
        let (texts, starts) = (super::texts(batch, 0)?, super::integers(batch, 1)?);
        each_aggregate(batch, 2, |row, sum| {
            if let Some(hours) = found.get_mut(texts.value(row)) {
                hours.push((starts.value(row), sum));
            }
        })?;
        Ok(true)
    })?;
    Ok(found.into_iter().map(|(name, hours)| (name, hours.into())).collect())
}
