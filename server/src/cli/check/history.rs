//! What `check` finds in the history: its parts by tier, its journal, and files that should not or should be there.

use super::{
    Findings,
    parts::{self, Trouble},
};
use crate::{
    storage::{Journal, StorageError, inspect, list},
    tsdb::{
        PartRow, Places, Tier,
        catalogue::{self, Catalogue},
        checksum::REMEDY,
        damaged::ASIDE,
        leftovers::Leftovers,
        record,
    },
};
use pingup_protocol::time::Timestamp;
use std::path::Path;

pub(super) const WHAT: &str = "history";

/// Looks at the catalogue, every file that it lists, and every record of the journal. Beside a running hub, files
/// may come and go meanwhile: call it with them held.
pub(super) fn look(records: &Path, places: &Places, findings: &mut Findings) -> Result<(), StorageError> {
    let connection = inspect::open_records(records)?;
    if inspect::records_state(&connection)?.missing > 0 {
        findings.well(WHAT, "not looked into before the records are migrated");
        return Ok(());
    }
    let known = catalogue::load(&connection)?;
    for tier in Tier::ALL {
        let of_tier = || known.parts.iter().filter(|part| part.tier == tier);
        let (rows, bytes): (u64, u64) =
            (of_tier().map(|part| part.rows).sum(), of_tier().map(|part| part.bytes).sum());
        findings
            .well(WHAT, format_args!("{tier}: {rows} rows, {bytes} bytes in {} files", of_tier().count()));
    }
    let times = known.parts.iter().filter(|part| part.tier == Tier::Raw).map(|part| part.times);
    let span = times.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    if let Some((oldest, newest)) = span {
        let [oldest, newest] = [oldest, newest].map(Timestamp::from_micros);
        findings.well(WHAT, format_args!("sealed samples from {oldest} to {newest}"));
    }
    look_at_parts(&known.parts, places, findings)?;
    look_at_others(&known, places, findings)?;
    look_at_journal(places, known.sealed, findings)
}

/// Every part has the bytes, the checksum and the rows that the catalogue says.
fn look_at_parts(known: &[PartRow], places: &Places, findings: &mut Findings) -> Result<(), StorageError> {
    if !places.parts.is_dir() {
        return match known.len() {
            0 => Ok(()),
            parts => {
                let folder = places.parts.display();
                findings.trouble(
                    WHAT,
                    format_args!("{folder} is missing, {parts} files in it; restore a backup"),
                );
                Ok(())
            }
        };
    }
    for (part, trouble) in parts::look(known, places)? {
        let path = places.parts.join(part.file());
        let path = path.display();
        match trouble {
            Trouble::Damaged(what) => findings.trouble(WHAT, format_args!("{path}: {what}; {REMEDY}")),
            Trouble::Other(what) => findings.trouble(WHAT, format_args!("{path}: {what}")),
        }
    }
    Ok(())
}

/// Names files that the catalogue does not list. That is no trouble, for a hub that was killed leaves some; unless the
/// catalogue cannot be the one that belongs to them.
fn look_at_others(known: &Catalogue, places: &Places, findings: &mut Findings) -> Result<(), StorageError> {
    let leftovers = Leftovers::find(places, known)?;
    let objection = leftovers.objection();
    let unfinished = if places.scratch.is_dir() { list(&places.scratch)? } else { Vec::new() };
    let fate = if objection.is_some() { "the hub does not start" } else { "the hub deletes it" };
    for path in leftovers.parts.iter().chain(&unfinished) {
        findings.well(WHAT, format_args!("{} is not listed; {fate}", path.display()));
    }
    for path in &leftovers.segments {
        findings.well(WHAT, format_args!("{} is sealed; {fate}", path.display()));
    }
    for path in &leftovers.foreign {
        findings
            .well(WHAT, format_args!("{} is a folder of nobody's here; it is left alone", path.display()));
    }
    let aside = places.parts.join(ASIDE);
    if aside.is_dir() {
        let aside = aside.display();
        findings.well(WHAT, format_args!("{aside} has what was taken out; delete it when nobody needs it"));
    }
    if let Some(objection) = objection {
        findings.trouble(WHAT, objection);
    }
    Ok(())
}

fn look_at_journal(places: &Places, sealed: u64, findings: &mut Findings) -> Result<(), StorageError> {
    if !places.journal.exists() {
        findings.well(WHAT, "no journal yet");
        return Ok(());
    }
    let (mut records, mut samples, mut points, mut torn) = (0_u64, 0, 0, 0);
    for segment in Journal::segments(&places.journal)?.into_iter().filter(|segment| *segment > sealed) {
        let mut unreadable = None;
        let end = Journal::read(&places.journal, segment, |bytes| {
            records += 1;
            match record::read(bytes) {
                Ok(rows) => {
                    samples += rows.samples.len();
                    points += rows.points.len();
                }
                Err(error) => unreadable = Some(error),
            }
            Ok(())
        })?;
        if let Some(error) = unreadable {
            findings.trouble(WHAT, format_args!("segment {segment} of the journal: {error}"));
        }
        torn += end.torn_bytes;
    }
    findings.well(
        WHAT,
        format_args!(
            "journal: {samples} samples and {points} points in {records} records, {torn} torn bytes at the end"
        ),
    );
    Ok(())
}
