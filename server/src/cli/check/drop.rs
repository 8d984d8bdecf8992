//! `check --drop-damaged`: says which files of the history are damaged and what is lost without them; with `--yes`, goes
//! on without them. For who has no backup of them.
//!
//! Promises: nothing is changed without `--yes`, and nothing is deleted with it: files are moved
//! ([`crate::tsdb::damaged`]). Refuses: beside a running hub, a backup or an export; what may not be read, or lies in a
//! folder that is not there, for it may be whole.

use super::{
    Findings,
    history::WHAT,
    parts::{self, Trouble},
};
use crate::{
    audit::store::record,
    cli::{CliError, print, user},
    clock::Clock,
    deed::{Act, Deed},
    storage::{DataFolder, DiskSpace, Faults, Sqlite, StorageError, inspect},
    tsdb::{
        PartRow, Places, Tier,
        catalogue::{self, Catalogue},
        damaged::{Clearance, Damaged},
    },
};
use pingup_protocol::time::Timestamp;
use std::path::Path;

pub(super) fn drop_damaged(data_dir: &Path, is_confirmed: bool, clock: &Clock) -> Result<(), CliError> {
    let folder = DataFolder::open(data_dir)?;
    let _lock = folder.lock()?;
    let Some(_alone) = folder.try_hold_alone()? else {
        return Err(failed("a backup or an export reads the history; wait for its end, or end it"));
    };
    let clearance = plan(&folder)?;
    let mut findings = Findings::default();
    tell(&clearance, &Places::below(folder.path()), &mut findings);
    print(&findings.lines)?;
    match (clearance.damaged.len(), is_confirmed) {
        (0, _) => Ok(()),
        (files, false) => Err(CliError::Failed(format!(
            "nothing was changed; the same with --yes takes {files} files out, and what they alone had is lost"
        ))),
        (_, true) => {
            let disk = DiskSpace::watch(folder.path(), 0)?;
            let sqlite = Sqlite::open(&folder.sqlite_path(), disk, clock.now())?;
            let (files, aside) = (clearance.damaged.len(), clearance.aside.clone());
            let (rows, now, by) = (clearance.rows(), clock.now(), user::by());
            clearance.carry_out(&sqlite, &Faults::none(), move |connection| {
                let deed = Deed::new(Act::HistoryDropped, &by, now).with("files", files).with("rows", rows);
                record(connection, &deed)
            })?;
            print(&format!("taken out: {files} files; what was there of them is in {}", aside.display()))
        }
    }
}

/// What it would come to.
pub(super) fn plan(folder: &DataFolder) -> Result<Clearance, CliError> {
    let (places, known) = (Places::below(folder.path()), known(folder)?);
    Ok(Clearance::plan(&places, &known, damaged(&known.parts, &places)?)?)
}

/// What the catalogue says, of records that this program has migrated.
fn known(folder: &DataFolder) -> Result<Catalogue, CliError> {
    let records = folder.sqlite_path();
    if !records.exists() {
        return Err(CliError::Failed(format!("there are no records in {}", folder.path().display())));
    }
    let connection = inspect::open_records(&records)?;
    if inspect::records_state(&connection).map_err(StorageError::from)?.missing > 0 {
        return Err(failed("the records are not migrated; run `pingup-server migrate` first"));
    }
    Ok(catalogue::load(&connection).map_err(StorageError::from)?)
}

fn damaged(parts: &[PartRow], places: &Places) -> Result<Vec<Damaged>, CliError> {
    let mut folders = parts.iter().map(|part| places.parts.join(part.tier.as_str()));
    if let Some(folder) = folders.find(|folder| !folder.is_dir()) {
        return Err(CliError::Failed(format!("{} is not there, with all that is in it", folder.display())));
    }
    let mut damaged = Vec::new();
    for (part, trouble) in parts::look(parts, places)? {
        match trouble {
            Trouble::Damaged(why) => damaged.push(Damaged { part: part.clone(), why }),
            Trouble::Other(what) => {
                let path = places.parts.join(part.file());
                return Err(CliError::Failed(format!("{} may be whole: {what}", path.display())));
            }
        }
    }
    Ok(damaged)
}

/// A line each, and what it comes to.
pub(super) fn tell(clearance: &Clearance, places: &Places, findings: &mut Findings) {
    for Damaged { part, why } in &clearance.damaged {
        let ((first, last), rows) = (&part.agents, part.rows);
        let [from, to] = [part.times.0, part.times.1].map(Timestamp::from_micros);
        let path = places.parts.join(part.file());
        let whose = if part.tier == Tier::Points { "series" } else { "agents" };
        let lost = format!("{rows} rows of {whose} {first} to {last}, from {from} to {to}");
        findings.line("damaged", WHAT, format_args!("{}: {why}; {lost}", path.display()));
    }
    for path in &clearance.unlisted {
        let why = "not listed, may have rows of what is damaged, and is moved as well";
        findings.line("aside", WHAT, format_args!("{}: {why}", path.display()));
    }
    let (files, rows) = (clearance.damaged.len(), clearance.rows());
    match files {
        0 => findings.well(WHAT, "nothing is damaged"),
        _ => findings.trouble(WHAT, format_args!("{files} files are damaged, {rows} rows")),
    }
}

fn failed(why: &str) -> CliError {
    CliError::Failed(why.to_owned())
}
