//! Requests that are held open until there is something for their agent. No polling: a waiter registers first
//! and looks then, so nothing that happens after its look is missed.
//!
//! One waiter an agent: a newer one ends the older, which is then an answer nobody reads any more. A waiter that
//! is dropped (answered, or its connection gone) leaves nothing behind. The hub's stop ends them all.
//!
//! What happens between two requests of one agent calls nobody. Commands are found by the look; of configurations it is
//! remembered which version each agent was told last, so that a newer one is news, once.

use super::CommandsError;
use pingup_protocol::ids::AgentId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{oneshot, watch};

/// Requests held open at once: one for each agent of a large fleet. Each costs a connection and under a kilobyte.
pub const WAITERS_MAX: usize = 16_384;
/// Agents of which it is remembered what they were told. Beyond, all of it is forgotten, and what each is told again costs
/// one answer.
const TOLD_MAX: usize = 4 * WAITERS_MAX;

/// All waiters of the hub.
#[derive(Debug)]
pub struct Waiters {
    places: Mutex<Places>,
    count_max: usize,
    stopping: watch::Receiver<bool>,
}

#[derive(Debug, Default)]
struct Places {
    by_agent: HashMap<AgentId, Place>,
    last_ticket: u64,
    /// The version of its configuration that each agent was told last.
    told: HashMap<AgentId, u64>,
}

/// A waiter's end that can be called. Dropping the bell without a call ends the waiter.
#[derive(Debug)]
struct Place {
    ticket: u64,
    /// None once it was rung.
    bell: Option<oneshot::Sender<()>>,
}

/// A request that is held open.
#[derive(Debug)]
pub struct Waiter {
    waiters: Arc<Waiters>,
    agent_id: AgentId,
    ticket: u64,
    bell: oneshot::Receiver<()>,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Something happened for the agent: look again.
    Called,
    /// Nothing did: time is up, a newer request took the place, or the hub stops.
    Over,
}

impl Waiters {
    /// Nobody waits yet, and no more than `count_max` ever do; once `stopping` turns true, nobody does any more.
    pub fn new(count_max: usize, stopping: watch::Receiver<bool>) -> Arc<Self> {
        Arc::new(Self { places: Mutex::default(), count_max, stopping })
    }

    /// Takes the agent's place, from whoever had it. Look only after this.
    pub fn register(self: &Arc<Self>, agent_id: &AgentId) -> Result<Waiter, CommandsError> {
        let mut places = self.places();
        if places.by_agent.len() >= self.count_max && !places.by_agent.contains_key(agent_id) {
            return Err(CommandsError::TooManyWaiters(self.count_max));
        }
        places.last_ticket += 1;
        let ticket = places.last_ticket;
        let (sender, bell) = oneshot::channel();
        places.by_agent.insert(agent_id.clone(), Place { ticket, bell: Some(sender) });
        Ok(Waiter { waiters: Arc::clone(self), agent_id: agent_id.clone(), ticket, bell })
    }

    /// Calls the agent's waiter, if there is one.
    pub fn wake(&self, agent_id: &str) {
        let bell = self.places().by_agent.get_mut(agent_id).and_then(|place| place.bell.take());
        if let Some(bell) = bell {
            // An error: it is just being dropped.
            let _ = bell.send(());
        }
    }

    /// Notes that the agent was told of this version of its configuration.
    pub fn tell(&self, agent_id: &AgentId, version: u64) {
        let mut places = self.places();
        // Most agents have none.
        if version == 0 {
            return;
        }
        if let Some(told) = places.told.get_mut(agent_id) {
            *told = version;
            return;
        }
        if places.told.len() >= TOLD_MAX {
            places.told.clear();
        }
        places.told.insert(agent_id.clone(), version);
    }

    /// The version of its configuration that the agent was told last; 0 where that is not known.
    pub fn told(&self, agent_id: &AgentId) -> u64 {
        self.places().told.get(agent_id).copied().unwrap_or_default()
    }

