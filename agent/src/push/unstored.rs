//! What of a request the hub dealt with and did not store: told from the rest, sent again where that helps, and counted
//! where it does not. Its numbers are used up either way.

use super::{Pusher, body::is_ahead};
use crate::{
    clock::{Offset, machine_time},
    spool::{Record, SpoolError},
    transport::for_log,
};
use pingup_protocol::{
    limits::FUTURE_SECONDS_MAX,
    metrics::{PushAnswer, Rejected},
    time::Timestamp,
};
use std::collections::HashMap;

/// What was not stored of what was sent.
#[derive(Debug, Default)]
pub(super) struct Unstored<'a> {
    /// It lies in the hub's future.
    pub(super) ahead: Vec<&'a Record>,
    /// It is older than the hub keeps.
    pub(super) expired: Vec<&'a Record>,
    /// The hub will never take it, for these reasons.
    pub(super) rejected: Vec<&'a Rejected>,
}

impl<'a> Unstored<'a> {
    /// What `answer` says of `records`, the first of which was sent as number `first`.
    pub(super) fn of(answer: &'a PushAnswer, records: &'a [Record], first: u64) -> Self {
        let mut unstored = Self::default();
        let (mut kept, mut known) = (Vec::new(), Vec::new());
        let duplicates = usize::try_from(answer.duplicates).unwrap_or(usize::MAX);
        let newest = answer.server_time.plus_seconds(FUTURE_SECONDS_MAX);
        let reasons: HashMap<u64, &Rejected> =
            answer.rejected.iter().map(|rejected| (rejected.seq, rejected)).collect();
        let base = records.first().map_or(0, |record| record.number).saturating_sub(first);
        for (place, record) in records.iter().enumerate() {
            match reasons.get(&record.number.saturating_sub(base)) {
                Some(rejected) if is_ahead(rejected) => unstored.ahead.push(record),
                Some(rejected) => unstored.rejected.push(rejected),
                // The hub dealt with these before, and its answer was lost. No hub has stored what it would not store now.
                None if place < duplicates && record.timestamp > newest => unstored.ahead.push(record),
                None if place < duplicates => known.push(record),
                None => kept.push(record),
            }
        }
        // Those whose first answer was lost come first: their numbers do.
        let mut expired = oldest(known, answer.duplicates_expired);
        expired.extend(oldest(kept, answer.expired));
        Self { expired, ..unstored }
    }
}

/// The answer says how many are too old, not which: whatever the limit is, it is these. In their order.
fn oldest(mut records: Vec<&Record>, count: u64) -> Vec<&Record> {
    records.sort_by_key(|record| record.timestamp);
    records.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    records.sort_by_key(|record| record.number);
    records
}

/// Which records carry the time of a clock that turned out to be too slow.
#[derive(Debug)]
pub(super) struct Slow {
    /// The last record of before this agent began: nobody knows what the clock was then.
    after: u64,
    /// The last one of before that was known; those behind it were stamped by the hub's clock.
    through: Option<u64>,
}

impl Slow {
    /// Nothing is known yet, and `last` is the last record that was spooled.
    pub(super) const fn since(last: u64) -> Self {
        Self { after: last, through: None }
    }

    fn may_be(&self, record: &Record) -> bool {
        record.number > self.after && self.through.is_none_or(|through| record.number <= through)
    }
}

impl Pusher {
    /// Accounts for what `answer` says was not stored of `records`.
    pub(super) fn account_for(&mut self, answer: &PushAnswer, records: &[Record]) {
        let first = records.first().map_or(0, |record| self.spool.spool.borrow().seq_of(record));
        let Unstored { ahead, expired, rejected } = Unstored::of(answer, records, first);
        self.spool_again_what_was_ahead(&ahead, answer.server_time);
        let too_old = self.spool_again_what_was_slow(expired, answer.server_time);
        let lost = too_old.len() + rejected.len();
        let why = match (too_old.first(), rejected.first()) {
            (Some(oldest), _) => {
                Some(("expired", format!("the hub keeps nothing as old as {}", oldest.timestamp)))
            }
            (None, Some(Rejected { problem, detail, .. })) => Some((
                problem.as_str(),
                format!("the hub rejects it: {} ({})", for_log(detail), for_log(problem)),
            )),
            (None, None) => None,
        };
        let Some((kind, why)) = why else {
            self.unstored_for.take_if(|(lane, _)| *lane == self.lane);
            return;
        };
        self.spool.spool.borrow_mut().count_lost(lost as u64);
        if answer.accepted == 0 {
            self.vitals.nothing_stored(format!("nothing is stored of what was sent last: {why}"));
        }
        // Said once for each reason: a spool may be full of the same.
        let said = Some((self.lane, kind.to_owned()));
        if self.unstored_for != said {
            tracing::warn!(records = lost, "let go, and counted as dropped: {why}");
            self.unstored_for = said;
        }
    }

    /// What the hub would not store because it lies in its future is spooled once more, at its time: it has consumed the
    /// numbers, but not what was measured.
    fn spool_again_what_was_ahead(&self, ahead: &[&Record], server_time: Timestamp) {
        if !ahead.is_empty() {
            self.spool_all_again(ahead, server_time);
            self.clock.learn(server_time);
            let samples = ahead.len();
            tracing::warn!(samples, "this machine's clock is ahead of the hub's; going by the hub's");
        }
    }

    /// The same for what a clock that is behind made look older than the hub keeps; it gives back what is truly as old.
    fn spool_again_what_was_slow<'a>(
        &mut self,
        expired: Vec<&'a Record>,
        server_time: Timestamp,
    ) -> Vec<&'a Record> {
        let is_slow = |record: &&Record| {
            self.slow.may_be(record) && self.clock.is_slow_of(record.timestamp, server_time)
        };
        let (slow, too_old): (Vec<_>, Vec<_>) = expired.into_iter().partition(is_slow);
        if !slow.is_empty() {
            let last = self.spool.spool.borrow().last_number();
            self.slow.through.get_or_insert(last);
            self.spool_all_again(&slow, server_time);
            self.clock.fall_behind(server_time);
            tracing::warn!(
                records = slow.len(),
                hub = %server_time,
                "this machine's clock is further behind the hub's than the hub keeps anything; going by the hub's"
            );
        }
        too_old
    }

    /// One that cannot be spooled is counted there.
    fn spool_all_again(&self, records: &[&Record], server_time: Timestamp) {
        let here = machine_time();
        for record in records {
            if let Err(error) = self.spool_again(record, server_time, here) {
                tracing::error!("a record is lost: {error}");
            }
        }
    }

    /// Spools `record` once more, at the time of a hub that said `server_time` when the machine's clock said `here`.
    pub(super) fn spool_again(
        &self,
        record: &Record,
        server_time: Timestamp,
        here: Timestamp,
    ) -> Result<(), SpoolError> {
        let timestamp = at_hubs_time(record.timestamp, server_time, here);
        self.spool.append(record.kind, timestamp, record.json.clone()).map(drop)
    }
}

/// When something was measured, by the clock of a hub that said `server_time` when the machine's said `here`: as far
/// from what was measured before it as it was, and not in the hub's future.
pub(super) fn at_hubs_time(measured: Timestamp, server_time: Timestamp, here: Timestamp) -> Timestamp {
    Offset::between(server_time, here).hub_time(measured).min(server_time)
}

#[cfg(test)]
mod tests;
