//! How soon a command is begun: from the moment that it was answered to its operator until its agent, one among some
//! that wait, has it in hand, verified.
//!
//! Commands go out one at a time, on a schedule that leaves their agents time to wait again, each to an agent of its
//! own choice. All agents live as the real one does meanwhile: they push and beat beside.

use super::{
    Scenario,
    habits::{HabitFlags, Mustered, muster},
};
use crate::{
    api::{Api, Posted},
    crew::{Crew, Habits, record},
    error::LoadError,
    hub::Stage,
    load_report::Latency,
    measured::mix,
    progress,
    report::Told,
    settings::{AGENTS_MAX, SettingsError, TIMES_MAX, Target, number},
    tally::microseconds,
    verdict::{Finding, Must, Terms},
};
use clap::{Args, value_parser};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{fmt::Write, sync::Arc, time::Duration};
use tokio::time::{Instant, interval};

/// How long the last commands may take until they are begun.
const PATIENCE: Duration = Duration::from_secs(30);

/// Commands of each of the table's runs.
const TABLE_COMMANDS: usize = 1_000;

/// To how many, how often.
#[derive(Args)]
pub(crate) struct CommandLatency {
    /// Agents that wait, one run for each number
    #[arg(long, env = "PINGUP_AGENTS", value_name = "N,…", default_value = "1,10000", value_delimiter = ',',
          value_parser = number::<1, AGENTS_MAX>)]
    pub(crate) agents: Vec<usize>,
    /// Commands of each run
    #[arg(long, env = "PINGUP_COMMANDS", value_name = "N", default_value_t = TABLE_COMMANDS,
          value_parser = number::<1, TIMES_MAX>)]
    pub(crate) commands: usize,
    /// Commands a second
    #[arg(long, env = "PINGUP_RATE", value_name = "N", default_value_t = 50,
          value_parser = value_parser!(u64).range(1..=10_000))]
    pub(crate) rate: u64,
    /// How the agents live
    #[command(flatten)]
    pub(crate) habits: HabitFlags,
}

/// What one number of agents came to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    agents: usize,
    /// Connections that each kept.
    lines: usize,
    commands: usize,
    /// Begun before their operator had the answer; they count as no wait at all.
    begun_before_answered: u64,
    /// From the operator's answer until it was begun.
    milliseconds: Latency,
    /// From the moment the order was sent.
    whole_milliseconds: Latency,
    /// What should not have been; null if nothing.
    trouble: Option<String>,
}

#[derive(Serialize)]
struct Figures {
    seed: u64,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Queued {
    command_id: String,
}

impl Scenario for CommandLatency {
    fn check(&self, _: &Target) -> Result<(), SettingsError> {
        Ok(())
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let most = self.agents.iter().copied().max().unwrap_or_default();
        let (habits, stage) = self.habits.stage(target, most, 0).await?;
        let mut runs = Vec::new();
        for &agents in &self.agents {
            let Mustered { crew, .. } = muster(&stage, agents, habits, seed).await?;
            runs.push(self.order(&stage, crew, seed).await?);
        }
        let memory = stage.close().await?;
        let findings: Vec<_> =
            runs.iter().flat_map(|run| run.findings(&self.terms(run.agents, habits))).collect();
        let sound = runs.iter().all(|run| run.trouble.is_none());
        let figures = Figures { seed, runs };
        Ok(Told::new("command-latency", &figures, figures.text(), sound)
            .with(findings)
            .telling_memory(memory))
    }
}

impl CommandLatency {
    /// In what a run with `agents` differs from the table's, which has one of one agent and one of many.
    fn terms(&self, agents: usize, habits: Habits) -> Terms {
        let terms = match agents {
            1 => Terms::default(),
            _ => self.habits.terms(agents, habits),
        };
        terms.needs(self.commands as u64, TABLE_COMMANDS as u64, "commands")
    }

    /// Orders one command after the other of agents of `crew`, and looks when each was begun.
    async fn order(&self, stage: &Stage, crew: Crew, seed: u64) -> Result<Run, LoadError> {
        let (agents, lines) = (crew.len(), crew.lines());
        let bar = progress::bar(&format!("{agents} wait"), self.commands as u64, "commands");
        let mut api = Api::new(Arc::clone(&stage.hub), stage.bearer.clone());
        let mut due = interval(Duration::from_secs(1) / u32::try_from(self.rate).unwrap_or(u32::MAX));
        let mut posted = Vec::with_capacity(self.commands);
        for number in 0..self.commands {
            due.tick().await;
            let place = mix(seed ^ number as u64) % agents as u64;
            let order =
                json!({"agentId": crew.id(usize::try_from(place).unwrap_or_default()), "action": "ping"});
            posted.push(api.post::<Queued>("ordering a command", "/api/v1/commands", &order).await?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let all = posted.len() as u64;
        crew.watch("until all are begun", all, PATIENCE, || crew.diary.progress().0).await?;
        crew.watch("until all are reported", all, PATIENCE, || crew.diary.progress().1).await?;
        let run = Run::new((agents, lines), &posted, &crew);
        crew.dismiss().await?;
        Ok(run)
    }
}

impl Run {
    fn new((agents, lines): (usize, usize), posted: &[Posted<Queued>], crew: &Crew) -> Self {
        let entries = crew.diary.entries();
        let (mut since_answered, mut since_sent, mut before) = (microseconds(), microseconds(), 0);
        let mut trouble = entries.trouble();
        for Posted { answer, sent, answered } in posted {
            let Some(begun) = entries.begun.get(&answer.command_id) else {
                trouble.get_or_insert_with(|| format!("{} was never begun", answer.command_id));
                continue;
            };
            before += u64::from(begun < answered);
            record(&mut since_answered, waited(*answered, *begun));
            record(&mut since_sent, waited(*sent, *begun));
        }
        Self {
            agents,
            lines,
            commands: posted.len(),
            begun_before_answered: before,
            milliseconds: Latency::of(&since_answered),
            whole_milliseconds: Latency::of(&since_sent),
            trouble,
        }
    }

    fn findings(&self, terms: &Terms) -> Vec<Finding> {
        let Latency { p50, p99, .. } = self.milliseconds;
        let found = match self.agents {
            1 => vec![(Must::CommandP50, p50), (Must::CommandP99, p99)],
            _ => vec![(Must::CommandAmongP99, p99)],
        };
        found.into_iter().map(|(must, value)| Finding::new(must, value).under(terms)).collect()
    }
}

fn waited(from: Instant, to: Instant) -> Duration {
    to.saturating_duration_since(from)
}

impl Figures {
    fn text(&self) -> String {
        let mut text = format!("command-latency, seed {}\n", self.seed);
        for run in &self.runs {
            let Run { agents, lines, commands, begun_before_answered, .. } = run;
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "\n{agents} agents wait, {lines} connections each kept; {commands} commands, {begun_before_answered} \
                 begun before their answer was there\n\n  from answered to begun{}\n  from sent to begun{}",
                run.milliseconds, run.whole_milliseconds
            );
            if let Some(trouble) = &run.trouble {
                let _ = writeln!(text, "\n  not in order: {trouble}");
            }
        }
        text
    }
}
