//! Requests that are held open until there is something for their agent. No polling: a waiter registers first
//! and looks then, so nothing that happens after its look is missed.
//!
//! One waiter an agent: a newer one ends the older, which is then an answer nobody reads any more. A waiter that
//! is dropped (answered, or its connection gone) leaves nothing behind. The hub's stop ends them all.

use super::CommandsError;
use pingup_protocol::ids::AgentId;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// Requests held open at once: one for each agent of a large fleet. Each costs a connection and under a kilobyte.
pub const WAITERS_MAX: usize = 12_288;

/// All waiters of the hub.
#[derive(Debug)]
pub struct Waiters {
    places: Mutex<Places>,
    stopping: watch::Receiver<bool>,
}

#[derive(Debug, Default)]
struct Places {
    by_agent: HashMap<AgentId, Place>,
    last_ticket: u64,
}

/// A waiter's end that can be called. Dropping it ends the waiter.
#[derive(Debug)]
struct Place {
    ticket: u64,
    bell: watch::Sender<()>,
}

/// A request that is held open.
#[derive(Debug)]
pub struct Waiter<'a> {
    waiters: &'a Waiters,
    agent_id: AgentId,
    ticket: u64,
    bell: watch::Receiver<()>,
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
    /// Nobody waits yet; once `stopping` turns true, nobody does any more.
    pub fn new(stopping: watch::Receiver<bool>) -> Self {
        Self { places: Mutex::default(), stopping }
    }

    /// Takes the agent's place, from whoever had it. Look only after this.
    pub fn register(&self, agent_id: &AgentId) -> Result<Waiter<'_>, CommandsError> {
        let mut places = self.places();
        if places.by_agent.len() >= WAITERS_MAX && !places.by_agent.contains_key(agent_id) {
            return Err(CommandsError::TooManyWaiters);
        }
        places.last_ticket += 1;
        let ticket = places.last_ticket;
        let (sender, bell) = watch::channel(());
        places.by_agent.insert(agent_id.clone(), Place { ticket, bell: sender });
        Ok(Waiter { waiters: self, agent_id: agent_id.clone(), ticket, bell })
    }

    /// Calls the agent's waiter, if there is one.
    pub fn wake(&self, agent_id: &str) {
        if let Some(place) = self.places().by_agent.get(agent_id) {
            place.bell.send_replace(());
        }
    }

    /// How many requests are held open.
    pub fn count(&self) -> usize {
        self.places().by_agent.len()
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter<'_> {
    /// Waits until called, for at most `patience`. A call since [`Waiters::register`] counts.
    pub async fn wait(&mut self, patience: Duration) -> Woken {
        let mut stopping = self.waiters.stopping.clone();
        tokio::select! {
            biased;
            // An error: the place went to a newer request.
            called = self.bell.changed() => called.map_or(Woken::Over, |()| Woken::Called),
            // An error: whoever would say so is gone, so the hub is.
            _ = stopping.wait_for(|stopping| *stopping) => Woken::Over,
            () = tokio::time::sleep(patience) => Woken::Over,
        }
    }
}

impl Drop for Waiter<'_> {
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

    fn waiters() -> (watch::Sender<bool>, Waiters) {
        let (stop, stopping) = watch::channel(false);
        (stop, Waiters::new(stopping))
    }

    fn agent(name: &str) -> AgentId {
        AgentId::parse(name).unwrap()
    }

    #[tokio::test]
    async fn a_call_between_registering_and_waiting_is_not_lost() {
        let (_stop, waiters) = waiters();
        let mut waiter = waiters.register(&agent("a")).unwrap();
        waiters.wake("b");
        waiters.wake("a");
        assert_eq!(waiter.wait(LONG).await, Woken::Called);
    }

    #[tokio::test]
    async fn a_waiter_that_waits_is_called() {
        let (_stop, waiters) = waiters();
        let mut waiter = waiters.register(&agent("a")).unwrap();
        let (woken, ()) = tokio::join!(waiter.wait(LONG), async { waiters.wake("a") });
        assert_eq!(woken, Woken::Called);
    }

    #[tokio::test]
    async fn time_a_newer_request_and_the_stop_end_a_wait() {
        let (stop, waiters) = waiters();
        let mut first = waiters.register(&agent("a")).unwrap();
        assert_eq!(first.wait(Duration::ZERO).await, Woken::Over);
        let mut second = waiters.register(&agent("a")).unwrap();
        assert_eq!(first.wait(LONG).await, Woken::Over);
        drop(first);
        assert_eq!(waiters.count(), 1, "the older one leaves the newer one's place alone");
        stop.send_replace(true);
        assert_eq!(second.wait(LONG).await, Woken::Over);
        drop(second);
        assert_eq!(waiters.count(), 0);
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let (_stop, waiters) = waiters();
        let mut held: Vec<_> =
            (0..WAITERS_MAX).map(|n| waiters.register(&agent(&format!("a{n}"))).unwrap()).collect();
        assert!(matches!(waiters.register(&agent("late")), Err(CommandsError::TooManyWaiters)));
        assert!(waiters.register(&agent("a0")).is_ok(), "who waits already may ask anew");
        held.pop();
        assert!(waiters.register(&agent("late")).is_ok());
    }
}
