//! A small spool, as an agent has one: what was not answered stays and is sent again.
//!
//! Every figure and every moment follows from a sample's number, so the spool is three numbers: what the hub has
//! said is stored, what was ever sent, what was ever taken. Nothing piles up here, whatever the hub does.

use crate::{
    answer::OK,
    api::{Api, Row},
    client::{ANSWER_TIMEOUT, Client},
    error::LoadError,
    fleet::{FleetAgent, METRICS, Moments},
    measured::Measured,
    settings::Hub,
    tally::Counts,
};
use pingup_protocol::time::Timestamp;
use serde::Serialize;
use std::{
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, Instant},
};

/// An agent with its spool, and the connection that it pushes over, if it has one of its own.
pub(crate) struct Spool {
    agent: Arc<FleetAgent>,
    first: Timestamp,
    step_micros: i64,
    /// Everything up to this number is stored: a 200 said so.
    acked: u64,
    /// The last number that was ever sent.
    sent: u64,
    client: Option<Client>,
    head: Vec<u8>,
    buffer: Vec<u8>,
    patience: Duration,
}

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// A 200.
    Stored {
        /// Rows in it.
        rows: u64,
        /// Rows that it does not account for, or that it calls duplicates though they were never sent before.
        missed: u64,
    },
    /// The hub asks to come again.
    Later {
        /// After how long.
        wait: Duration,
        /// How long it took to say so.
        took: Duration,
        /// Whether it named a time.
        says_when: bool,
    },
    /// No answer.
    Broken,
}

impl Spool {
    /// An empty spool of `agent`, whose sample number 1 was taken at `first`, and the others a step apart.
    pub(crate) fn new(
        agent: FleetAgent,
        (first, step): (Timestamp, Duration),
        hub: Arc<Hub>,
        patience: Duration,
    ) -> Self {
        let client = Some(Client::new(Arc::clone(&hub)).with_patience(patience));
        Self { patience, client, ..Self::without_line(Arc::new(agent), (first, step), &hub) }
    }

    /// The same without a connection of its own: see [`Spool::push_over`].
    pub(crate) fn without_line(
        agent: Arc<FleetAgent>,
        (first, step): (Timestamp, Duration),
        hub: &Hub,
    ) -> Self {
        let step_micros = i64::try_from(step.as_micros()).unwrap_or(i64::MAX).max(1);
        let head = agent.head(hub, METRICS);
        let (client, buffer, patience) = (None, Vec::new(), ANSWER_TIMEOUT);
        Self { agent, first, step_micros, acked: 0, sent: 0, client, head, buffer, patience }
    }

    /// The hub is there now, which may be where it was.
    pub(crate) fn move_to(&mut self, hub: Arc<Hub>) {
        if self.client.as_ref().is_none_or(|client| client.talks_to(&hub)) {
            return;
        }
        self.head = self.agent.head(&hub, METRICS);
        self.client = Some(Client::new(hub).with_patience(self.patience));
    }

    /// The last number that a 200 covered.
    pub(crate) const fn acked(&self) -> u64 {
        self.acked
    }

    /// Whether everything that was ever sent is stored.
    pub(crate) const fn is_empty(&self) -> bool {
        self.acked == self.sent
    }

    /// The agent's seed.
    pub(crate) fn seed(&self) -> u64 {
        self.agent.seed()
    }

    /// What the next request brings: what was sent before without an answer, or up to `taken`, but no more than
    /// `rows_max`. None if there is nothing.
    pub(crate) fn next(&self, taken: u64, rows_max: u64) -> Option<RangeInclusive<u64>> {
        let last = taken.max(self.sent).min(self.acked + rows_max);
        (last > self.acked).then(|| self.acked + 1..=last)
    }

    /// Sends the samples of `range`, which [`Spool::next`] gave, over the connection of its own.
    pub(crate) async fn push(&mut self, range: RangeInclusive<u64>) -> Result<Pushed, LoadError> {
        let Some(mut client) = self.client.take() else { return Ok(Pushed::Broken) };
        let pushed = self.push_over(&mut client, range).await;
        self.client = Some(client);
        pushed
    }

