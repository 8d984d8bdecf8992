//! Beside commands that run: hears what the hub wants ended, and tells the hub that one runs and what it printed
//! so far. Commands that are quick are over before any of this begins, and cost no request more.
//!
//! What is to be ended is asked for the whole of an answer's commands, not for each: where many short ones wait, the
//! last of them can be taken back too. It is asked over the connection that waits for commands otherwise.
//!
//! None of it is needed for a command to be carried out and reported: a hub that does not know these questions, or is
//! away, changes nothing but that nobody watches.

use super::ask::ask_what_to_end;
use crate::{
    backoff::{Backoff, REFUSED},
    clock::Clock,
    config::ConfigKeeper,
    execute::SoFar,
    stop::Stopper,
    transport::{Failure, Session},
};
use pingup_protocol::{
    command::{Command, ProgressAnswer, ProgressBody},
    time::Timestamp,
};
use std::{cell::RefCell, collections::BTreeSet, convert::Infallible, rc::Rc, time::Duration};
use tokio::{sync::Notify, time::sleep};

/// How long commands run before they are attended.
const ATTEND_AFTER: Duration = Duration::from_secs(1);
/// The least time between two messages of the same kind.
const EVERY: Duration = Duration::from_secs(1);
/// Wishes that are kept: more than the hub says at once.
const WISHES_MAX: usize = 256;

/// Commands that the hub wants ended. It repeats them until they are, so the newest answer is all there is to know.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    wanted: RefCell<BTreeSet<String>>,
    changed: Notify,
}

impl Wishes {
    /// Takes what an answer said.
    pub(super) fn hear(&self, cancel: Vec<String>) {
        *self.wanted.borrow_mut() = cancel.into_iter().take(WISHES_MAX).collect();
        self.changed.notify_waiters();
    }

    /// Whether this command is among them.
    pub(super) fn name(&self, command: &Command) -> bool {
        self.wanted.borrow().contains(&command.command_id)
    }

    /// Has `canceller` end this command as soon as it is among them.
    pub(super) async fn end(&self, command: &Command, canceller: &Stopper) -> Infallible {
        loop {
            // From before the look: a change after it is heard of.
            let changed = self.changed.notified();
            if self.name(command) && !canceller.is_set() {
                tracing::info!(command = command.command_id, "cancelled by the hub; it is ended");
                canceller.stop();
            }
            changed.await;
        }
    }
}

/// Asks what is to be ended, again and again, until this is dropped; not before commands run for a while.
pub(super) async fn hear(session: &mut Session, config: &ConfigKeeper, wishes: &Wishes) -> Infallible {
    let mut backoff = Backoff::new(REFUSED);
    let mut pause = ATTEND_AFTER;
    loop {
        sleep(pause).await;
        pause = match ask_what_to_end(session).await {
            Ok(answer) => {
                backoff.reset();
                config.hear(answer.config_version);
                wishes.hear(answer.cancel);
                EVERY
            }
            Err(failure) => {
                failure.log_unexpected("cancel");
                failure.wait(&mut backoff)
            }
        };
    }
}

/// A command that runs.
pub(super) struct Running<'a> {
    /// Which.
    pub(super) command: &'a Command,
    /// Since when.
    pub(super) started_at: Timestamp,
    /// What it printed.
    pub(super) so_far: &'a SoFar,
}

/// Tells of commands, one at a time.
pub(super) struct Teller {
    session: Session,
    clock: Rc<Clock>,
}

impl Teller {
    pub(super) const fn new(session: Session, clock: Rc<Clock>) -> Self {
        Self { session, clock }
    }

    /// Tells that it runs, and what it printed since that was told last, for as long as the hub wants to hear it, until
    /// this is dropped.
    pub(super) async fn tell(&mut self, running: &Running<'_>) -> Infallible {
        let (mut backoff, mut told, mut pause) = (Backoff::new(REFUSED), None, ATTEND_AFTER);
        loop {
            sleep(pause).await;
            pause = EVERY;
            let output = running.so_far.piece(told.unwrap_or(0));
            if told.is_some() && output.is_empty() {
                continue;
            }
            match self.post(running, told.unwrap_or(0), output).await {
                Ok(answer) if answer.status.is_final() => break,
                Ok(answer) => {
                    backoff.reset();
                    told = Some(answer.output_bytes);
                }
                // A hub of before, which does not know the route, or one that knows better.
                Err(Failure::Refused(refusal)) if !refusal.is_passing() => break,
                Err(failure) => {
                    failure.log_unexpected("progress");
                    pause = failure.wait(&mut backoff);
                }
            }
        }
        std::future::pending().await
    }

    async fn post(
        &mut self,
        running: &Running<'_>,
        offset: u64,
        output: String,
    ) -> Result<ProgressAnswer, Failure> {
        let command = running.command;
        let body = ProgressBody {
            agent_id: self.session.link().identity().agent_id.clone(),
            timestamp: self.clock.now(),
            command_id: command.command_id.clone(),
            command_seq: command.command_seq,
            started_at: running.started_at,
            offset,
            output,
        };
        let route = format!("/api/v1/commands/{}/progress", command.command_id);
        let answer = self.session.post(&route, &body).await?;
        serde_json::from_slice(&answer).map_err(|error| Failure::Unverified(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop;

    fn command(number: usize) -> Command {
        Command {
            command_id: format!("CMD-2027-{number:03}"),
            agent_id: pingup_protocol::ids::AgentId::parse("a").unwrap(),
            command_seq: 1,
            action: "ping".into(),
            params: serde_json::Map::new(),
            issued_at: Timestamp::from_micros(0),
            expires_at: Timestamp::from_micros(0),
            timeout_seconds: None,
            order: None,
        }
    }

    #[test]
    fn the_newest_answer_is_all_that_is_wanted_and_bounded() {
        let wishes = Wishes::default();
        wishes.hear(vec![command(1).command_id]);
        assert!(wishes.name(&command(1)) && !wishes.name(&command(2)));
        wishes.hear((2..2 + 2 * WISHES_MAX).map(|number| command(number).command_id).collect());
        assert!(!wishes.name(&command(1)) && wishes.name(&command(2)));
        assert_eq!(wishes.wanted.borrow().len(), WISHES_MAX);
    }

    #[tokio::test]
    async fn a_command_is_ended_as_soon_as_it_is_named_before_or_after_it_began() {
        for named_before in [true, false] {
            let (wishes, (canceller, cancel)) = (Wishes::default(), stop::channel());
            let name = || wishes.hear(vec![command(1).command_id]);
            let one = command(1);
            if named_before {
                name();
            }
            tokio::select! {
                biased;
                never = wishes.end(&one, &canceller) => match never {},
                () = async {
                    assert_eq!(cancel.is_set(), named_before);
                    name();
                    cancel.wait().await;
                } => {}
            }
        }
    }
}
