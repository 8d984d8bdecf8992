//! Evaluation: by series and columns, not by step and map.
//!
//! First everything that the query reads is gathered, with the moments that it is read for, and asked of the source
//! at once; `load` makes of each series what the query needs while it is handed over. Then the tree is evaluated
//! from the leaves to the root, each part over all of its steps: a series is an array, and series are matched once,
//! by their labels, however many steps there are.

mod aggregate;
mod binary;
mod buckets;
mod fold;
mod folding;
mod frame;
mod functions;
mod gather;
mod grid;
mod histogram;
mod load;
mod matching;
mod newest;
mod node;
mod quantile;
mod range;
mod regression;
mod set;
mod sliding;
mod summary;
mod top;
mod window;

use crate::{
    annotations::Annotations,
    error::Error,
    meter::Meter,
    options::Options,
    plan::Plan,
    source::SeriesSource,
    value::{Answer, Matrix, Sample, Value},
};
use frame::Evaluated;
pub(crate) use frame::{Track, present};
pub(crate) use grid::{Grid, Span};
use load::{Loaded, Loader};

/// Evaluates a plan at the steps of a grid, which was asked for up to `end`.
pub(crate) fn evaluate(
    plan: &Plan,
    source: &dyn SeriesSource,
    grid: Grid,
    end: i64,
    options: &Options,
) -> Result<Evaluation, Error> {
    let meter = Meter::new(options);
    let mut evaluator = Evaluator {
        plan,
        options,
        span: Span { start: grid.first, end },
        meter,
        notes: Annotations::default(),
        loaded: plan.selectors.iter().map(|_| None).collect(),
    };
    for round in 0..plan.rounds {
        evaluator.load(source, grid, round)?;
    }
    let evaluated = evaluator.node(&plan.root, grid)?;
    evaluator.meter.check()?;
    let samples = evaluator.meter.samples_seen();
    Ok(Evaluation { evaluated, grid, notes: evaluator.notes, samples })
}

/// What is known while a query is evaluated.
struct Evaluator<'a> {
    plan: &'a Plan,
    options: &'a Options,
    span: Span,
    meter: Meter,
    notes: Annotations,
    /// What the selectors' series came to, until the part that wants it takes it.
    loaded: Vec<Option<Loaded>>,
}

impl Evaluator<'_> {
    /// Asks the source for everything that this round reads.
    fn load(&mut self, source: &dyn SeriesSource, grid: Grid, round: usize) -> Result<(), Error> {
        let held = self.meter.held();
        let mut jobs = self.gather(grid, round)?;
        let selections: Vec<_> = jobs.iter().map(|job| job.selection(self.options.edition)).collect();
        for (job, selection) in jobs.iter_mut().zip(&selections) {
            if job.folding.is_some() && !source.is_in_order(selection) {
                job.folding = None;
            }
        }
        let mut loader =
            Loader { jobs, edition: self.options.edition, meter: &mut self.meter, notes: &mut self.notes };
        loader.meter.check()?;
        source.select(&selections, &mut loader)?;
        loader.meter.keeps(0)?;
        for job in loader.jobs {
            let selector = job.selector;
            self.loaded[selector] = Some(job.finish(&mut self.meter)?);
        }
        // The parameters of windows are gone with the jobs.
        self.meter.settle(held, 0);
        Ok(())
    }
}

/// A result before it has a form.
pub(crate) struct Evaluation {
    evaluated: Evaluated,
    grid: Grid,
    notes: Annotations,
    samples: u64,
}

impl Evaluation {
    /// As the answer to a query of one moment.
    pub(crate) fn instant(self) -> Answer {
        let timestamp_ms = self.grid.first;
        let value = match self.evaluated {
            Evaluated::Scalar(values) => {
                Value::Scalar { timestamp_ms, value: values.first().copied().unwrap_or(f64::NAN) }
            }
            Evaluated::Text(text) => Value::Text { timestamp_ms, text },
            Evaluated::Matrix(matrix) => Value::Matrix(matrix),
            Evaluated::Vector(tracks) => Value::Vector(vector(tracks, timestamp_ms)),
        };
        answer(value, self.notes, self.samples)
    }

    /// As the answer to a query of a range of time, which is always a matrix.
    pub(crate) fn range(self) -> Answer {
        let tracks = match self.evaluated {
            Evaluated::Scalar(values) => vec![Track { labels: crate::Labels::default(), values }],
            Evaluated::Vector(tracks) => tracks,
            Evaluated::Matrix(_) | Evaluated::Text(_) => Vec::new(),
        };
        answer(Value::Matrix(Matrix::of_steps(tracks, self.grid)), self.notes, self.samples)
    }
}

fn answer(value: Value, notes: Annotations, samples: u64) -> Answer {
    let (warnings, infos) = notes.into_parts();
    Answer { value, warnings, infos, samples }
}

fn vector(tracks: Vec<Track>, timestamp_ms: i64) -> Vec<Sample> {
    let value = |track: Track| {
        let value = track.values.first().copied().filter(|&value| present(value))?;
        Some(Sample { labels: track.labels, timestamp_ms, value })
    };
    tracks.into_iter().filter_map(value).collect()
}
