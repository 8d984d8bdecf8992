//! Questions about the whole fleet, planned.

use super::{BucketsPlan, Fields, OWN_COLUMNS, Plan, PlanError, Question};
use crate::tsdb::{Retention, rollup::HOUR};
use pingup_protocol::{ids::is_name, limits::FUTURE_SECONDS_MAX, time::Timestamp};
use std::time::Duration;

/// Measurements that one question about the fleet may name.
pub const FLEET_FIELDS_MAX: usize = 8;
/// The longest range of the fleet's samples; beyond it the step is made of hours, which are rolled up.
pub const FLEET_RAW_MAX: Duration = Duration::from_secs(24 * 3_600);
/// The longest window that agents are compared in.
pub const TOP_WINDOW_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Agents that are told, unless the asker says otherwise.
pub const TOP_ITEMS_DEFAULT: u64 = 10;
/// Agents that are told at most.
pub const TOP_ITEMS_MAX: u64 = 100;
/// The window, unless the asker says otherwise.
const TOP_WINDOW_DEFAULT: Duration = Duration::from_secs(3_600);
/// The fleet's step, unless the asker says otherwise.
const FLEET_STEP_DEFAULT: Duration = Duration::from_secs(3_600);

/// What agents are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The mean.
    Avg,
    /// The greatest.
    Max,
    /// The newest.
    Last,
}

/// Who comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The least.
    Asc,
    /// The greatest.
    Desc,
}

/// Which agents stand out, as it was asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct TopQuestion<'a> {
    /// By which measurement.
    pub field: &'a str,
    /// How far back from now.
    pub window: Option<Duration>,
    /// `avg`, `max` or `last`.
    pub of: Option<&'a str>,
    /// `asc` or `desc`.
    pub order: Option<&'a str>,
    /// How many.
    pub limit: u64,
}

/// Which agents stand out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopPlan {
    /// Not before this.
    pub from: Timestamp,
    /// Before this.
    pub to: Timestamp,
    /// By which measurement.
    pub field: String,
    /// By what of it.
    pub of: Of,
    /// Who comes first.
    pub order: Order,
    /// How many.
    pub limit: usize,
}

impl Plan {
    /// Plans the answer to `question` about all agents, asked `now` of a store that keeps its tiers for so long.
    pub fn fleet(question: Question<'_>, now: Timestamp, kept: &Retention) -> Result<BucketsPlan, PlanError> {
        let step = question.step.or(Some(FLEET_STEP_DEFAULT));
        let fields = question.fields.or(Some(OWN_COLUMNS[0]));
        let whole = Question { step, fields, after: None, ..question.clone() };
        let Self::Buckets(range) = Self::new(whole.clone(), now, kept)? else {
            return Err(PlanError::new("step", "a span expected"));
        };
        let Self::Buckets(plan) = Self::new(Question { after: question.after, ..whole }, now, kept)? else {
            return Err(PlanError::new("step", "a span expected"));
        };
        if matches!(&plan.fields, Fields::Named(names) if names.len() > FLEET_FIELDS_MAX) {
            return Err(PlanError::new("fields", format!("at most {FLEET_FIELDS_MAX} names expected")));
        }
        // The whole range counts, whatever a cursor leaves of it.
        let span = range.to.as_micros().saturating_sub(range.from.as_micros());
        let is_short = u128::from(span.unsigned_abs()) <= FLEET_RAW_MAX.as_micros();
        if plan.step_micros % HOUR == 0 || is_short {
            return Ok(plan);
        }
        let hours = FLEET_RAW_MAX.as_secs() / 3_600;
        Err(PlanError::new("step", format!("whole hours expected for a range of more than {hours}h")))
    }
}

impl TopPlan {
    /// Plans the answer to `question`, asked `now`.
    pub fn new(question: TopQuestion<'_>, now: Timestamp) -> Result<Self, PlanError> {
        if !is_name(question.field) {
            return Err(PlanError::new("field", "the name of one measurement expected"));
        }
        let window = question.window.unwrap_or(TOP_WINDOW_DEFAULT);
        if window < Duration::from_secs(1) || window > TOP_WINDOW_MAX {
            let hours = TOP_WINDOW_MAX.as_secs() / 3_600;
            return Err(PlanError::new("window", format!("a span of 1s to {hours}h expected")));
        }
        let of = match question.of {
            None | Some("avg") => Of::Avg,
            Some("max") => Of::Max,
            Some("last") => Of::Last,
            Some(_) => return Err(PlanError::new("of", "avg, max or last expected")),
        };
        let order = match question.order {
            None | Some("desc") => Order::Desc,
            Some("asc") => Order::Asc,
            Some(_) => return Err(PlanError::new("order", "asc or desc expected")),
        };
        Ok(Self {
            from: now.plus_seconds(-window.as_secs().cast_signed()),
            // Agents' clocks may be ahead.
            to: now.plus_seconds(FUTURE_SECONDS_MAX),
            field: question.field.to_owned(),
            of,
            order,
            limit: usize::try_from(question.limit).unwrap_or(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::testing::RETENTION;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn fleet(hours: i64, step: Option<u64>, fields: Option<&str>) -> Result<BucketsPlan, PlanError> {
        let from = Some(NOW.plus_seconds(-hours * 3_600));
        let step = step.map(Duration::from_secs);
        Plan::fleet(
            Question { from, to: Some(NOW), step, fields, limit: 10, ..Question::default() },
            NOW,
            &RETENTION,
        )
    }

    #[test]
    fn the_fleet_is_asked_by_the_hour_and_for_cpu() {
        let plan = fleet(720, None, None).unwrap();
        assert_eq!((plan.step_micros, plan.fields.has("cpu"), plan.fields.has("ram")), (HOUR, true, false));
        assert!(fleet(24, Some(60), None).is_ok() && fleet(720, Some(7_200), None).is_ok());
        assert_eq!(fleet(25, Some(60), None).unwrap_err().parameter, "step");
        let many: Vec<_> = (0..=FLEET_FIELDS_MAX).map(|number| format!("m{number}")).collect();
        assert_eq!(fleet(1, None, Some(&many.join(","))).unwrap_err().parameter, "fields");
    }

    #[test]
    fn what_agents_are_compared_by_has_a_name() {
        let question = TopQuestion { field: "cpu", limit: 5, ..TopQuestion::default() };
        let plan = TopPlan::new(question, NOW).unwrap();
        assert_eq!((plan.of, plan.order, plan.limit), (Of::Avg, Order::Desc, 5));
        assert_eq!((plan.from, plan.to), (NOW.plus_seconds(-3_600), NOW.plus_seconds(300)));
        let day = Some(Duration::from_secs(24 * 3_600 + 1));
        for (bad, parameter) in [
            (TopQuestion { field: "CPU", ..question }, "field"),
            (TopQuestion { window: day, ..question }, "window"),
            (TopQuestion { window: Some(Duration::ZERO), ..question }, "window"),
            (TopQuestion { of: Some("min"), ..question }, "of"),
            (TopQuestion { order: Some("up"), ..question }, "order"),
        ] {
            assert_eq!(TopPlan::new(bad, NOW).unwrap_err().parameter, parameter);
        }
    }
}
