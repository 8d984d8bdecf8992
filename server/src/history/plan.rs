//! From a question to a plan with bounds. Pure: the moment is an argument.
//!
//! A time range is half open, [from, to). Without `to` it reaches to now and as far beyond as an agent's clock
//! may be ahead; without `from` it begins an hour before its end or before now, whichever is earlier. How fine a step
//! may be depends on how long ago the range begins (`kept`).

mod fleet;
mod kept;
mod reach;

pub use crate::tsdb::schema::OWN_COLUMNS;
pub use fleet::{
    FLEET_FIELDS_MAX, FLEET_RAW_MAX, Of, Order, TOP_ITEMS_DEFAULT, TOP_ITEMS_MAX, TOP_WINDOW_MAX, TopPlan,
    TopQuestion,
};
pub use reach::{Reach, reaches};

use crate::tsdb::Retention;
use kept::Units;
use pingup_protocol::{ids::is_name, limits::FUTURE_SECONDS_MAX, time::Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};

/// Items on a page, unless the asker says otherwise.
pub const PAGE_ITEMS_DEFAULT: u64 = 1_000;
/// Items on a page at most.
pub const PAGE_ITEMS_MAX: u64 = 10_000;
/// Buckets that a range may have: a month by the minute fits. Each page works through the rest of its range.
pub const BUCKETS_MAX: i64 = 50_000;
/// The shortest bucket.
pub const STEP_SECONDS_MIN: u64 = 1;
/// The longest: a hundred years, beyond which no sample lies beside another.
pub const STEP_SECONDS_MAX: u64 = 100 * 365 * 24 * 3_600;
/// Measurements that may be asked for by name.
pub const FIELDS_MAX: usize = 128;
/// How far back a question without `from` reaches.
const RANGE_SECONDS_DEFAULT: i64 = 3_600;

/// What was asked.
#[derive(Clone, Debug, Default)]
pub struct Question<'a> {
    /// Not before this.
    pub from: Option<Timestamp>,
    /// Before this.
    pub to: Option<Timestamp>,
    /// Buckets of this length; raw rows without.
    pub step: Option<Duration>,
    /// Measurements, separated by commas; all without.
    pub fields: Option<&'a str>,
    /// Items on the page.
    pub limit: u64,
    /// Where the last page ended.
    pub after: Option<Place>,
}

/// A place in an answer; travels as a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A row: its timestamp in microseconds, boot and seq; −1 where it has none.
    Row(i64, i64, i64),
    /// A bucket: its start in microseconds.
    Bucket(i64),
}

/// Which measurements are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fields {
    /// Whatever there is.
    All,
    /// These, where they are there.
    Named(BTreeSet<String>),
}

/// What is to be asked of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Raw rows.
    Rows(RowsPlan),
    /// Buckets.
    Buckets(BucketsPlan),
}

/// A page of raw rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsPlan {
    /// Not before this.
    pub from: Timestamp,
    /// Before this.
    pub to: Timestamp,
    /// Beyond this row, given as boot and seq, where the timestamp is `from`.
    pub beyond: (i64, i64),
    /// Which measurements.
    pub fields: Fields,
    /// Rows on the page.
    pub limit: usize,
}

/// A page of buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketsPlan {
    /// Not before this.
    pub from: Timestamp,
    /// Before this.
    pub to: Timestamp,
    /// How long a bucket is.
    pub step_micros: i64,
    /// Which measurements.
    pub fields: Fields,
    /// Buckets on the page.
    pub limit: usize,
}

impl BucketsPlan {
    /// Whether every bucket of the range fits on the page, were there a sample in each.
    pub fn is_one_page(&self) -> bool {
        let first = self.from.as_micros().div_euclid(self.step_micros);
        let last = self.to.as_micros().saturating_sub(1).div_euclid(self.step_micros);
        usize::try_from(last.saturating_sub(first)).is_ok_and(|buckets| buckets < self.limit)
    }
}

/// A question that is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {detail}")]
pub struct PlanError {
    /// The query parameter to change.
    pub parameter: &'static str,
    /// What would be right.
    pub detail: String,
}

