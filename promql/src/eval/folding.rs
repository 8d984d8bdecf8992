//! Aggregations while the series come: each is added to its group as it is handed over, and let go. What is kept is of
//! groups and steps, however many series there are.
//!
//! Only where the source hands them over in the order in which they would be added up later (its word is checked), so
//! that the result is the same to the bit. A group of few keeps its columns, which take less than what it would be added up in.

use super::{
    fold::{self, Fold, STATE_POINTS},
    frame::Track,
    top::{self, Best},
};
use crate::{
    error::Error,
    labels::Labels,
    meter::Meter,
    plan::{Aggregate, Aggregation, Node, Range, RangeOf, WindowCall, function::WindowFunction},
};
use std::collections::HashMap;

/// The selector whose series an aggregation may add up as they come, if it is of one.
pub(super) fn selector_of(aggregate: &Aggregate) -> Option<usize> {
    let may = match &aggregate.operation {
        Aggregation::Quantile(_) | Aggregation::CountValues { .. } => false,
        Aggregation::Top { count, .. } => top::constant(count).is_some(),
        _ => true,
    };
    match &aggregate.of {
        _ if !may => None,
        Node::Newest { selector, timestamps: false } => Some(*selector),
        Node::Window(call) => match &**call {
            // Whether there is nothing is known when all have come.
            WindowCall { function: WindowFunction::Absent, .. } => None,
            WindowCall { range: Range { of: RangeOf::Selector(selector), .. }, .. } => Some(*selector),
            _ => None,
        },
        _ => None,
    }
}

/// An aggregation of the series that come.
pub(super) struct Folding<'a> {
    aggregate: &'a Aggregate,
    steps: usize,
    places: HashMap<Labels, usize>,
    groups: Vec<Group>,
    /// What came last.
    last: Option<Labels>,
    /// How many came.
    count: usize,
}

/// A group: its columns, with their places among all that came, or what they were added up to.
struct Group {
    labels: Labels,
    kept: Vec<(usize, Track)>,
    sum: Option<Sum>,
}

/// What a group was added up to.
enum Sum {
    One(Box<dyn Fold>),
    /// Those that are among the best at some step.
    Best(Best),
}

impl<'a> Folding<'a> {
    /// Nothing has come yet; series have so many steps.
    pub(super) fn new(aggregate: &'a Aggregate, steps: usize) -> Self {
        Self { aggregate, steps, places: HashMap::new(), groups: Vec::new(), last: None, count: 0 }
    }

    /// What a step of a group takes once it is added up, in points.
    fn state_points(&self) -> usize {
        match &self.aggregate.operation {
            Aggregation::Top { count, .. } => Best::points(top::constant(count).unwrap_or_default()),
            _ => STATE_POINTS,
        }
    }

    /// Takes a series, whose points were counted.
    pub(super) fn add(&mut self, track: Track, meter: &mut Meter) -> Result<(), Error> {
        if self.last.as_ref().is_some_and(|last| *last >= track.labels) {
            return Err(Error::source(format!("{} came out of order", track.labels)));
        }
        self.last = Some(track.labels.clone());
        let labels = self.aggregate.by.of(&track.labels);
        let groups = &mut self.groups;
        let place = *self.places.entry(labels).or_insert_with_key(|labels| {
            groups.push(Group { labels: labels.clone(), kept: Vec::new(), sum: None });
            groups.len() - 1
        });
        let number = self.count;
        self.count += 1;
        let state_points = self.state_points();
        let group = &mut self.groups[place];
        group.kept.push((number, track));
        if group.sum.is_none() && group.kept.len() >= 2 * state_points {
            meter.load(state_points.saturating_mul(self.steps))?;
            group.sum = Sum::of(&self.aggregate.operation, self.steps);
        }
        if let Some(sum) = &mut group.sum {
            for (number, track) in group.kept.drain(..) {
                meter.unload(track.values.len());
                sum.add(number, track);
            }
        }
        Ok(())
    }

    /// What all came to, in the order in which it would be if they had been kept.
    pub(super) fn finish(self, meter: &mut Meter) -> Result<Vec<Track>, Error> {
        let (steps, state_points) = (self.steps, self.state_points());
        let mut out = Vec::with_capacity(self.groups.len());
        for Group { labels, kept, sum } in self.groups {
            let held = kept.len() + if sum.is_some() { state_points } else { 0 };
            let Some(mut sum) = sum.or_else(|| Sum::of(&self.aggregate.operation, steps)) else { continue };
            meter.check()?;
            kept.into_iter().for_each(|(number, track)| sum.add(number, track));
            match sum {
                Sum::One(fold) => {
                    meter.load(steps)?;
                    out.push((out.len(), Track { labels, values: fold.finish() }));
                }
                Sum::Best(best) => best.finish(meter, &mut out)?,
            }
            meter.unload(held.saturating_mul(steps));
        }
        if steps != 1 {
            // The best of one step stand in the order of their values.
            out.sort_by_key(|(number, _)| *number);
        }
        Ok(out.into_iter().map(|(_, track)| track).collect())
    }
}

impl Sum {
    fn of(operation: &Aggregation, steps: usize) -> Option<Self> {
        match operation {
            Aggregation::Top { count, largest } => {
                Some(Self::Best(Best::new(top::constant(count)?, *largest, steps)))
            }
            operation => fold::begin(operation, steps).map(Self::One),
        }
    }

    fn add(&mut self, number: usize, track: Track) {
        match self {
            Self::One(fold) => fold.add(&track.values),
            Self::Best(best) => best.add(number, &track),
        }
    }
}
