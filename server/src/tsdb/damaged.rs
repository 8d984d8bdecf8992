//! Parts that are damaged, taken out where no backup has them: what is left goes on without their rows.
//!
//! Promises: nothing is deleted. First the files are moved to a folder beside ([`ASIDE`]), where their names last; then
//! one commit takes the parts off the list. Cut off anywhere, it is finished by doing it again: a file that was moved
//! already is one that is missing. Everything else that is listed stays, rollups of the same time too.
//!
//! What the list does not know, or says is done with, may have the rows of a part that is taken out: one that was merged
//! into it, say, or the segment of the journal that it was made of. The next start would delete them
//! ([`super::leftovers`]), so they are moved as well. Refuses: a list that cannot belong to the files, for another reason
//! than that a part is missing.

use super::{
    Places,
    backup::create_folder,
    catalogue::{self, Catalogue, Change},
    leftovers::Leftovers,
    parts::PartRow,
};
use crate::storage::{Faults, Sqlite, StorageError, lasting};
use rusqlite::Connection;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Below the folder of all parts: what was taken out, in a folder each tier.
pub const ASIDE: &str = "damaged";

/// A part that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// What the catalogue knows of it.
    pub part: PartRow,
    /// What is wrong with its file.
    pub why: String,
}

/// What taking parts out comes to.
#[derive(Debug)]
pub struct Clearance {
    /// The parts that are taken out.
    pub damaged: Vec<Damaged>,
    /// Files that are in no use any more, and are moved as well.
    pub unlisted: Vec<PathBuf>,
    /// Where all of that goes.
    pub aside: PathBuf,
    /// From where to where.
    moves: Vec<(PathBuf, PathBuf)>,
}

impl Clearance {
    /// What it would be for these parts; changes nothing. `known` is the list, and no hub runs.
    pub fn plan(places: &Places, known: &Catalogue, damaged: Vec<Damaged>) -> Result<Self, StorageError> {
        let leftovers = Leftovers::find(places, known)?;
        if let Some(objection) = leftovers.other_objection() {
            return Err(StorageError::Folder(objection));
        }
        let unlisted =
            if damaged.is_empty() { Vec::new() } else { [leftovers.parts, leftovers.segments].concat() };
        let aside = places.parts.join(ASIDE);
        let files = damaged.iter().map(|damaged| places.parts.join(damaged.part.file()));
        let there = files.filter(|path| path.symlink_metadata().is_ok());
        let files = there.chain(unlisted.iter().cloned());
        let moves: Vec<_> = files.map(|from| (from.clone(), target(&aside, &from))).collect();
        match moves.iter().find(|(_, to)| to.symlink_metadata().is_ok()) {
            None => Ok(Self { damaged, unlisted, aside, moves }),
            Some((from, to)) => {
                let (from, to) = (from.display(), to.display());
                Err(StorageError::Folder(format!(
                    "{from} cannot be moved to {to}, which exists; move that away"
                )))
            }
        }
    }

    /// Rows that are lost by it.
    pub fn rows(&self) -> u64 {
        self.damaged.iter().map(|damaged| damaged.part.rows).sum()
    }

    /// Takes them out, blocking; `record` writes that down in the commit that takes them off the list.
    pub fn carry_out(
        self,
        sqlite: &Sqlite,
        faults: &Faults,
        record: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static,
    ) -> Result<(), StorageError> {
        let targets: BTreeSet<_> = self.moves.iter().filter_map(|(_, to)| to.parent()).collect();
        let sources: BTreeSet<_> = self.moves.iter().filter_map(|(from, _)| from.parent()).collect();
        targets.iter().try_for_each(|folder| create_folder(folder))?;
        let above = self.aside.ancestors().take(2).filter(|_| !targets.is_empty());
        let sync = |folder: &Path| lasting::sync_folder(folder, faults, "aside folder sync");
        above.into_iter().try_for_each(sync)?;
        for (from, to) in &self.moves {
            lasting::rename(from, to, faults, ["aside rename", "aside folder sync"])?;
        }
        // A name that came back would not be listed, and the next start would delete the file.
        sources.into_iter().try_for_each(sync)?;
        faults.at("catalogue commit")?;
        let remove = self.damaged.into_iter().map(|damaged| damaged.part.id).collect();
        let change = Change { remove, ..Change::default() };
        sqlite.reclaim_blocking(move |connection| {
            catalogue::write(connection, &change)?;
            Ok(record(connection)?)
        })
    }
}

/// Where a file goes: its own folder's name and its own below `aside`.
fn target(aside: &Path, file: &Path) -> PathBuf {
    let folder = file.parent().and_then(Path::file_name).unwrap_or_default();
    aside.join(folder).join(file.file_name().unwrap_or_default())
}
