//! Operators between two vectors: which series belong together is found once, by the labels that count; then whole
//! columns are computed.
//!
//! The rules are about steps: series may share the labels that count as long as they are never there together. So a
//! series of the many side is paired with each of the one side's that shares them, and each pair's column holds the
//! steps at which both have a value.

use super::{
    Evaluator, Grid,
    binary::{filters, kept},
    frame::{ABSENT, Track, present, solid, unify},
};
use crate::{
    error::Error,
    labels::Labels,
    plan::{Binary, Group, Grouping, Operation},
};
use std::collections::HashMap;

/// Two vectors, turned so that each series of `one` may meet many of `many`.
struct Sides<'a> {
    one: &'a [Track],
    binary: &'a Binary,
    /// Labels that the result takes from the one side.
    included: &'a [String],
    /// The one side stands on the left.
    turned: bool,
}

impl Evaluator<'_> {
    /// An arithmetic operator or a comparison of two vectors.
    pub(super) fn matched(
        &mut self,
        binary: &Binary,
        left: Vec<Track>,
        right: Vec<Track>,
        grid: Grid,
    ) -> Result<Vec<Track>, Error> {
        let (mut many, one, included, turned): (_, _, &[String], _) = match &binary.matching.group {
            Group::ManyRight(included) => (right, left, included, true),
            Group::ManyLeft(included) => (left, right, included, false),
            Group::OneToOne => (left, right, &[], false),
        };
        let sides = Sides { one: &one, binary, included, turned };
        let groups = sides.grouped();
        sides.refuse_duplicates(&many, &groups, grid)?;
        // The many side's groups, in the order in which they first appear, so that results are too.
        let mut order: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut places: HashMap<&Labels, usize> = HashMap::new();
        let by_key: HashMap<&Labels, usize> =
            groups.iter().enumerate().map(|(at, (key, _))| (key, at)).collect();
        let keys: Vec<Labels> = many.iter().map(|track| sides.key(track)).collect();
        for (at, key) in keys.iter().enumerate() {
            let Some(&group) = by_key.get(key) else { continue };
            let place = *places.entry(key).or_insert_with(|| {
                order.push((group, Vec::new()));
                order.len() - 1
            });
            order[place].1.push(at);
        }
        let mut out = Vec::new();
        for (group, members) in order {
            let mut results = Vec::new();
            for at in members {
                let Track { labels, values } = std::mem::take(&mut many[at]);
                let Some((last, others)) = groups[group].1.split_last() else { continue };
                for other in others {
                    self.meter.points(grid.count)?;
                    results.extend(sides.pair(&labels, values.clone(), other));
                }
                // Computed where it stands.
                results.extend(sides.pair(&labels, values, last));
            }
            out.extend(sides.checked(results, &self.meter)?);
        }
        self.unified(out)
    }
}

impl<'a> Sides<'a> {
    fn key(&self, track: &Track) -> Labels {
        self.binary.matching.by.of(&track.labels)
    }

    fn grouped(&self) -> Vec<(Labels, Vec<&'a Track>)> {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut groups: Vec<(Labels, Vec<&Track>)> = Vec::new();
        for track in self.one {
            let key = self.key(track);
            let place = *places.entry(key.clone()).or_insert_with(|| {
                groups.push((key, Vec::new()));
                groups.len() - 1
            });
            groups[place].1.push(track);
        }
        groups
    }

    /// The one side must have one series a group, at every step at which the other side has any.
    fn refuse_duplicates(
        &self,
        many: &[Track],
        groups: &[(Labels, Vec<&Track>)],
        grid: Grid,
    ) -> Result<(), Error> {
        if groups.iter().all(|(_, tracks)| tracks.len() < 2) {
            return Ok(());
        }
        let mut other_side = vec![false; grid.count];
        for track in many {
            for (any, &value) in other_side.iter_mut().zip(&track.values) {
                *any |= present(value);
            }
        }
        for (key, tracks) in groups.iter().filter(|(_, tracks)| tracks.len() > 1) {
            for (at, _) in other_side.iter().enumerate().filter(|(_, any)| **any) {
                let mut there = tracks.iter().filter(|track| present(track.values[at]));
                if let (Some(first), Some(second)) = (there.next(), there.next()) {
                    return Err(self.duplicate(key, first, second));
                }
            }
        }
        Ok(())
    }

    fn duplicate(&self, key: &Labels, first: &Track, second: &Track) -> Error {
        let side = if self.turned { "left" } else { "right" };
        Error::execution(format!(
            "found duplicate series for the match group {key} on the {side} hand-side of the operation: [{}, {}]\
             ;many-to-many matching not allowed: matching labels must be unique on one side",
            second.labels, first.labels
        ))
    }

    /// The column of two series, if it has any values.
    fn pair(&self, many: &Labels, mut values: Vec<f64>, one: &Track) -> Option<Track> {
        let operation = self.binary.operation;
        for (value, &other) in values.iter_mut().zip(&one.values) {
            if !present(*value) || !present(other) {
                *value = ABSENT;
                continue;
            }
            let (left, right) = if self.turned { (other, *value) } else { (*value, other) };
            *value = kept(operation, left, right).map_or(ABSENT, solid);
        }
        if !values.iter().any(|&value| present(value)) {
            return None;
        }
        Some(Track { labels: self.name(many, &one.labels), values })
    }

    /// What a result is called.
    fn name(&self, many: &Labels, one: &Labels) -> Labels {
        let arithmetic = matches!(self.binary.operation, Operation::Arithmetic(_));
        let mut labels = if arithmetic { many.without_name() } else { many.clone() };
        if matches!(self.binary.matching.group, Group::OneToOne) {
            labels = match &self.binary.matching.by {
                Grouping::Only(names) => labels.only(names),
                Grouping::Without(names) => labels.without(names),
            };
        }
        for name in self.included {
            labels = labels.with(name, one.get(name));
        }
        if filters(self.binary.operation) { labels } else { labels.without_name() }
    }

    /// The results of one group: one a step if nothing else was asked for, else none called the same.
    fn checked(&self, results: Vec<Track>, meter: &crate::meter::Meter) -> Result<Vec<Track>, Error> {
        if !matches!(self.binary.matching.group, Group::OneToOne) {
            return unify(results, meter, || {
                Error::execution("multiple matches for labels: grouping labels must ensure unique matches")
            });
        }
        let mut taken: Vec<bool> = Vec::new();
        for track in &results {
            taken.resize(track.values.len(), false);
            for (taken, _) in taken.iter_mut().zip(&track.values).filter(|(_, value)| present(**value)) {
                if *taken {
                    return Err(Error::execution(
                        "multiple matches for labels: many-to-one matching must be explicit \
                         (group_left/group_right)",
                    ));
                }
                *taken = true;
            }
        }
        Ok(results)
    }
}
