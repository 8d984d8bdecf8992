//! Changes: of the catalogue first, then of what readers see. Sealing and merging make them, each on its thread.

use super::{Part, PartRow, Tsdb, TsdbError, View, catalogue, catalogue::Change};
use std::{
    path::PathBuf,
    sync::{Arc, PoisonError},
};

impl Tsdb {
    /// Makes a change of the catalogue, then of the view.
    pub(super) fn change(&self, change: Change) -> Result<(), TsdbError> {
        self.0.faults.at("catalogue commit").inspect_err(|_| self.discard(&change.add))?;
        // What comes into doubt while this commit is on its way may have been tried after it, so that it tells nothing
        // of that.
        let settled = self.0.doubtful.take();
        if let Err(error) = catalogue::apply(&self.0.sqlite, change.clone()) {
            self.0.doubtful.put([settled, self.paths(&change.add)].concat());
            return Err(error.into());
        }
        self.0.garbage.put(settled);
        self.publish(|view| {
            view.parts.retain(|part| {
                let goes = change.remove.contains(&part.row().id);
                if goes {
                    part.retire();
                }
                !goes
            });
            let new = |row: &PartRow| Arc::new(Part::new(row.clone(), &self.0.places.parts, &self.0.garbage));
            view.parts.extend(change.add.iter().map(new));
            if let Some(sealed) = change.sealed {
                view.segments.retain(|segment| segment.number() > sealed);
            }
        });
        self.0.signal.tell();
        Ok(())
    }

    /// Before anything new is written after a failed commit: a commit that succeeds leaves no doubt about those
    /// before. So what is tried again and again never takes more than one try's room.
    pub(super) fn settle(&self) -> Result<(), TsdbError> {
        if self.0.doubtful.is_empty() {
            return Ok(());
        }
        self.0.faults.at("catalogue commit")?;
        let settled = self.0.doubtful.take();
        if let Err(error) = catalogue::settle(&self.0.sqlite) {
            self.0.doubtful.put(settled);
            return Err(error.into());
        }
        self.0.garbage.put(settled);
        Ok(())
    }

    /// Gives up parts that were written and will not be listed.
    pub(super) fn discard(&self, parts: &[PartRow]) {
        self.0.garbage.put(self.paths(parts));
    }

    fn paths(&self, parts: &[PartRow]) -> Vec<PathBuf> {
        parts.iter().map(|row| self.0.places.parts.join(row.file())).collect()
    }

    pub(super) fn publish(&self, change: impl FnOnce(&mut View)) {
        let mut view = self.0.view.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = View::clone(&view);
        change(&mut next);
        *view = Arc::new(next);
    }
}
