//! Pulling: a request is held open until the hub has commands; each is judged ([`admit`]), taken down in the
//! journal, and only then run, one after the other, in their order. One that runs long is attended ([`attend`]): the hub
//! may follow it, and have it ended.
//!
//! An answer names the configuration that was in force when it was made: until that is in force here, no command of
//! it is run or taken down. Once this state turns out to be a copy of another machine's, none is pulled any more.

mod admit;
mod ask;
mod attend;

use crate::{
    backoff::{Backoff, random},
    clock::{Clock, machine_time},
    config::ConfigKeeper,
    execute::{self, Ending, Executor, Outcome, SoFar},
    journal::Finished,
    report::Results,
    state::StateError,
    stop::{self, Stop},
    transport::{Link, Revoked, Session},
};
use admit::{Admission, Gate};
use ask::ask;
use attend::{Attendant, Running};
use pingup_protocol::{
    command::{Action, Command, PendingAnswer, ResultStatus},
    time::Timestamp,
};
use std::{
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// An empty answer that comes sooner was not held open.
const HELD_LEAST: Duration = Duration::from_secs(1);
/// How long the commands of an answer wait for a newer configuration that it speaks of; then they are asked for anew.
const CONFIG_WITHIN: Duration = Duration::from_secs(10);
/// The wait after a first failure, and the longest.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

/// Pulls commands and sees them done.
pub struct Puller {
    session: Session,
    results: Rc<Results>,
    config: Rc<ConfigKeeper>,
    executor: Executor,
    attendant: Attendant,
    /// Says that this state is a copy.
    copied: Stop,
    backoff: Backoff,
}

/// What was made of one answer.
#[derive(Debug, Default)]
struct Handled {
    /// Commands that were handed out.
    offered: usize,
    /// Those of them that will not be handed out again.
    done: usize,
}

impl Handled {
    /// Whether to ask again at once, after an answer that was `held` so long and spoke of a new configuration or
    /// not. Commands that nothing came of will be handed out again at once; and a hub, or something before it, that
    /// does not hold the request open will not hold the next one either, unless there was news to tell.
    fn is_progress(&self, held: Duration, is_config_new: bool) -> bool {
        self.done > 0 || (self.offered == 0 && (held >= HELD_LEAST || is_config_new))
    }
}

impl Puller {
    /// A puller over `link`, until `copied` says that somebody else pulls as well.
    pub fn new(
        link: &Rc<Link>,
        results: Rc<Results>,
        config: Rc<ConfigKeeper>,
        clock: Rc<Clock>,
        executor: Executor,
        copied: Stop,
    ) -> Self {
        let (hearing, telling) = (link.session("cancel"), link.session("progress"));
        let attendant = Attendant::new(hearing, telling, Rc::clone(&config), clock);
        Self { session: link.session("pull"), results, config, executor, attendant, copied, backoff: BACKOFF }
    }

    /// Pulls until told to stop.
    pub async fn run(&mut self, stop: &Stop) -> Result<(), Revoked> {
        let copied = self.copied.clone();
        while !stop.is_set() && !copied.is_set() {
            let began = Instant::now();
            let after = self.results.journal.borrow().last_seq();
            let asked = ask(&mut self.session, after);
            let Some(asked) = stop.or(copied.or(asked)).await.flatten() else { break };
            let wait = match asked {
                Ok(answer) => self.answered(answer, began.elapsed(), stop).await,
                Err(failure) if failure.is_revoked() => return Err(Revoked::because(&failure)),
                Err(failure) => {
                    failure.log_unexpected("pull");
                    Some(self.backoff.after_failure(failure.retry_after(), random()))
                }
            };
            if let Some(duration) = wait {
                stop.sleep(duration).await;
            }
        }
        Ok(())
    }

    /// Carries out an answer; how long to wait before asking again, if at all.
    async fn answered(&mut self, answer: PendingAnswer, held: Duration, stop: &Stop) -> Option<Duration> {
        // Commands may run for hours before the last of them is judged: the machine's clock may be set back meanwhile.
        let clock = Clock::default();
        clock.learn(answer.server_time);
        let version = answer.config_version;
        let is_config_new = self.config.is_newer(version);
        self.config.hear(version);
        if let Some(Err(_)) = stop.or(timeout(CONFIG_WITHIN, self.config.decided(version))).await {
            tracing::warn!(version, "no command is run before the configuration it came with is fetched");
            return Some(self.backoff.after_failure(None, random()));
        }
        let handled = match self.handle(&answer, &clock, stop).await {
            Ok(handled) => handled,
            Err(error) => {
                tracing::error!("no command is run, since it cannot be taken down first: {error}");
                return Some(self.backoff.after_failure(None, random()));
            }
        };
        if !handled.is_progress(held, is_config_new) {
            return Some(self.backoff.after_failure(None, random()));
        }
        self.backoff.reset();
        None
    }

    async fn handle(
        &mut self,
        answer: &PendingAnswer,
        clock: &Clock,
        stop: &Stop,
    ) -> Result<Handled, StateError> {
        let mut handled = Handled { offered: answer.commands.len(), done: 0 };
        for offered in &answer.commands {
            if stop.is_set() || self.copied.is_set() {
                break;
            }
            let link = Rc::clone(self.session.link());
            let identity = link.identity();
            let gate = Gate {
                agent_id: &identity.agent_id,
                key: &identity.down,
                last_seq: self.results.journal.borrow().last_seq(),
                allow: &self.config.current().allow,
                now: clock.hub_now(),
            };
            match gate.admit(offered) {
                Admission::Run(command, _) if self.attendant.wishes().name(&command) => {
                    tracing::info!(command = command.command_id, "cancelled by the hub before it began");
                    self.finish(&command, machine_time(), Outcome::never_begun())?;
                }
                Admission::Run(command, action) => self.carry_out(&command, action, stop).await?,
                Admission::Reject(command, reason) => {
                    tracing::info!(command = command.command_id, "rejected: {reason}");
                    self.finish(&command, machine_time(), Outcome::rejected(reason))?;
                }
                Admission::Ignore(reason) => {
                    tracing::warn!("a command was thrown away: {reason}");
                    continue;
                }
            }
            handled.done += 1;
        }
        Ok(handled)
    }

    async fn carry_out(&mut self, command: &Command, action: Action, stop: &Stop) -> Result<(), StateError> {
        let started_at = machine_time();
        self.results.journal.borrow_mut().begin(command, started_at)?;
        tracing::info!(command = command.command_id, action = command.action, "running");
        let ((canceller, cancel), so_far) = (stop::channel(), SoFar::default());
        let ending = Ending::new(stop, &cancel, execute::within(&action, command.timeout_seconds));
        let config = self.config.current();
        let work = Box::pin(self.executor.run(action, &config, &ending, &so_far));
        let running = Running { command, started_at, so_far: &so_far, canceller: &canceller };
        let outcome = tokio::select! {
            biased;
            outcome = work => outcome,
            never = Box::pin(self.attendant.attend(&running)) => match never {},
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
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_again_at_once_only_where_something_came_of_it() {
        let at_once = Duration::ZERO;
        let handled = |offered, done| Handled { offered, done };
        assert!(handled(2, 1).is_progress(at_once, false));
        assert!(handled(0, 0).is_progress(HELD_LEAST, false));
        assert!(handled(0, 0).is_progress(at_once, true), "a burst of configurations holds no command up");
        assert!(!handled(0, 0).is_progress(at_once, false));
        assert!(!handled(2, 0).is_progress(HELD_LEAST, true));
    }
}
