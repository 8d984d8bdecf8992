//! Forgetting, of what is old or was deleted: out of memory at once, out of the records some rows at a time.

use super::Register;
use crate::{
    series::{Which, store},
    storage::StorageError,
    tsdb::rows::SeriesId,
};
use rusqlite::Connection;
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

    /// The series that are meant now, by number. Blocks.
    pub(in crate::series) fn meant(&self, which: &Which) -> Vec<SeriesId> {
        self.read().meant(which)
    }

    /// Deletes the rows of as many of these series as go at once, the last of them, and does `besides` in the same write. To
    /// be followed by [`Self::take_out`].
    ///
    /// # Errors
    /// The records could not be written; nothing was.
    pub(in crate::series) async fn begin_to_delete(
        &self,
        series: &[SeriesId],
        besides: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static,
    ) -> Result<(), StorageError> {
        let first = series[series.len().saturating_sub(DELETED_MAX)..].to_vec();
        let work = move |connection: &Connection| {
            besides(connection)?;
            Ok::<_, StorageError>(store::delete(connection, &first)?)
        };
        self.sqlite.write(work).await
    }

    /// Forgets these series in memory; the records follow ([`Self::tidy`]). Blocks.
    pub(in crate::series) fn take_out(&self, series: &[SeriesId]) {
        let gone = self.write().forget(|entry| series.binary_search(&entry.id).is_ok());
        self.forgotten().extend(gone);
    }

    /// Deletes all that was forgotten from the records.
    ///
    /// # Errors
    /// The records could not be written; it is tried again.
    pub(in crate::series) async fn tidy_all(&self) -> Result<(), StorageError> {
        while !self.forgotten().is_empty() {
            self.tidy().await?;
        }
        Ok(())
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
        let work = move |connection: &Connection| Ok::<_, StorageError>(store::delete(connection, &gone)?);
        self.sqlite.write(work).await.inspect_err(|_| self.forgotten().extend(some))
    }

    /// Series that were forgotten and are still in the records.
    fn forgotten(&self) -> MutexGuard<'_, Vec<SeriesId>> {
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
