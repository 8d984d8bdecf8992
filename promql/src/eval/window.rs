//! Functions of windows: at each step, of the samples that lie between a range before it and itself.
//!
//! A series' windows are found by two indices that only move forward. Where windows overlap much, sums, extremes and
//! counts slide (`sliding`); everything else is computed from each window's slices.

use super::{
    frame::{ABSENT, Track, solid},
    functions::rate::{self, Boundaries},
    grid::{Grid, References},
    quantile::quantile,
    regression, sliding, summary,
};
use crate::{
    annotations::Annotations, error::Error, labels::Labels, meter::Meter, options::Edition,
    plan::function::WindowFunction,
};

/// From how many steps to a window on it slides. Below, each window is added up by itself, sample by sample in the
/// order that Prometheus does it in.
const SLIDES_FROM: i64 = 4;

/// What names of counters end in.
const COUNTERS: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

/// After so many samples that windows hold, it is asked whether to go on. A long window over many steps holds more of
/// them together than a query may read.
const CHECKED_EVERY: usize = 1 << 20;

/// A series' samples, without stale markers among them.
#[derive(Clone, Copy)]
pub(super) struct Samples<'a> {
    pub(super) labels: &'a Labels,
    pub(super) timestamps: &'a [i64],
    pub(super) values: &'a [f64],
}

/// How a function of windows is computed.
#[derive(Debug)]
pub(super) struct WindowSpec {
    pub(super) function: WindowFunction,
    pub(super) range_ms: i64,
    /// One for each step: the quantile, or how far to predict.
    pub(super) parameter: Option<Vec<f64>>,
    pub(super) grid: Grid,
}

impl WindowSpec {
    /// What a series comes to, if anything.
    pub(super) fn track(
        &self,
        references: &References,
        edition: Edition,
        samples: Samples<'_>,
        meter: &Meter,
        notes: &mut Annotations,
    ) -> Result<Option<Track>, Error> {
        let Samples { labels, timestamps, values } = samples;
        let mut out = vec![ABSENT; references.count];
        // A window that `@` holds is the same at each step, unless something else is not.
        let once = references.held() && self.parameter.is_none();
        let steps = if once { references.count.min(1) } else { references.count };
        let open = i64::from(edition == Edition::Prometheus3);
        let mut bounds = Bounds { from: 0, to: 0 };
        let mut seen = 0;
        let mut state = State::new(self, references, edition, timestamps, values);
        for (at, slot) in out.iter_mut().take(steps).enumerate() {
            let reference = references.at(at);
            bounds.advance(timestamps, reference - self.range_ms + open, reference);
            seen += bounds.to - bounds.from;
            if seen >= CHECKED_EVERY {
                meter.check()?;
                seen = 0;
            }
            if bounds.from < bounds.to {
                *slot = state.value(bounds, reference, at).map_or(ABSENT, solid);
            }
        }
        if once {
            let first = out.first().copied().unwrap_or(ABSENT);
            out.fill(first);
        }
        let keeps_name = matches!(self.function, WindowFunction::Last | WindowFunction::First);
        let name = if keeps_name { labels.clone() } else { labels.without_name() };
        let track = Track { labels: name, values: out };
        if !track.has_values() {
            return Ok(None);
        }
        self.annotate(labels, notes);
        Ok(Some(track))
    }

    fn annotate(&self, labels: &Labels, notes: &mut Annotations) {
        match (self.function, &self.parameter) {
            (WindowFunction::Rate | WindowFunction::Increase, _) => {
                let name = labels.metric_name();
                if !name.is_empty() && !COUNTERS.iter().any(|ending| name.ends_with(ending)) {
                    notes.perhaps_no_counter(name);
                }
            }
            (WindowFunction::Quantile, Some(quantiles)) => {
                notes.quantiles_out_of_range(quantiles);
            }
            _ => {}
        }
    }
}

/// A window, as indices of samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Bounds {
    /// Moves on to the samples of `first..=last`, both no earlier than before.
    fn advance(&mut self, timestamps: &[i64], first: i64, last: i64) {
        while self.to < timestamps.len() && timestamps[self.to] <= last {
            self.to += 1;
        }
        while self.from < self.to && timestamps[self.from] < first {
            self.from += 1;
        }
    }

    fn len(self) -> f64 {
        (self.to - self.from) as f64
    }
}

/// A series while its windows pass.
struct State<'a> {
    spec: &'a WindowSpec,
    edition: Edition,
    timestamps: &'a [i64],
    values: &'a [f64],
    sliding: Sliding<'a>,
    scratch: Vec<f64>,
}

