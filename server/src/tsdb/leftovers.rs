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
//!
//! A folder among the parts is nobody's of the hub: it is left alone, and no reason not to start.

use super::{Places, Tier, catalogue::Catalogue, former, open::part_id};
use crate::storage::{Journal, StorageError, list};
use std::{collections::HashSet, path::PathBuf};

/// What is in no use any more, as the catalogue tells.
#[derive(Debug)]
pub struct Leftovers {
    /// Parts that are not listed.
    pub parts: Vec<PathBuf>,
    /// Segments that are sealed.
    pub segments: Vec<PathBuf>,
    /// Folders among the parts; they are left alone.
    pub foreign: Vec<PathBuf>,
    /// Parts that are listed and not there.
    pub missing: Vec<PathBuf>,
    /// What else would not be under the right `pingup.db`.
    doubt: Option<String>,
}

impl Leftovers {
    /// Looks at what there is; changes nothing.
    pub fn find(places: &Places, known: &Catalogue) -> Result<Self, StorageError> {
        let mut listed: HashSet<_> = known.parts.iter().map(|part| places.parts.join(part.file())).collect();
        let (mut parts, mut foreign) = (Vec::new(), Vec::new());
        for folder in
            Tier::ALL.map(|tier| places.parts.join(tier.as_str())).iter().filter(|path| path.is_dir())
        {
            for path in list(folder)? {
                match path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
                    true => foreign.push(path),
                    false if listed.remove(&path) => {}
                    false => parts.push(path),
                }
            }
        }
        let mut missing: Vec<_> = listed.into_iter().collect();
        missing.sort_unstable();
        let numbers = if places.journal.exists() { Journal::segments(&places.journal)? } else { Vec::new() };
        let (sealed, open): (Vec<_>, Vec<_>) =
            numbers.into_iter().partition(|number| *number <= known.sealed);
        let expected = known.sealed + 1;
        let aside = former::set_aside_at(&places.data);
        let doubt = match open.first() {
            Some(first) if *first != expected => {
                Some(format!("the journal goes on at segment {first}, not {expected}"))
            }
            None => Some(format!("the journal has no segment {expected}")),
            Some(_) if aside.exists() && !known.has_taken_over => {
                Some(format!("it does not know that {} was taken over", aside.display()))
            }
            Some(_) => None,
        };
        let segments = sealed.into_iter().map(|number| Journal::path(&places.journal, number)).collect();
        Ok(Self { parts, segments, foreign, missing, doubt })
    }

    /// Why they must not be deleted, and what to do; `None` if they may be, or there are none.
    pub fn objection(&self) -> Option<String> {
        let Some(missing) = self.missing.first() else { return self.other_objection() };
        let said = self.said(&format!("{} is listed there and missing", missing.display()))?;
        Some(format!(
            "{said}. Was that file damaged, and moved away for it, `pingup-server check --drop-damaged` takes it off the list"
        ))
    }

    /// Why they must not be deleted, whatever is missing.
    pub(super) fn other_objection(&self) -> Option<String> {
        self.said(self.doubt.as_ref()?)
    }

    fn said(&self, doubt: &str) -> Option<String> {
        (self.count() > 0).then(|| {
            format!(
                "pingup.db knows nothing of {} files ({} bytes) of the history or the journal, and {doubt}: it is new, or \
                 older than they are. Nothing was deleted; put the pingup.db back that belongs to them, or restore a \
                 backup, or move them out of the data folder to go on without them (`pingup-server check` names each)",
                self.count(),
                self.bytes(),
            )
        })
    }

    /// The files, to be deleted; says in the log what they are, and what is left alone.
    pub(super) fn into_files(self) -> Result<Vec<PathBuf>, StorageError> {
        if let Some(first) = self.foreign.first() {
            tracing::warn!(
                folder = %first.display(),
                folders = self.foreign.len(),
                "a folder among the files of the history is not the hub's; it is left alone"
            );
        }
        if let Some(objection) = self.objection() {
            return Err(StorageError::Folder(objection));
        }
        if self.count() > 0 {
            tracing::info!(
                parts = self.parts.len(),
                segments = self.segments.len(),
                bytes = self.bytes(),
                "files that the hub had done with when it ended are to be deleted"
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
