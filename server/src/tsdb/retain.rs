//! Retention: what is past its time goes, and its disk space with it.
//!
//! Samples leave rollups by the minute behind, in the transaction that lets them go: until then the samples
//! themselves say all that a minute could. Rollups by the hour are there from the day of the samples on. A part
//! goes as a whole, once the whole of its period is past its time.

use super::{
    Part, Tier, Tsdb, TsdbError,
    catalogue::Change,
    compact::LEVEL_FINISHED,
    merge::{Merged, RAW_ORDER},
    open,
    parts::PartRow,
    rolled::Rolled,
    rollup::MINUTE,
    write::Draft,
};
use crate::storage::{DataFolder, StorageError};
use pingup_protocol::time::Timestamp;
use std::{path::PathBuf, sync::Arc, time::Duration};

impl Tsdb {
    /// Lets go of one period that is past its time; `false` if there is none.
    pub fn retain_once(&self) -> Result<bool, TsdbError> {
        let now = self.0.clock.now();
        let view = self.view();
        let Some((tier, period)) = Tier::ALL.into_iter().find_map(|tier| {
            let oldest = before(now, self.kept(tier));
            let mut periods = view.parts.iter().map(|part| part.row()).filter(|row| row.tier == tier);
            periods.find(|row| tier.end(row.period) <= oldest.as_micros()).map(|row| (tier, row.period))
        }) else {
            return Ok(false);
        };
        let old: Vec<_> = view
            .parts
            .iter()
            .filter(|part| (part.row().tier, part.row().period) == (tier, period))
            .cloned()
            .collect();
        let minutes_are_kept = Tier::Minute.end(period) > before(now, self.kept(Tier::Minute)).as_micros();
        let minutes =
            if tier == Tier::Raw && minutes_are_kept { self.roll_up(period, &old)? } else { Vec::new() };
        let remove = old.iter().map(|part| part.row().id).collect();
        self.change(Change { add: minutes, remove, ..Change::default() })?;
        Ok(true)
    }

    fn kept(&self, tier: Tier) -> Duration {
        let retention = &self.0.retention;
        match tier {
            Tier::Raw | Tier::Scans => retention.raw,
            Tier::Minute => retention.minute,
            Tier::Hour => retention.hour,
        }
    }
}

/// The moment before which nothing is kept.
pub fn before(now: Timestamp, kept: Duration) -> Timestamp {
    now.plus_seconds(i64::try_from(kept.as_secs()).unwrap_or(i64::MAX).saturating_neg())
}

impl Tsdb {
    /// Rollups by the minute of a day's samples: one part, but for agents beyond all measure.
    fn roll_up(&self, day: i64, raw: &[Arc<Part>]) -> Result<Vec<PartRow>, TsdbError> {
        let draft = Draft { tier: Tier::Minute, period: day, level: LEVEL_FINISHED };
        let mut rolled = Rolled::new(Merged::open(raw, RAW_ORDER)?, MINUTE);
        let mut made = Vec::new();
        loop {
            let part = self.write_rollups(draft, rolled.by_ref()).inspect_err(|_| self.discard(&made))?;
            made.extend(part);
            if !rolled.go_on() {
                return Ok(made);
            }
        }
    }

    /// Deletes files that nobody needs any more, unless a backup is being made.
    pub fn collect_garbage(&self, folder: &DataFolder) -> Result<(), StorageError> {
        let files: Vec<PathBuf> = self.0.garbage.take();
        if files.is_empty() {
            return Ok(());
        }
        let _alone = match folder.try_hold_alone() {
            Ok(Some(alone)) => alone,
            held => {
                self.0.garbage.put(files);
                return held.map(drop);
            }
        };
        let left: Vec<_> = files.into_iter().filter(|file| open::remove(file).is_err()).collect();
        self.0.garbage.put(left);
        Ok(())
    }
}
