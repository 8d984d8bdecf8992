//! Series that others write: from their room to the ingest's queue, and to who answers questions.

use crate::{
    figures::WrittenFigures,
    ingest::{Ingest, IngestError},
    prometheus::{Counted, Metadata, Written},
    series::{Commit, Counts, POINTS_PER_PUSH_MAX, PushError, Register, Told},
    storage::RECORD_BYTES_MAX,
    tsdb::rows::{PointRow, SeriesId},
};
use pingup_promql::{Labels, Matcher};
use std::sync::Arc;

// Behind a full group one more push must fit into the record.
const _: () = assert!(
    crate::ingest::writer::GROUP_BYTES_MAX + POINTS_PER_PUSH_MAX * size_of::<PointRow>() <= RECORD_BYTES_MAX
);

/// Brings points through the queue that all rows go through.
pub(super) fn commit(ingest: &Arc<Ingest>) -> Commit {
    let ingest = Arc::clone(ingest);
    Arc::new(move |points| {
        let ingest = Arc::clone(&ingest);
        Box::pin(async move { ingest.commit_points(points).await.map(drop).map_err(refused) })
    })
}

fn refused(error: IngestError) -> PushError {
    match error {
        IngestError::QueueFull | IngestError::TooManyLate | IngestError::TooManyDays => PushError::Busy,
        IngestError::Stopping => PushError::Stopping,
        IngestError::NotCommitted
        | IngestError::InFuture { .. }
        | IngestError::SequenceConflict { .. }
        | IngestError::BootRetired { .. } => PushError::NotCommitted,
    }
}

/// How much there is of them, for a scraper.
pub(super) fn figures(register: &Register) -> WrittenFigures {
    let count = |count: usize| count as u64;
    let (series, bytes) = register.size();
    let senders = register.counts().senders.into_iter();
    let senders = senders.map(|(sender, series)| (sender.as_ref().to_owned(), count(series)));
    WrittenFigures { series: count(series), bytes: count(bytes), senders: senders.collect() }
}

/// What is known of written series, for questions.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) register: Arc<Register>,
    pub(super) told: Arc<Told>,
}

impl Written for Known {
    fn select(&self, matchers: &[Matcher], first_ms: i64, last_ms: i64) -> Vec<SeriesId> {
        self.register.select(matchers, first_ms, last_ms)
    }

    fn labels(&self, series: SeriesId) -> Option<Labels> {
        self.register.labels(series)
    }

    fn names(&self, series: &[SeriesId]) -> Vec<Arc<str>> {
        self.register.names(series)
    }

    fn values(&self, series: &[SeriesId], name: &str) -> Vec<Arc<str>> {
        self.register.values(series, name)
    }

    fn has(&self, name: &str, value: &str) -> bool {
        self.register.has(name, value)
    }

    fn sort(&self, series: &mut Vec<SeriesId>) {
        self.register.sort(series);
    }

    fn counted(&self) -> Counted {
        let Counts { series, metrics, labels, senders } = self.register.counts();
        Counted { series, metrics, labels, senders }
    }

    fn metadata(&self) -> Vec<Metadata> {
        let described = self.told.all().into_iter().map(|told| Metadata {
            name: told.metric,
            kind: told.kind.as_str(),
            help: told.help.into(),
            unit: told.unit.into(),
        });
        described.collect()
    }
}

#[cfg(test)]
mod tests;
