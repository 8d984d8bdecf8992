//! What follows from an answer: for the spool, for the clock, and for the next request.

use super::{BATCH_SAMPLES_MAX, Pusher, Step, WAITING_MAX, verdict::Verdict};
use crate::{
    backoff::random,
    clock::machine_time,
    copied,
    spool::{Lane, Record, SpoolError},
    transport::Revoked,
};
use pingup_protocol::{metrics::PushAnswer, time::Timestamp};
use std::time::Duration;

impl Pusher {
    /// Does what `verdict` says of the request that brought `records`.
    pub(super) fn carry_out(
        &mut self,
        verdict: Verdict,
        boot: u64,
        records: &[Record],
        answer: Option<&PushAnswer>,
    ) -> Result<Step, Revoked> {
        self.witness.hear(&verdict);
        Ok(match verdict {
            Verdict::Committed { high_water } => self.committed(boot, high_water, records, answer),
            Verdict::Ahead { server_time } => self.ahead(server_time, records),
            Verdict::Retired { min_boot } => self.retired(min_boot),
            Verdict::Implausible { min_boot } => {
                tracing::error!(
                    min_boot,
                    "a refusal asks for a boot that cannot be one; it is ignored. If the hub made it, its record of \
                     this agent is damaged: remove the agent there, and enrol this machine anew"
                );
                Step::Wait(self.backoff.after_failure(None, random()))
            }
            Verdict::TooMuch { retry_after } => {
                *self.batch_max.of(self.lane) = (records.len() / 2).max(1);
                Step::Wait(self.backoff.after_failure(retry_after, random()))
            }
            Verdict::Refused { why } => self.refused(&why, records),
            Verdict::Conflict { why } => self.conflict(&why),
            Verdict::Later { retry_after } => Step::Wait(self.backoff.after_failure(retry_after, random())),
            // Whoever asks next waits until it is back.
            Verdict::Away => Step::Wait(Duration::ZERO),
            Verdict::Revoked { detail } => return Err(Revoked::saying(detail)),
        })
    }

    fn committed(
        &mut self,
        boot: u64,
        high_water: u64,
        records: &[Record],
        answer: Option<&PushAnswer>,
    ) -> Step {
        if let Some(answer) = answer {
            self.account_for(answer, records);
        }
        let batch_max = self.batch_max.of(self.lane);
        *batch_max = (*batch_max * 2).min(BATCH_SAMPLES_MAX);
        let acknowledged = self.spool.spool.borrow_mut().acknowledge(boot, high_water);
        let done = acknowledged.and_then(|()| self.set_aside());
        self.moved_or(done)
    }

    fn ahead(&mut self, server_time: Timestamp, records: &[Record]) -> Step {
        self.clock.learn(server_time);
        tracing::warn!(hub = %server_time, "this machine's clock is ahead of the hub's; going by the hub's");
        let here = machine_time();
        let appended = records.iter().try_for_each(|record| self.spool_again(record, server_time, here));
        let discarded = appended.and_then(|()| {
            let through = records.last().map_or(0, |record| record.number);
            self.spool.spool.borrow_mut().acknowledge_number(through)
        });
        self.remedied(discarded)
    }

    fn retired(&mut self, min_boot: u64) -> Step {
        let begun = self.spool.spool.borrow_mut().begin_boot(self.lane, min_boot, machine_time());
        tracing::warn!(
            boot = self.spool.spool.borrow().boot(self.lane),
            "the hub knows a later boot; began a new one"
        );
        self.remedied(begun)
    }

    /// One of several is looked for by halves; one alone goes.
    fn refused(&mut self, why: &str, records: &[Record]) -> Step {
        if records.len() > 1 {
            tracing::debug!("sending less at a time: {why}");
            *self.batch_max.of(self.lane) = records.len() / 2;
            return Step::Moved;
        }
        tracing::error!("the hub will never take one record of the spool; it is dropped: {why}");
        let number = records.first().map_or(0, |record| record.number);
        let discarded = self.spool.spool.borrow_mut().discard_through(number);
        self.moved_or(discarded)
    }

    /// It was kept and told already; here it is said.
    fn conflict(&self, why: &str) -> Step {
        tracing::error!(
            "{why}: another machine uses this agent's identity, or its state was rolled back. Nothing is \
             pushed and no command is run any more, nor after the next start. On the machine that is the copy stop the \
             agent, call `pingup-agent reset`, and start it with a new join token"
        );
        self.vitals.copied(copied::with_remedy(why));
        Step::Idle
    }

    /// The hub takes what it is sent: what piled up need not hold up what is new.
    fn set_aside(&self) -> Result<(), SpoolError> {
        let mut spool = self.spool.spool.borrow_mut();
        let waiting = spool.waiting();
        if spool.set_aside(WAITING_MAX, machine_time())? {
            tracing::info!(
                records = waiting,
                boot = spool.boot(Lane::Live),
                "much waits; what is new goes beside it"
            );
        }
        Ok(())
    }

    pub(super) fn moved_or(&mut self, done: Result<(), SpoolError>) -> Step {
        match done {
            Ok(()) => {
                self.backoff.reset();
                Step::Moved
            }
            Err(error) => self.cannot(&error),
        }
    }

    /// What was wrong is put right. Should the hub see that otherwise, it is not asked without end.
    fn remedied(&mut self, done: Result<(), SpoolError>) -> Step {
        match done {
            Ok(()) => Step::Wait(self.backoff.after_failure(None, random())),
            Err(error) => self.cannot(&error),
        }
    }

    pub(super) fn cannot(&mut self, error: &SpoolError) -> Step {
        tracing::error!("{error}");
        self.witness.hear_nothing();
        Step::Wait(self.backoff.after_failure(None, random()))
    }
}
