//! Aggregations: series are told apart into groups once, then each group's columns become one.

use super::{
    Evaluator, Grid,
    frame::{ABSENT, Track, present, solid},
    quantile::quantile,
    summary::{Compensated, Mean},
    top,
};
use crate::{
    error::Error,
    format,
    labels::Labels,
    plan::{Aggregate, Aggregation, Grouping},
};
use std::collections::HashMap;

/// The series of a group, in their order.
pub(super) struct Members {
    pub(super) labels: Labels,
    pub(super) tracks: Vec<usize>,
}

impl Evaluator<'_> {
    pub(super) fn aggregate(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Vec<Track>, Error> {
        let parameter = match &aggregate.operation {
            Aggregation::Quantile(node) | Aggregation::Top { count: node, .. } => self.scalar(node, grid)?,
            _ => Vec::new(),
        };
        let tracks = self.vector(&aggregate.of, grid)?;
        let mut groups = grouped(&tracks, aggregate);
        match &aggregate.operation {
            Aggregation::Top { largest, .. } => {
                let limits = top::limits(&parameter, tracks.len())?;
                self.meter.points(tracks.len().saturating_mul(grid.count))?;
                for group in &mut groups {
                    // Among equals the first stay: let that not depend on what the series were made of.
                    group.tracks.sort_by(|&a, &b| tracks[a].labels.cmp(&tracks[b].labels));
                }
                return Ok(top::select(tracks, &groups, &limits, *largest));
            }
            Aggregation::CountValues { label } => return self.count_values(label, &tracks, aggregate, grid),
            Aggregation::Quantile(_) if !tracks.is_empty() => {
                for &wanted in parameter.iter().filter(|wanted| !(0.0..=1.0).contains(*wanted)) {
                    self.notes.quantile_out_of_range(wanted);
                }
            }
            _ => {}
        }
        let mut out = Vec::with_capacity(groups.len());
        for group in groups {
            self.meter.points(grid.count)?;
            let columns: Vec<&[f64]> = group.tracks.iter().map(|&at| tracks[at].values.as_slice()).collect();
            let values = self.folded(&aggregate.operation, &columns, &parameter, grid.count)?;
            out.push(Track { labels: group.labels, values });
        }
        Ok(out)
    }

    /// One column of many.
    fn folded(
        &self,
        operation: &Aggregation,
        columns: &[&[f64]],
        parameter: &[f64],
        steps: usize,
    ) -> Result<Vec<f64>, Error> {
        self.meter.check()?;
        Ok(match operation {
            Aggregation::Sum => {
                fold(columns, steps, Compensated::new, Compensated::add, |sum| sum.sum + sum.lost)
            }
            Aggregation::Avg => fold(columns, steps, Mean::new, Mean::add, |mean| mean.value()),
            Aggregation::Count => fold(columns, steps, |_| 1.0, |count, _| *count += 1.0, |count| count),
            Aggregation::Group => fold(columns, steps, |_| 1.0, |_, _| {}, |one| one),
            Aggregation::Max => {
                fold(columns, steps, |first| first, |best, new| prefer(best, new, *best < new), |best| best)
            }
            Aggregation::Min => {
                fold(columns, steps, |first| first, |best, new| prefer(best, new, *best > new), |best| best)
            }
            Aggregation::Stdvar => fold(columns, steps, Spread::new, Spread::add, Spread::variance),
            Aggregation::Stddev => {
                fold(columns, steps, Spread::new, Spread::add, |all| all.variance().sqrt())
            }
            Aggregation::Quantile(_) => {
                let mut there = Vec::with_capacity(columns.len());
                let step = |at: usize| {
                    there.clear();
                    there.extend(columns.iter().map(|column| column[at]).filter(|&value| present(value)));
                    if there.is_empty() { ABSENT } else { solid(quantile(parameter[at], &mut there)) }
                };
                (0..steps).map(step).collect()
            }
            Aggregation::Top { .. } | Aggregation::CountValues { .. } => Vec::new(),
        })
    }

    /// How many series of a group have each value, which becomes a label before the series are grouped.
    fn count_values(
        &mut self,
        label: &str,
        tracks: &[Track],
        aggregate: &Aggregate,
        grid: Grid,
    ) -> Result<Vec<Track>, Error> {
        let by = match &aggregate.by {
            Grouping::Only(names) => {
                Grouping::Only(names.iter().cloned().chain([label.to_owned()]).collect())
            }
            without => without.clone(),
        };
        let mut out: Vec<Track> = Vec::new();
        let mut places: HashMap<Labels, usize> = HashMap::new();
        for group in grouped(tracks, aggregate) {
            let mut known: HashMap<u64, usize> = HashMap::new();
            for &member in &group.tracks {
                let there = tracks[member].values.iter().enumerate().filter(|(_, value)| present(**value));
                for (at, &value) in there {
                    let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
                    let place = match known.get(&bits) {
                        Some(&place) => place,
                        None => {
                            self.meter.points(grid.count)?;
                            let labels = by.of(&tracks[member].labels.with(label, &format::plain(value)));
                            let place = *places.entry(labels.clone()).or_insert_with(|| {
                                out.push(Track { labels, values: vec![ABSENT; grid.count] });
                                out.len() - 1
                            });
                            known.insert(bits, place);
                            place
                        }
                    };
                    let count = &mut out[place].values[at];
                    *count = if present(*count) { *count + 1.0 } else { 1.0 };
                }
            }
        }
        Ok(out)
    }
}

fn grouped(tracks: &[Track], aggregate: &Aggregate) -> Vec<Members> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<Members> = Vec::new();
    for (at, track) in tracks.iter().enumerate() {
        let labels = aggregate.by.of(&track.labels);
        let place = *places.entry(labels.clone()).or_insert_with(|| {
            groups.push(Members { labels, tracks: Vec::new() });
            groups.len() - 1
        });
        groups[place].tracks.push(at);
    }
    groups
}

/// Folds columns, series by series, so that each is read once from its start to its end.
fn fold<S: Copy>(
    columns: &[&[f64]],
    steps: usize,
    first: impl Fn(f64) -> S,
    add: impl Fn(&mut S, f64),
    finish: impl Fn(S) -> f64,
) -> Vec<f64> {
    let mut states: Vec<Option<S>> = vec![None; steps];
    for column in columns {
        for (state, &value) in states.iter_mut().zip(*column).filter(|(_, value)| present(**value)) {
            match state {
                Some(state) => add(state, value),
                None => *state = Some(first(value)),
            }
        }
    }
    states.into_iter().map(|state| state.map_or(ABSENT, |state| solid(finish(state)))).collect()
}

/// A NaN is replaced by whatever comes.
fn prefer(best: &mut f64, new: f64, better: bool) {
    if better || best.is_nan() {
        *best = new;
    }
}

/// Welford's running variance of a group.
#[derive(Clone, Copy)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    fn new(first: f64) -> Self {
        let squares = if first.is_finite() { 0.0 } else { f64::NAN };
        Self { count: 1.0, mean: first, squares }
    }

    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    fn variance(self) -> f64 {
        self.squares / self.count
    }
}
