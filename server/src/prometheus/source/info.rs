//! `pingup_agent_info`: what is known of an agent, as a series that is there while the agent is in the records, whether or
//! not it sends anything. A sample of 1 when it came, and at each whole minute since.

use super::{
    chosen::Chosen,
    rows::{AGENT_NUMBERS_MAX, too_many},
};
use crate::prometheus::{
    agents::{People, Person},
    names::Metric,
};
use pingup_promql::{Error, Intake, METRIC_NAME, Moments, Reading, STALE};

/// From one sample to the next, milliseconds: well within what a query looks back.
const EVERY_MS: i64 = 60_000;

/// Hands over the series of all agents that are meant.
pub(super) fn hand_over(
    people: &People,
    now_ms: i64,
    chosen: &[Chosen<'_>],
    intake: &mut dyn Intake,
) -> Result<(), Error> {
    let (mut times, mut values) = (Vec::new(), Vec::new());
    for (index, chosen) in chosen.iter().enumerate() {
        for person in people.iter().filter(|person| chosen.means_info(person)) {
            let Some((labels, from, until)) = &person.info else { continue };
            times.clear();
            values.clear();
            sample(chosen, *from, (*until).min(now_ms), &mut times)?;
            values.resize(times.len(), 1.0);
            // Whoever was removed is gone at once.
            if let Some(last) = times.last()
                && last < until
                && *until <= chosen.selection.last_ms.min(now_ms)
            {
                times.push(*until);
                values.push(STALE);
            }
            if !times.is_empty() {
                intake.series(index, &labels.with(METRIC_NAME, &Metric::Info.name()), &times, &values)?;
            }
        }
    }
    Ok(())
}

/// The moments of samples that the selection needs: `from`, and each whole minute until `until`.
fn sample(chosen: &Chosen<'_>, from: i64, until: i64, times: &mut Vec<i64>) -> Result<(), Error> {
    let selection = chosen.selection;
    let (first, last) = (selection.first_ms.max(from), selection.last_ms.min(until));
    let minute_from = |at: i64| at.div_euclid(EVERY_MS) * EVERY_MS;
    match selection.reading {
        // Only the newest before each moment is looked at.
        Reading::Newest { .. } => {
            let Moments { first_ms, step_ms, count } = selection.moments;
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            for step in 0..count {
                let seen = first_ms.saturating_add(step.saturating_mul(step_ms)).min(last);
                let at = minute_from(seen).max(from);
                if (first..=seen).contains(&at) && times.last().is_none_or(|before| *before < at) {
                    times.push(at);
                }
            }
        }
        Reading::Window { .. } | Reading::Samples => {
            let minutes = last.saturating_sub(first) / EVERY_MS;
            if usize::try_from(minutes).is_ok_and(|minutes| minutes > AGENT_NUMBERS_MAX) {
                return Err(too_many());
            }
            let mut at = minute_from(first.saturating_add(EVERY_MS - 1));
            if (first..=last.min(at - 1)).contains(&from) {
                times.push(from);
            }
            while at <= last {
                times.push(at);
                at += EVERY_MS;
            }
        }
    }
    Ok(())
}

/// Whether the agent is in the records at any time between the two moments.
pub(super) fn meets(person: &Person, first_ms: i64, last_ms: i64) -> bool {
    person.info.as_ref().is_some_and(|(_, from, until)| *from <= last_ms && *until >= first_ms)
}
