//! What is remembered from question to question: of files, which never change, where what lies in them
//! ([`Layout`]) and who measured what when ([`Presence`]); of memory, which only grows, the same as far as it was looked at.
//!
//! Everything here can be made anew from the history at any time, and is let go when the view has its file no more, or
//! when all of it would take more than [`INDEX_BYTES_MAX`]. Labels are not kept here: they are the agents', and change.

mod presence;

pub(super) use presence::{Presence, Stretch};

use super::names::{MetricId, Metrics};
use crate::{
    storage::Wanted,
    tsdb::{
        Part, TsdbError, View,
        head::{SCANS, Told},
        lanes::{Ids, Layout, Strip},
    },
};
use foldhash::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What all that is remembered may take. Ten thousand agents with a month of days and eight measurements take about
/// half of it.
pub const INDEX_BYTES_MAX: usize = 24 * 1024 * 1024;

/// What is remembered.
#[derive(Debug)]
pub(super) struct Index {
    ids: Arc<Ids>,
    kept: Mutex<Kept>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Kept {
    metrics: Metrics,
    /// By the files' numbers, which are given once.
    layouts: HashMap<u64, Arc<Layout>>,
    presences: HashMap<u64, Arc<Presence>>,
    /// By the segments' numbers.
    told: HashMap<u64, Told>,
}

impl Kept {
    fn forget_sealed(&mut self, view: &View) {
        // A question that took its view earlier may bring one back; it is forgotten by the next.
        self.told.retain(|number, _| view.segments.iter().any(|segment| segment.number() == *number));
    }
}

impl Default for Index {
    fn default() -> Self {
        Self::keeping(INDEX_BYTES_MAX)
    }
}

impl Index {
    /// One that takes no more than so much.
    pub(super) fn keeping(bytes_max: usize) -> Self {
        Self { ids: Arc::default(), kept: Mutex::default(), bytes_max }
    }

    /// Begins to read a part.
    pub(super) fn strip(&self, view: &View, part: &Arc<Part>) -> Result<Strip, TsdbError> {
        let id = part.row().id;
        let known = self.lock().layouts.get(&id).cloned();
        let layout = match known {
            Some(layout) => layout,
            None => {
                let mut layout = Layout::read(part)?;
                let mut kept = self.lock();
                if let Some(other) = kept.layouts.values().next() {
                    layout.share_schema(other);
                }
                let layout = Arc::new(layout);
                kept.layouts.insert(id, Arc::clone(&layout));
                self.keep_bound(&mut kept, view);
                layout
            }
        };
        Strip::open(part, layout, Arc::clone(&self.ids))
    }

    /// Who measured what when, as a part of rollups by the hour, or of scans, tells.
    pub(super) fn presence(
        &self,
        view: &View,
        part: &Arc<Part>,
        wanted: &Wanted,
    ) -> Result<Arc<Presence>, TsdbError> {
        let id = part.row().id;
        if let Some(known) = self.lock().presences.get(&id) {
            return Ok(Arc::clone(known));
        }
        let mut strip = self.strip(view, part)?;
        let metric = |name: &str| self.lock().metrics.of_measurement(name);
        let presence = Arc::new(Presence::read(&mut strip, metric, wanted)?);
        let mut kept = self.lock();
        kept.presences.insert(id, Arc::clone(&presence));
        self.keep_bound(&mut kept, view);
        Ok(presence)
    }

    /// Who measured what when in memory. Takes the head's locks for a few rows at a time: to be asked before a question
    /// gives way.
    pub(super) fn in_memory(&self, view: &View) -> Vec<Presence> {
        let mut kept = self.lock();
        kept.forget_sealed(view);
        let Kept { told, metrics, .. } = &mut *kept;
        let tell = |segment: &Arc<crate::tsdb::head::Segment>| {
            let told = told.entry(segment.number()).or_default();
            segment.tell(told);
            let metric = |name: &str| match name {
                SCANS => None,
                name => metrics.of_measurement(name),
            };
            Presence::of(told, &self.ids, metric)
        };
        view.segments.iter().map(tell).collect()
    }

    /// The agents that have rows in memory, by id; asked as [`Index::in_memory`] is.
    pub(super) fn agents_in_memory(&self, view: &View) -> Vec<Arc<str>> {
        let mut kept = self.lock();
        kept.forget_sealed(view);
        let mut agents = Vec::new();
        for segment in &view.segments {
            let told = kept.told.entry(segment.number()).or_default();
            segment.tell(told);
            agents.extend(told.agents().map(|agent| self.ids.shared(agent.as_str())));
        }
        agents.sort_unstable();
        agents.dedup();
        agents
    }

    /// The metrics that were met so far, with their numbers.
    pub(super) fn metrics(&self) -> Metrics {
        self.lock().metrics.clone()
    }

    /// What is remembered takes about so much.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        bytes(&self.lock())
    }

    fn keep_bound(&self, kept: &mut Kept, view: &View) {
        if bytes(kept) <= self.bytes_max {
            return;
        }
        let there: HashSet<_> = view.parts.iter().map(|part| part.row().id).collect();
        kept.layouts.retain(|id, _| there.contains(id));
        kept.presences.retain(|id, _| there.contains(id));
        if bytes(kept) > self.bytes_max {
            kept.layouts.clear();
            kept.presences.clear();
        }
        self.ids.forget_unused();
    }

    /// Each thing is valid by itself.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes(kept: &Kept) -> usize {
    let layouts: usize = kept.layouts.values().map(|layout| layout.bytes()).sum();
    let presences: usize = kept.presences.values().map(|presence| presence.bytes()).sum();
    layouts + presences
}

/// The number of a metric that is not a measurement's.
pub(super) const fn scan_metrics() -> [MetricId; 2] {
    [Metrics::SCAN_HOSTS, Metrics::SCAN_SECONDS]
}
