//! What the loops tell as they work: kept in memory, for whoever writes it down.

use super::{Heard, Push};
use crate::{
    clock::machine_time,
    transport::{Failure, Hub, for_log},
};
use pingup_protocol::{heartbeat::HeartbeatAnswer, metrics::PushAnswer, time::Timestamp};
use std::cell::RefCell;
use tokio::sync::Notify;

/// What was heard, and the word that it has changed.
#[derive(Debug)]
pub struct Vitals {
    heard: RefCell<Heard>,
    changed: Notify,
}

impl Vitals {
    /// Those of `agent_id`, which began `now` to speak to `hub`.
    pub fn begun(agent_id: &str, hub: &Hub, now: Timestamp) -> Self {
        let heard = Heard {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            agent_id: agent_id.to_owned(),
            hub: hub.url().to_string(),
            hub_known_by: Some(hub.known_by()),
            started_at: now,
            ended: None,
            last_push: None,
            committed_at: None,
            heartbeat_at: None,
            pending_commands: None,
            copied: None,
        };
        Self { heard: RefCell::new(heard), changed: Notify::new() }
    }

    /// A push ended so.
    pub fn pushed(&self, answered: &Result<PushAnswer, Failure>) {
        let at = machine_time();
        let push = match answered {
            Ok(PushAnswer { accepted, duplicates, expired, rejected, .. }) => {
                let rejected = rejected.len();
                let counts = format!(
                    "{accepted} accepted, {duplicates} duplicates, {expired} expired, {rejected} rejected"
                );
                Push { at, committed: true, answer: format!("committed: {counts}"), unstored: None }
            }
            Err(failure) => {
                Push { at, committed: false, answer: for_log(&failure.to_string()), unstored: None }
            }
        };
        self.change(|heard| {
            heard.committed_at = if push.committed { Some(at) } else { heard.committed_at };
            heard.last_push = Some(push);
        });
    }

    /// The hub stored nothing of that push, and never will.
    pub fn nothing_stored(&self, why: String) {
        self.change(|heard| {
            if let Some(push) = &mut heard.last_push {
                push.unstored = Some(why);
            }
        });
    }

    /// The hub answered a heartbeat.
    pub fn beaten(&self, answer: &HeartbeatAnswer) {
        self.change(|heard| {
            heard.heartbeat_at = Some(machine_time());
            heard.pending_commands = Some(answer.pending_commands);
        });
    }

    /// This state turned out to be a copy.
    pub fn copied(&self, why: String) {
        self.change(|heard| heard.copied = Some(why));
    }

    /// The agent ends.
    pub(super) fn ended(&self, why: String) {
        self.change(|heard| heard.ended = Some(why));
    }

    /// What was heard until now.
    pub(super) fn heard(&self) -> Heard {
        self.heard.borrow().clone()
    }

    /// Waits until something was heard since the last time this was waited for.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn change(&self, change: impl FnOnce(&mut Heard)) {
        change(&mut self.heard.borrow_mut());
        self.changed.notify_one();
    }
}
