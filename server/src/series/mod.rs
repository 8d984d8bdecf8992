//! Series that others write: samples under labels of the sender's own, stored and kept beside the agents'.
//!
//! # The story
//! A door reads a request and makes a [`Push`] of it. Here samples that are too old or too far ahead are left out; the
//! [`register`] finds each series' number, and writes down those that are new; the samples go the way of all rows, through
//! the queue of the ingest and the journal of the history ([`crate::tsdb`]), as points. Whoever asks finds series by
//! their labels in the register ([`index`]), and their points in head and parts.
//!
//! What an operator deletes is taken out of the register whole ([`delete`]).
//!
//! # Promises
//! `Ok` of a push means that all it counts is committed to disk. What is sent again is taken again and seen once. A
//! value comes back to the bit.

mod delete;
pub mod handler;
mod index;
pub mod labels;
pub mod push;
mod register;
mod store;
pub mod told;

pub use delete::Which;
pub use handler::Doors;
pub use labels::{LabelError, Labels};
pub use push::{Described, Incoming, LimitReached, MetricKind, Point, Push, PushError, Taken, Whose};
pub use register::Register;
pub use told::Told;

use crate::{
    deed::Record,
    storage::StorageError,
    tsdb::{Judged, Tsdb, rows::PointRow},
};
use register::{BEHIND_MS, Resolved};
use std::{fmt, future::Future, pin::Pin, sync::Arc};
use tokio::task::spawn_blocking;

/// Series of all senders at most.
pub const SERIES_MAX: usize = 200_000;

/// Samples of one push at most; whoever has more sends several.
pub const POINTS_PER_PUSH_MAX: usize = 100_000;
/// Series of one push at most.
pub const SERIES_PER_PUSH_MAX: usize = 20_000;
/// Series that are looked up at once on a thread that serves connections; more take milliseconds.
const INLINE_SERIES_MAX: usize = 512;
/// How far a sample may be ahead of the hub's clock, milliseconds.
pub const AHEAD_MS_MAX: i64 = 10 * 60 * 1_000;

/// Commits points, and answers once they are on disk; handed over by `app`.
pub type Commit = Arc<dyn Fn(Vec<PointRow>) -> Committing + Send + Sync>;
/// A commit on its way.
pub type Committing = Pin<Box<dyn Future<Output = Result<(), PushError>> + Send>>;

/// The room.
pub struct Series {
    register: Arc<Register>,
    told: Arc<Told>,
    tsdb: Tsdb,
    commit: Commit,
    record: Record,
}

/// How many series there are, by what people count; in no order.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// All.
    pub series: usize,
    /// Series of each metric.
    pub metrics: Vec<(Arc<str>, usize)>,
    /// Different values of each label.
    pub labels: Vec<(Arc<str>, usize)>,
    /// Series that each sender wrote first.
    pub senders: Vec<(Arc<str>, usize)>,
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Series(…)")
    }
}

/// From the first moment of which samples are taken to the last, milliseconds.
#[derive(Clone, Copy, Debug)]
struct Window {
    first_ms: i64,
    last_ms: i64,
}

impl Series {
    /// The room whose series are in `register`, and whose points `commit` brings into `tsdb`. What is deleted is written
    /// down by `record`.
    pub fn new(register: Arc<Register>, tsdb: Tsdb, commit: Commit, record: Record) -> Self {
        Self { register, told: Arc::default(), tsdb, commit, record }
    }

    /// What senders tell of metrics.
    pub const fn told(&self) -> &Arc<Told> {
        &self.told
    }

    /// Stores a push; answers once all that counts as stored is committed.
    ///
    /// # Errors
    /// See [`PushError`]: what is not stored, and whether to come back.
    pub async fn push(&self, push: Push) -> Result<Taken, PushError> {
        self.push_behind(push, None).await
    }

