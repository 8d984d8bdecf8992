//! What an answer to a push means. Pure.

use super::Answered;
use crate::transport::Failure;
use pingup_protocol::{problem::ProblemType, time::Timestamp};
use std::time::Duration;

/// The greatest boot there can be: the greatest integer that JSON carries unharmed everywhere (2^53 − 1).
const BOOT_MAX: u64 = (1 << 53) - 1;
/// Boots are moments in milliseconds. One that lies further ahead of the hub's clock than this is none.
const BOOT_AHEAD_MILLIS_MAX: u64 = 24 * 3_600 * 1_000;

/// What was sent, in sequence numbers of its boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// The boot.
    pub(super) boot: u64,
    /// When, by the hub's clock as far as it is known.
    pub(super) at: Timestamp,
    /// The first number of the request.
    pub(super) first: u64,
    /// The last number of the request.
    pub(super) last: u64,
    /// The last number that was given out at all when this was sent.
    pub(super) last_given: u64,
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Everything up to here is on the hub's disk.
    Committed { high_water: u64 },
    /// What was sent lies in the hub's future: take its time, and send it anew.
    Ahead { server_time: Timestamp },
    /// The boot is too old: begin one that is not before this.
    Retired { min_boot: u64 },
    /// The boot is said to be too old, and what is asked for instead can be none.
    Implausible { min_boot: u64 },
    /// The hub will never take it as it is.
    Refused { why: String },
    /// Something before the hub takes less at a time: that is no reason to give anything up.
    TooMuch { retry_after: Option<Duration> },
    /// Someone else sends under this identity, or our state went back in time.
    Conflict { why: String },
    /// Try again.
    Later { retry_after: Option<Duration> },
    /// The hub is away.
    Away,
    /// We are not to come back.
    Revoked { detail: String },
}

/// Judges the answer to `sent`.
pub(super) fn judge(answered: &Answered, sent: Sent) -> Verdict {
    match answered {
        Ok(answer) => match answer.high_water {
            Some(high_water) if high_water > sent.last_given => Verdict::Conflict {
                why: format!(
                    "the hub has sequence number {high_water} of this boot, and only {} were given out here",
                    sent.last_given
                ),
            },
            Some(high_water) if high_water >= sent.first => Verdict::Committed { high_water },
            // A 200 that covers nothing of what it answers promises nothing.
            _ => Verdict::Later { retry_after: None },
        },
        Err(failure) => judge_failure(failure, sent),
    }
}

fn judge_failure(failure: &Failure, sent: Sent) -> Verdict {
    let later = Verdict::Later { retry_after: failure.retry_after() };
    let Some(refusal) = failure.refusal() else {
        return if failure.is_absence() { Verdict::Away } else { later };
    };
    let why = || refusal.to_string();
    match refusal.kind {
        Some(ProblemType::AgentRevoked) => Verdict::Revoked { detail: refusal.detail.clone() },
        Some(ProblemType::SequenceConflict) => Verdict::Conflict { why: why() },
        Some(ProblemType::BootRetired) => judge_boot(
            refusal.min_boot.unwrap_or_default(),
            refusal.server_time.unwrap_or(sent.at),
            sent.boot,
        ),
        Some(ProblemType::TimestampInFuture) => match refusal.server_time {
            Some(server_time) if sent.first == sent.last => Verdict::Ahead { server_time },
            _ => Verdict::Refused { why: why() },
        },
        // The hub says that the body itself is what is wrong. Everything else that is no is about who we are or
        // where we ask, or does not come from the hub, and nothing that was measured is thrown away for it.
        Some(kind) if !kind.retryable() && matches!(kind.status(), 400 | 413 | 422) => {
            Verdict::Refused { why: why() }
        }
        None if refusal.status == 413 => Verdict::TooMuch { retry_after: refusal.retry_after },
        _ => later,
    }
}

