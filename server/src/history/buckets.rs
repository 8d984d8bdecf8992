//! Buckets: what each source has of them is added up, and cut into a page.
//!
//! A page holds whole buckets only. A source that was cut at its bound is complete before the bucket it was cut
//! in; so the page ends before the first bucket that any of them cut.

use super::{
    Aggregate, Aggregates, Bucket, HistoryError, Listing, PAGE_MEASUREMENTS_MAX, Tiers,
    plan::{BucketsPlan, OWN_COLUMNS, Place, PlanError, Reach},
    sources::{self, Files, fleet::FleetRollups, head, rollup_names},
};
use crate::{
    storage::Wanted,
    tsdb::{Tier, View, rollup::Aggregate as Partial, schema::SAMPLES},
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// A page of buckets that is to be read, of an agent or of all.
#[derive(Debug)]
pub(super) struct Query {
    view: Arc<View>,
    agent: Option<AgentId>,
    plan: BucketsPlan,
    files: Vec<Files>,
    fleet: Arc<FleetRollups>,
}

impl Query {
    /// Finds the files for what `reaches` says.
    pub(super) fn new(
        view: Arc<View>,
        agent: Option<AgentId>,
        plan: BucketsPlan,
        reaches: &[Reach],
        fleet: Arc<FleetRollups>,
    ) -> Self {
        let files = reaches
            .iter()
            .filter_map(|reach| Files::of(&view, reach.tier, agent.as_ref(), &reach.range))
            .collect();
        Self { view, agent, plan, files, fleet }
    }

    /// Reads it.
    pub(super) fn run(self, wanted: &Wanted) -> Result<Listing<Bucket>, HistoryError> {
        let Self { view, agent, plan, files, fleet } = self;
        let (mut sums, mut newer, mut tiers) = (Sums::default(), Sums::default(), Tiers::default());
        if head::add(&view, agent.as_ref(), &plan, &mut newer)? {
            tiers.note(Tier::Raw);
        }
        wanted.give_way();
        for files in &files {
            tiers.note(files.tier);
            match (&agent, files.tier, rollup_names(&plan.fields)) {
                (None, Tier::Minute | Tier::Hour, Some(names)) => {
                    fleet.add(&view, files, &names, plan.step_micros, &mut sums, wanted)?;
                }
                (Some(agent), Tier::Minute | Tier::Hour, _) => {
                    sources::rollups::add(&view, files, agent, &plan, &mut sums, wanted)?;
                }
                (Some(agent), ..) => sources::samples::add(&view, files, agent, &plan, &mut sums, wanted)?,
                (None, ..) => sources::files::add(files, &plan, &mut sums, wanted)?,
            }
        }
        // Of two newest at one moment, the one that came later counts.
        sums.absorb(newer);
        sums.page(plan.limit, tiers)
    }
}

/// What buckets add up to so far.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// In boxes: the tree has room for twice of what it holds.
    buckets: BTreeMap<i64, Box<Sum>>,
    /// Where the first source was cut: before it, everything is here.
    cut: Option<i64>,
}

/// What one bucket adds up to.
#[derive(Debug, Default)]
pub(super) struct Sum {
    /// Samples in it.
    pub(super) samples: u64,
    own: [Option<Partial>; OWN_COLUMNS.len()],
    further: BTreeMap<Box<str>, Partial>,
}

impl Sum {
    /// Adds to a measurement that has a column of its own, by its place.
    pub(super) fn add_own(&mut self, place: usize, more: &Partial) {
        match &mut self.own[place] {
            Some(sum) => sum.add(more),
            none => *none = Some(*more),
        }
    }

    /// Adds to another measurement.
    pub(super) fn add_further(&mut self, name: &str, more: &Partial) {
        match self.further.get_mut(name) {
            Some(sum) => sum.add(more),
            None => drop(self.further.insert(name.into(), *more)),
        }
    }

    fn measurements(&self) -> usize {
        self.own.iter().flatten().count() + self.further.len()
    }

