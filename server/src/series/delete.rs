//! Series that an operator takes out before time does: the way back from a limit.
//!
//! A series goes whole. Its points stay in their files until raw samples go, and are nobody's: its number is never given
//! again, so whoever sends it again begins a new one.

use super::Series;
use crate::{
    deed::{Act, By, Deed},
    storage::StorageError,
};
use pingup_promql::Matcher;
use rusqlite::Connection;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// What of selectors the audit tells, bytes.
const TOLD_BYTES_MAX: usize = 1_024;

/// Which series are meant.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// Those that fulfil any of these; without one, all.
    pub selectors: Vec<Vec<Matcher>>,
    /// Of these, those that this sender wrote first.
    pub sender: Option<String>,
}

impl Which {
    /// Selectors as text, for people.
    fn told(&self) -> String {
        let selector = |matchers: &Vec<Matcher>| {
            let matchers: Vec<_> = matchers.iter().map(Matcher::to_string).collect();
            format!("{{{}}}", matchers.join(","))
        };
        let mut text = self.selectors.iter().map(selector).collect::<Vec<_>>().join(" ");
        text.truncate(text.floor_char_boundary(TOLD_BYTES_MAX));
        text
    }
}

impl Series {
    /// Deletes the series that are meant and there now; how many. On `Ok` they are gone for good, and it is written down.
    /// What is sent to one meanwhile may go with it.
    ///
    /// # Errors
    /// The records could not be written: nothing was deleted, or some of it and the rest follows.
    pub async fn delete(&self, which: Which, by: By) -> Result<usize, StorageError> {
        let (told, sender) = (which.told(), which.sender.clone());
        let register = Arc::clone(&self.register);
        let meant =
            spawn_blocking(move || register.meant(&which)).await.map_err(|_| StorageError::Panicked)?;
        let count = meant.len();
        if count == 0 {
            // Nothing is no deed.
            return Ok(0);
        }
        let (record, now, operator) = (self.record, self.tsdb.judge_clock().now, by.name().to_owned());
        let write_down = move |connection: &Connection| {
            let deed = Deed::new(Act::SeriesDeleted, &by, now).with("series", count).with("match", told);
            record(connection, &sender.into_iter().fold(deed, |deed, sender| deed.with("sender", sender)))
        };
        self.register.begin_to_delete(&meant, write_down).await?;
        // Before more rows go: who has none must not be written to any more.
        let register = Arc::clone(&self.register);
        spawn_blocking(move || register.take_out(&meant)).await.map_err(|_| StorageError::Panicked)?;
        self.register.tidy_all().await?;
        tracing::info!(series = count, ?operator, "series deleted");
        Ok(count)
    }
}
