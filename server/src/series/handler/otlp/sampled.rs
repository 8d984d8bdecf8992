//! A point's samples: one of a number, several of a histogram or a summary.

use super::{
    super::outcome::Unfit,
    message::{Attribute, HistogramPoint, NumberPoint, SummaryPoint},
};
use crate::series::LabelError;
use pingup_promql::STALE;

/// A flag of a point: there is no value any more.
const NO_RECORDED_VALUE: u64 = 1;
/// Bounds of a histogram's point, or quantiles of a summary's: each becomes a series, written with its bound in words,
/// which may be 326 letters.
pub(super) const BOUNDS_MAX: usize = 1_000;

/// Why a point is left out.
pub(super) enum Why {
    Labels(LabelError),
    NoTime,
    NoValue,
    Buckets,
    /// So many bounds or quantiles.
    Many(usize),
    Unfit(Unfit),
}

impl Why {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Labels(error) => error.to_string(),
            Self::NoTime => "a point has no time".to_owned(),
            Self::NoValue => "a point has no value".to_owned(),
            Self::Buckets => "a histogram's buckets do not fit their bounds".to_owned(),
            Self::Many(count) => format!("{count} bounds; a point may have {BOUNDS_MAX}"),
            Self::Unfit(_) => String::new(),
        }
    }
}

impl From<LabelError> for Why {
    fn from(error: LabelError) -> Self {
        Self::Labels(error)
    }
}

/// Refuses a point of so many bounds before anything is made of them.
fn few(bounds: usize) -> Result<(), Why> {
    if bounds > BOUNDS_MAX { Err(Why::Many(bounds)) } else { Ok(()) }
}

/// The samples of one point, by what their series adds to its name and labels.
pub(super) type Samples = Vec<(&'static str, Option<(&'static str, String)>, f64)>;

/// A point of any kind.
pub(super) trait Sampled {
    fn attributes(&self) -> &[Attribute<'_>];
    /// When it was, in nanoseconds since 1970; 0 where it does not say.
    fn nanos(&self) -> u64;
    fn samples(&self) -> Result<Samples, Why>;
}

impl Sampled for NumberPoint<'_> {
    fn attributes(&self) -> &[Attribute<'_>] {
        &self.attributes
    }

    fn nanos(&self) -> u64 {
        self.time_unix_nano.0
    }

    fn samples(&self) -> Result<Samples, Why> {
        let value = match (self.as_double, self.as_int) {
            _ if self.flags.0 & NO_RECORDED_VALUE != 0 => STALE,
            (Some(value), _) => value.0,
            (None, Some(value)) => value.0 as f64,
            (None, None) => return Err(Why::NoValue),
        };
        Ok(vec![("", None, value)])
    }
}

impl Sampled for HistogramPoint<'_> {
    fn attributes(&self) -> &[Attribute<'_>] {
        &self.attributes
    }

    fn nanos(&self) -> u64 {
        self.time_unix_nano.0
    }

    fn samples(&self) -> Result<Samples, Why> {
        let is_stale = self.flags.0 & NO_RECORDED_VALUE != 0;
        let value = |value: f64| if is_stale { STALE } else { value };
        few(self.explicit_bounds.len())?;
        let bounds: Vec<_> = self.explicit_bounds.iter().map(|bound| bound.0).collect();
        let is_ordered = bounds.is_sorted_by(|a, b| a < b) && bounds.iter().all(|bound| bound.is_finite());
        let fit = self.bucket_counts.len() == bounds.len() + 1;
        if !is_ordered || !(fit || (self.bucket_counts.is_empty() && bounds.is_empty()) || is_stale) {
            return Err(Why::Buckets);
        }
        let mut samples = Samples::with_capacity(bounds.len() + 3);
        let mut below = 0_u64;
        let counts = self.bucket_counts.iter().map(|count| count.0).chain(std::iter::repeat(0));
        for (bound, count) in bounds.iter().zip(counts) {
            below = below.saturating_add(count);
            samples.push(("_bucket", Some(("le", bound.to_string())), value(below as f64)));
        }
        samples.push(("_bucket", Some(("le", "+Inf".to_owned())), value(self.count.0 as f64)));
        samples.push(("_count", None, value(self.count.0 as f64)));
        if let Some(sum) = self.sum {
            samples.push(("_sum", None, value(sum.0)));
        }
        Ok(samples)
    }
}

impl Sampled for SummaryPoint<'_> {
    fn attributes(&self) -> &[Attribute<'_>] {
        &self.attributes
    }

    fn nanos(&self) -> u64 {
        self.time_unix_nano.0
    }

    fn samples(&self) -> Result<Samples, Why> {
        let is_stale = self.flags.0 & NO_RECORDED_VALUE != 0;
        let value = |value: f64| if is_stale { STALE } else { value };
        few(self.quantile_values.len())?;
        let quantiles = self.quantile_values.iter();
        let mut samples: Samples = quantiles
            .map(|one| ("", Some(("quantile", one.quantile.0.to_string())), value(one.value.0)))
            .collect();
        samples.push(("_count", None, value(self.count.0 as f64)));
        samples.push(("_sum", None, value(self.sum.0)));
        Ok(samples)
    }
}
