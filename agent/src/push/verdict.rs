//! What an answer to a push means. Pure.

use super::Answered;
use crate::transport::Failure;
use pingup_protocol::{problem::ProblemType, time::Timestamp};
use std::time::Duration;

/// What was sent, in sequence numbers of its boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
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
    /// It will never be taken as it is.
    Refused { why: String },
    /// Someone else sends under this identity, or our state went back in time.
    Conflict { why: String },
    /// Try again.
    Later { retry_after: Option<Duration> },
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
    let Some(refusal) = failure.refusal() else { return later };
    let why = || refusal.to_string();
    match refusal.kind {
        Some(ProblemType::AgentRevoked) => Verdict::Revoked { detail: refusal.detail.clone() },
        Some(ProblemType::SequenceConflict) => Verdict::Conflict { why: why() },
        Some(ProblemType::BootRetired) => Verdict::Retired { min_boot: refusal.min_boot.unwrap_or_default() },
        Some(ProblemType::TimestampInFuture) => match refusal.server_time {
            Some(server_time) if sent.first == sent.last => Verdict::Ahead { server_time },
            _ => Verdict::Refused { why: why() },
        },
        // The body itself is what is wrong. Everything else that is no is about who we are or where we ask,
        // and nothing that was measured is thrown away for it.
        _ if !refusal.is_passing() && matches!(refusal.status, 400 | 413 | 422) => {
            Verdict::Refused { why: why() }
        }
        _ => later,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Refusal;
    use pingup_protocol::{metrics::PushAnswer, problem::Problem};

    const SENT: Sent = Sent { first: 5, last: 8, last_given: 10 };
    const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn committed(high_water: Option<u64>) -> Answered {
        let rejected = Vec::new();
        Ok(PushAnswer { accepted: 0, duplicates: 0, expired: 0, rejected, high_water, server_time: NOON })
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
    fn refusals_with_a_remedy_name_it() {
        let one = Sent { first: 5, last: 5, last_given: 10 };
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