    fn metrics(self) -> Aggregates {
        let own =
            OWN_COLUMNS.iter().zip(self.own).filter_map(|(name, sum)| Some((Cow::Borrowed(*name), sum?)));
        let further = self.further.into_iter().map(|(name, sum)| (Cow::Owned(name.into()), sum));
        Aggregates(own.chain(further).map(|(name, sum)| (name, Aggregate::from(&sum))).collect())
    }
}

impl Sums {
    /// The bucket that begins at `start`.
    pub(super) fn at(&mut self, start: i64) -> &mut Sum {
        self.buckets.entry(start).or_default()
    }

    /// Counts samples.
    pub(super) fn count(&mut self, start: i64, samples: u64) {
        self.at(start).samples += samples;
    }

    /// Adds to a measurement; under the name that counts samples, to those.
    pub(super) fn add(&mut self, start: i64, name: &str, more: &Partial) {
        match OWN_COLUMNS.iter().position(|own| *own == name) {
            Some(place) => self.at(start).add_own(place, more),
            None if name == SAMPLES => self.count(start, more.count),
            None => self.at(start).add_further(name, more),
        }
    }

    /// Adds all that another has.
    fn absorb(&mut self, other: Self) {
        for (start, more) in other.buckets {
            let Sum { samples, own, further } = *more;
            let sum = self.at(start);
            sum.samples += samples;
            for (place, more) in own.iter().enumerate() {
                more.iter().for_each(|more| sum.add_own(place, more));
            }
            further.iter().for_each(|(name, more)| sum.add_further(name, more));
        }
        other.cut.into_iter().for_each(|start| self.cut(start));
    }

    /// Says that a source was cut in the bucket that begins at `start`.
    pub(super) fn cut(&mut self, start: i64) {
        self.cut = Some(self.cut.map_or(start, |cut| cut.min(start)));
    }

    /// Whether nothing from the bucket that begins at `start` on can be on the page.
    pub(super) fn is_cut_before(&self, start: i64) -> bool {
        self.cut.is_some_and(|cut| cut <= start)
    }

    /// Lets go of buckets that are on no page of `limit` buckets, so that what is held is bounded; refuses when the
    /// first one alone is too much.
    pub(super) fn keep_page(&mut self, limit: usize) -> Result<(), HistoryError> {
        let (mut kept, mut told) = (0, 0);
        let mut starts = self.buckets.iter();
        let end = starts.find_map(|(start, sum)| {
            let is_behind = kept > limit || told > PAGE_MEASUREMENTS_MAX;
            kept += 1;
            told += sum.measurements();
            is_behind.then_some(*start)
        });
        if self.buckets.first_entry().is_some_and(|first| first.get().measurements() > PAGE_MEASUREMENTS_MAX)
        {
            return Err(too_many().into());
        }
        if let Some(end) = end {
            self.buckets.split_off(&end);
            self.cut(end);
        }
        Ok(())
    }

    /// The page: whole buckets, oldest first, as many as fit.
    fn page(self, limit: usize, tiers: Tiers) -> Result<Listing<Bucket>, HistoryError> {
        let (mut items, mut told) = (Vec::new(), 0);
        let mut next = None;
        for (start, sum) in self.buckets {
            let count = sum.samples;
            let metrics = sum.metrics();
            told += metrics.0.len();
            let is_whole = self.cut.is_none_or(|cut| start < cut);
            if items.len() == limit || !is_whole || told > PAGE_MEASUREMENTS_MAX {
                next = Some(items.last().map(|last: &Bucket| last.start).ok_or_else(too_many)?);
                break;
            }
            items.push(Bucket { start: Timestamp::from_micros(start), count, metrics });
        }
        Ok(Listing { items, next: next.map(|start| Place::Bucket(start.as_micros())), tiers })
    }
}

/// One bucket is more than a page.
fn too_many() -> PlanError {
    let detail = format!("more than {PAGE_MEASUREMENTS_MAX} measurements in one bucket; name those you want");
    PlanError::new("fields", detail)
}
