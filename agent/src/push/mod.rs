//! Pushing: what waits in the spool goes to the hub, oldest first, one request at a time, each signed as it is
//! sent; what the hub has committed leaves the spool. Once the hub is back and much waits, that is set aside: it
//! goes in full batches, and what is new goes in between.
//!
//! What each answer means is decided in [`verdict`], which is pure; here it is carried out.

mod body;
mod verdict;

use crate::{
    backoff::{Backoff, random},
    clock::{Clock, Offset, machine_time},
    record::SharedSpool,
    spool::{Lane, Record, SpoolError},
    status::Vitals,
    stop::{Stop, Stopper},
    transport::{Failure, Revoked, Session, for_log},
};
use body::{Outgoing, is_ahead};
use pingup_protocol::{metrics::PushAnswer, time::Timestamp};
use std::{rc::Rc, time::Duration};
use verdict::{Sent, Verdict};

/// Samples in one request at most: some minutes' worth of catching up, and little memory.
const BATCH_SAMPLES_MAX: usize = 500;
/// Bytes of samples in one request at most. A request takes a few times as much memory while it is made.
const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Records that may wait before new ones: what is more is set aside. A boot is spent for it, so it is more than goes in
/// one request.
const WAITING_MAX: u64 = 2 * BATCH_SAMPLES_MAX as u64;
/// The wait after a first failure, and the longest.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

/// Pushes.
pub struct Pusher {
    session: Session,
    spool: Rc<SharedSpool>,
    clock: Rc<Clock>,
    vitals: Rc<Vitals>,
    backoff: Backoff,
    /// The lane of the last request: the other one is next.
    lane: Lane,
    batch_max: BatchMax,
    /// Says that somebody else works under this identity: from then on nothing is pushed, and nothing pulled.
    copy_found: Stopper,
}

/// Samples in the next request of a lane at most: less after a refusal, to find the one that is refused.
struct BatchMax {
    live: usize,
    backlog: usize,
}

impl BatchMax {
    const fn of(&mut self, lane: Lane) -> &mut usize {
        match lane {
            Lane::Live => &mut self.live,
            Lane::Backlog => &mut self.backlog,
        }
    }
}

/// What became of one request.
enum Step {
    /// Nothing waits.
    Idle,
    /// Something moved.
    Moved,
    /// Try again after this.
    Wait(Duration),
}

impl Pusher {
    /// A pusher from `spool` over `session`, which says so once it finds that this state is a copy.
    pub const fn new(
        session: Session,
        spool: Rc<SharedSpool>,
        clock: Rc<Clock>,
        vitals: Rc<Vitals>,
        copy_found: Stopper,
    ) -> Self {
        let batch_max = BatchMax { live: BATCH_SAMPLES_MAX, backlog: BATCH_SAMPLES_MAX };
        Self { session, spool, clock, vitals, backoff: BACKOFF, lane: Lane::Live, batch_max, copy_found }
    }

    /// Pushes until told to stop.
    pub async fn run(&mut self, stop: &Stop) -> Result<(), Revoked> {
        while !stop.is_set() {
            match self.step().await? {
                Step::Moved => {}
                Step::Idle => {
                    stop.or(self.spool.grown()).await;
                }
                Step::Wait(duration) => stop.sleep(duration).await,
            }
        }
        Ok(())
    }

    /// Pushes what waits until nothing does, or until it does not get through.
    pub async fn drain(&mut self) -> Result<(), Revoked> {
        while let Step::Moved = self.step().await? {}
        Ok(())
    }

