//! Aggregations: series are told apart into groups once, then each group's columns become one.

use super::{
    Evaluator, Grid,
    fold::Columns,
    folding,
    frame::{ABSENT, Track, points, present},
    load::Loaded,
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
        if let Some(tracks) = self.folded(aggregate) {
            return Ok(tracks);
        }
        let parameter = match &aggregate.operation {
            Aggregation::Quantile(node) | Aggregation::Top { count: node, .. } => self.scalar(node, grid)?,
            _ => Vec::new(),
        };
        let mut tracks = self.vector(&aggregate.of, grid)?;
        let mut groups = grouped(&tracks, aggregate);
        match &aggregate.operation {
            Aggregation::Top { largest, .. } => {
                let limits = top::limits(&parameter, tracks.len())?;
                for group in &mut groups {
                    // Among equals the first stay: let that not depend on what the series were made of.
                    group.tracks.sort_by(|&a, &b| tracks[a].labels.cmp(&tracks[b].labels));
                }
                return top::select(tracks, &groups, &limits, *largest, &self.meter);
            }
            Aggregation::CountValues { label } => return self.count_values(label, &tracks, aggregate, grid),
            Aggregation::Quantile(_) if !tracks.is_empty() => {
                self.notes.quantiles_out_of_range(&parameter);
            }
            _ => {}
        }
        let mut out = Vec::with_capacity(groups.len());
        for group in groups {
            self.meter.points(grid.count)?;
            let columns: Vec<&[f64]> = group.tracks.iter().map(|&at| tracks[at].values.as_slice()).collect();
            let columns = Columns { columns: &columns, steps: grid.count, meter: &self.meter };
            let values = columns.folded(&aggregate.operation, &parameter)?;
            out.push(Track { labels: group.labels, values });
            // Each series is in one group.
            group.tracks.iter().for_each(|&at| tracks[at].values = Vec::new());
            self.meter.release(group.tracks.len() * grid.count);
        }
        Ok(out)
    }

    /// What it came to already, while its series came.
    fn folded(&mut self, aggregate: &Aggregate) -> Option<Vec<Track>> {
        let loaded = &mut self.loaded[folding::selector_of(aggregate)?];
        match loaded.take() {
            Some(Loaded::Folded(tracks)) => {
                self.meter.take(points(&tracks));
                Some(tracks)
            }
            other => {
                *loaded = other;
                None
            }
        }
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
                            let labels = by.of(&tracks[member].labels.with(label, &format::plain(value)));
                            let place = match places.get(&labels) {
                                Some(&place) => place,
                                None => {
                                    self.meter.points(grid.count)?;
                                    places.insert(labels.clone(), out.len());
                                    out.push(Track { labels, values: vec![ABSENT; grid.count] });
                                    out.len() - 1
                                }
                            };
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
