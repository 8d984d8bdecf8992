//! Who measured what when: of each agent its metrics, and from which hour to which.
//!
//! Agents mostly measure the same at the same times, so what one has is kept once for all that have the same.

use super::scan_metrics;
use crate::{
    prometheus::names::MetricId,
    storage::Wanted,
    tsdb::{
        Tier, TsdbError,
        fleet::FLEET,
        head::{SCANS, Told},
        lanes::{Ids, Strip},
        rollup::HOUR,
    },
};
use foldhash::HashSet;
use std::sync::Arc;

/// A metric, and the first and the last hour, counted from 1970, in which there are samples of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::prometheus) struct Stretch {
    pub(in crate::prometheus) metric: MetricId,
    first: i32,
    last: i32,
}

impl Stretch {
    fn new(metric: MetricId, first: i64, last: i64) -> Self {
        let hour =
            |at: i64| i32::try_from(at.div_euclid(HOUR)).unwrap_or(if at < 0 { i32::MIN } else { i32::MAX });
        Self { metric, first: hour(first), last: hour(last) }
    }

    /// The first and the last moment of its hours, milliseconds.
    pub(in crate::prometheus) fn moments(&self) -> (i64, i64) {
        let hour = HOUR / 1_000;
        (i64::from(self.first) * hour, (i64::from(self.last) + 1) * hour - 1)
    }

    /// Whether it reaches into the hours of these moments, milliseconds.
    pub(in crate::prometheus) fn meets(&self, first_ms: i64, last_ms: i64) -> bool {
        let hour = |ms: i64| ms.div_euclid(HOUR / 1_000);
        i64::from(self.first) <= hour(last_ms) && i64::from(self.last) >= hour(first_ms)
    }
}

/// Who measured what when.
#[derive(Debug, Default)]
pub(in crate::prometheus) struct Presence {
    agents: Vec<(Arc<str>, Arc<[Stretch]>)>,
    /// What all different stretches take.
    stretches_bytes: usize,
}

/// What an agent takes.
const AGENT_BYTES: usize = size_of::<(Arc<str>, Arc<[Stretch]>)>();

impl Presence {
    /// Of a part of rollups by the hour, or of scans; `metric` gives the numbers of measurements.
    pub(super) fn read(
        strip: &mut Strip,
        metric: impl Fn(&str) -> Option<MetricId>,
        wanted: &Wanted,
    ) -> Result<Self, TsdbError> {
        let is_scans = strip.part().row().tier == Tier::Scans;
        let mut made = Making::default();
        for group in 0..strip.groups() {
            wanted.check()?;
            strip.enter(group);
            let agents: Vec<_> = strip.group_agents()?.map(|(agent, end)| (Arc::clone(agent), end)).collect();
            let rows = 0..strip.rows();
            let mut times = Vec::new();
            let time = strip.leaf(if is_scans { "timestamp" } else { "start" });
            let Some(time) = time else { continue };
            strip.integers(time, rows.clone(), &mut times)?;
            let mut names: Vec<(Option<MetricId>, usize)> = Vec::new();
            match strip.leaf("name") {
                Some(name) => strip.words(name, rows, |word, count| names.push((metric(word), count)))?,
                None => names.push((None, rows.len())),
            }
            let mut names = names.into_iter();
            let (mut name, mut left) = names.next().unwrap_or_default();
            let mut row = 0;
            for (agent, end) in agents {
                made.turn_to(&agent);
                while row < end as usize {
                    if left == 0 {
                        (name, left) = names.next().unwrap_or((None, usize::MAX));
                    }
                    let count = left.min(end as usize - row);
                    // Within an agent and name, times ascend.
                    let (first, last) = (times[row], times[row + count - 1]);
                    match is_scans {
                        true => scan_metrics().into_iter().for_each(|scan| made.note(scan, first, last)),
                        false => name.into_iter().for_each(|name| made.note(name, first, last)),
                    }
                    (row, left) = (row + count, left - count);
                }
            }
        }
        Ok(made.finish())
    }

    /// Of what a segment told.
    pub(super) fn of(told: &Told, ids: &Ids, mut metric: impl FnMut(&str) -> Option<MetricId>) -> Self {
        let mut made = Making::default();
        told.each(|agent, name, times| {
            made.turn_to_other(agent.as_str(), ids);
            let (first, last) = (times.start, times.end - 1);
            match name {
                SCANS => scan_metrics().into_iter().for_each(|scan| made.note(scan, first, last)),
                name => metric(name).into_iter().for_each(|metric| made.note(metric, first, last)),
            }
        });
        made.finish()
    }

    /// Agents and what they have.
    pub(in crate::prometheus) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &[Stretch])> {
        self.agents.iter().map(|(agent, stretches)| (agent, &**stretches))
    }

    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.agents.len() * AGENT_BYTES + self.stretches_bytes
    }
}

/// A presence that is being made, an agent at a time.
#[derive(Default)]
struct Making {
    agent: Option<Arc<str>>,
    stretches: Vec<Stretch>,
    different: HashSet<Arc<[Stretch]>>,
    presence: Presence,
}

impl Making {
    fn turn_to(&mut self, agent: &Arc<str>) {
        if self.agent.as_deref() != Some(&**agent) {
            self.close();
            self.agent = Some(Arc::clone(agent));
        }
    }

    fn turn_to_other(&mut self, agent: &str, ids: &Ids) {
        if self.agent.as_deref() != Some(agent) {
            self.close();
            self.agent = Some(ids.shared(agent));
        }
    }

    fn note(&mut self, metric: MetricId, first: i64, last: i64) {
        let new = Stretch::new(metric, first, last);
        match self.stretches.iter_mut().find(|known| known.metric == metric) {
            Some(known) => {
                (known.first, known.last) = (known.first.min(new.first), known.last.max(new.last));
            }
            None => self.stretches.push(new),
        }
    }

    fn close(&mut self) {
        let Some(agent) = self.agent.take() else { return };
        // The fleet's rows are of no agent.
        if &*agent != FLEET && !self.stretches.is_empty() {
            self.stretches.sort_unstable_by_key(|stretch| stretch.metric);
            let same = match self.different.get(&self.stretches[..]) {
                Some(same) => Arc::clone(same),
                None => {
                    let new: Arc<[Stretch]> = self.stretches.as_slice().into();
                    self.presence.stretches_bytes += size_of_val(&*new);
                    self.different.insert(Arc::clone(&new));
                    new
                }
            };
            self.presence.agents.push((agent, same));
        }
        self.stretches.clear();
    }

    fn finish(mut self) -> Presence {
        self.close();
        self.presence.agents.shrink_to_fit();
        self.presence
    }
}
