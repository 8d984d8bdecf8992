//! How a query is evaluated, where there is a choice.

use crate::{
    limits::{Cancel, Clock, Limits, MonotonicClock},
    spare::Claim,
};
use std::{fmt, sync::Arc};

/// How old a sample may be that still is a series' value: five minutes, as in Prometheus.
pub const LOOKBACK_MS_DEFAULT: i64 = 5 * 60 * 1000;
/// The step of a subquery that names none: Prometheus's default interval between evaluations, a minute.
pub const SUBQUERY_STEP_MS_DEFAULT: i64 = 60 * 1000;

/// Whose results are given where versions of Prometheus differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edition {
    /// Windows and lookback exclude the moment they start at. What everybody should use.
    #[default]
    Prometheus3,
    /// They include it; and `rate` and `increase` look for a counter's zero before they look how far the window
    /// reaches beyond its samples. For comparisons with a Prometheus of that age.
    Prometheus2,
}

/// Everything that a query's result depends on beside its text, its times and the series.
#[derive(Clone)]
pub struct Options {
    /// How old a sample may be that still is a series' value, in milliseconds; more than 0.
    pub lookback_ms: i64,
    /// The step of subqueries that name none, in milliseconds; more than 0.
    pub subquery_step_ms: i64,
    /// Whose results are given where versions differ.
    pub edition: Edition,
    /// What the query may cost.
    pub limits: Limits,
    /// The claim to room that it shares with others, if it does.
    pub claim: Option<Claim>,
    /// Stops the query from elsewhere.
    pub cancel: Cancel,
    /// What the time limit is measured with.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lookback_ms: LOOKBACK_MS_DEFAULT,
            subquery_step_ms: SUBQUERY_STEP_MS_DEFAULT,
            edition: Edition::default(),
            limits: Limits::default(),
            claim: None,
            cancel: Cancel::default(),
            clock: Arc::new(MonotonicClock::default()),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("lookback_ms", &self.lookback_ms)
            .field("subquery_step_ms", &self.subquery_step_ms)
            .field("edition", &self.edition)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