    /// How many requests are held open.
    pub fn count(&self) -> usize {
        self.places().by_agent.len()
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// Waits until called, for at most `patience`. A call since [`Waiters::register`] counts.
    pub async fn wait(&mut self, patience: Duration) -> Woken {
        let mut stopping = self.waiters.stopping.clone();
        tokio::select! {
            biased;
            // An error: the place went to a newer request.
            called = &mut self.bell => called.map_or(Woken::Over, |()| Woken::Called),
            // An error: whoever would say so is gone, so the hub is.
            _ = stopping.wait_for(|stopping| *stopping) => Woken::Over,
            () = tokio::time::sleep(patience) => Woken::Over,
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut places = self.waiters.places();
        if places.by_agent.get(&self.agent_id).is_some_and(|place| place.ticket == self.ticket) {
            places.by_agent.remove(&self.agent_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test runs: a wait of this length that ends was ended by what the test did.
    const LONG: Duration = Duration::from_secs(600);

    fn waiters() -> (watch::Sender<bool>, Arc<Waiters>) {
        let (stop, stopping) = watch::channel(false);
        (stop, Waiters::new(WAITERS_MAX, stopping))
    }

    fn agent(name: &str) -> AgentId {
        AgentId::parse(name).unwrap()
    }

    /// How the wait of `waiter` ends, which is then over.
    async fn end(mut waiter: Waiter, patience: Duration) -> Woken {
        waiter.wait(patience).await
    }

    #[tokio::test]
    async fn a_call_between_registering_and_waiting_is_not_lost() {
        let (_stop, waiters) = waiters();
        let waiter = waiters.register(&agent("a")).unwrap();
        waiters.wake("b");
        waiters.wake("a");
        waiters.wake("a");
        assert_eq!(end(waiter, LONG).await, Woken::Called);
    }

    #[tokio::test]
    async fn a_waiter_that_waits_is_called() {
        let (_stop, waiters) = waiters();
        let waiter = waiters.register(&agent("a")).unwrap();
        let (woken, ()) = tokio::join!(end(waiter, LONG), async { waiters.wake("a") });
        assert_eq!(woken, Woken::Called);
    }

    #[tokio::test]
    async fn time_a_newer_request_and_the_stop_end_a_wait() {
        let (stop, waiters) = waiters();
        let first = waiters.register(&agent("a")).unwrap();
        assert_eq!(end(first, Duration::ZERO).await, Woken::Over);
        assert_eq!(waiters.count(), 0);
        let second = waiters.register(&agent("a")).unwrap();
        let third = waiters.register(&agent("a")).unwrap();
        assert_eq!(end(second, LONG).await, Woken::Over);
        assert_eq!(waiters.count(), 1, "the older one leaves the newer one's place alone");
        stop.send_replace(true);
        assert_eq!(end(third, LONG).await, Woken::Over);
        assert_eq!(waiters.count(), 0);
    }

    #[test]
    fn what_each_was_told_is_remembered_within_a_bound() {
        let (_stop, waiters) = waiters();
        waiters.tell(&agent("nobody"), 0);
        for n in 0..TOLD_MAX {
            waiters.tell(&agent(&format!("a{n}")), 7);
        }
        waiters.tell(&agent("a0"), 8);
        assert_eq!(
            [waiters.told(&agent("a0")), waiters.told(&agent("a1")), waiters.told(&agent("nobody"))],
            [8, 7, 0]
        );
        waiters.tell(&agent("late"), 3);
        assert_eq!([waiters.told(&agent("a0")), waiters.told(&agent("late"))], [0, 3]);
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let (_stop, waiters) = waiters();
        let mut held: Vec<_> =
            (0..WAITERS_MAX).map(|n| waiters.register(&agent(&format!("a{n}"))).unwrap()).collect();
        assert!(matches!(waiters.register(&agent("late")), Err(CommandsError::TooManyWaiters(WAITERS_MAX))));
        assert!(waiters.register(&agent("a0")).is_ok(), "who waits already may ask anew");
        held.pop();
        assert!(waiters.register(&agent("late")).is_ok());
    }
}