impl PlanError {
    pub(super) fn new(parameter: &'static str, detail: impl Into<String>) -> Self {
        Self { parameter, detail: detail.into() }
    }
}

impl Fields {
    fn read(text: Option<&str>) -> Result<Self, PlanError> {
        let Some(text) = text else { return Ok(Self::All) };
        let names: BTreeSet<_> = text.split(',').map(|name| name.trim().to_owned()).collect();
        if names.len() > FIELDS_MAX {
            return Err(PlanError::new("fields", format!("at most {FIELDS_MAX} names expected")));
        }
        match names.iter().all(|name| is_name(name)) {
            true => Ok(Self::Named(names)),
            false => Err(PlanError::new("fields", "names of measurements, separated by commas, expected")),
        }
    }

    /// Whether `name` is told.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(name),
        }
    }

    /// Those that have columns of their own.
    pub fn own_columns(&self) -> impl Iterator<Item = &'static str> {
        OWN_COLUMNS.into_iter().filter(|name| self.has(name))
    }

    /// Those that are kept beside them, if they were named.
    pub fn further(&self) -> Option<Vec<&str>> {
        match self {
            Self::All => None,
            Self::Named(names) => {
                Some(names.iter().map(String::as_str).filter(|name| !OWN_COLUMNS.contains(name)).collect())
            }
        }
    }

    /// Whether one that is kept beside them can be told.
    pub fn has_further(&self) -> bool {
        self.further().is_none_or(|names| !names.is_empty())
    }
}

impl Plan {
    /// Plans the answer to `question`, asked `now` of a store that keeps its tiers for so long.
    pub fn new(question: Question<'_>, now: Timestamp, kept: &Retention) -> Result<Self, PlanError> {
        let (from, to) = range(&question, now)?;
        let fields = Fields::read(question.fields)?;
        let limit = usize::try_from(question.limit.clamp(1, PAGE_ITEMS_MAX)).unwrap_or(1);
        match (question.step, question.after) {
            (None, None) => {
                Ok(Self::Rows(RowsPlan { from, to, beyond: (i64::MIN, i64::MIN), fields, limit }))
            }
            (None, Some(Place::Row(micros, boot, seq))) => {
                let from = from.max(Timestamp::from_micros(micros));
                let at_cursor = from.as_micros() == micros;
                let beyond = if at_cursor { (boot, seq) } else { (i64::MIN, i64::MIN) };
                Ok(Self::Rows(RowsPlan { from, to, beyond, fields, limit }))
            }
            (Some(step), None | Some(Place::Bucket(_))) => {
                let step_micros = step_micros(step)?;
                let units = Units::kept(kept);
                units.check_count(from, to, step_micros, now)?;
                let from = units.begin(from, step_micros, now)?.min(to);
                let from = match question.after {
                    Some(Place::Bucket(start)) => {
                        from.max(Timestamp::from_micros(start.saturating_add(step_micros)))
                    }
                    _ => from,
                };
                Ok(Self::Buckets(BucketsPlan { from, to, step_micros, fields, limit }))
            }
            (None, Some(Place::Bucket(_))) | (Some(_), Some(Place::Row(..))) => {
                Err(PlanError::new("cursor", "it belongs to another question; keep step as it was"))
            }
        }
    }
}

fn range(question: &Question<'_>, now: Timestamp) -> Result<(Timestamp, Timestamp), PlanError> {
    let to = question.to.unwrap_or(now.plus_seconds(FUTURE_SECONDS_MAX));
    let from = question.from.unwrap_or(to.min(now).plus_seconds(-RANGE_SECONDS_DEFAULT));
    match from < to {
        true => Ok((from, to)),
        false => Err(PlanError::new("from", "must lie before to")),
    }
}

fn step_micros(step: Duration) -> Result<i64, PlanError> {
    let fits = (STEP_SECONDS_MIN..=STEP_SECONDS_MAX).contains(&step.as_secs());
    i64::try_from(step.as_micros()).ok().filter(|_| fits).ok_or_else(|| {
        PlanError::new("step", format!("a span of {STEP_SECONDS_MIN}s to {STEP_SECONDS_MAX}s expected"))
    })
}

#[cfg(test)]
mod tests;
