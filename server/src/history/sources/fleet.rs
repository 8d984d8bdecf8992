//! Rollups of all agents together, as each file adds them up at its end.
//!
//! A file never changes, and its number is given once, so what was read is kept: a question about the fleet reads
//! only files that are new since the last, all of them at once. Kept are a bounded number of buckets, of files
//! that the view still has. A file without the fleet's rows ([`crate::tsdb::fleet`]) is added up when it is asked
//! for the first time.

use super::{Files, names_are, raw::each_aggregate};
use crate::{
    history::{HistoryError, buckets::Sums},
    tsdb::{
        Part, View, file_list,
        fleet::FLEET,
        quote,
        rollup::{Aggregate, bucket},
        total::rolled_units_in_sql,
    },
};
use duckdb::Connection;
use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Buckets that are kept, some 70 bytes each; thirty days by the hour of eight measurements have 6 480, a day by
/// the minute 12 960.
pub(in crate::history) const FLEET_BUCKETS_MAX: usize = 100_000;

/// A measurement's buckets in a file, by their starts.
type Buckets = Arc<[(i64, Aggregate)]>;
/// What a file has of the names that were asked for, each, also one that it does not have.
type OfPart<'a> = Vec<(&'a str, Buckets)>;
/// By the file's number and the measurement's name.
type Kept = HashMap<u64, HashMap<Box<str>, Buckets>>;

/// What is kept.
#[derive(Debug)]
pub(in crate::history) struct FleetRollups {
    kept: Mutex<Kept>,
    buckets_max: usize,
}

impl Default for FleetRollups {
    fn default() -> Self {
        Self::keeping(FLEET_BUCKETS_MAX)
    }
}

impl FleetRollups {
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
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        for part in &files.parts {
            match self.known(part, names) {
                Some(of_part) => found.push(of_part),
                None => unknown.push(part),
            }
        }
        for (id, of_part) in read(connection, &unknown, names)? {
            self.keep(view, id, &of_part);
            found.push(of_part);
        }
        for (name, buckets) in found.into_iter().flatten() {
            for (start, sum) in buckets.iter().filter(|(start, _)| files.range.contains(start)) {
                sums.add(bucket(*start, step), name, sum);
            }
        }
        Ok(())
    }

    /// Buckets kept now.
    #[cfg(test)]
    pub(in crate::history) fn kept(&self) -> usize {
        buckets(&self.lock())
    }

    /// What is kept of a file, if all of `names` are.
    fn known<'a>(&self, part: &Part, names: &[&'a str]) -> Option<OfPart<'a>> {
        let kept = self.lock();
        let of_part = kept.get(&part.row().id)?;
        names.iter().map(|name| Some((*name, Arc::clone(of_part.get(*name)?)))).collect()
    }

    fn keep(&self, view: &View, id: u64, read: &OfPart<'_>) {
        let there: HashSet<_> = view.parts.iter().map(|part| part.row().id).collect();
        let mut kept = self.lock();
        let more: usize = read.iter().map(|(_, buckets)| buckets.len().max(1)).sum();
        if buckets(&kept) + more > self.buckets_max {
            kept.retain(|id, _| there.contains(id));
        }
        if buckets(&kept) + more > self.buckets_max {
            kept.clear();
        }
        if more <= self.buckets_max {
            kept.entry(id)
                .or_default()
                .extend(read.iter().map(|(name, buckets)| ((*name).into(), Arc::clone(buckets))));
        }
    }

    /// What is kept is whole after every step.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that has none of a measurement counts, too: its name is kept.
fn buckets(kept: &Kept) -> usize {
    kept.values().flat_map(HashMap::values).map(|buckets| buckets.len().max(1)).sum()
}

/// What each of `parts` has of `names`, with its number.
fn read<'a>(
    connection: &Connection,
    parts: &[&Arc<Part>],
    names: &[&'a str],
) -> Result<Vec<(u64, OfPart<'a>)>, HistoryError> {
    let (quick, slow): (Vec<_>, Vec<_>) = parts.iter().copied().partition(|part| part.row().has_fleet());
    let wanted = names_are(Some(names.to_vec()));
    let (mut found, units) = (Vec::new(), rolled_units_in_sql());
    if !quick.is_empty() {
        let sql = format!(
            "SELECT filename, name, epoch_us(start), abs(count), min, max, {units}, last, epoch_us(last_at)
             FROM read_parquet({}, filename = true) WHERE agent_id = '{FLEET}' AND {wanted}",
            file_list(quick.iter().copied())
        );
        found.extend(ask(connection, &sql, &quick, names)?);
    }
    for part in slow {
        let path = quote(part.path());
        let sql = format!(
            "SELECT {path}, name, epoch_us(start), sum(abs(count))::BIGINT, min(min), max(max), sum({units}),
                    arg_max(last, last_at), epoch_us(max(last_at))
             FROM read_parquet([{path}]) WHERE {wanted} GROUP BY name, start"
        );
        found.extend(ask(connection, &sql, &[part], names)?);
    }
    Ok(found)
}

/// The rows `file, name, start, aggregate` that `sql` answers of `parts`. A file's name has its number, so it
/// tells the file whatever folders are called.
fn ask<'a>(
    connection: &Connection,
    sql: &str,
    parts: &[&Arc<Part>],
    names: &[&'a str],
) -> Result<Vec<(u64, OfPart<'a>)>, HistoryError> {
    let place_of =
        |path: &str| parts.iter().position(|part| part.path().file_name() == Path::new(path).file_name());
    let mut buckets = vec![vec![Vec::new(); names.len()]; parts.len()];
    super::each_batch(connection, sql, |batch| {
        let (files, texts, starts) =
            (super::texts(batch, 0)?, super::texts(batch, 1)?, super::integers(batch, 2)?);
        let mut last = ("", None);
        each_aggregate(batch, 3, |row, sum| {
            let file = files.value(row);
            if last.0 != file {
                last = (file, place_of(file));
            }
            let name = names.iter().position(|name| *name == texts.value(row));
            if let (Some(part), Some(name)) = (last.1, name) {
                buckets[part][name].push((starts.value(row), sum));
            }
        })?;
        Ok(true)
    })?;
    let of_part = |buckets: Vec<Vec<(i64, Aggregate)>>| {
        names.iter().copied().zip(buckets.into_iter().map(Arc::from)).collect()
    };
    Ok(parts.iter().zip(buckets).map(|(part, buckets)| (part.row().id, of_part(buckets))).collect())
}
