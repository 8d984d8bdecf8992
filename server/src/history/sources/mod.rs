//! Where answers come from: an agent's samples ([`samples`]) and rollups ([`rollups`]) in files, those of all agents
//! ([`files`]), the fleet's own in rollups ([`fleet`]), samples in memory ([`head`]).
//!
//! Each adds what it has to the same [`Sums`](super::buckets::Sums), which hold a page of it.

pub(super) mod files;
pub(super) mod fleet;
pub(super) mod head;
pub(super) mod rollups;
pub(super) mod samples;

use super::{
    HistoryError,
    buckets::Sums,
    plan::{BucketsPlan, Fields},
};
use crate::tsdb::{Part, Tier, View, lanes::Strip, rollup::bucket};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{ops::Range, sync::Arc};

/// The files of one tier that rows asked about can be in; at least one. They stay while this does.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) tier: Tier,
    parts: Vec<Arc<Part>>,
    range: Range<i64>,
}

impl Files {
    /// Those of an agent, or of all; `None` if no file can hold any of its rows.
    pub(super) fn of(
        view: &View,
        tier: Tier,
        agent: Option<&AgentId>,
        range: &Range<Timestamp>,
    ) -> Option<Self> {
        let mut parts = view.parts_for(tier, agent.map(AgentId::as_str), range);
        // The oldest period first, so that a page is full before what lies behind it is read. Those of one period stay
        // in the order they were made.
        parts.sort_by_key(|part| part.row().period);
        let first = parts.iter().map(|part| part.row().times.0).min()?;
        let last = parts.iter().map(|part| part.row().times.1).max()?;
        let from = range.start.as_micros().max(first);
        let to = range.end.as_micros().min(last.saturating_add(1));
        Some(Self { tier, parts, range: from..to })
    }

    /// The files, the oldest period first.
    pub(super) fn parts(&self) -> &[Arc<Part>] {
        &self.parts
    }

    /// Hands `add` the agent's rows, group by group of those files of which anything can be on the page; `open` says where in a
    /// file the columns lie, if it has them.
    fn each_group<C>(
        &self,
        (view, agent): (&View, &AgentId),
        plan: &BucketsPlan,
        sums: &mut Sums,
        open: impl Fn(&Strip) -> Option<C>,
        mut add: impl FnMut(&mut C, &mut Strip, Range<usize>, &mut Sums) -> Result<(), HistoryError>,
    ) -> Result<(), HistoryError> {
        for part in &self.parts {
            if sums.is_cut_before(bucket(part.row().times.0, plan.step_micros)) {
                continue;
            }
            let mut strip = view.strip(part)?;
            let Some(mut columns) = open(&strip) else { continue };
            let mut group = 0;
            while let Some(rows) = strip.seek(agent.as_str(), group)? {
                group = strip.group() + 1;
                add(&mut columns, &mut strip, rows, sums)?;
            }
        }
        Ok(())
    }

    /// From when until when, microseconds.
    pub(super) const fn range(&self) -> &Range<i64> {
        &self.range
    }
}

/// The names that rollups are asked for: those of `fields`, and the one that counts samples.
pub(super) fn rollup_names(fields: &Fields) -> Option<Vec<&str>> {
    match fields {
        Fields::All => None,
        Fields::Named(names) => {
            Some([crate::tsdb::schema::SAMPLES].into_iter().chain(names.iter().map(String::as_str)).collect())
        }
    }
}
