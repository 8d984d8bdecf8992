//! What is done with the commands of an answer: judged, taken down, run, and their results kept, in their order.

use super::{
    admit::{Admission, Admitted, Gate},
    attend::{Running, Teller, Wishes},
};
use crate::{
    clock::{Told, machine_time, steady},
    config::ConfigKeeper,
    execute::{self, Ending, Executor, Outcome, SoFar},
    identity::Identity,
    journal::Finished,
    orders::{Mark, Signers, Sure, Times},
    report::Results,
    state::StateError,
    stop::{self, Stop},
};
use pingup_protocol::{
    command::{Action, Command, ResultStatus},
    time::Timestamp,
};
use serde_json::Value;
use std::{cell::Cell, rc::Rc, time::Duration};

/// An empty answer that comes sooner was not held open.
const HELD_LEAST: Duration = Duration::from_secs(1);
/// How far what is written down of the time may be behind, where orders are judged by it: by as much a restart sets it back.
const SURE_EVERY_MICROS: i64 = 600 * 1_000_000;

/// Does what was asked.
pub(super) struct Hand {
    /// By which keys the answer was asked for that is worked off: its commands are signed by the same.
    pub(super) asked_as: Rc<Identity>,
    pub(super) results: Rc<Results>,
    pub(super) config: Rc<ConfigKeeper>,
    pub(super) executor: Executor,
    /// Whose orders count, and for what.
    pub(super) signers: Rc<Signers>,
    /// What time it is at least.
    pub(super) sure: Cell<Sure>,
    /// What is not to be begun, or to be ended.
    pub(super) wishes: Rc<Wishes>,
    pub(super) teller: Teller,
    /// Says that this state is a copy.
    pub(super) copied: Stop,
}

/// What was made of one answer.
#[derive(Debug, Default)]
pub(super) struct Handled {
    /// Commands that were handed out.
    offered: usize,
    /// Those of them that will not be handed out again.
    done: usize,
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// It was taken down.
    Down,
    /// It was not this agent's to answer for.
    Thrown,
    /// It is left, with all behind it, for the hub to end.
    Left,
}

impl Handled {
    /// Whether to ask again at once, after an answer that was `held` so long and spoke of a new configuration or
    /// not. Commands that nothing came of will be handed out again at once; and a hub, or something before it, that
    /// does not hold the request open will not hold the next one either, unless there was news to tell.
    pub(super) fn is_progress(&self, held: Duration, is_config_new: bool) -> bool {
        self.done > 0 || (self.offered == 0 && (held >= HELD_LEAST || is_config_new))
    }
}

impl Hand {
    /// The last command that was taken down.
    pub(super) fn last_seq(&self) -> u64 {
        self.results.journal.borrow().last_seq()
    }

    /// Works off the `commands` of an answer, which `told` what time the hub has. Those that are left, because the agent
    /// stops, or the time is not certain any more, or is over for one of them, the hub hands out again, or ends. None behind
    /// one that is left is taken down: the hub would take that one for begun.
    pub(super) async fn work_off(
        &mut self,
        commands: &[Value],
        told: Told,
        stop: &Stop,
    ) -> Result<Handled, StateError> {
        let mut handled = Handled { offered: commands.len(), done: 0 };
        self.note_time(told)?;
        for offered in commands {
            if stop.is_set() || self.copied.is_set() {
                break;
            }
            let Some(now) = told.now() else {
                tracing::warn!("a clock of this machine was set; the commands that wait are asked for anew");
                break;
            };
            match self.take(offered, (told.said(), now), stop).await? {
                Taken::Down => handled.done += 1,
                Taken::Thrown => {}
                Taken::Left => break,
            }
        }
        Ok(handled)
    }

    /// Learns what time it is at least, and keeps that from time to time; only where orders are judged by it.
    fn note_time(&self, told: Told) -> Result<(), StateError> {
        let Some(hub) = told.now().filter(|_| self.signers.are_there()) else { return Ok(()) };
        let mut sure = self.sure.get();
        sure.learn(hub, machine_time(), steady());
        self.sure.set(sure);
        let (now, mut journal) = (sure.now(steady()), self.results.journal.borrow_mut());
        let behind = now.as_micros().saturating_sub(journal.sure().unwrap_or_default().as_micros());
        if behind >= SURE_EVERY_MICROS { journal.keep_sure(now) } else { Ok(()) }
    }

