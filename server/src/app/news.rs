//! From what rooms say happened to events: each room speaks in its own words, and knows nobody who listens.

use crate::{
    clock::Clock,
    commands::{self, Change, Teller},
    events::{AgentEvent, CommandEvent, Event, Events, ScanEvent},
    ingest::Store,
    standing::{CancelOpen, TellAgents},
    tsdb::{
        TsdbError,
        rows::{MarkRow, Rows, ScanRow},
    },
};
use pingup_protocol::time::Timestamp;
use std::sync::Arc;

/// For those who know of agents.
pub(super) fn agents(events: &Arc<Events>) -> TellAgents {
    let events = Arc::clone(events);
    Arc::new(move |change, agents, at| {
        let event = |agent_id| Event::Agent(AgentEvent { agent_id, change, at });
        events.tell(agents.into_iter().map(event));
    })
}

/// For those who know of commands.
pub(super) fn teller(events: &Arc<Events>) -> Teller {
    let events = Arc::clone(events);
    let event = |Change { command_id, agent_id, status, at }| {
        Event::Command(CommandEvent { agent_id, command_id, status, at })
    };
    Teller::new(move |changes| events.tell(changes.into_iter().map(event)))
}

/// Ends the commands of an agent that goes, and has that told by `teller`.
pub(super) fn cancelling(teller: Teller) -> CancelOpen {
    Arc::new(move |connection, agent_id, now| {
        let (ended, teller) = (commands::store::cancel_open(connection, agent_id, now)?, teller.clone());
        Ok(Box::new(move || teller.tell(ended)))
    })
}

/// A store whose scans are told once they are on disk.
pub(super) struct Watched<S> {
    pub(super) store: S,
    pub(super) events: Arc<Events>,
    pub(super) clock: Clock,
}

impl<S: Store> Store for Watched<S> {
    type Lookup = S::Lookup;

    fn lookup(&mut self) -> &mut S::Lookup {
        self.store.lookup()
    }

    fn load_marks(&mut self) -> Result<Vec<MarkRow>, TsdbError> {
        self.store.load_marks()
    }

    fn append(&mut self, rows: &Rows<'_>) -> Result<(), TsdbError> {
        self.store.append(rows)?;
        if !rows.scans.is_empty() {
            let at = self.clock.now();
            self.events.tell(rows.scans.iter().map(|row| scan(row, at)));
        }
        Ok(())
    }
}

fn scan(row: &ScanRow<'_>, at: Timestamp) -> Event {
    Event::Scan(ScanEvent {
        agent_id: row.origin.agent_id.clone(),
        timestamp: row.origin.timestamp,
        duration: row.scan.duration,
        hosts: row.scan.hosts.len(),
        at,
    })
}