/// What is kept from window to window.
enum Sliding<'a> {
    Nothing,
    Sums(sliding::Sums<'a>),
    Extremes(sliding::Extremes<'a>),
    /// How many events there were up to each sample.
    Events(Vec<u32>),
    /// The samples that are less than the one before.
    Resets(Vec<usize>),
}

impl<'a> State<'a> {
    fn new(
        spec: &'a WindowSpec,
        references: &References,
        edition: Edition,
        timestamps: &'a [i64],
        values: &'a [f64],
    ) -> Self {
        use WindowFunction as W;
        let overlap = !references.held() && spec.range_ms / references.step >= SLIDES_FROM;
        let sliding = match spec.function {
            W::Sum | W::Avg if overlap => Sliding::Sums(sliding::Sums::new(values)),
            W::Max if overlap => Sliding::Extremes(sliding::Extremes::new(values, |new, old| new > old)),
            W::Min if overlap => Sliding::Extremes(sliding::Extremes::new(values, |new, old| new < old)),
            W::Changes => Sliding::Events(sliding::events(values, |old, new| {
                new != old && !(new.is_nan() && old.is_nan())
            })),
            W::Resets => Sliding::Events(sliding::events(values, |old, new| new < old)),
            W::Rate | W::Increase => Sliding::Resets(sliding::resets(values)),
            _ => Sliding::Nothing,
        };
        Self { spec, edition, timestamps, values, sliding, scratch: Vec::new() }
    }

    fn value(&mut self, bounds: Bounds, reference: i64, at: usize) -> Option<f64> {
        use WindowFunction as W;
        let (timestamps, values) =
            (&self.timestamps[bounds.from..bounds.to], &self.values[bounds.from..bounds.to]);
        let parameter = || self.spec.parameter.as_ref().map_or(f64::NAN, |parameter| parameter[at]);
        let (newest, oldest) = (values[values.len() - 1], values[0]);
        Some(match (self.spec.function, &mut self.sliding) {
            (W::Sum, Sliding::Sums(sums)) => {
                sums.over(bounds.from, bounds.to).unwrap_or_else(|| summary::sum(values))
            }
            (W::Avg, Sliding::Sums(sums)) => match sums.over(bounds.from, bounds.to) {
                Some(sum) => sum / bounds.len(),
                None => summary::average(values),
            },
            (W::Max | W::Min, Sliding::Extremes(extremes)) => extremes.over(bounds.from, bounds.to),
            (W::Changes | W::Resets, Sliding::Events(events)) => {
                f64::from(events[bounds.to - 1] - events[bounds.from])
            }
            (W::Rate | W::Increase, Sliding::Resets(resets)) => {
                let change = rate::counter_change(self.values, bounds, resets);
                let end = self.boundaries(reference);
                rate::extrapolated(timestamps, change, Some(oldest), &end, self.spec.function == W::Rate)?
            }
            (W::Delta, _) => {
                let end = self.boundaries(reference);
                rate::extrapolated(timestamps, newest - oldest, None, &end, false)?
            }
            (W::InstantRate, _) => rate::instant(timestamps, values, true)?,
            (W::InstantDelta, _) => rate::instant(timestamps, values, false)?,
            (W::Sum, _) => summary::sum(values),
            (W::Avg, _) => summary::average(values),
            (W::Max, _) => summary::extreme(values, |new, old| new > old),
            (W::Min, _) => summary::extreme(values, |new, old| new < old),
            (W::Stdvar, _) => summary::variance(values),
            (W::Stddev, _) => summary::variance(values).sqrt(),
            (W::Quantile, _) => {
                self.scratch.clear();
                self.scratch.extend_from_slice(values);
                quantile(parameter(), &mut self.scratch)
            }
            (W::Deriv, _) => regression::line(timestamps, values, timestamps[0])?.slope,
            (W::PredictLinear, _) => {
                let line = regression::line(timestamps, values, self.spec.grid.moment(at))?;
                line.slope * parameter() + line.intercept
            }
            (W::Count, _) => bounds.len(),
            (W::First, _) => oldest,
            (W::Last, _) => newest,
            // The rest of `absent_over_time` happens where all series are known.
            (W::Present | W::Absent, _) => 1.0,
            (W::Changes | W::Resets | W::Rate | W::Increase, _) => return None,
        })
    }

    fn boundaries(&self, reference: i64) -> Boundaries {
        Boundaries { start: reference - self.spec.range_ms, end: reference, edition: self.edition }
    }
}
