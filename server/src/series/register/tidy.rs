//! Forgetting: out of memory at once, out of the records some rows at a time.

use super::Register;
use crate::{series::store, storage::StorageError, tsdb::rows::SeriesId};
use std::sync::{MutexGuard, PoisonError};

/// Series that are deleted at once: so few that nobody waits long for the records.
pub(super) const DELETED_MAX: usize = 1_000;

impl Register {
    /// Forgets series whose last sample is from before `before_ms`; how many.
    pub(in crate::series) fn forget(&self, before_ms: i64) -> usize {
        if !self.read().entries().iter().any(|entry| entry.about().1 < before_ms) {
            return 0;
        }
        let gone = self.write().forget(|entry| entry.about().1 < before_ms);
        let count = gone.len();
        self.forgotten().extend(gone);
        count
    }

    /// Deletes some of what was forgotten from the records.
    ///
    /// # Errors
    /// The records could not be written; it is tried again.
    pub async fn tidy(&self) -> Result<(), StorageError> {
        let some = {
            let mut forgotten = self.forgotten();
            let few = forgotten.len().saturating_sub(DELETED_MAX);
            forgotten.split_off(few)
        };
        if some.is_empty() {
            return Ok(());
        }
        let gone = some.clone();
        let work =
            move |connection: &rusqlite::Connection| Ok::<_, StorageError>(store::delete(connection, &gone)?);
        self.sqlite.write(work).await.inspect_err(|_| self.forgotten().extend(some))
    }

    /// Series that were forgotten and are still in the records.
    fn forgotten(&self) -> MutexGuard<'_, Vec<SeriesId>> {
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
