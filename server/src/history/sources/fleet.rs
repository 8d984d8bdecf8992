//! Rollups of all agents together, as each file adds them up at its end.
//!
//! A file never changes, and its number is given once, so what was read is kept: a question about the fleet reads
//! only files that are new since the last. Kept are a bounded number of buckets, of files
//! that the view still has. A file without the fleet's rows ([`crate::tsdb::fleet`]) is added up when it is asked
//! for the first time.

use super::Files;
use crate::{
    history::{HistoryError, buckets::Sums},
    storage::Wanted,
    tsdb::{
        Part, View,
        fleet::FLEET,
        merge::aggregate_at,
        pick,
        rollup::{Aggregate, bucket},
        schema::{ROLLUP, text_at, time_at},
    },
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
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
        view: &View,
        files: &Files,
        names: &[&str],
        step: i64,
        sums: &mut Sums,
        wanted: &Wanted,
    ) -> Result<(), HistoryError> {
        for part in &files.parts {
            let of_part = match self.known(part, names) {
                Some(of_part) => of_part,
                None => {
                    let of_part = read(part, names, wanted)?;
                    self.keep(view, part.row().id, &of_part);
                    of_part
                }
            };
            for (name, buckets) in of_part {
                for (start, sum) in buckets.iter().filter(|(start, _)| files.range.contains(start)) {
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

/// What `part` has of `names`: the fleet's own rows, or where there are none, all agents' added up.
fn read<'a>(part: &Part, names: &[&'a str], wanted: &Wanted) -> Result<OfPart<'a>, HistoryError> {
    const EVER: Range<i64> = i64::MIN..i64::MAX;
    let columns: Vec<&str> = ROLLUP.fields().iter().map(|field| field.name().as_str()).collect();
    let rows = match part.row().has_fleet() {
        true => pick::rows_of(part, FLEET, &columns)?,
        false => pick::rows_of_all(part, &EVER, &columns)?,
    };
    let mut buckets: Vec<BTreeMap<i64, Aggregate>> = vec![BTreeMap::new(); names.len()];
    for batch in rows {
        wanted.check()?;
        let batch = batch?;
        for row in 0..batch.num_rows() {
            let name = names.iter().position(|name| *name == text_at(&batch, 1, row));
            if let (Some(name), Some(sum)) = (name, aggregate_at(&batch, row)) {
                let start = time_at(&batch, 2, row);
                buckets[name].entry(start).and_modify(|known| known.add(&sum)).or_insert(sum);
            }
        }
    }
    Ok(names.iter().copied().zip(buckets.into_iter().map(|of_name| of_name.into_iter().collect())).collect())
}
