//! What a part of a query comes to: for each series one value a step.
//!
//! A step without a value holds the stale marker, which no computation makes; so a column is one array, and to ask
//! whether there is a value is to compare bits.

use crate::{
    error::Error,
    labels::Labels,
    meter::Meter,
    source::{STALE, is_stale},
    value::Matrix,
};
use std::collections::HashMap;

/// Stands where a step has no value.
pub(crate) const ABSENT: f64 = STALE;

/// Whether there is a value.
pub(crate) fn present(value: f64) -> bool {
    !is_stale(value)
}

/// A series of a result: as many values as its grid has steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Track {
    pub(crate) labels: Labels,
    pub(crate) values: Vec<f64>,
}

impl Track {
    pub(crate) fn has_values(&self) -> bool {
        self.values.iter().any(|&value| present(value))
    }
}

/// What a part of a query evaluates to.
#[derive(Debug)]
pub(crate) enum Evaluated {
    /// A value for every step.
    Scalar(Vec<f64>),
    Vector(Vec<Track>),
    Matrix(Matrix),
    Text(String),
}

impl Evaluated {
    /// How many points it keeps.
    pub(crate) fn points(&self) -> usize {
        match self {
            Self::Scalar(values) => values.len(),
            Self::Vector(tracks) => points(tracks),
            Self::Matrix(matrix) => matrix.points(),
            Self::Text(_) => 0,
        }
    }
}

/// How many points tracks keep.
pub(crate) fn points(tracks: &[Track]) -> usize {
    tracks.iter().map(|track| track.values.len()).sum()
}

/// Applies a function to every value there is.
pub(crate) fn map_present(values: &mut [f64], function: impl Fn(f64) -> f64) {
    for value in values.iter_mut().filter(|value| present(**value)) {
        *value = solid(function(*value));
    }
}

/// A computed value. None is the stale marker: should a NaN ever come out with its bits, it becomes a common one.
pub(crate) fn solid(value: f64) -> f64 {
    if is_stale(value) { f64::NAN } else { value }
}

/// Puts tracks with the same labels together, in place of the first. Two values at one step are an error.
pub(crate) fn unify(
    tracks: Vec<Track>,
    meter: &Meter,
    clash: impl Fn() -> Error,
) -> Result<Vec<Track>, Error> {
    if !clashes(&tracks) {
        return Ok(tracks);
    }
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut kept: Vec<Track> = Vec::new();
    for track in tracks {
        let Some(&place) = places.get(&track.labels) else {
            places.insert(track.labels.clone(), kept.len());
            kept.push(track);
            continue;
        };
        meter.check()?;
        for (value, &other) in kept[place].values.iter_mut().zip(&track.values) {
            match (present(*value), present(other)) {
                (true, true) => return Err(clash()),
                (false, true) => *value = other,
                (_, false) => {}
            }
        }
    }
    Ok(kept)
}

/// Refuses two series of one name, also if they are never there together: so does Prometheus for functions that
/// work on whole series.
pub(crate) fn refuse_clashes(tracks: &[Track]) -> Result<(), Error> {
    if clashes(tracks) { Err(Error::same_labels()) } else { Ok(()) }
}

fn clashes(tracks: &[Track]) -> bool {
    if tracks.len() < 2 {
        return false;
    }
    let mut seen = std::collections::HashSet::with_capacity(tracks.len());
    !tracks.iter().all(|track| seen.insert(&track.labels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;

    fn track(name: &str, values: &[f64]) -> Track {
        Track { labels: Labels::new([("a", name)]), values: values.to_vec() }
    }

    #[test]
    fn tracks_of_one_name_become_one_unless_they_meet() {
        let meter = Meter::new(&Options::default());
        let apart = vec![track("x", &[1.0, ABSENT]), track("y", &[5.0, 6.0]), track("x", &[ABSENT, 2.0])];
        assert!(refuse_clashes(&apart).is_err());
        let kept = unify(apart, &meter, Error::same_labels).unwrap();
        assert_eq!(
            kept.iter().map(|track| track.values.clone()).collect::<Vec<_>>(),
            [[1.0, 2.0], [5.0, 6.0]]
        );
        let met = vec![track("x", &[1.0, ABSENT]), track("x", &[3.0, 2.0])];
        assert_eq!(unify(met, &meter, Error::same_labels).unwrap_err(), Error::same_labels());
    }

    #[test]
    fn a_nan_is_a_value() {
        assert!(present(f64::NAN) && present(-f64::NAN) && !present(ABSENT) && present(solid(ABSENT)));
        let mut values = [1.0, ABSENT, f64::NAN];
        map_present(&mut values, |value| value + 1.0);
        assert!(values[0] == 2.0 && !present(values[1]) && values[2].is_nan());
    }
}
