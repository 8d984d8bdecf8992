//! Pulling: a request is held open until the hub has commands; each is judged ([`admit`]), taken down in the
//! journal, and only then run, one after the other, in their order ([`hand`]). Those that take long are attended
//! ([`attend`]): the hub may follow them, and have them ended, the ones that wait too.
//!
//! An answer names the configuration that was in force when it was made: until that is in force here, no command of
//! it is run or taken down; nor while the answer may have lain for seconds, by what heartbeats told of the hub's time: it
//! is asked for anew. What an operator must have signed is judged by the machine's own settings ([`crate::orders`]). Once this state turns out to be a copy of another machine's, none is pulled any more.

pub mod admit;
mod ask;
mod attend;
mod hand;

use crate::{
    backoff::{Backoff, REFUSED, random},
    clock::{Clock, Told, steady},
    config::ConfigKeeper,
    execute::Executor,
    journal::Finished,
    orders::{Signers, Sure},
    report::Results,
    state::StateError,
    stop::Stop,
    transport::{Link, Revoked, Session},
};
use ask::ask;
use attend::{Teller, Wishes, hear};
use hand::Hand;
use pingup_protocol::command::PendingAnswer;
use std::{cell::Cell, rc::Rc, time::Duration};
use tokio::time::timeout;

/// How long the commands of an answer wait for a newer configuration that it speaks of; then they are asked for anew.
const CONFIG_WITHIN: Duration = Duration::from_secs(10);

/// Pulls commands and sees them done.
pub struct Puller {
    session: Session,
    config: Rc<ConfigKeeper>,
    wishes: Rc<Wishes>,
    hand: Hand,
    clock: Rc<Clock>,
    /// Says that this state is a copy.
    copied: Stop,
    backoff: Backoff,
}

impl Puller {
    /// A puller over `link`, until `copied` says that somebody else pulls as well.
    pub fn new(
        link: &Rc<Link>,
        results: Rc<Results>,
        config: Rc<ConfigKeeper>,
        clock: Rc<Clock>,
        executor: Executor,
        signers: Rc<Signers>,
        copied: Stop,
    ) -> Self {
        let wishes = Rc::new(Wishes::default());
        let sure = Sure::begun(results.journal.borrow().sure(), steady());
        let hand = Hand {
            asked_as: link.identity(),
            results,
            config: Rc::clone(&config),
            executor,
            signers,
            sure: Cell::new(sure),
            wishes: Rc::clone(&wishes),
            teller: Teller::new(link.session("progress"), Rc::clone(&clock)),
            copied: copied.clone(),
        };
        let session = link.waiting_session("pull");
        Self { session, config, wishes, hand, clock, copied, backoff: Backoff::new(REFUSED) }
    }

    /// Pulls until told to stop.
    pub async fn run(&mut self, stop: &Stop) -> Result<(), Revoked> {
        let copied = self.copied.clone();
        while !stop.is_set() && !copied.is_set() {
            if let Some(wait) = self.settle() {
                stop.sleep(wait).await;
                continue;
            }
            let began = steady();
            let after = self.hand.last_seq();
            let asked = ask(&mut self.session, after);
            let Some(asked) = stop.or(copied.or(asked)).await.flatten() else { break };
            let wait = match asked {
                Ok(answer) => self.answered(answer, steady().saturating_sub(began), stop).await,
                Err(failure) if failure.is_revoked() => return Err(Revoked::because(&failure)),
                Err(failure) => {
                    failure.log_unexpected("pull");
                    Some(failure.wait(&mut self.backoff))
                }
            };
            if let Some(duration) = wait {
                stop.sleep(duration).await;
            }
        }
        // There may be room by now; nobody waits for it any more.
        self.settle();
        Ok(())
    }

    /// Keeps the result that could not be kept before, if there is one; how long to wait where it still cannot be.
    fn settle(&mut self) -> Option<Duration> {
        let settled = self.hand.results.journal.borrow_mut().settle();
        settled.err().map(|error| self.put_off(&error))
    }

    /// Says what cannot be written down; how long to wait before trying again.
    fn put_off(&mut self, error: &StateError) -> Duration {
        match self.hand.results.journal.borrow().unkept() {
            Some(Finished { command_id, .. }) => {
                tracing::error!(
                    command = command_id,
                    "its result cannot be kept yet, and no other is run: {error}"
                );
            }
            None => tracing::error!("no command is run, since it cannot be taken down first: {error}"),
        }
        self.backoff.after_failure(None, random())
    }

    /// Carries out an answer that came `held` after it was asked for; how long to wait before asking again, if at all.
    async fn answered(&mut self, answer: PendingAnswer, held: Duration, stop: &Stop) -> Option<Duration> {
        let asked_as = self.session.asked_as();
        // Commands may run for hours before the last of them is judged.
        let told = Told::just_now(answer.server_time);
        let version = answer.config_version;
        let is_config_new = self.config.is_newer(version);
        self.config.hear(version);
        self.wishes.hear(answer.cancel);
        if !answer.commands.is_empty() && self.clock.is_late(answer.server_time, held) {
            tracing::info!("commands came late: they are asked for anew, to know what time the hub has");
            return None;
        }
        if let Some(Err(_)) = stop.or(timeout(CONFIG_WITHIN, self.config.decided(version))).await {
            tracing::warn!(version, "no command is run before the configuration it came with is fetched");
            return Some(self.backoff.after_failure(None, random()));
        }
        // Its commands are signed as it is, whatever keys are used meanwhile.
        self.hand.asked_as = asked_as;
        let done = tokio::select! {
            biased;
            done = Box::pin(self.hand.work_off(&answer.commands, told, stop)) => done,
            never = Box::pin(hear(&mut self.session, &self.config, &self.wishes)) => match never {},
        };
        let handled = match done {
            Ok(handled) => handled,
            Err(error) => return Some(self.put_off(&error)),
        };
        if !handled.is_progress(held, is_config_new) {
            return Some(self.backoff.after_failure(None, random()));
        }
        self.backoff.reset();
        None
    }
}