    async fn step(&mut self) -> Result<Step, Revoked> {
        if self.copy_found.is_set() {
            return Ok(Step::Idle);
        }
        let Some(lane) = self.next_lane() else { return Ok(Step::Idle) };
        self.lane = lane;
        let oldest = self.spool.spool.borrow().oldest(lane, *self.batch_max.of(lane), BATCH_BYTES_MAX);
        let records = match oldest {
            Ok(records) => records,
            Err(error) => return Ok(self.cannot(&error)),
        };
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return Ok(self.nothing_found(lane));
        };
        let sent = {
            let spool = self.spool.spool.borrow();
            let (first, last) = (spool.seq_of(first), spool.seq_of(last));
            let (boot, last_given) = (spool.boot(lane), spool.last_seq(lane));
            Sent { boot, at: self.clock.hub_now(), first, last, last_given }
        };
        let boot = sent.boot;
        let agent_id = self.session.link().identity().agent_id.clone();
        let Some(outgoing) = Outgoing::read(&agent_id, boot, sent.first, &records) else {
            tracing::error!(number = first.number, "a record in the spool cannot be read; it is dropped");
            let discarded = self.spool.spool.borrow_mut().discard_through(first.number);
            return Ok(self.moved_or(discarded));
        };
        let answered = outgoing.send(&mut self.session).await;
        self.vitals.pushed(&answered);
        if let Err(failure) = &answered {
            failure.log_unexpected("push");
        }
        let verdict = verdict::judge(&answered, sent);
        self.carry_out(verdict, boot, &records, answered.ok().as_ref())
    }

    /// Each lane in its turn, so that neither waits for more than one request of the other.
    fn next_lane(&self) -> Option<Lane> {
        let spool = self.spool.spool.borrow();
        [self.lane.other(), self.lane].into_iter().find(|&lane| spool.waits_in(lane))
    }

    /// Something should wait in `lane`, and cannot be found: it was damaged, and is counted.
    fn nothing_found(&mut self, lane: Lane) -> Step {
        match lane {
            Lane::Live => Step::Idle,
            Lane::Backlog => {
                let ended = self.spool.spool.borrow_mut().end_backlog();
                self.moved_or(ended)
            }
        }
    }

    fn carry_out(
        &mut self,
        verdict: Verdict,
        boot: u64,
        records: &[Record],
        answer: Option<&PushAnswer>,
    ) -> Result<Step, Revoked> {
        match verdict {
            Verdict::Committed { high_water } => {
                if let Some(answer) = answer {
                    self.spool_again_what_was_ahead(answer, records);
                }
                let batch_max = self.batch_max.of(self.lane);
                *batch_max = (*batch_max * 2).min(BATCH_SAMPLES_MAX);
                let acknowledged = self.spool.spool.borrow_mut().acknowledge(boot, high_water);
                let done = acknowledged.and_then(|()| self.set_aside());
                Ok(self.moved_or(done))
            }
            Verdict::Ahead { server_time } => {
                self.clock.learn(server_time);
                tracing::warn!(hub = %server_time, "this machine's clock is ahead of the hub's; going by the hub's");
                let appended = records.iter().try_for_each(|record| self.append_again(record, server_time));
                let discarded = appended.and_then(|()| {
                    let through = records.last().map_or(0, |record| record.number);
                    self.spool.spool.borrow_mut().acknowledge_number(through)
                });
                Ok(self.remedied(discarded))
            }
            Verdict::Retired { min_boot } => {
                let begun = self.spool.spool.borrow_mut().begin_boot(self.lane, min_boot, machine_time());
                tracing::warn!(
                    boot = self.spool.spool.borrow().boot(self.lane),
                    "the hub knows a later boot; began a new one"
                );
                Ok(self.remedied(begun))
            }
            Verdict::Implausible { min_boot } => {
                tracing::error!(
                    min_boot,
                    "a refusal asks for a boot that cannot be one; it is ignored. If the hub made it, its record of \
                     this agent is damaged: remove the agent there, and enrol this machine anew"
                );
                Ok(Step::Wait(self.backoff.after_failure(None, random())))
            }
            Verdict::TooMuch { retry_after } => {
                *self.batch_max.of(self.lane) = (records.len() / 2).max(1);
                Ok(Step::Wait(self.backoff.after_failure(retry_after, random())))
            }
            Verdict::Refused { why } if records.len() > 1 => {
                tracing::debug!("sending less at a time: {why}");
                *self.batch_max.of(self.lane) = records.len() / 2;
                Ok(Step::Moved)
            }
            Verdict::Refused { why } => {
                tracing::error!("the hub will never take one record of the spool; it is dropped: {why}");
                let number = records.first().map_or(0, |record| record.number);
                let discarded = self.spool.spool.borrow_mut().discard_through(number);
                Ok(self.moved_or(discarded))
            }
            Verdict::Conflict { why } => {
                tracing::error!(
                    "{why}: another machine uses this agent's identity, or its state was rolled back. Nothing is \
                     pushed and no command is run any more. Give each machine an identity of its own: empty the state directory of the \
                     copy and enrol it with a new join token (for this machine one made with --replace)"
                );
                self.vitals.copied(why);
                self.copy_found.stop();
                Ok(Step::Idle)
            }
            Verdict::Later { retry_after } => {
                Ok(Step::Wait(self.backoff.after_failure(retry_after, random())))
            }
            Verdict::Revoked { detail } => Err(Revoked::saying(detail)),
        }
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

    /// Samples that the hub would not store because they lie in its future are spooled once more, at its
    /// time: it has consumed their numbers, but not what was measured.
    fn spool_again_what_was_ahead(&self, answer: &PushAnswer, records: &[Record]) {
        let mut ahead = 0_usize;
        for rejected in &answer.rejected {
            let seq_of = |record: &&Record| self.spool.spool.borrow().seq_of(record) == rejected.seq;
            match records.iter().find(seq_of) {
                Some(record) if is_ahead(rejected) => {
                    ahead += 1;
                    if let Err(error) = self.append_again(record, answer.server_time) {
                        tracing::error!("a sample is lost: {error}");
                    }
                }
                _ => tracing::warn!(
                    seq = rejected.seq,
                    "the hub rejected a sample: {} ({})",
                    for_log(&rejected.detail),
                    for_log(&rejected.problem),
                ),
            }
        }
        if ahead > 0 {
            self.clock.learn(answer.server_time);
            tracing::warn!(samples = ahead, "this machine's clock is ahead of the hub's; going by the hub's");
        }
    }

    fn append_again(&self, record: &Record, server_time: Timestamp) -> Result<(), SpoolError> {
        let timestamp = at_hubs_time(record.timestamp, server_time, machine_time());
        self.spool.append(record.kind, timestamp, record.json.clone()).map(drop)
    }

    fn moved_or(&mut self, done: Result<(), SpoolError>) -> Step {
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

    fn cannot(&mut self, error: &SpoolError) -> Step {
        tracing::error!("{error}");
        Step::Wait(self.backoff.after_failure(None, random()))
    }
}

/// What an attempt to push ended with.
type Answered = Result<PushAnswer, Failure>;

/// When something was measured, by the clock of a hub that said `server_time` when the machine's said `here`: as far
/// from what was measured before it as it was, and not in the hub's future.
fn at_hubs_time(measured: Timestamp, server_time: Timestamp, here: Timestamp) -> Timestamp {
    Offset::between(server_time, here).hub_time(measured).min(server_time)
}

#[cfg(test)]
mod tests;