/// A boot that is taken stays: one that cannot be one would stop this agent for good.
fn judge_boot(min_boot: u64, hub: Timestamp, own: u64) -> Verdict {
    let hub_millis = u64::try_from(hub.as_micros() / 1_000).unwrap_or_default();
    let is_ahead = min_boot > hub_millis.saturating_add(BOOT_AHEAD_MILLIS_MAX) && min_boot > own;
    match min_boot > BOOT_MAX || is_ahead {
        true => Verdict::Implausible { min_boot },
        false => Verdict::Retired { min_boot },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Refusal;
    use pingup_protocol::{metrics::PushAnswer, problem::Problem};

    const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
    const NOON_MILLIS: u64 = 1_800_000_000_000;
    const SENT: Sent = Sent { boot: NOON_MILLIS, at: NOON, first: 5, last: 8, last_given: 10 };

    fn committed(high_water: Option<u64>) -> Answered {
        let rejected = Vec::new();
        Ok(PushAnswer {
            accepted: 0,
            duplicates: 0,
            duplicates_expired: 0,
            expired: 0,
            rejected,
            high_water,
            server_time: NOON,
        })
    }

    fn refused(kind: ProblemType) -> Answered {
        let mut problem = Problem::new(kind, "x");
        problem.server_time = Some(NOON);
        problem.min_boot = Some(77);
        let body = serde_json::to_vec(&problem).unwrap();
        Err(Failure::Refused(Box::new(Refusal::read(kind.status(), Some(Duration::from_secs(3)), &body))))
    }

    #[test]
    fn a_mark_covers_what_it_says_and_no_more() {
        assert_eq!(judge(&committed(Some(8)), SENT), Verdict::Committed { high_water: 8 });
        assert_eq!(judge(&committed(Some(10)), SENT), Verdict::Committed { high_water: 10 });
        for promises_nothing in [Some(4), None] {
            assert_eq!(judge(&committed(promises_nothing), SENT), Verdict::Later { retry_after: None });
        }
    }

    #[test]
    fn a_mark_beyond_what_was_given_out_is_someone_elses() {
        assert!(matches!(judge(&committed(Some(11)), SENT), Verdict::Conflict { .. }));
        assert!(matches!(judge(&refused(ProblemType::SequenceConflict), SENT), Verdict::Conflict { .. }));
    }

    #[test]
    fn only_what_is_wrong_with_the_body_costs_the_body() {
        for &kind in ProblemType::ALL {
            let thrown_away = matches!(judge(&refused(kind), SENT), Verdict::Refused { .. });
            assert_eq!(thrown_away, matches!(kind.status(), 400 | 413 | 422), "{}", kind.name());
        }
    }

    #[test]
    fn what_is_no_problem_of_the_hubs_costs_nothing() {
        let bare = |status, body: &[u8]| {
            judge(&Err(Failure::Refused(Box::new(Refusal::read(status, None, body)))), SENT)
        };
        for status in [301, 400, 403, 404, 409, 422, 500] {
            for body in [&b"<html>"[..], b"{}", br#"{"type":"urn:pingup:problem:unheard-of"}"#] {
                assert_eq!(bare(status, body), Verdict::Later { retry_after: None }, "{status}");
            }
        }
        assert_eq!(bare(413, b"<html>"), Verdict::TooMuch { retry_after: None });
    }

    #[test]
    fn a_hub_that_is_away_is_none_that_says_not_now() {
        let away = Err(Failure::Unreachable { hub: "x".into(), reason: "refused".into() });
        assert_eq!(judge(&away, SENT), Verdict::Away);
        let another = Err(Failure::Untrusted { hub: "x".into(), reason: "its key is another".into() });
        assert_eq!(judge(&another, SENT), Verdict::Away, "whatever it would say");
        let strange = Err(Failure::Unverified("x".into()));
        assert_eq!(judge(&strange, SENT), Verdict::Later { retry_after: None });
    }

    #[test]
    fn a_boot_that_can_be_none_is_not_begun() {
        let tomorrow = NOON_MILLIS + BOOT_AHEAD_MILLIS_MAX;
        for min_boot in [0, NOON_MILLIS, tomorrow] {
            assert_eq!(judge_boot(min_boot, NOON, NOON_MILLIS), Verdict::Retired { min_boot });
        }
        for min_boot in [tomorrow + 1, BOOT_MAX, BOOT_MAX + 1, u64::MAX] {
            assert_eq!(judge_boot(min_boot, NOON, NOON_MILLIS), Verdict::Implausible { min_boot });
        }
        let own = Verdict::Retired { min_boot: BOOT_MAX };
        assert_eq!(judge_boot(BOOT_MAX, NOON, BOOT_MAX), own, "this machine went as far itself");
    }

    #[test]
    fn refusals_with_a_remedy_name_it() {
        let one = Sent { last: 5, ..SENT };
        assert_eq!(
            judge(&refused(ProblemType::TimestampInFuture), one),
            Verdict::Ahead { server_time: NOON }
        );
        assert_eq!(judge(&refused(ProblemType::BootRetired), SENT), Verdict::Retired { min_boot: 77 });
        let later = Verdict::Later { retry_after: Some(Duration::from_secs(3)) };
        assert_eq!(judge(&refused(ProblemType::Overloaded), SENT), later);
        assert!(matches!(judge(&refused(ProblemType::AgentRevoked), SENT), Verdict::Revoked { .. }));
    }
}
