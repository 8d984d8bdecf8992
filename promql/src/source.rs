//! Where series come from: the one trait that a store has to fill in.
//!
//! A query asks once for all that it reads (rarely twice: when a function's parameter is itself made of series), so
//! a store can answer several selectors from one scan. Series are handed over one at a time and by reference; the
//! evaluator makes of each what the query needs of it, and keeps no samples. A store that yields borrowed slices of
//! its own buffers copies nothing.

use crate::{error::Error, labels::Labels, matcher::Matcher};

/// The bits of the value that ends a series: Prometheus's stale marker, a NaN that no computation makes.
pub const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The value that ends a series.
pub const STALE: f64 = f64::from_bits(STALE_BITS);

/// Whether a sample says that its series has ended.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}

/// What one selector of a query asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// What must hold of the labels, all of it. At least one does not accept the empty value.
    pub matchers: Vec<Matcher>,
    /// The first moment whose samples count, in milliseconds, itself included.
    pub first_ms: i64,
    /// The last, itself included.
    pub last_ms: i64,
    /// What becomes of the samples: a store may hand over fewer that give the same result.
    pub reading: Reading,
    /// The moments that the query looks back from, with `offset` and `@` already applied.
    pub moments: Moments,
}

/// What becomes of a selection's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// At each moment the newest sample that is no older than this.
    Newest {
        /// How old it may be, in milliseconds.
        lookback_ms: i64,
    },
    /// At each moment a function of all samples of the window before it.
    Window {
        /// The function as it is written: `"max_over_time"`.
        function: &'static str,
        /// The window's length in milliseconds.
        range_ms: i64,
    },
    /// The samples themselves.
    Samples,
}

/// Moments that are evenly spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moments {
    /// The first, in milliseconds.
    pub first_ms: i64,
    /// From one to the next.
    pub step_ms: i64,
    /// How many.
    pub count: usize,
}

/// A stretch of time of which a store has kept few samples: of each bucket its last. Such a sample is the newest there is until
/// the next bucket ends, however short the lookback: within that bucket its own last has not come yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thinned {
    /// The first of such samples, in milliseconds.
    pub first_ms: i64,
    /// The last.
    pub last_ms: i64,
    /// A bucket's length in milliseconds. Buckets begin at multiples of it.
    pub bucket_ms: i64,
}

impl Thinned {
    /// From when on a sample may be the newest at a moment among buckets of such a length, which is not 0: the beginning of the
    /// bucket before that moment's own.
    pub const fn oldest_ms(moment_ms: i64, bucket_ms: i64) -> i64 {
        moment_ms.div_euclid(bucket_ms).saturating_sub(1).saturating_mul(bucket_ms)
    }

    /// Whether a sample is still the newest at a moment after it.
    pub(crate) fn holds(&self, sample_ms: i64, moment_ms: i64) -> bool {
        (self.first_ms..=self.last_ms).contains(&sample_ms)
            && self.bucket_ms > 0
            && sample_ms >= Self::oldest_ms(moment_ms, self.bucket_ms)
    }
}

/// A store of series.
pub trait SeriesSource {
    /// Hands over, for each selection, all series that fulfil its matchers and have samples in its time, in any
    /// order; each label set at most once for a selection.
    ///
    /// # Errors
    /// What `intake` answers is passed on at once: the query is over its limits, or not wanted any more. A failure
    /// of the store itself is [`Error::source`].
    fn select(&self, selections: &[Selection], intake: &mut dyn Intake) -> Result<(), Error>;

    /// Whether this selection's series come in the order of their labels, each behind the one before also where none has its
    /// metric's name. Then an aggregation adds them up as they come, and keeps none: with the same result, for that is the
    /// order in which it would be done later.
    fn is_in_order(&self, selection: &Selection) -> bool {
        let _ = selection;
        false
    }
}

/// Takes series, one at a time.
pub trait Intake {
    /// Takes a series of the selection with this index. Timestamps are milliseconds and ascend, none twice; there
    /// are as many values. Samples outside of the selection's time do no harm.
    ///
    /// # Errors
    /// Whatever ends the query, to be passed on.
    fn series(
        &mut self,
        selection: usize,
        labels: &Labels,
        timestamps: &[i64],
        values: &[f64],
    ) -> Result<(), Error>;

    /// The same of a series of which some stretches were thinned. That counts for [`Reading::Newest`] alone.
    ///
    /// # Errors
    /// As [`Self::series`].
    fn thinned_series(
        &mut self,
        selection: usize,
        labels: &Labels,
        timestamps: &[i64],
        values: &[f64],
        thinned: &[Thinned],
    ) -> Result<(), Error> {
        let _ = thinned;
        self.series(selection, labels, timestamps, values)
    }

    /// The source keeps so much while it hands over, in numbers of 8 bytes: what it has read and not handed over yet. It
    /// counts with what the query keeps, until the source says otherwise; to be said after every growth.
    ///
    /// # Errors
    /// As [`Self::series`]: all together is too much.
    fn keeps(&mut self, points: usize) -> Result<(), Error> {
        let _ = points;
        Ok(())
    }
}
