//! Sealing: a full segment becomes parts, in the order of the disk.
//!
//! Nothing is changed before the one transaction that makes the parts be and the segment sealed; killed before
//! it, the next start reads the segment back and seals it anew; killed after it, the next start drops the
//! segment's file. Until then that is garbage like any other, which stays while a backup is made.

use super::{
    Tier, Tsdb, TsdbError,
    catalogue::Change,
    head::{DayRows, Segment, Sorted, SortedPoints},
    parts::PartRow,
    rollup::HOUR,
    schema::{POINTS, RAW, SCANS},
    write::Draft,
};
use crate::storage::Journal;
use std::{collections::BTreeMap, ops::Range, sync::Arc};

impl Tsdb {
    /// Whether a segment waits to be sealed.
    pub fn has_to_seal(&self) -> bool {
        self.view().segments.len() > 1
    }

    /// Seals the oldest segment that is full; `false` if there is none.
    pub fn seal_oldest(&self) -> Result<bool, TsdbError> {
        let view = self.view();
        let [oldest, _, ..] = &view.segments[..] else { return Ok(false) };
        self.seal(oldest)?;
        Ok(true)
    }

    fn seal(&self, segment: &Arc<Segment>) -> Result<(), TsdbError> {
        let mut add = Vec::new();
        self.write_segment(segment, &mut add).inspect_err(|_| self.discard(&add))?;
        let sealed = segment.number();
        self.change(Change { add, remove: Vec::new(), sealed: Some(sealed), marks: segment.marks() })?;
        // The catalogue says that it is sealed. A backup that copied the catalogue before needs the file still.
        self.0.garbage.put(vec![Journal::path(&self.0.places.journal, sealed)]);
        Ok(())
    }

    fn write_segment(&self, segment: &Arc<Segment>, add: &mut Vec<PartRow>) -> Result<(), TsdbError> {
        let sorted = Arc::new(Sorted::new(Arc::clone(segment)));
        let draft = |tier, period| Draft { tier, period, level: 0 };
        let mut months: BTreeMap<i64, Vec<Range<usize>>> = BTreeMap::new();
        for DayRows { day, rows } in sorted.sample_days() {
            months.entry(Tier::Hour.period(day)).or_default().push(rows.clone());
            let batches = sorted.sample_batches(rows).map(|batch| Ok(batch?));
            add.extend(self.write_part(draft(Tier::Raw, day), &RAW, batches)?);
        }
        for (month, days) in months {
            let batches = sorted.rollup(&days, HOUR).map(|batch| Ok(batch?));
            add.extend(self.write_rollups(draft(Tier::Hour, month), batches)?);
        }
        for DayRows { day, rows } in sorted.scan_days() {
            let batches = sorted.scan_batches(rows).map(|batch| Ok(batch?));
            add.extend(self.write_part(draft(Tier::Scans, day), &SCANS, batches)?);
        }
        drop(sorted);
        let points = Arc::new(SortedPoints::new(Arc::clone(segment)));
        for DayRows { day, rows } in points.days() {
            let batches = points.batches(rows).map(|batch| Ok(batch?));
            add.extend(self.write_part(draft(Tier::Points, day), &POINTS, batches)?);
        }
        Ok(())
    }
}
