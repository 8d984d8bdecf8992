//! One order to all: agents that wait are ordered in one request, by a selector or by their ids; when the last of them
//! has begun, and when the last result is stored.
//!
//! Times count from the moment that the order is sent. At the end of each round the hub is asked how it counts the
//! batch, and must say that all succeeded.

use super::{
    Scenario,
    habits::{HabitFlags, MUSTER_MAX, Mustered, TABLE_AGENTS, muster, send_home},
    order_all::{Round, order_all},
};
use crate::{
    crew::Crew,
    error::LoadError,
    report::Told,
    settings::{AGENTS_MAX, SettingsError, TIMES_MAX, Target, number},
    verdict::{Finding, Must, Terms},
};
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};
use std::{fmt::Write, time::Duration};

/// How long an order may take until everybody has reported.
const PATIENCE: Duration = Duration::from_secs(120);

/// The table's orders, of which the slowest counts.
const TABLE_ROUNDS: usize = 3;

/// To how many, how, how often.
#[derive(Args)]
pub(crate) struct CommandFanout {
    /// Agents that wait
    #[arg(long, env = "PINGUP_AGENTS", value_name = "N", default_value_t = TABLE_AGENTS,
          value_parser = number::<1, AGENTS_MAX>)]
    pub(crate) agents: usize,
    /// How they are named in the order
    #[arg(long, env = "PINGUP_BY", value_name = "HOW", default_value = "selector")]
    pub(crate) by: By,
    /// Orders, one after the other; the slowest counts
    #[arg(long, env = "PINGUP_ROUNDS", value_name = "N", default_value_t = TABLE_ROUNDS,
          value_parser = number::<1, TIMES_MAX>)]
    pub(crate) rounds: usize,
    /// How the agents live
    #[command(flatten)]
    pub(crate) habits: HabitFlags,
}

/// How agents are named in an order.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum By {
    /// By what their names have in common
    Selector,
    /// One by one
    Ids,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    seed: u64,
    agents: usize,
    lines: usize,
    rounds: Vec<Round>,
    trouble: Option<String>,
}

impl Scenario for CommandFanout {
    fn check(&self, _: &Target) -> Result<(), SettingsError> {
        Ok(())
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let (habits, stage) = self.habits.stage(target, self.agents, 0).await?;
        let Mustered { crew, run } = muster(&stage, self.agents, habits, seed).await?;
        let order = self.order(&crew, &run);
        let mut rounds = Vec::new();
        for _ in 0..self.rounds {
            rounds.push(order_all(&stage, &crew, &order, PATIENCE).await?);
            crew.all_wait(crew.began(), MUSTER_MAX).await?;
        }
        let trouble = crew.diary.entries().trouble();
        let memory = send_home(crew, stage).await?;
        let figures = Figures { seed, agents: self.agents, lines: habits.lines, rounds, trouble };
        let rounds = self.rounds as u64;
        let terms = self.habits.terms(self.agents, habits).needs(rounds, TABLE_ROUNDS as u64, "rounds");
        let findings = figures.findings(&terms);
        let (text, sound) = (figures.text(), figures.sound());
        Ok(Told::new("command-fanout", &figures, text, sound).with(findings).telling_memory(memory))
    }
}

impl CommandFanout {
    fn order(&self, crew: &Crew, run: &str) -> Value {
        match self.by {
            By::Selector => json!({"selector": {"q": run}, "action": "ping"}),
            By::Ids => {
                let ids: Vec<_> = (0..crew.len()).map(|place| crew.id(place)).collect();
                json!({"agentIds": ids, "action": "ping"})
            }
        }
    }
}

impl Figures {
    fn sound(&self) -> bool {
        self.trouble.is_none() && self.rounds.iter().all(|round| round.succeeded == self.agents as u64)
    }

    fn findings(&self, terms: &Terms) -> [Finding; 2] {
        let slowest = |of: fn(&Round) -> f64| self.rounds.iter().map(of).fold(f64::NAN, f64::max);
        let begun = slowest(|round| round.begun_seconds);
        let stored = slowest(|round| round.stored_seconds);
        [(Must::FanoutBegun, begun), (Must::FanoutStored, stored)]
            .map(|(must, seconds)| Finding::new(must, seconds).under(terms))
    }

    fn text(&self) -> String {
        let Self { seed, agents, lines, .. } = self;
        let mut text =
            format!("command-fanout: {agents} agents wait, {lines} connections each kept, seed {seed}\n");
        text += "\n  from the order on, s    answered    all begun   all stored    succeeded   of processors: the hub's, the agents'\n";
        for (number, round) in (1..).zip(&self.rounds) {
            let Round {
                answered_seconds, begun_seconds, stored_seconds, succeeded, processor_seconds, ..
            } = round;
            let told = |seconds: Option<f64>| {
                seconds.map_or_else(|| "?".to_owned(), |seconds| format!("{seconds:.2}"))
            };
            let (hub, agents) = (told(processor_seconds.hub), told(processor_seconds.agents));
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "  round {number:<12} {answered_seconds:>12.3} {begun_seconds:>12.3} {stored_seconds:>12.3} {succeeded:>12} \
                 {hub:>26} {agents:>12}"
            );
        }
        if let Some(last) = self.rounds.last() {
            let _ = write!(text, "\n  from the last order until each began{}", last.begun_milliseconds);
        }
        if let Some(trouble) = &self.trouble {
            let _ = writeln!(text, "\n  not in order: {trouble}");
        }
        text
    }
}
