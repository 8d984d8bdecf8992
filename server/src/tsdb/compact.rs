//! Compaction: small parts of one period become one larger part.
//!
//! Which ones is decided by [`plan`], a pure function of the catalogue and the clock, so that a merge that was
//! cut off is simply planned again. Parts of one level are merged when there are [`FAN_IN`] of them, so a row is
//! rewritten a few times in its life; when a period has been over and nothing has come for a while, all that is
//! left of it becomes one part. Rollup rows of one bucket are added up on the way.
//!
//! A merge begins only if the disk has room for all it reads beside its reserve, and one that fails does not keep the
//! others, and is left alone for a while ([`super::attempts`]).

use super::{
    Part, Tier, Tsdb, TsdbError,
    catalogue::Change,
    checksum,
    merge::{Added, Merged, Once, Order, RAW_ORDER, SCANS_ORDER},
    parts::PartRow,
    schema::{POINTS, RAW, SCANS},
    write::Draft,
};
use crate::storage::StorageError;
use pingup_protocol::time::Timestamp;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Parts of one level that make one of the next.
pub const FAN_IN: usize = 8;
/// Parts merged at once.
pub const MERGED_PARTS_MAX: usize = 16;
/// A period that is over is finished once nothing was added for so long.
pub const QUIET: Duration = Duration::from_secs(60);
/// A period is not finished before it has been over for so long: a question about the last hour (the fleet's top)
/// reads parts of a few hours, not one of a whole day. An hour, agents' late clocks, and some.
pub const FRESH: Duration = Duration::from_secs(90 * 60);
/// The level of a part that finished its period.
pub const LEVEL_FINISHED: u32 = 100;

/// Parts to be merged, and the level of what they make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// Their tier.
    pub tier: Tier,
    /// Their period.
    pub period: i64,
    /// Their numbers.
    pub parts: Vec<u64>,
    /// The new part's level.
    pub level: u32,
}

/// The merges that are worth it, one a period at most, the smallest first.
pub fn plan<'a>(parts: impl IntoIterator<Item = &'a PartRow>, now: Timestamp) -> Vec<Merge> {
    let mut periods: BTreeMap<(Tier, i64), Vec<&PartRow>> = BTreeMap::new();
    for part in parts {
        periods.entry((part.tier, part.period)).or_default().push(part);
    }
    let merges = periods.values().filter(|parts| parts.len() > 1).filter_map(|parts| {
        let merge = by_level(parts).or_else(|| finish(parts, now))?;
        let rows: u64 =
            parts.iter().filter(|part| merge.parts.contains(&part.id)).map(|part| part.rows).sum();
        Some((rows, merge))
    });
    let mut merges: Vec<_> = merges.collect();
    merges.sort_by_key(|(rows, _)| *rows);
    merges.into_iter().map(|(_, merge)| merge).collect()
}

/// Enough parts of one level.
fn by_level(parts: &[&PartRow]) -> Option<Merge> {
    let mut levels: BTreeMap<u32, Vec<&PartRow>> = BTreeMap::new();
    for part in parts {
        levels.entry(part.level).or_default().push(part);
    }
    let (level, enough) = levels.into_iter().find(|(_, parts)| parts.len() >= FAN_IN)?;
    Some(merge(&enough, if level == LEVEL_FINISHED { level } else { level + 1 }))
}

/// Everything, when the period is over and no longer fresh, quiet, and not finished; or finished with a tenth more
/// come late.
fn finish(parts: &[&PartRow], now: Timestamp) -> Option<Merge> {
    let first = parts.first()?;
    let over = Timestamp::from_micros(first.tier.end(first.period)).plus_seconds(seconds(FRESH)) <= now;
    let newest = parts.iter().map(|part| part.created).max()?;
    let quiet = newest.plus_seconds(seconds(QUIET)) <= now;
    let rows = |finished: bool| -> u64 {
        let of = parts.iter().filter(|part| (part.level == LEVEL_FINISHED) == finished);
        of.map(|part| part.rows).sum()
    };
    (over && quiet && rows(false) >= rows(true) / 10).then(|| merge(parts, LEVEL_FINISHED))
}

const fn seconds(span: Duration) -> i64 {
    span.as_secs().cast_signed()
}

fn merge(parts: &[&PartRow], level: u32) -> Merge {
    let few = &parts[..parts.len().min(MERGED_PARTS_MAX)];
    let level = if few.len() < parts.len() {
        few.iter().map(|part| part.level).max().unwrap_or(level)
    } else {
        level
    };
    Merge {
        tier: parts[0].tier,
        period: parts[0].period,
        parts: few.iter().map(|part| part.id).collect(),
        level,
    }
}

impl Tsdb {
    /// Does the next merge that is worth it; `false` if none is, or only such as failed a while ago.
    /// [`StorageError::Full`] if there is no room for any.
    pub fn compact_once(&self) -> Result<bool, TsdbError> {
        let (view, now) = (self.view(), self.0.clock.now());
        let parts_of = |merge: &Merge| -> Vec<_> {
            view.parts.iter().filter(|part| merge.parts.contains(&part.row().id)).cloned().collect()
        };
        let mut merges = plan(view.parts.iter().map(|part| part.row()), now);
        if !merges.is_empty() {
            self.0.disk.measure()?;
            let bytes = |merge: &Merge| parts_of(merge).iter().map(|part| part.row().bytes).sum();
            merges.retain(|merge| self.0.disk.has_room_for(bytes(merge)));
            if merges.is_empty() {
                return Err(StorageError::Full.into());
            }
        }
        let Some(merge) = self.0.merging.next(merges, |merge| (merge.tier, merge.period), now) else {
            return Ok(false);
        };
        let (old, period) = (parts_of(&merge), (merge.tier, merge.period));
        drop(view);
        checksum::look_at(&old)?;
        self.merge(merge, &old)?;
        self.0.merging.done(period);
        Ok(true)
    }

    /// Makes one part of `old`.
    fn merge(&self, merge: Merge, old: &[Arc<Part>]) -> Result<(), TsdbError> {
        let draft = Draft { tier: merge.tier, period: merge.period, level: merge.level };
        let part = match merge.tier {
            Tier::Raw => self.write_part(draft, &RAW, Merged::open(old, RAW_ORDER)?)?,
            Tier::Scans => self.write_part(draft, &SCANS, Merged::open(old, SCANS_ORDER)?)?,
            Tier::Points => self.write_part(draft, &POINTS, Once::new(Merged::open(old, Order::Points)?))?,
            Tier::Minute | Tier::Hour => {
                self.write_rollups(draft, Added::new(Merged::open(old, Order::Rollups)?))?
            }
        };
        self.change(Change { add: part.into_iter().collect(), remove: merge.parts, ..Change::default() })
    }
}

#[cfg(test)]
mod tests;
