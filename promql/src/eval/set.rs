//! `and`, `or` and `unless`: whether a series' value is kept depends on whether the other side has any of its kind.

use super::{
    Evaluator,
    frame::{ABSENT, Track, present},
};
use crate::{
    error::Error,
    labels::Labels,
    plan::{Grouping, SetOperation},
};
use std::collections::{HashMap, hash_map::Entry};

impl Evaluator<'_> {
    pub(super) fn set(
        &mut self,
        operation: SetOperation,
        by: &Grouping,
        mut left: Vec<Track>,
        mut right: Vec<Track>,
    ) -> Result<Vec<Track>, Error> {
        match operation {
            SetOperation::And => filter(&mut left, by, &self.presence(&right, by)?, true),
            SetOperation::Unless => filter(&mut left, by, &self.presence(&right, by)?, false),
            SetOperation::Or => {
                filter(&mut right, by, &self.presence(&left, by)?, false);
                left.append(&mut right);
                left = self.unified(left)?;
            }
        }
        Ok(left)
    }

    /// For each kind of series, at which steps there is one.
    fn presence(&mut self, tracks: &[Track], by: &Grouping) -> Result<HashMap<Labels, Vec<bool>>, Error> {
        let mut all: HashMap<Labels, Vec<bool>> = HashMap::new();
        for track in tracks {
            let steps = match all.entry(by.of(&track.labels)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    // Eight of them take as much as a point.
                    self.meter.points(track.values.len().div_ceil(8))?;
                    new.insert(vec![false; track.values.len()])
                }
            };
            for (there, &value) in steps.iter_mut().zip(&track.values) {
                *there |= present(value);
            }
        }
        Ok(all)
    }
}

/// Keeps the values at whose step the other side has one of their kind, or has none.
fn filter(tracks: &mut Vec<Track>, by: &Grouping, other: &HashMap<Labels, Vec<bool>>, with: bool) {
    for track in tracks.iter_mut() {
        match other.get(&by.of(&track.labels)) {
            Some(steps) => {
                for (value, _) in track.values.iter_mut().zip(steps).filter(|(_, there)| **there != with) {
                    *value = ABSENT;
                }
            }
            None if with => track.values.fill(ABSENT),
            None => {}
        }
    }
    tracks.retain(Track::has_values);
}
