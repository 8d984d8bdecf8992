//! From what time alone brings about, and what was refused, to the audit.

use crate::{
    audit::{Audit, store::record},
    commands::{self, Change, CommandsError},
    deed::{Act, By, Deed, TellAttempt},
    storage::{DataFolder, StorageError},
    tls::Identity,
};
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;
use std::sync::Arc;

/// For whoever refuses.
pub(super) fn attempts(audit: &Arc<Audit>) -> TellAttempt {
    let audit = Arc::clone(audit);
    Arc::new(move |attempt| audit.note(attempt))
}

/// Ends commands whose time is over.
pub(super) fn lapse(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Change>> {
    let ended = commands::store::lapse(connection, now)?;
    if let Some(deed) = commands::lapsed(&ended, &By::HUB, now) {
        record(connection, &deed)?;
    }
    Ok(ended)
}

/// Destroys the former master key, from which nothing comes any more. The row waits for its commit meanwhile: there is
/// none of what failed.
pub(super) fn retire_master(
    connection: &Connection,
    folder: &DataFolder,
    now: Timestamp,
) -> Result<(), StorageError> {
    record(connection, &Deed::new(Act::MasterKeyRetired, &By::HUB, now).with("keysEnded", 0))?;
    folder.destroy_former_master()
}

/// Writes down that another certificate is shown.
pub(super) fn replace_certificate(
    connection: &Connection,
    (before, after): (&Identity, &Identity),
    now: Timestamp,
) -> rusqlite::Result<()> {
    let deed = Deed::new(Act::CertificateReplaced, &By::HUB, now)
        .with("pin", after.pin.to_string())
        .with("formerPin", before.pin.to_string())
        .with("endsAt", after.ends.to_string());
    record(connection, &deed)
}

/// Writes down how a batch ended.
pub(super) fn end_batch(connection: &Connection, id: &str, now: Timestamp) -> Result<(), CommandsError> {
    let batch = commands::store::end_batch(connection, id, now)?;
    Ok(record(connection, &commands::batch_ended(&batch, &By::HUB, now))?)
}
