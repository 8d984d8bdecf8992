//! Beside a command that runs: hears whether the hub wants it ended, and tells the hub that it runs and what it printed
//! so far. A command that is quick is over before any of this begins, and costs no request more.
//!
//! None of it is needed for a command to be carried out and reported: a hub that does not know these questions, or is
//! away, changes nothing but that nobody watches.

use super::ask::ask_what_to_end;
use crate::{
    backoff::{Backoff, random},
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
use tokio::time::sleep;

/// How long a command runs before it is attended.
const ATTEND_AFTER: Duration = Duration::from_secs(1);
/// The least time between two messages of the same kind.
const EVERY: Duration = Duration::from_secs(1);
/// The wait after a first failure, and the longest: what is cancelled should not run on for long.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(15));
/// Wishes that are kept: more than the hub says at once.
const WISHES_MAX: usize = 256;

/// A command that runs.
pub(super) struct Running<'a> {
    /// Which.
    pub(super) command: &'a Command,
    /// Since when.
    pub(super) started_at: Timestamp,
    /// What it printed.
    pub(super) so_far: &'a SoFar,
    /// Ends it.
    pub(super) canceller: &'a Stopper,
}

/// Commands that the hub wants ended. It repeats them until they are, so the newest answer is all there is to know.
#[derive(Debug, Default)]
pub(super) struct Wishes(RefCell<BTreeSet<String>>);

impl Wishes {
    /// Takes what an answer said.
    pub(super) fn hear(&self, cancel: Vec<String>) {
        *self.0.borrow_mut() = cancel.into_iter().take(WISHES_MAX).collect();
    }

    /// Whether this command is among them.
    pub(super) fn name(&self, command: &Command) -> bool {
        self.0.borrow().contains(&command.command_id)
    }
}

/// Attends commands, one at a time.
pub(super) struct Attendant {
    /// Connections of their own: they are dropped in the middle of a question when a command is over.
    hearing: Session,
    telling: Session,
    config: Rc<ConfigKeeper>,
    clock: Rc<Clock>,
    wishes: Wishes,
}

impl Attendant {
    pub(super) fn new(
        hearing: Session,
        telling: Session,
        config: Rc<ConfigKeeper>,
        clock: Rc<Clock>,
    ) -> Self {
        Self { hearing, telling, config, clock, wishes: Wishes::default() }
    }

    /// What the hub wants ended, as far as it was heard.
    pub(super) const fn wishes(&self) -> &Wishes {
        &self.wishes
    }

    /// Attends `running` until this is dropped.
    pub(super) async fn attend(&mut self, running: &Running<'_>) -> Infallible {
        sleep(ATTEND_AFTER).await;
        let Self { hearing, telling, config, clock, wishes } = self;
        tokio::join!(hear(hearing, config, wishes, running), tell(telling, clock, running));
        std::future::pending().await
    }
}

/// Asks what is to be ended, again and again.
async fn hear(session: &mut Session, config: &ConfigKeeper, wishes: &Wishes, running: &Running<'_>) {
    let mut backoff = BACKOFF;
    loop {
        let pause = match ask_what_to_end(session).await {
            Ok(answer) => {
                backoff.reset();
                config.hear(answer.config_version);
                wishes.hear(answer.cancel);
                EVERY
            }
            Err(failure) => {
                failure.log_unexpected("cancel");
                backoff.after_failure(failure.retry_after(), random())
            }
        };
        if wishes.name(running.command) && !running.canceller.is_set() {
            tracing::info!(command = running.command.command_id, "cancelled by the hub; it is ended");
            running.canceller.stop();
        }
        sleep(pause).await;
    }
}

/// Tells that it runs, and what it printed since that was told last, for as long as the hub wants to hear it.
async fn tell(session: &mut Session, clock: &Clock, running: &Running<'_>) {
    let (mut backoff, mut told) = (BACKOFF, None);
    loop {
        let output = running.so_far.piece(told.unwrap_or(0));
        let pause = match told.is_some() && output.is_empty() {
            true => EVERY,
            false => match post(session, clock, running, told.unwrap_or(0), output).await {
                Ok(answer) if answer.status.is_final() => return,
                Ok(answer) => {
                    backoff.reset();
                    told = Some(answer.output_bytes);
                    EVERY
                }
                // A hub of before, which does not know the route, or one that knows better.
                Err(Failure::Refused(refusal)) if !refusal.is_passing() => return,
                Err(failure) => {
                    failure.log_unexpected("progress");
                    backoff.after_failure(failure.retry_after(), random())
                }
            },
        };
        sleep(pause).await;
    }
}

async fn post(
    session: &mut Session,
    clock: &Clock,
    running: &Running<'_>,
    offset: u64,
    output: String,
) -> Result<ProgressAnswer, Failure> {
    let command = running.command;
    let body = ProgressBody {
        agent_id: session.link().identity().agent_id.clone(),
        timestamp: clock.now(),
        command_id: command.command_id.clone(),
        command_seq: command.command_seq,
        started_at: running.started_at,
        offset,
        output,
    };
    let answer = session.post(&format!("/api/v1/commands/{}/progress", command.command_id), &body).await?;
    serde_json::from_slice(&answer).map_err(|error| Failure::Unverified(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_answer_is_all_that_is_wanted_and_bounded() {
        let command = |number: usize| Command {
            command_id: format!("CMD-2027-{number:03}"),
            agent_id: pingup_protocol::ids::AgentId::parse("a").unwrap(),
            command_seq: 1,
            action: "ping".into(),
            params: serde_json::Map::new(),
            issued_at: Timestamp::from_micros(0),
            expires_at: Timestamp::from_micros(0),
            timeout_seconds: None,
        };
        let wishes = Wishes::default();
        wishes.hear(vec![command(1).command_id]);
        assert!(wishes.name(&command(1)) && !wishes.name(&command(2)));
        wishes.hear((2..2 + 2 * WISHES_MAX).map(|number| command(number).command_id).collect());
        assert!(!wishes.name(&command(1)) && wishes.name(&command(2)));
        assert_eq!(wishes.0.borrow().len(), WISHES_MAX);
    }
}
