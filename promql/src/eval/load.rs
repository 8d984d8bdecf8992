//! What is made of the source's series while it hands them over.
//!
//! A series' samples are seen once, through borrowed slices, and leave one value a step; only a query that asks for
//! samples themselves keeps any.

use super::{
    folding::Folding,
    frame::{Track, refuse_clashes},
    grid::References,
    newest::Lookback,
    window::{Samples, WindowSpec},
};
use crate::{
    annotations::Annotations,
    error::Error,
    labels::Labels,
    matcher::Matcher,
    meter::Meter,
    options::Edition,
    plan::Aggregate,
    query::MOMENT_MS_MAX,
    source::{Intake, Moments, Reading, Selection, Thinned, is_stale},
    value::Series,
};
use std::borrow::Cow;

/// One selector's reading.
pub(super) struct Job<'a> {
    pub(super) selector: usize,
    pub(super) matchers: Vec<Matcher>,
    pub(super) references: References,
    pub(super) purpose: Purpose,
    pub(super) tracks: Vec<Track>,
    pub(super) series: Vec<Series>,
    /// The aggregation of them, if it may be done while they come.
    pub(super) folding: Option<Folding<'a>>,
}

/// What becomes of a selector's samples.
pub(super) enum Purpose {
    /// The newest at each step, or its moment.
    Newest { lookback_ms: i64, timestamps: bool },
    /// A function of the window before each step.
    Window { window: WindowSpec, function: &'static str },
    /// They are the result.
    Samples { range_ms: i64 },
}

/// What a selector's series came to.
#[derive(Debug)]
pub(super) enum Loaded {
    Tracks(Vec<Track>),
    /// What the aggregation of them came to.
    Folded(Vec<Track>),
    Samples(Vec<Series>),
}

impl<'a> Job<'a> {
    pub(super) fn new(
        selector: usize,
        matchers: Vec<Matcher>,
        references: References,
        purpose: Purpose,
    ) -> Self {
        let (tracks, series) = (Vec::new(), Vec::new());
        Self { selector, matchers, references, purpose, tracks, series, folding: None }
    }

    /// From now on its series are aggregated as they come, unless the source has them in another order.
    pub(super) fn fold(&mut self, aggregate: &'a Aggregate) {
        self.folding = Some(Folding::new(aggregate, self.references.count));
    }

    /// What is asked of the source for it.
    pub(super) fn selection(&self, edition: Edition) -> Selection {
        let (back, reading) = match &self.purpose {
            Purpose::Newest { lookback_ms, .. } => {
                (*lookback_ms, Reading::Newest { lookback_ms: *lookback_ms })
            }
            Purpose::Window { window, function } => {
                (window.range_ms, Reading::Window { function, range_ms: window.range_ms })
            }
            Purpose::Samples { range_ms } => (*range_ms, Reading::Samples),
        };
        let References { first, step, count } = self.references;
        Selection {
            matchers: self.matchers.clone(),
            first_ms: first - back + i64::from(edition == Edition::Prometheus3),
            last_ms: self.references.last(),
            reading,
            moments: Moments { first_ms: first, step_ms: step, count: if step == 0 { 1 } else { count } },
        }
    }

    /// Keeps what a series came to. Its points have been counted.
    fn keep(&mut self, track: Option<Track>, meter: &mut Meter) -> Result<(), Error> {
        match (track, &mut self.folding) {
            (Some(track), Some(folding)) => folding.add(track, meter)?,
            (Some(track), None) => self.tracks.push(track),
            (None, _) => meter.unload(self.references.count),
        }
        Ok(())
    }

