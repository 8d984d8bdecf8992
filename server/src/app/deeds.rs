//! From what time alone brings about, and what was refused, to the audit.

use crate::{
    audit::{Audit, store::record},
    commands::{self, Change, CommandsError},
    deed::{By, TellAttempt},
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

/// Writes down how a batch ended.
pub(super) fn end_batch(connection: &Connection, id: &str, now: Timestamp) -> Result<(), CommandsError> {
    let batch = commands::store::end_batch(connection, id, now)?;
    Ok(record(connection, &commands::batch_ended(&batch, &By::HUB, now))?)
}