    /// As [`Self::push`]; behind a limit that what came before has `reached`, nothing that is new is stored.
    async fn push_behind(&self, push: Push, reached: Option<LimitReached>) -> Result<Taken, PushError> {
        let Push { sender, mut series, described } = push;
        let points = series.iter().map(|series| series.points.len()).sum();
        if points > POINTS_PER_PUSH_MAX || series.len() > SERIES_PER_PUSH_MAX {
            return Err(PushError::TooLarge { series: series.len(), points });
        }
        let mut taken = self.window().sift(&mut series);
        let (mut resolved, series) = self.resolve(sender, series, reached).await?;
        self.register.store(&mut resolved).await?;
        let rows = rows(&resolved, &series, points);
        taken.stored = rows.len();
        if !rows.is_empty() {
            (self.commit)(rows).await?;
        }
        self.told.note(described);
        match resolved.limit {
            Some(reached) => Err(PushError::SeriesLimit { reached, taken }),
            None => Ok(taken),
        }
    }

    /// Forgets series whose last sample is older than the hub keeps samples. Nothing goes by a clock that is not
    /// believed. Blocks.
    pub fn forget(&self) {
        let Judged { now, is_believed } = self.tsdb.judge_clock();
        if is_believed {
            let kept = self.tsdb.retention().raw;
            let first_ms = Window::new(now.as_micros() / 1_000, kept.as_millis()).first_ms;
            // What is just being written is known to be newer than that.
            let count = self.register.forget(first_ms.saturating_sub(BEHIND_MS));
            if count > 0 {
                tracing::info!(series = count, "series that nobody wrote to for long enough were forgotten");
            }
        }
    }

    /// What is neither too old nor too far ahead now. By a clock that is not believed nothing is too old: its sender
    /// would drop what is not.
    fn window(&self) -> Window {
        let Judged { now, is_believed } = self.tsdb.judge_clock();
        let kept = if is_believed { self.tsdb.retention().raw.as_millis() } else { u128::MAX };
        Window::new(now.as_micros() / 1_000, kept)
    }

    async fn resolve(
        &self,
        sender: String,
        series: Vec<Incoming>,
        reached: Option<LimitReached>,
    ) -> Result<(Resolved, Vec<Incoming>), StorageError> {
        if series.len() <= INLINE_SERIES_MAX {
            return Ok((self.register.resolve(&sender, &series, reached), series));
        }
        let register = Arc::clone(&self.register);
        let resolve = move || (register.resolve(&sender, &series, reached), series);
        spawn_blocking(resolve).await.map_err(|_| StorageError::Panicked)
    }
}

impl Window {
    fn new(now_ms: i64, kept_ms: u128) -> Self {
        let kept_ms = i64::try_from(kept_ms).unwrap_or(i64::MAX);
        // Nobody measured before 1970.
        Self { first_ms: now_ms.saturating_sub(kept_ms).max(0), last_ms: now_ms.saturating_add(AHEAD_MS_MAX) }
    }

    /// Leaves samples out that are not within it, and series without samples; says how many.
    fn sift(self, series: &mut Vec<Incoming>) -> Taken {
        let mut taken = Taken::default();
        for incoming in series.iter_mut() {
            incoming.points.retain(|point| {
                let (too_old, ahead) = (point.at_ms < self.first_ms, point.at_ms > self.last_ms);
                taken.too_old += usize::from(too_old);
                taken.ahead += usize::from(ahead);
                !too_old && !ahead
            });
        }
        series.retain(|incoming| !incoming.points.is_empty());
        taken
    }
}

/// The points of series that have a number.
fn rows(resolved: &Resolved, series: &[Incoming], points: usize) -> Vec<PointRow> {
    let mut rows = Vec::with_capacity(points);
    for (id, incoming) in resolved.ids.iter().zip(series) {
        let Some(series) = *id else { continue };
        rows.extend(incoming.points.iter().map(|&Point { at_ms, value }| PointRow { series, at_ms, value }));
    }
    rows
}

#[cfg(test)]
mod tests;
