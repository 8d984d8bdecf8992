//! Opening: the catalogue is read, what it does not list is swept away ([`super::leftovers`]), and what is not
//! sealed is read back from the journal.

use super::{
    Appender, Inner, Part, Retention, Signal, Tier, Tsdb, TsdbError, View, append::Writing,
    attempts::Attempts, backup::sync_folder, belief::Witness, catalogue, condition::Condition, head::Segment,
    leftovers::Leftovers, parts::Garbage, record,
};
use crate::{
    clock::Clock,
    storage::{DataFolder, DiskSpace, Duck, Faults, Journal, Sqlite, StorageError, list},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64},
    },
};

/// Where the history lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The data folder.
    pub data: PathBuf,
    /// The journal's segments.
    pub journal: PathBuf,
    /// Parts, a folder each tier.
    pub parts: PathBuf,
    /// Files that are being made; emptied at start.
    pub scratch: PathBuf,
}

impl Places {
    /// Below the data folder.
    pub fn below(data_dir: &Path) -> Self {
        let parts = data_dir.join("history");
        Self {
            data: data_dir.to_owned(),
            journal: data_dir.join("journal"),
            scratch: parts.join("scratch"),
            parts,
        }
    }

    /// Makes the folders that are missing, and their names last: a part is on disk only if its folder is.
    pub fn create(&self) -> Result<(), StorageError> {
        let tiers = Tier::ALL.map(|tier| self.parts.join(tier.as_str()));
        let folders = [&self.parts, &self.scratch].into_iter().chain(&tiers);
        let missing: Vec<_> = folders.filter(|folder| !folder.is_dir()).collect();
        for folder in &missing {
            fs::create_dir_all(folder).map_err(StorageError::file("create", *folder))?;
        }
        if !missing.is_empty() {
            sync_folder(&self.parts)?;
            sync_folder(&self.data)?;
        }
        Ok(())
    }
}

/// An open history: what readers and the keeper share, and the writer's end.
#[derive(Debug)]
pub struct Opened {
    /// For everyone.
    pub tsdb: Tsdb,
    /// For the one writer.
    pub appender: Appender,
}

impl Tsdb {
    /// Opens the history at `places`; blocks while the journal is read back.
    pub fn open(
        places: Places,
        sqlite: Sqlite,
        engine: Duck,
        clock: Clock,
        retention: Retention,
        disk: DiskSpace,
        faults: Faults,
    ) -> Result<Opened, TsdbError> {
        places.create()?;
        let known =
            sqlite.reclaim_blocking(|connection| Ok::<_, StorageError>(catalogue::load(connection)?))?;
        let garbage = Arc::new(Garbage::default());
        let parts: Vec<_> =
            known.parts.iter().map(|row| Arc::new(Part::new(row.clone(), &places.parts, &garbage))).collect();
        let leftovers = Leftovers::find(&places, &known)?;
        // What is not listed may have to stay for a while, so its numbers are not given again.
        let last_part = known.parts.iter().map(|row| row.id).chain([leftovers.last_part()]).max();
        let leftovers = leftovers.into_files()?;
        empty(&places.scratch)?;
        let mut journal = Journal::open(&places.journal, disk.clone(), faults.clone())?;
        let segments = read_back(&mut journal, &places.journal, known.sealed)?;
        let open = segments.last().map_or_else(|| Arc::new(Segment::new(0)), Arc::clone);
        garbage.put(leftovers);
        let writing = Mutex::new(Writing::resume(journal, open, clock.now()));
        let condition = Condition::new(clock.now());
        let witness = Witness::new(clock.read());
        witness.parts(parts.iter().map(|part| part.row()));
        segments
            .iter()
            .filter_map(|segment| segment.last_at())
            .for_each(|last| witness.row(last.as_micros()));
        let tsdb = Self(Arc::new(Inner {
            places,
            sqlite,
            engine,
            clock,
            disk,
            faults,
            retention: retention.widened(),
            view: RwLock::new(Arc::new(View { segments, parts, ..View::default() })),
            last_part: AtomicU64::new(last_part.unwrap_or_default()),
            garbage,
            doubtful: Garbage::default(),
            writing,
            last_append_failed: AtomicBool::new(false),
            merging: Attempts::default(),
            letting_go: Attempts::default(),
            condition,
            witness,
            signal: Signal::default(),
        }));
        let folder = DataFolder::open(&tsdb.0.places.data);
        if let Err(error) = folder.and_then(|folder| tsdb.collect_garbage(&folder)) {
            // They stay, and the keeper tries again: no reason not to start.
            tracing::warn!(%error, "files that nobody needs could not be deleted; it is tried again");
        }
        let appender = Appender::new(tsdb.clone());
        Ok(Opened { tsdb, appender })
    }
}

/// Reads every segment that is not sealed; the last one is written on, or one is begun.
fn read_back(journal: &mut Journal, folder: &Path, sealed: u64) -> Result<Vec<Arc<Segment>>, TsdbError> {
    let (mut segments, mut end) = (Vec::new(), 0);
    for number in Journal::segments(folder)?.into_iter().filter(|number| *number > sealed) {
        let (segment, read_to) = read_segment(folder, number)?;
        end = read_to;
        segments.push(Arc::new(segment));
    }
    match segments.last() {
        Some(last) => journal.resume(last.number(), end)?,
        None => {
            journal.begin(sealed + 1)?;
            segments.push(Arc::new(Segment::new(sealed + 1)));
        }
    }
    Ok(segments)
}

/// Reads a segment of the journal, also beside a hub that writes to it; says where its records end.
pub(super) fn read_segment(folder: &Path, number: u64) -> Result<(Segment, u64), TsdbError> {
    let segment = Segment::new(number);
    let mut unreadable = None;
    let end = Journal::read(folder, number, |bytes| {
        match record::read(bytes) {
            Ok(rows) => segment.push(&rows.borrow()),
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
        Ok(())
    })?;
    if let Some(source) = unreadable {
        return Err(TsdbError::Record { segment: number, source });
    }
    if end.torn_bytes > 0 {
        tracing::info!(
            segment = number,
            bytes = end.torn_bytes,
            "a record was cut off as it was written; it was never answered"
        );
    }
    Ok((segment, end.end))
}

/// Deletes what was being made at the end.
fn empty(scratch: &Path) -> Result<(), StorageError> {
    for path in list(scratch)? {
        if path.is_dir() {
            fs::remove_dir_all(&path).map_err(StorageError::file("delete", &path))?;
        } else {
            remove(&path)?;
        }
    }
    Ok(())
}

/// The number in a part's file name.
pub(super) fn part_id(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.rsplit('-').next()?.parse().ok()
}

/// Deletes a file, which may be gone already.
pub(super) fn remove(path: &Path) -> Result<(), StorageError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StorageError::file("delete", path)(error))
        }
        _ => Ok(()),
    }
}
