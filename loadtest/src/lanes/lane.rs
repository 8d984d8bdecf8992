//! One connection with its agents: when its next push is due, and what becomes of each.

use super::{Cargo, Load, Until};
use crate::{answer::OK, board::Desk, client::Client, fleet::FleetAgent, schedule::Schedule, tally::Counts};
use pingup_protocol::time::Timestamp;
use std::{future, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

/// How long what is in flight at the end may take before it counts as unanswered.
const DRAIN: Duration = Duration::from_secs(10);
/// The wait before a broken connection is opened again.
const RECONNECT_AFTER: Duration = Duration::from_millis(100);
/// How late a lane that was idle may wake through no fault of the hub: what the runtime's timer is exact to.
const TIMER_GRAIN: Duration = Duration::from_millis(2);

/// When a lane's next push is due.
pub(super) enum Pace {
    /// As soon as the last one was answered.
    Closed,
    /// At moments counted from the start.
    Open { started: Instant, due: Box<dyn Iterator<Item = Duration> + Send> },
}

impl Pace {
    pub(super) fn new(load: &Load, lane: usize, started: Instant) -> Self {
        match (load.rate, load.until) {
            (Some(rate), Until::Elapsed(duration)) => {
                let plan = Schedule::new(rate, load.cargo.rows(), load.connections, duration);
                Self::Open { started, due: Box::new(plan.of_lane(lane)) }
            }
            _ => Self::Closed,
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
pub(super) struct Lane {
    client: Client,
    agents: Vec<FleetAgent>,
    /// What each agent's requests begin with.
    heads: Vec<Vec<u8>>,
    desk: Desk,
    stopped: watch::Receiver<bool>,
    turn: usize,
    /// Rows that were sent and are not accounted for yet.
    in_flight: usize,
    buffer: Vec<u8>,
}

impl Lane {
    /// A lane over an open connection.
    pub(super) fn new(
        client: Client,
        (agents, heads): (Vec<FleetAgent>, Vec<Vec<u8>>),
        desk: Desk,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self { client, agents, heads, desk, stopped, turn: 0, in_flight: 0, buffer: Vec::new() }
    }

    /// Pushes until the load is over; gives the agents back.
    pub(super) async fn drive(mut self, pace: Pace, load: Load) -> Vec<FleetAgent> {
        let gone = given_up(self.stopped.clone());
        tokio::select! {
            biased;
            () = self.push_on(pace, load) => {}
            () = gone => self.desk.unanswered(self.in_flight),
        }
        self.agents
    }

    async fn push_on(&mut self, mut pace: Pace, load: Load) {
        while let Some(due) = pace.next() {
            let Some(due) = self.wait_for(due).await else {
                let now = Instant::now();
                let late = usize::from(due < now && matches!(pace, Pace::Open { .. }));
                self.desk.unsent((late + pace.left(now)) * load.cargo.rows());
                break;
            };
            if !self.next_push(load) {
                break;
            }
            self.deliver(due).await;
        }
    }

    /// Writes the next agent's push into the buffer; false when every agent has come to its end.
    fn next_push(&mut self, load: Load) -> bool {
        for _ in 0..self.agents.len() {
            let number = self.turn;
            self.turn = (number + 1) % self.agents.len();
            let (agent, head) = (&mut self.agents[number], &self.heads[number]);
            let left = match load.until {
                Until::Elapsed(_) => u64::MAX,
                Until::Seq(last) => last.saturating_sub(agent.last_seq()),
            };
            if left == 0 {
                continue;
            }
            self.in_flight = match load.cargo {
                Cargo::Samples { rows, moments } => {
                    let rows = rows.min(usize::try_from(left).unwrap_or(usize::MAX));
                    agent.push(&mut self.buffer, head, rows, moments);
                    rows
                }
                Cargo::Scan { first, after, step_micros } => {
                    let place = i64::try_from(agent.last_seq().saturating_sub(after)).unwrap_or(i64::MAX);
                    let at = Timestamp::from_micros(first.as_micros() + place * step_micros);
                    agent.scan(&mut self.buffer, head, at);
                    1
                }
            };
            return true;
        }
        false
    }

    /// Waits for the moment; `None` if the run is over by then. Gives back the moment that latency counts from: a
    /// lane that slept until it was due and woke late by the timer's grain was not held up by the hub.
    async fn wait_for(&mut self, due: Instant) -> Option<Instant> {
        let idle = due > Instant::now();
        if idle {
            tokio::select! {
                () = sleep_until(due) => {}
                _ = self.stopped.wait_for(|stopped| *stopped) => {}
            }
        }
        let counted = if idle { Instant::now().min(due + TIMER_GRAIN) } else { due };
        (!*self.stopped.borrow()).then_some(counted)
    }

    /// Sends what is in the buffer until the hub has said what becomes of it.
    async fn deliver(&mut self, due: Instant) {
        let rows = self.in_flight;
        let mut first_try = true;
        loop {
            let wait = match self.client.exchange(&self.buffer).await {
                Err(_) => {
                    self.desk.broke();
                    RECONNECT_AFTER
                }
                Ok(answer) if answer.status == OK => {
                    match Counts::read(&answer) {
                        Some(counts) => self.desk.stored(rows, first_try, counts, due.elapsed()),
                        None => self.desk.unanswered(rows),
                    }
                    break;
                }
                Ok(answer) => {
                    let problem = answer.problem().and_then(|problem| problem.problem_type());
                    self.desk.answered(answer.status, problem);
                    let Some(wait) = answer.retry_after(problem) else {
                        self.desk.refused(rows);
                        break;
                    };
                    self.desk.retried();
                    wait
                }
            };
            first_try = false;
            sleep(wait).await;
        }
        self.in_flight = 0;
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
    use crate::{board::Board, fleet::Moments, lanes::heads, settings::Hub};
    use std::sync::Arc;
    use tokio::{io::AsyncReadExt, net::TcpListener};

    #[tokio::test]
    async fn a_hub_that_never_answers_costs_the_rows_and_a_bounded_while() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hub = Hub::read(&format!("http://{}", listener.local_addr().unwrap()), false).unwrap();
        let (stop, stopped) = watch::channel(false);
        let board = Board::new(std::time::Instant::now());
        let mut client = Client::new(Arc::new(hub.clone()));
        client.open().await.unwrap();
        let agents = vec![FleetAgent::made_up(1, 1)];
        let cargo = Cargo::Samples { rows: 1, moments: Moments::Now };
        let heads = heads(&agents, &hub, cargo);
        let lane = Lane::new(client, (agents, heads), board.desk(0), stopped);
        let load = Load { connections: 1, cargo, rate: None, until: Until::Elapsed(Duration::from_secs(1)) };
        let driven = tokio::spawn(lane.drive(Pace::Closed, load));
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();

        tokio::time::pause();
        let over = Instant::now();
        stop.send_replace(true);
        driven.await.unwrap();
        assert_eq!(board.take().rows.unanswered, 1);
        assert!(over.elapsed() >= DRAIN);
    }
}
