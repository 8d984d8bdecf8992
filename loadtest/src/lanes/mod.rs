//! The engine of most scenarios: a fleet that pushes over keep-alive connections.
//!
//! Each connection (a lane) owns its share of the agents and sends for them in turn, one request in flight,
//! so no agent's stream ever has two requests under way. Without a rate each lane sends when it was
//! answered (a closed loop); with one, pushes follow a [`crate::schedule`] whatever the hub does (an open loop).
//! A push that the hub asks to send later, or whose connection broke, is sent again byte for byte: its
//! numbers make it count once. At the end what is in flight gets a while to be answered.

mod lane;

use self::lane::{Lane, Pace};
use crate::{
    board::Board,
    client::Client,
    error::LoadError,
    fleet::{DISCOVERY, FleetAgent, METRICS, Moments},
    progress::Progress,
    settings::Hub,
    tally::Tally,
};
use pingup_protocol::time::Timestamp;
use std::{future, num::NonZeroU64, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// Connections being opened at once: a thousand at a stroke would overrun a listener's backlog.
const CONNECTS_IN_FLIGHT: usize = 64;
/// What a fleet is to push.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Connections to hold; at most one an agent.
    pub(crate) connections: usize,
    /// What is in one request.
    pub(crate) cargo: Cargo,
    /// Rows a second over all connections; none: as fast as answers come.
    pub(crate) rate: Option<NonZeroU64>,
    /// When it is over.
    pub(crate) until: Until,
}

/// What is in one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cargo {
    /// Samples: one alone, more as a batch.
    Samples {
        /// How many.
        rows: usize,
        /// Taken when.
        moments: Moments,
    },
    /// A scan.
    Scan {
        /// The moment of the scan that follows number `after` of the stream.
        first: Timestamp,
        /// The last number before the scans; the same for all agents.
        after: u64,
        /// From one to the next.
        step_micros: i64,
    },
}

impl Cargo {
    /// Rows in a full request.
    pub(crate) const fn rows(self) -> usize {
        match self {
            Self::Samples { rows, .. } => rows,
            Self::Scan { .. } => 1,
        }
    }
}

/// When a load is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// After a time.
    Elapsed(Duration),
    /// When each agent's stream has come to this number.
    Seq(u64),
}

/// What became of a load.
pub(crate) struct Ran {
    /// Everything that was counted.
    pub(crate) tally: Tally,
    /// From the first push to the last answer.
    pub(crate) elapsed: Duration,
    /// The agents, their streams where they ended.
    pub(crate) fleet: Vec<FleetAgent>,
}

/// Pushes until the load is over, or until Ctrl-C.
pub(crate) async fn run(
    hub: &Arc<Hub>,
    fleet: Vec<FleetAgent>,
    load: Load,
    progress: &Progress,
) -> Result<Ran, LoadError> {
    let clients = connect(hub, load.connections).await?;
    let started = Instant::now();
    let board = Board::new(started.into());
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for (number, (client, agents)) in clients.into_iter().zip(shares(fleet, load.connections)).enumerate() {
        let heads = heads(&agents, hub, load.cargo);
        let lane = Lane::new(client, (agents, heads), board.desk(number), stopped.clone());
        tasks.spawn(lane.drive(Pace::new(&load, number, started), load));
    }
    let mut fleet = Vec::new();
    tokio::select! {
        () = over(load.until, started) => {}
        // Without a handler Ctrl-C ends the program as usual: nothing to do about that here.
        Ok(()) = tokio::signal::ctrl_c() => {}
        () = progress.follow(&board) => {}
        ended = join(&mut tasks, &mut fleet) => ended?,
    }
    let stopped_at = Instant::now();
    stop.send_replace(true);
    join(&mut tasks, &mut fleet).await?;
    let tally = board.take();
    // Waiting in vain for answers at the end is not part of the run; waiting for answers that came is.
    let last = match load.until {
        Until::Elapsed(_) => tally.last_answer.map_or(stopped_at, |at| stopped_at.max(at.into())),
        Until::Seq(_) => tally.last_answer.map_or(stopped_at, Instant::from),
    };
    Ok(Ran { tally, elapsed: last - started, fleet })
}

async fn over(until: Until, started: Instant) {
    match until {
        Until::Elapsed(duration) => sleep_until(started + duration).await,
        Until::Seq(_) => future::pending().await,
    }
}

async fn join(tasks: &mut JoinSet<Vec<FleetAgent>>, fleet: &mut Vec<FleetAgent>) -> Result<(), LoadError> {
    while let Some(ended) = tasks.join_next().await {
        fleet.extend(ended?);
    }
    Ok(())
}

async fn connect(hub: &Arc<Hub>, connections: usize) -> Result<Vec<Client>, LoadError> {
    let turnstile = Arc::new(Semaphore::new(CONNECTS_IN_FLIGHT));
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (mut client, turnstile) = (Client::new(Arc::clone(hub)), Arc::clone(&turnstile));
        tasks.spawn(async move {
            let _turn = turnstile.acquire().await;
            client.open().await.map(|()| client)
        });
    }
    let mut clients = Vec::with_capacity(connections);
    while let Some(opened) = tasks.join_next().await {
        clients.push(opened??);
    }
    Ok(clients)
}

/// Deals the agents out, round robin.
fn shares(fleet: Vec<FleetAgent>, lanes: usize) -> Vec<Vec<FleetAgent>> {
    let mut shares: Vec<Vec<FleetAgent>> = (0..lanes).map(|_| Vec::new()).collect();
    for (number, agent) in fleet.into_iter().enumerate() {
        shares[number % lanes].push(agent);
    }
    shares
}

fn heads(agents: &[FleetAgent], hub: &Hub, cargo: Cargo) -> Vec<Vec<u8>> {
    let path = match cargo {
        Cargo::Samples { .. } => METRICS,
        Cargo::Scan { .. } => DISCOVERY,
    };
    agents.iter().map(|agent| agent.head(hub, path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_dealt_out_and_none_is_in_two_hands() {
        let fleet = (0..7).map(|number| FleetAgent::made_up(number, 1)).collect();
        let ids = |share: &Vec<FleetAgent>| {
            share.iter().map(|agent| agent.id().trim_start_matches("agt-00000000000").to_owned()).collect()
        };
        let shares: Vec<Vec<String>> = shares(fleet, 3).iter().map(ids).collect();
        assert_eq!(shares, [vec!["0", "3", "6"], vec!["1", "4"], vec!["2", "5"]]);
    }
}
