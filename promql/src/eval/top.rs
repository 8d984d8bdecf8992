//! `topk` and `bottomk`: at each step the largest or smallest values of each group, under their own names.
//!
//! Which of several equal values stay depends on how the best are kept. Prometheus keeps them in a binary heap whose
//! root is the worst; so do we, sift by sift, or other series would stay.

use super::{
    aggregate::Members,
    frame::{ABSENT, Track, present},
};
use crate::{error::Error, labels::Labels, meter::Meter, plan::Node};
use std::collections::BTreeMap;

/// The first float that no i64 holds.
const INTEGERS_END: f64 = 9_223_372_036_854_775_808.0;
/// From how many on the best are not told while series come: all series are kept then.
const TOLD_MAX: f64 = 100.0;
/// After so many steps of a group, it is asked whether to go on.
const CHECKED_EVERY_STEPS: usize = 256;

/// How many are asked for at each step, at most as many as there are.
pub(super) fn limits(parameter: &[f64], most: usize) -> Result<Vec<usize>, Error> {
    let limit = |&wanted: &f64| {
        let refuse = |how: &str| {
            let shown = crate::format::value(wanted);
            Err(Error::execution(format!("Scalar value {shown} {how} int64")))
        };
        match wanted {
            wanted if wanted.is_nan() => Err(Error::execution("Parameter value is NaN")),
            wanted if wanted <= -INTEGERS_END => refuse("underflows"),
            wanted if wanted >= INTEGERS_END => refuse("overflows"),
            // A negative number is none; one that is larger than `most` is cut by it.
            wanted => Ok(most.min(wanted.max(0.0) as usize)),
        }
    };
    parameter.iter().map(limit).collect()
}

/// How many are asked for, if that is a number, the same at each step, and not too many.
pub(super) fn constant(parameter: &Node) -> Option<usize> {
    match parameter {
        // A negative number is none.
        Node::Number(number) if *number <= TOLD_MAX && number.is_finite() => Some(number.max(0.0) as usize),
        _ => None,
    }
}

/// The tracks with only the values that are among the best. With one step, they are in the order of their values.
pub(super) fn select(
    mut tracks: Vec<Track>,
    groups: &[Members],
    limits: &[usize],
    largest: bool,
    meter: &Meter,
) -> Result<Vec<Track>, Error> {
    let mut order = Vec::new();
    let mut heap = Heap { items: Vec::new(), largest };
    for group in groups {
        for (at, &limit) in limits.iter().enumerate() {
            if at % CHECKED_EVERY_STEPS == 0 {
                meter.check()?;
            }
            heap.items.clear();
            for &member in &group.tracks {
                let value = std::mem::replace(&mut tracks[member].values[at], ABSENT);
                if present(value) {
                    heap.offer(value, member, limit);
                }
            }
            for &(value, member) in &heap.items {
                tracks[member].values[at] = value;
            }
            if limits.len() == 1 {
                heap.sort();
                order.extend(heap.items.iter().map(|&(_, member)| member));
            }
        }
    }
    if limits.len() == 1 {
        return Ok(order.into_iter().map(|member| tracks[member].clone()).collect());
    }
    tracks.retain(Track::has_values);
    Ok(tracks)
}

/// The best of a group while its series come: at each step their values, and of each series what it is called.
pub(super) struct Best {
    limit: usize,
    steps: Vec<Heap>,
    /// By the order in which they came; each with its place among all that did.
    members: Vec<(usize, Labels)>,
}

impl Best {
    /// What a step takes, in points.
    pub(super) const fn points(limit: usize) -> usize {
        (size_of::<Heap>() + limit * size_of::<(f64, usize)>()).div_ceil(8)
    }

    pub(super) fn new(limit: usize, largest: bool, steps: usize) -> Self {
        let heap = || Heap { items: Vec::with_capacity(limit), largest };
        Self { limit, steps: (0..steps).map(|_| heap()).collect(), members: Vec::new() }
    }

    pub(super) fn add(&mut self, number: usize, track: &Track) {
        let member = self.members.len();
        self.members.push((number, track.labels.clone()));
        for (heap, &value) in self.steps.iter_mut().zip(&track.values).filter(|(_, value)| present(**value)) {
            heap.offer(value, member, self.limit);
        }
    }

    /// Those that are among the best at some step, with their values there. With one step, in the order of their values.
    pub(super) fn finish(self, meter: &mut Meter, out: &mut Vec<(usize, Track)>) -> Result<(), Error> {
        let Self { mut steps, members, .. } = self;
        let count = steps.len();
        if let [heap] = &mut steps[..] {
            heap.sort();
        }
        let (mut places, before) = (BTreeMap::new(), out.len());
        for (at, heap) in steps.into_iter().enumerate() {
            for (value, member) in heap.items {
                let place = match places.get(&member) {
                    Some(&place) => place,
                    None => {
                        meter.load(count)?;
                        let (number, labels) = members[member].clone();
                        out.push((number, Track { labels, values: vec![ABSENT; count] }));
                        places.insert(member, out.len() - 1 - before);
                        out.len() - 1 - before
                    }
                };
                out[before + place].1.values[at] = value;
            }
        }
        Ok(())
    }
}

/// The best so far, the worst of them at the root.
struct Heap {
    items: Vec<(f64, usize)>,
    largest: bool,
}

impl Heap {
    fn offer(&mut self, value: f64, member: usize, limit: usize) {
        if self.items.len() < limit {
            self.items.push((value, member));
            self.sift_up(self.items.len() - 1);
            return;
        }
        let Some(&(root, _)) = self.items.first() else { return };
        let better = if self.largest { root < value } else { root > value };
        if better || (root.is_nan() && !value.is_nan()) {
            self.items[0] = (value, member);
            self.sift_down();
        }
    }

    /// The best first.
    fn sort(&mut self) {
        let largest = self.largest;
        self.items.sort_by(|a, b| heap_order(b.0, a.0, largest));
    }

    fn worse(&self, a: usize, b: usize) -> bool {
        let (a, b) = (self.items[a].0, self.items[b].0);
        a.is_nan() || if self.largest { a < b } else { a > b }
    }

    fn sift_up(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.worse(at, parent) {
                break;
            }
            self.items.swap(at, parent);
            at = parent;
        }
    }

    fn sift_down(&mut self) {
        let mut at = 0;
        loop {
            let left = 2 * at + 1;
            if left >= self.items.len() {
                break;
            }
            let right = left + 1;
            let child = if right < self.items.len() && self.worse(right, left) { right } else { left };
            if !self.worse(child, at) {
                break;
            }
            self.items.swap(at, child);
            at = child;
        }
    }
}

/// The worse comes first, and NaN is the worst.
fn heap_order(a: f64, b: f64, largest: bool) -> std::cmp::Ordering {
    let order = super::quantile::nan_first(a, b);
    if largest || a.is_nan() || b.is_nan() { order } else { order.reverse() }
}
