//! Files that are in no use any more: parts that the catalogue does not list, segments of the journal that it says are
//! sealed. A hub that was killed leaves some, and the next start sweeps them away.
//!
//! A `pingup.db` that was lost, or that is an older copy, does not list what came after it, and would have all of
//! that swept. The files themselves do not tell which it is, but some things are always so under the right one:
//!
//! - the journal goes on with the segment behind the sealed ones, for a segment goes only after the commit that says it
//!   is sealed. So the rows of a part that was not listed yet lie in the journal, and what was sealed is listed;
//! - every part that is listed is there, for a file goes only after the commit that takes it from the list. So the rows
//!   of a part that was merged or let go lie in listed ones, or were past their time;
//! - a history of the former version that was set aside is known to be taken over: its rows never were in the journal.
//!
//! Where one of these is not so, nothing is deleted and the hub does not start. Without anything to sweep nobody asks.

use super::{
    Places, Tier,
    catalogue::Catalogue,
    former,
    open::{list, part_id},
};
use crate::storage::{Journal, StorageError};
use std::{collections::HashSet, path::PathBuf};

/// What is in no use any more, as the catalogue tells.
#[derive(Debug)]
pub struct Leftovers {
    /// Parts that are not listed.
    pub parts: Vec<PathBuf>,
    /// Segments that are sealed.
    pub segments: Vec<PathBuf>,
    doubt: Option<String>,
}

impl Leftovers {
    /// Looks at what there is; changes nothing.
    pub fn find(places: &Places, known: &Catalogue) -> Result<Self, StorageError> {
        let mut listed: HashSet<_> = known.parts.iter().map(|part| places.parts.join(part.file())).collect();
        let mut parts = Vec::new();
        for folder in
            Tier::ALL.map(|tier| places.parts.join(tier.as_str())).iter().filter(|path| path.is_dir())
        {
            parts.extend(list(folder)?.into_iter().filter(|path| !listed.remove(path)));
        }
        let numbers = if places.journal.exists() { Journal::segments(&places.journal)? } else { Vec::new() };
        let (sealed, open): (Vec<_>, Vec<_>) =
            numbers.into_iter().partition(|number| *number <= known.sealed);
        let expected = known.sealed + 1;
        let aside = former::set_aside_at(&places.data);
        let doubt = match (listed.into_iter().min(), open.first()) {
            (Some(missing), _) => Some(format!("{} is listed there and missing", missing.display())),
            (None, Some(first)) if *first != expected => {
                Some(format!("the journal goes on at segment {first}, not {expected}"))
            }
            (None, None) => Some(format!("the journal has no segment {expected}")),
            (None, Some(_)) if aside.exists() && !known.has_taken_over => {
                Some(format!("it does not know that {} was taken over", aside.display()))
            }
            (None, Some(_)) => None,
        };
        let segments = sealed.into_iter().map(|number| Journal::path(&places.journal, number)).collect();
        Ok(Self { parts, segments, doubt })
    }

    /// Why they must not be deleted, and what to do; `None` if they may be, or there are none.
    pub fn objection(&self) -> Option<String> {
        let doubt = self.doubt.as_ref().filter(|_| self.count() > 0)?;
        Some(format!(
            "pingup.db knows nothing of {} files ({} bytes) of the history or the journal, and {doubt}: it is new, or older \
             than they are. Nothing was deleted; put the pingup.db back that belongs to them, or restore a backup, or move \
             them out of the data folder to go on without them (`pingup-server check` names each)",
            self.count(),
            self.bytes(),
        ))
    }

    /// The files, to be deleted; says in the log what they are.
    pub(super) fn into_files(self) -> Result<Vec<PathBuf>, StorageError> {
        if let Some(objection) = self.objection() {
            return Err(StorageError::Folder(objection));
        }
        if self.count() > 0 {
            tracing::info!(
                parts = self.parts.len(),
                segments = self.segments.len(),
                bytes = self.bytes(),
                "files that the hub had done with when it ended are deleted"
            );
        }
        Ok([self.parts, self.segments].concat())
    }

    /// The greatest number of a part among them; 0 if there is none.
    pub(super) fn last_part(&self) -> u64 {
        self.parts.iter().filter_map(|path| part_id(path)).max().unwrap_or_default()
    }

    fn count(&self) -> usize {
        self.parts.len() + self.segments.len()
    }

    fn bytes(&self) -> u64 {
        let size = |path: &PathBuf| path.metadata().map_or(0, |found| found.len());
        self.parts.iter().chain(&self.segments).map(size).sum()
    }
}
