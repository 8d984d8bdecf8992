//! PromQL over anybody's columns: the stable language of Prometheus 3, evaluated by series and in one sweep.
//!
//! Give it a [`SeriesSource`] and a text, and it gives back what Prometheus would: a scalar, a string, an instant vector
//! or a matrix, with warnings and infos, or an error in Prometheus's words. It knows no database, no network, no
//! runtime and no global state; the same series and the same query give the same answer, to the bit.
//!
//! ```
//! use pingup_promql::{Labels, MemorySource, Options, Query, Steps, Value};
//!
//! let mut source = MemorySource::default();
//! for (host, per_second) in [("a", 2.0), ("b", 3.0)] {
//!     let labels = Labels::new([("__name__", "requests_total"), ("host", host)]);
//!     for sample in 0..20 {
//!         let seconds = 15 * sample;
//!         source.put(&labels, seconds * 1000, per_second * seconds as f64);
//!     }
//! }
//!
//! let query = Query::parse("sum(increase(requests_total[1m]))")?;
//! let steps = Steps { start_ms: 120_000, end_ms: 240_000, step_ms: 60_000 };
//! let answer = query.range(&source, steps, &Options::default())?;
//!
//! let Value::Matrix(matrix) = answer.value else { unreachable!("a range query answers a matrix") };
//! let series: Vec<_> = matrix.into_iter().collect();
//! assert_eq!(series[0].labels, Labels::default());
//! assert_eq!(series[0].timestamps, [120_000, 180_000, 240_000]);
//! assert_eq!(series[0].values, [300.0, 300.0, 300.0]);
//! # Ok::<(), pingup_promql::Error>(())
//! ```
//!
//! # How it evaluates
//!
//! A text becomes a [`Query`] once, and can be asked of any source, at any time. Everything that a query reads is asked of
//! the source in one call, as [`Selection`]s: matchers, a stretch of time, and what becomes of the samples. The source
//! hands its series over one by one, as borrowed slices; each is reduced to one value a step while it is there, so that
//! memory grows with steps and series, not with samples. Windows slide: a range query costs its samples and its steps,
//! not the one times the other. Series are matched once, by their labels, and then computed array by array.
//!
//! # What it holds to
//!
//! Staleness markers, a lookback of five minutes, windows that exclude their start, the rules of NaN and infinities, of
//! names that are dropped and of series that must not be called the same; compensated sums where Prometheus has them.
//! [`Edition::Prometheus2`] gives the edges that Prometheus had before version 3.
//!
//! A source that kept few samples of old times may say so ([`Thinned`]): there the newest sample is the last of the moment's own
//! bucket, or of the one before. Prometheus knows no such times.
//!
//! # What is out
//!
//! Native histograms: functions of them answer nothing, and an info says why. Experimental functions, aggregations and
//! modifiers are refused by name. Annotations do not tell the place in the query's text.
//!
//! # Limits
//!
//! [`Limits`] bounds what a query may read and compute and how long it may take; [`Cancel`] stops it from elsewhere. A text
//! is bounded before it is parsed: [`QUERY_BYTES_MAX`], [`QUERY_DEPTH_MAX`] and their kin. Nothing is unbounded that a query
//! or a source can make grow.
//!
//! # For tests
//!
//! With the feature `testing`, the module `testing` makes random series and random queries from a seed, and makes a query
//! that two evaluators differ over as small as it goes.

#![forbid(unsafe_code)]

pub mod format;
#[cfg(feature = "testing")]
pub mod testing;

mod annotations;
mod error;
mod eval;
mod labels;
mod limits;
mod matcher;
mod memory;
mod meter;
mod options;
mod pattern;
mod plan;
mod query;
mod source;
mod spare;
mod text;
mod value;

pub use annotations::ANNOTATIONS_MAX;
pub use error::{Error, ErrorKind};
pub use labels::{BUCKET_BOUND, Labels, METRIC_NAME};
pub use limits::{Cancel, Clock, Limits, MonotonicClock};
pub use matcher::{Matcher, Test, accepts_all};
pub use memory::MemorySource;
pub use options::{Edition, LOOKBACK_MS_DEFAULT, Options, SUBQUERY_STEP_MS_DEFAULT};
pub use pattern::Pattern;
pub use plan::{
    DURATION_SECONDS_MAX, QUERY_BYTES_MAX, QUERY_DEPTH_MAX, QUERY_OPERATORS_MAX, QUERY_PATTERNS_MAX,
};
pub use query::{MOMENT_MS_MAX, Query, Steps};
pub use source::{Intake, Moments, Reading, STALE, STALE_BITS, Selection, SeriesSource, Thinned, is_stale};
pub use spare::{Claim, Spare};
pub use text::{parse_duration_ms, parse_selector, pretty};
pub use value::{Answer, Matrix, Sample, Series, Value};