    /// Judges one that was handed out then, by the hub's clock, which says `now`; and does what follows.
    async fn take(
        &mut self,
        offered: &Value,
        (handed_out, now): (Timestamp, Timestamp),
        stop: &Stop,
    ) -> Result<Taken, StateError> {
        let identity = Rc::clone(&self.asked_as);
        let times = Times { hub: now, machine: machine_time(), sure: self.sure.get().now(steady()) };
        let admission = Gate {
            agent_id: &identity.agent_id,
            key: &identity.down,
            last_seq: self.last_seq(),
            handed_out,
            allow: &self.config.current().allow,
            signers: &self.signers,
            spent: self.results.journal.borrow().spent(),
            times,
        }
        .admit(offered);
        match admission {
            Admission::Run(Admitted { command, mark }, _) if self.wishes.name(&command) => {
                tracing::info!(command = command.command_id, "cancelled by the hub before it began");
                self.spend(mark)?;
                self.finish(&command, machine_time(), Outcome::never_begun())?;
            }
            Admission::Run(admitted, action) => self.carry_out(admitted, action, stop).await?,
            Admission::Reject(Admitted { command, mark }, reason) => {
                tracing::info!(command = command.command_id, "rejected: {reason}");
                self.spend(mark)?;
                self.finish(&command, machine_time(), Outcome::rejected(reason))?;
            }
            Admission::NotOrdered(Admitted { command, mark }, reason) => {
                tracing::warn!(command = command.command_id, "rejected, since nobody ordered it: {reason}");
                self.spend(mark)?;
                self.finish(&command, machine_time(), Outcome::rejected(reason))?;
            }
            Admission::Ignore(reason) => {
                tracing::warn!("a command was thrown away: {reason}");
                return Ok(Taken::Thrown);
            }
            Admission::Leave(Command { command_id, expires_at, .. }) => {
                tracing::info!(command = command_id, "not begun: it expired here, at {expires_at}");
                return Ok(Taken::Left);
            }
        }
        Ok(Taken::Down)
    }

    /// An order whose command was answered for without being run is used all the same: its operator may have signed another
    /// since.
    fn spend(&self, mark: Option<Mark>) -> Result<(), StateError> {
        mark.map_or(Ok(()), |mark| self.results.journal.borrow_mut().spend(mark))
    }

    async fn carry_out(&mut self, admitted: Admitted, action: Action, stop: &Stop) -> Result<(), StateError> {
        let (Admitted { command, mark }, started_at) = (admitted, machine_time());
        let command = &command;
        self.results.journal.borrow_mut().begin(command, mark, started_at)?;
        tracing::info!(command = command.command_id, action = command.action, "running");
        let ((canceller, cancel), so_far) = (stop::channel(), SoFar::default());
        let ending = Ending::new(stop, &cancel, execute::within(&action, command.timeout_seconds));
        let config = self.config.current();
        let work = Box::pin(self.executor.run(action, &config, &ending, &so_far));
        let running = Running { command, started_at, so_far: &so_far };
        let outcome = tokio::select! {
            biased;
            outcome = work => outcome,
            never = self.wishes.end(command, &canceller) => match never {},
            never = Box::pin(self.teller.tell(&running)) => match never {},
        };
        self.finish(command, started_at, outcome)
    }

    fn finish(&self, command: &Command, started_at: Timestamp, outcome: Outcome) -> Result<(), StateError> {
        let Outcome { status, exit_code, output } = outcome;
        let finished = Finished {
            command_id: command.command_id.clone(),
            command_seq: command.command_seq,
            status,
            exit_code,
            output,
            started_at,
            finished_at: machine_time().max(started_at),
        };
        debug_assert!(status != ResultStatus::Unknown, "what is known is told");
        self.results.add(finished)
    }
}

#[cfg(test)]
mod tests;
