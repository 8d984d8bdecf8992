//! The ingest scenario: register a fleet, then push signed samples over keep-alive connections.
//!
//! Each connection (a lane) owns its share of the agents and sends for them in turn, one request in flight,
//! so no agent's stream ever has two requests under way. Without a rate each lane sends when it was
//! answered (a closed loop); with one, pushes follow a [`Schedule`] whatever the hub does (an open loop).
//! A push that the hub asks to send later, or whose connection broke, is sent again byte for byte: its
//! numbers make it count once. At the end what is in flight gets a while to be answered.

use crate::{
    client::{Client, ClientError},
    fleet::{self, FleetAgent, FleetError, Push},
    progress,
    report::Report,
    schedule::Schedule,
    settings::{Hub, IngestSettings},
    tally::Board,
};
use http::StatusCode;
use pingup_protocol::{metrics::PushAnswer, signing::SignError};
use std::{future, num::NonZeroU64, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

const PATH: &str = "/api/v1/metrics";
/// Connections being opened at once: a thousand at a stroke would overrun a listener's backlog.
const CONNECTS_IN_FLIGHT: usize = 64;
/// How long what is in flight at the end may take before it counts as unanswered.
const DRAIN: Duration = Duration::from_secs(10);
/// The wait before a broken connection is opened again.
const RECONNECT_AFTER: Duration = Duration::from_millis(100);

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IngestError {
    /// The system gave no threads.
    #[error("the runtime cannot start: {0}")]
    Runtime(std::io::Error),
    /// No agents to push for.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// No connections to push over.
    #[error(transparent)]
    Connect(#[from] ClientError),
    /// A sample that our own protocol would refuse.
    #[error("a sample cannot be signed: {0}")]
    Sign(#[from] SignError),
    /// A task of ours died.
    #[error("a connection's task died: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Runs the scenario to its end, or to Ctrl-C, and reports either way.
pub(crate) async fn run(settings: &IngestSettings) -> Result<Report, IngestError> {
    let hub = Arc::new(settings.hub.clone());
    let bar = progress::registering(settings.agents);
    let fleet = fleet::register(&hub, &settings.bearer, settings.agents, &bar).await?;
    bar.finish_and_clear();

    let clients = connect(&hub, settings.connections).await?;
    let board = Arc::new(Board::new());
    let (stop, stopped) = watch::channel(false);
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, (client, agents)) in clients.into_iter().zip(shares(fleet, settings.connections)).enumerate()
    {
        let lane = Lane { client, agents, board: Arc::clone(&board), stopped: stopped.clone(), turn: 0 };
        let pace = Pace::new(settings, number, started);
        tasks.spawn(lane.drive(pace, settings.batch));
    }
    tokio::select! {
        () = sleep_until(started + settings.duration) => {}
        // Without a handler Ctrl-C ends the program as usual: nothing to do about that here.
        Ok(()) = tokio::signal::ctrl_c() => {}
        () = progress::pushing(&board, settings.duration) => {}
    }
    let stopped_at = Instant::now();
    stop.send_replace(true);
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    // Waiting in vain for answers at the end is not part of the run; waiting for answers that came is.
    let ended = |last: Option<std::time::Instant>| last.map_or(stopped_at, |at| stopped_at.max(at.into()));
    Ok(board.read(|tally| Report::new(settings, tally, ended(tally.last_answer) - started)))
}

async fn connect(hub: &Arc<Hub>, connections: usize) -> Result<Vec<Client>, IngestError> {
    let turnstile = Arc::new(Semaphore::new(CONNECTS_IN_FLIGHT));
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (hub, turnstile) = (Arc::clone(hub), Arc::clone(&turnstile));
        tasks.spawn(async move {
            let _turn = turnstile.acquire().await;
            Client::connect(hub).await
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

/// When a lane's next push is due.
enum Pace {
    /// As soon as the last one was answered.
    Closed,
    /// At moments counted from the start.
    Open { started: Instant, due: Box<dyn Iterator<Item = Duration> + Send> },
}

impl Pace {
    fn new(settings: &IngestSettings, lane: usize, started: Instant) -> Self {
        match settings.rate.and_then(NonZeroU64::new) {
            None => Self::Closed,
            Some(rate) => {
                let plan = Schedule::new(rate, settings.batch, settings.connections, settings.duration);
                Self::Open { started, due: Box::new(plan.of_lane(lane)) }
            }
        }
    }

    /// The next due moment; `None` when there is none left.
    fn next(&mut self) -> Option<Instant> {
        match self {
            Self::Closed => Some(Instant::now()),
            Self::Open { started, due } => due.next().map(|due| *started + due),
        }
    }

    /// Pushes that are due before `end` and have not been asked for.
    fn left(self, end: Instant) -> usize {
        match self {
            Self::Closed => 0,
            Self::Open { started, due } => due.take_while(|due| started + *due < end).count(),
        }
    }
}

/// One connection and the agents it sends for.
struct Lane {
    client: Client,
    agents: Vec<FleetAgent>,
    board: Arc<Board>,
    stopped: watch::Receiver<bool>,
    turn: usize,
}

impl Lane {
    async fn drive(mut self, mut pace: Pace, rows: usize) -> Result<(), IngestError> {
        while let Some(due) = pace.next() {
            if !self.may_send_at(due).await {
                let now = Instant::now();
                let late = usize::from(due < now && matches!(pace, Pace::Open { .. }));
                self.board.unsent((late + pace.left(now)) * rows);
                break;
            }
            let agent = self.turn;
            self.turn = (agent + 1) % self.agents.len();
            let push = self.agents[agent].push(rows, fleet::now())?;
            let gone = given_up(self.stopped.clone());
            tokio::select! {
                () = self.deliver(agent, &push, due) => {}
                () = gone => {
                    self.board.unanswered(push.rows);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Waits for the moment; whether the run still goes on by then.
    async fn may_send_at(&mut self, due: Instant) -> bool {
        if due > Instant::now() {
            tokio::select! {
                () = sleep_until(due) => {}
                _ = self.stopped.wait_for(|stopped| *stopped) => {}
            }
        }
        !*self.stopped.borrow()
    }

    /// Sends `push` until the hub has said what becomes of it.
    async fn deliver(&mut self, agent: usize, push: &Push, due: Instant) {
        let mut first_try = true;
        loop {
            let bearer = &self.agents[agent].bearer;
            let Ok(answer) = self.client.post(PATH, bearer, push.body.clone()).await else {
                self.board.broke();
                first_try = false;
                sleep(RECONNECT_AFTER).await;
                continue;
            };
            let problem = answer.problem().and_then(|problem| problem.problem_type());
            self.board.answered(answer.status, problem);
            if answer.status == StatusCode::OK {
                match serde_json::from_slice::<PushAnswer>(&answer.body) {
                    Ok(counts) => self.board.stored(push.rows, first_try, &counts, due.elapsed()),
                    Err(_) => self.board.unanswered(push.rows),
                }
                return;
            }
            let Some(wait) = answer.retry_after(problem) else {
                return self.board.refused(push.rows);
            };
            self.board.retried();
            first_try = false;
            sleep(wait).await;
        }
    }
}

/// Comes back when the run is over and what was in flight has had its while.
async fn given_up(mut stopped: watch::Receiver<bool>) {
    if stopped.wait_for(|stopped| *stopped).await.is_err() {
        // Nobody is left to end the run: then whoever holds this task ends it.
        future::pending::<()>().await;
    }
    sleep(DRAIN).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use pingup_protocol::{
        enrol::{Credentials, KeyPair},
        ids::AgentId,
        keys::Secret,
    };
    use tokio::{io::AsyncReadExt, net::TcpListener};

    fn agent(id: &str) -> FleetAgent {
        let key = Secret::new([1; 32]).to_base64();
        let keys = KeyPair { up: key.clone(), down: key };
        let agent_id = AgentId::parse(id).unwrap();
        FleetAgent::new(Credentials { agent_id, generation: 1, keys, token: id.to_owned() }, 1).unwrap()
    }

    #[test]
    fn agents_are_dealt_out_and_none_is_in_two_hands() {
        let fleet = (0..7).map(|number| agent(&number.to_string())).collect();
        let bearers = |share: &Vec<FleetAgent>| share.iter().map(|a| a.bearer.clone()).collect::<Vec<_>>();
        let shares: Vec<_> = shares(fleet, 3).iter().map(bearers).collect();
        let dealt = [["0", "3", "6"].as_slice(), &["1", "4"], &["2", "5"]].map(|ids| {
            ids.iter().map(|id| HeaderValue::from_str(&format!("Bearer {id}")).unwrap()).collect()
        });
        assert_eq!(shares, dealt.map(|ids: Vec<_>| ids));
    }

    #[tokio::test]
    async fn a_hub_that_never_answers_costs_the_rows_and_a_bounded_while() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let authority = HeaderValue::from_static("hub");
        let hub = Arc::new(Hub { host: "127.0.0.1".to_owned(), port, authority });
        let (stop, stopped) = watch::channel(false);
        let board = Arc::new(Board::new());
        let client = Client::connect(hub).await.unwrap();
        let lane = Lane { client, agents: vec![agent("A")], board: Arc::clone(&board), stopped, turn: 0 };
        let driven = tokio::spawn(lane.drive(Pace::Closed, 1));
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();

        tokio::time::pause();
        let over = Instant::now();
        stop.send_replace(true);
        driven.await.unwrap().unwrap();
        assert_eq!(board.read(|tally| tally.rows.unanswered), 1);
        assert!(over.elapsed() >= DRAIN);
    }
}
