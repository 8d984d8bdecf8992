//! Pushing: what waits in the spool goes to the hub, oldest first, one request at a time, each signed as it is
//! sent; what the hub has committed leaves the spool. Once the hub is back and much waits, that is set aside: it
//! goes in full batches, and what is new goes in between.
//!
//! What each answer means is decided in [`verdict`], which is pure, and carried out in [`outcome`]; what the hub did not
//! store of what it dealt with is accounted for in [`unstored`].

mod body;
mod outcome;
mod unstored;
mod verdict;
mod witness;

pub use witness::{Witness, Word};

use crate::{
    backoff::{Backoff, REFUSED},
    clock::Clock,
    memory::give_back,
    record::SharedSpool,
    spool::Lane,
    status::Vitals,
    stop::Stop,
    transport::{Failure, Revoked, Session},
};
use body::Outgoing;
use pingup_protocol::metrics::PushAnswer;
use std::{rc::Rc, time::Duration};
use unstored::Slow;
use verdict::Sent;

/// Samples in one request at most: some minutes' worth of catching up, and little memory.
const BATCH_SAMPLES_MAX: usize = 500;
/// Bytes of samples in one request at most. A request takes a few times as much memory while it is made.
const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Bytes that were sent since nothing waited, from which on what that took of memory is given back in the end.
const SENT_BYTES_MANY: usize = 64 * 1024;
/// Records that may wait before new ones: what is more is set aside. A boot is spent for it, so it is more than goes in
/// one request.
const WAITING_MAX: u64 = 2 * BATCH_SAMPLES_MAX as u64;

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
    /// Bytes of records that were sent since nothing waited.
    sent_bytes: usize,
    /// Whether what went before that was much.
    was_long: bool,
    slow: Slow,
    /// Why the hub let something go, in a word, until it has stored all of a request of that lane again.
    unstored_for: Option<(Lane, String)>,
    /// Says whether somebody else works under this identity: from then on nothing is pushed, and nothing pulled.
    witness: Witness,
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
    /// A pusher from `spool` over `session`, which has `witness` say whether this state is a copy.
    pub fn new(
        session: Session,
        spool: Rc<SharedSpool>,
        clock: Rc<Clock>,
        vitals: Rc<Vitals>,
        witness: Witness,
    ) -> Self {
        let batch_max = BatchMax { live: BATCH_SAMPLES_MAX, backlog: BATCH_SAMPLES_MAX };
        let slow = Slow::since(spool.spool.borrow().last_number());
        Self {
            session,
            spool,
            clock,
            vitals,
            backoff: Backoff::new(REFUSED),
            lane: Lane::Live,
            batch_max,
            sent_bytes: 0,
            was_long: false,
            slow,
            unstored_for: None,
            witness,
        }
    }

    /// Pushes until told to stop.
    pub async fn run(&mut self, stop: &Stop) -> Result<(), Revoked> {
        while !stop.is_set() {
            match self.step().await? {
                Step::Moved => {}
                Step::Idle => {
                    self.come_to_rest();
                    stop.or(self.witness.wait_for(self.spool.grown())).await;
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
        if self.witness.is_copy() {
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
        self.sent_bytes += records.iter().map(|record| record.json.len()).sum::<usize>();
        let answered = outgoing.send(&mut self.session).await;
        self.vitals.pushed(&answered);
        if let Err(failure) = &answered {
            failure.log_unexpected("push");
        }
        let verdict = verdict::judge(&answered, sent);
        self.carry_out(verdict, boot, &records, answered.ok().as_ref())
    }

    /// Gives back what a long delivery took, and once more when the next was sent: what the connection had of it is let go of
    /// only by then.
    fn come_to_rest(&mut self) {
        let was_long = std::mem::take(&mut self.sent_bytes) >= SENT_BYTES_MANY;
        if was_long || self.was_long {
            give_back();
        }
        self.was_long = was_long;
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
}

/// What an attempt to push ended with.
type Answered = Result<PushAnswer, Failure>;

#[cfg(test)]
mod tests;
