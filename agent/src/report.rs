//! Reporting: the results in the journal go to the hub, oldest first, until it has taken each.

use crate::{
    backoff::{Backoff, REFUSED},
    clock::Clock,
    journal::{Finished, Journal},
    state::StateError,
    stop::Stop,
    transport::{Failure, Revoked, Session},
};
use pingup_protocol::{command::ResultBody, time::Timestamp};
use std::{cell::RefCell, rc::Rc};
use tokio::sync::Notify;

/// The journal, and the word that a result was added.
#[derive(Debug)]
pub struct Results {
    /// The journal; never borrowed across an await.
    pub journal: RefCell<Journal>,
    added: Notify,
}

impl Results {
    /// Shares `journal`. What it holds already is reported first.
    pub fn new(journal: Journal) -> Rc<Self> {
        let added = Notify::new();
        added.notify_one();
        Rc::new(Self { journal: RefCell::new(journal), added })
    }

    /// Keeps a result, and says so to whoever reports: one that cannot be kept is reported too.
    pub fn add(&self, finished: Finished) -> Result<(), StateError> {
        let kept = self.journal.borrow_mut().finish(finished);
        self.added.notify_one();
        kept
    }
}

/// Reports.
pub struct Reporter {
    session: Session,
    results: Rc<Results>,
    clock: Rc<Clock>,
}

impl Reporter {
    /// A reporter of `results` over `session`.
    pub const fn new(session: Session, results: Rc<Results>, clock: Rc<Clock>) -> Self {
        Self { session, results, clock }
    }

    /// Reports until told to stop.
    pub async fn run(&mut self, stop: &Stop) -> Result<(), Revoked> {
        let mut backoff = Backoff::new(REFUSED);
        while stop.or(self.results.added.notified()).await.is_some() {
            while let Err(failure) = self.drain().await? {
                stop.sleep(failure.wait(&mut backoff)).await;
                if stop.is_set() {
                    break;
                }
            }
            backoff.reset();
        }
        Ok(())
    }

    /// Reports what waits until nothing does, or until it does not get through.
    pub async fn drain(&mut self) -> Result<Result<(), Failure>, Revoked> {
        loop {
            let oldest = self.results.journal.borrow_mut().oldest();
            let finished = match oldest {
                Ok(Some(finished)) => finished,
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(local(&error))),
            };
            let seq = finished.command_seq;
            match self.post(finished).await {
                Ok(()) => {}
                Err(failure) if failure.is_revoked() => return Err(Revoked::because(&failure)),
                // It was taken before, belongs to someone else or is gone; 401 is about us, not about it.
                Err(Failure::Refused(refusal)) if !refusal.is_passing() && refusal.status != 401 => {
                    tracing::warn!(command_seq = seq, "the hub does not want a result: {refusal}");
                }
                Err(failure) => return Ok(Err(failure)),
            }
            let removed = self.results.journal.borrow_mut().remove(seq);
            if let Err(error) = removed {
                return Ok(Err(local(&error)));
            }
        }
    }

    async fn post(&mut self, finished: Finished) -> Result<(), Failure> {
        let agent_id = self.session.link().identity().agent_id.clone();
        let route = format!("/api/v1/commands/{}/result", finished.command_id);
        let body = body(finished, agent_id, self.clock.now());
        self.session.post(&route, &body).await.map(drop)
    }
}

fn local(error: &StateError) -> Failure {
    tracing::error!("results cannot be reported: {error}");
    Failure::Local(error.to_string())
}

fn body(finished: Finished, agent_id: pingup_protocol::ids::AgentId, timestamp: Timestamp) -> ResultBody {
    ResultBody {
        agent_id,
        timestamp,
        command_id: finished.command_id,
        command_seq: finished.command_seq,
        status: finished.status,
        exit_code: finished.exit_code,
        output: finished.output,
        started_at: finished.started_at,
        finished_at: finished.finished_at,
    }
}