    /// The same over `client`.
    pub(crate) async fn push_over(
        &mut self,
        client: &mut Client,
        range: RangeInclusive<u64>,
    ) -> Result<Pushed, LoadError> {
        let (rows, last) = (range.end() - range.start() + 1, *range.end());
        let never_sent = last.saturating_sub(self.sent).min(rows);
        let moments = Moments::Spaced { first: self.first, step_micros: self.step_micros };
        self.agent.write_again(&mut self.buffer, &self.head, range, moments);
        self.sent = self.sent.max(last);
        let started = Instant::now();
        let Ok(answer) = client.exchange(&self.buffer).await else { return Ok(Pushed::Broken) };
        if answer.status == OK {
            let counts =
                Counts::read(&answer).ok_or_else(|| LoadError::refused("pushing from a spool", &answer))?;
            self.acked = last;
            let missed = rows - (counts.accepted + counts.duplicates).min(rows);
            return Ok(Pushed::Stored {
                rows,
                missed: missed + never_sent.saturating_sub(counts.accepted + missed),
            });
        }
        let problem = answer.problem().and_then(|problem| problem.problem_type());
        match answer.retry_after(problem) {
            Some(wait) => Ok(Pushed::Later { wait, took: started.elapsed(), says_when: answer.says_when() }),
            None => Err(LoadError::refused("pushing from a spool", &answer)),
        }
    }

    /// Reads everything back that the hub has of this agent, and holds it to what was sent.
    pub(crate) async fn audit(&self, api: &mut Api) -> Result<Audit, LoadError> {
        let mut seen = vec![0_u8; usize::try_from(self.sent).unwrap_or(usize::MAX)];
        let mut strange = 0;
        api.history(self.agent.id(), (self.first, self.end()), |row| match self.number_of(&row) {
            Some(number) => seen[number] = seen[number].saturating_add(1),
            None => strange += 1,
        })
        .await?;
        let acked = usize::try_from(self.acked).unwrap_or(usize::MAX);
        Ok(Audit {
            rows: seen.iter().map(|times| u64::from(*times)).sum(),
            lost: seen[..acked].iter().filter(|times| **times == 0).count() as u64,
            doubled: seen.iter().map(|times| u64::from(times.saturating_sub(1))).sum(),
            strange,
        })
    }

    /// Which of the samples (from 0) `row` is, if it is one of ours, figures and all.
    fn number_of(&self, row: &Row) -> Option<usize> {
        let since = row.timestamp.as_micros() - self.first.as_micros();
        let place = u64::try_from(since / self.step_micros).ok()?;
        let known = since % self.step_micros == 0 && place < self.sent;
        let cpu = f64::from(Measured::new(self.seed(), place + 1).cpu) / 10.0;
        (known && row.metrics.cpu == cpu).then(|| usize::try_from(place).ok())?
    }

    /// When the next sample would be taken; of a spool that sent nothing, the one after the first: a span has a length.
    fn end(&self) -> Timestamp {
        self.moment(self.sent.max(1) + 1)
    }

    fn moment(&self, seq: u64) -> Timestamp {
        let place = i64::try_from(seq - 1).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.first.as_micros().saturating_add(place.saturating_mul(self.step_micros)))
    }
}

/// What was found when everything was read back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Audit {
    /// Rows that the hub has.
    pub(crate) rows: u64,
    /// Rows that it said were stored and does not have.
    pub(crate) lost: u64,
    /// Rows that it has more than once, each time but the first.
    pub(crate) doubled: u64,
    /// Rows that nobody sent like that.
    pub(crate) strange: u64,
}

impl Audit {
    /// Both together.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            lost: self.lost + other.lost,
            doubled: self.doubled + other.doubled,
            strange: self.strange + other.strange,
        }
    }

    /// Rows that are not as they should be.
    pub(crate) const fn wrong(&self) -> u64 {
        self.lost + self.doubled + self.strange
    }
}

#[cfg(test)]
mod tests;
