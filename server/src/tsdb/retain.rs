//! Retention: what is past its time goes, and its disk space with it.
//!
//! Samples leave rollups by the minute behind, in the transaction that lets them go: until then the samples
//! themselves say all that a minute could. Rollups by the hour are there from the day of the samples on. A part
//! goes as a whole, once the whole of its period is past its time. A period that cannot be let go, say of a damaged
//! file, does not keep the others, and is left alone for a while ([`super::attempts`]). Nothing goes by a clock that is
//! not believed ([`super::belief`]): one wrong reading would be the end of all history.

use super::{
    Part, Tier, Tsdb, TsdbError, View,
    attempts::Period,
    catalogue::Change,
    checksum,
    compact::LEVEL_FINISHED,
    merge::{Merged, RAW_ORDER},
    open,
    parts::PartRow,
    rolled::Rolled,
    rollup::{DAY, MINUTE},
    write::Draft,
};
use crate::storage::{DataFolder, StorageError};
use pingup_protocol::time::Timestamp;
use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

impl Tsdb {
    /// Lets go of one period that is past its time; `false` if there is none, or only such as failed a while ago, or
    /// while the clock is not believed.
    pub fn retain_once(&self) -> Result<bool, TsdbError> {
        let (view, clock) = (self.view(), self.judge_clock());
        let now = clock.now;
        let is_over =
            |row: &&PartRow| row.tier.end(row.period) <= before(now, self.kept(row.tier)).as_micros();
        let over = view.parts.iter().map(|part| part.row()).filter(is_over);
        let mut over: BTreeSet<Period> = over.map(|row| (row.tier, row.period)).collect();
        self.0.witness.tell(clock, !over.is_empty());
        if !clock.is_believed {
            over.clear();
        }
        let Some(period) = self.0.letting_go.next(over.into_iter().collect(), |period| *period, now) else {
            return Ok(false);
        };
        self.let_go(period, &view, now)?;
        self.0.letting_go.done(period);
        Ok(true)
    }

    fn let_go(&self, (tier, period): Period, view: &View, now: Timestamp) -> Result<(), TsdbError> {
        let is_of = |part: &&Arc<Part>| (part.row().tier, part.row().period) == (tier, period);
        let old: Vec<_> = view.parts.iter().filter(is_of).cloned().collect();
        let minutes_are_kept = Tier::Minute.end(period) > before(now, self.kept(Tier::Minute)).as_micros();
        let minutes =
            if tier == Tier::Raw && minutes_are_kept { self.roll_up(period, &old)? } else { Vec::new() };
        let remove = old.iter().map(|part| part.row().id).collect();
        self.change(Change { add: minutes, remove, ..Change::default() })?;
        let (rows, period) = (rows_of(&old), Timestamp::from_micros(period.saturating_mul(DAY)));
        tracing::info!(%tier, %period, rows, "a period that is past its time was let go");
        Ok(())
    }

    fn kept(&self, tier: Tier) -> Duration {
        let retention = &self.0.retention;
        match tier {
            Tier::Raw | Tier::Scans | Tier::Points => retention.raw,
            Tier::Minute => retention.minute,
            Tier::Hour => retention.hour,
        }
    }
}

fn rows_of(parts: &[Arc<Part>]) -> u64 {
    parts.iter().map(|part| part.row().rows).sum()
}

/// The moment before which nothing is kept.
pub fn before(now: Timestamp, kept: Duration) -> Timestamp {
    now.plus_seconds(i64::try_from(kept.as_secs()).unwrap_or(i64::MAX).saturating_neg())
}

impl Tsdb {
    /// Rollups by the minute of a day's samples: one part, but for agents beyond all measure.
    fn roll_up(&self, day: i64, raw: &[Arc<Part>]) -> Result<Vec<PartRow>, TsdbError> {
        checksum::look_at(raw)?;
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

    /// Deletes files that nobody needs any more, unless a backup or an export is being made.
    pub fn collect_garbage(&self, folder: &DataFolder) -> Result<(), StorageError> {
        let (files, now): (Vec<PathBuf>, _) = (self.0.garbage.take(), self.0.clock.now());
        if files.is_empty() {
            self.0.condition.released(now);
            return Ok(());
        }
        let _alone = match folder.try_hold_alone() {
            Ok(Some(alone)) => alone,
            held => {
                if held.is_ok() {
                    self.0.condition.held(files.len(), now);
                }
                self.0.garbage.put(files);
                return held.map(drop);
            }
        };
        self.0.condition.released(now);
        let left: Vec<_> = files.into_iter().filter(|file| open::remove(file).is_err()).collect();
        self.0.garbage.put(left);
        Ok(())
    }
}