    /// What the series came to, in order of their labels, whatever the order they came in.
    pub(super) fn finish(mut self, meter: &mut Meter) -> Result<Loaded, Error> {
        if let Some(folding) = self.folding {
            return Ok(Loaded::Folded(folding.finish(meter)?));
        }
        self.tracks.sort_by(|a, b| a.labels.cmp(&b.labels));
        self.series.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(match self.purpose {
            Purpose::Samples { .. } => Loaded::Samples(self.series),
            // No longer called by their metric's name, two may well be called the same.
            Purpose::Window { .. } | Purpose::Newest { timestamps: true, .. } => Loaded::Tracks(self.tracks),
            Purpose::Newest { timestamps: false, .. } => {
                refuse_clashes(&self.tracks).map_err(|_| Error::source("a series came twice"))?;
                Loaded::Tracks(self.tracks)
            }
        })
    }
}

/// Takes the series of a round.
pub(super) struct Loader<'a, 'b> {
    pub(super) jobs: Vec<Job<'a>>,
    pub(super) edition: Edition,
    pub(super) meter: &'b mut Meter,
    pub(super) notes: &'b mut Annotations,
}

impl Intake for Loader<'_, '_> {
    fn keeps(&mut self, points: usize) -> Result<(), Error> {
        self.meter.keeps(points)
    }

    fn series(
        &mut self,
        selection: usize,
        labels: &Labels,
        timestamps: &[i64],
        values: &[f64],
    ) -> Result<(), Error> {
        self.thinned_series(selection, labels, timestamps, values, &[])
    }

    fn thinned_series(
        &mut self,
        selection: usize,
        labels: &Labels,
        timestamps: &[i64],
        values: &[f64],
        thinned: &[Thinned],
    ) -> Result<(), Error> {
        let Some(job) = self.jobs.get_mut(selection) else {
            return Err(Error::source(format!("there is no selection {selection}")));
        };
        if timestamps.len() != values.len() {
            return Err(Error::source(format!("{labels} has timestamps and values of different numbers")));
        }
        let known = -MOMENT_MS_MAX..=MOMENT_MS_MAX;
        if ![timestamps.first(), timestamps.last()].into_iter().flatten().all(|at| known.contains(at)) {
            return Err(Error::source(format!("a timestamp of {labels} is out of range")));
        }
        if !timestamps.is_sorted_by(|a, b| a < b) {
            return Err(Error::source(format!("the timestamps of {labels} do not ascend")));
        }
        self.meter.series(timestamps.len())?;
        match &job.purpose {
            Purpose::Newest { lookback_ms, timestamps: moments } => {
                self.meter.load(job.references.count)?;
                let lookback = Lookback { lookback_ms: *lookback_ms, edition: self.edition, thinned };
                let values = lookback.newest(&job.references, timestamps, values, *moments);
                let labels = if *moments { labels.without_name() } else { labels.clone() };
                let track = Some(Track { labels, values }).filter(Track::has_values);
                job.keep(track, self.meter)?;
            }
            Purpose::Window { window, .. } => {
                self.meter.load(job.references.count)?;
                let (timestamps, values) = live(timestamps, values);
                let samples = Samples { labels, timestamps: &timestamps, values: &values };
                let track = window.track(&job.references, self.edition, samples, self.meter, self.notes)?;
                job.keep(track, self.meter)?;
            }
            Purpose::Samples { range_ms } => {
                let (timestamps, values) = live(timestamps, values);
                let last = job.references.last();
                let first = last - range_ms + i64::from(self.edition == Edition::Prometheus3);
                let from = timestamps.partition_point(|&at| at < first);
                let to = timestamps.partition_point(|&at| at <= last);
                if from < to {
                    self.meter.load(2 * (to - from))?;
                    job.series.push(Series {
                        labels: labels.clone(),
                        timestamps: timestamps[from..to].to_vec(),
                        values: values[from..to].to_vec(),
                    });
                }
            }
        }
        Ok(())
    }
}

/// The samples without the stale markers among them.
fn live<'a>(timestamps: &'a [i64], values: &'a [f64]) -> (Cow<'a, [i64]>, Cow<'a, [f64]>) {
    if !values.iter().any(|&value| is_stale(value)) {
        return (Cow::Borrowed(timestamps), Cow::Borrowed(values));
    }
    let alive = || timestamps.iter().zip(values).filter(|(_, value)| !is_stale(**value));
    (alive().map(|(at, _)| *at).collect(), alive().map(|(_, value)| *value).collect())
}
