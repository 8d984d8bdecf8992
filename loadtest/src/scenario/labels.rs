//! What dashboards ask before they ask anything else: which labels there are, and which values they have, of ten thousand
//! agents that measure. Each question is asked over and over, by one connection.

use super::{Scenario, register};
use crate::{
    answer::OK,
    api::Api,
    error::LoadError,
    fleet::{Moments, now},
    hub::Stage,
    lanes::{self, Cargo, Load, Until},
    load_report::{Latency, LoadReport},
    progress::{self, Progress},
    report::Told,
    request::encoded,
    settings::{AGENTS_MAX, SettingsError, TIMES_MAX, Target, number},
    tally::microseconds,
    verdict::{Finding, Must, Terms},
};
use clap::Args;
use pingup_protocol::time::Timestamp;
use serde::Serialize;
use std::{fmt::Write, sync::Arc};

/// Agents that the table speaks of, and how often each question is asked for it.
const TABLE_AGENTS: usize = 10_000;
const TABLE_QUERIES: usize = 100;
/// Connections that push, samples of each agent, and from one to the next.
const CONNECTIONS: usize = 32;
const SAMPLES: u64 = 20;
const STEP_SECONDS: i64 = 30;
/// How far back is asked: an hour, as dashboards begin with.
const BACK_SECONDS: i64 = 3_600;
/// What variables of dashboards select by.
const SELECTOR: &str = r#"pingup_agent_info{job=~".+"}"#;

/// The questions: for people, the path, whether series are chosen by [`SELECTOR`], and the line of the table.
const QUESTIONS: [(&str, &str, bool, Option<Must>); 6] = [
    ("labels", "labels", false, Some(Must::Labels)),
    ("agent_id, all values", "label/agent_id/values", false, Some(Must::LabelValues)),
    ("instance, all values", "label/instance/values", false, None),
    ("instance, of one metric", "label/instance/values", true, None),
    ("metrics, all names", "label/__name__/values", false, None),
    ("series, of one metric", "series", true, None),
];

/// How many, how often.
#[derive(Args)]
pub(crate) struct Labels {
    /// Agents to register
    #[arg(long, env = "PINGUP_AGENTS", value_name = "N", default_value_t = TABLE_AGENTS, value_parser = number::<1, AGENTS_MAX>)]
    pub(crate) agents: usize,
    /// Questions of each kind
    #[arg(long, env = "PINGUP_QUERIES", value_name = "N", default_value_t = TABLE_QUERIES, value_parser = number::<1, TIMES_MAX>)]
    pub(crate) queries: usize,
}

/// What one question came to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    name: &'static str,
    #[serde(skip)]
    must: Option<Must>,
    bytes: usize,
    milliseconds: Latency,
}

#[derive(Serialize)]
struct Figures {
    seed: u64,
    agents: usize,
    samples: LoadReport,
    asked: Vec<Asked>,
}

impl Scenario for Labels {
    fn check(&self, _: &Target) -> Result<(), SettingsError> {
        Ok(())
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let stage = Stage::open(target).await?;
        let samples = self.push(&stage, seed).await?;
        let mut api = Api::new(Arc::clone(&stage.hub), stage.bearer.clone());
        let mut asked = Vec::new();
        for (name, path, is_chosen, must) in QUESTIONS {
            asked.push(self.ask(&mut api, name, &whole(path, is_chosen), must).await?);
        }
        let memory = stage.close().await?;
        let figures = Figures { seed, agents: self.agents, samples, asked };
        let (text, sound) = (figures.text(), figures.samples.sound());
        let terms = Terms::default().needs(self.agents as u64, TABLE_AGENTS as u64, "agents").needs(
            self.queries as u64,
            TABLE_QUERIES as u64,
            "questions",
        );
        let found = figures.asked.iter().filter_map(|asked| Some((asked.must?, asked.milliseconds.p50)));
        let findings: Vec<_> = found.map(|(must, p50)| Finding::new(must, p50).under(&terms)).collect();
        Ok(Told::new("labels", &figures, text, sound).with(findings).telling_memory(memory))
    }
}

impl Labels {
    /// Registers everybody; each has measured for some minutes until now.
    async fn push(&self, stage: &Stage, seed: u64) -> Result<LoadReport, LoadError> {
        let fleet = register(stage, self.agents, seed).await?;
        let back = i64::try_from(SAMPLES).unwrap_or_default() * STEP_SECONDS;
        let first = now().plus_seconds(-back);
        let moments = Moments::Spaced { first, step_micros: STEP_SECONDS * 1_000_000 };
        let rows = usize::try_from(SAMPLES).unwrap_or(usize::MAX);
        let connections = CONNECTIONS.min(self.agents);
        let load = Load {
            connections,
            cargo: Cargo::Samples { rows, moments },
            rate: None,
            until: Until::Seq(SAMPLES),
        };
        let progress = Progress::new("measuring", load.until, SAMPLES * self.agents as u64);
        let ran = lanes::run(&stage.hub, fleet, load, &progress).await?;
        Ok(LoadReport::new(stage.hub.url(), self.agents, seed, &load, &ran))
    }

    async fn ask(
        &self,
        api: &mut Api,
        name: &'static str,
        path: &str,
        must: Option<Must>,
    ) -> Result<Asked, LoadError> {
        let bar = progress::bar(name, self.queries as u64, "questions");
        let (mut micros, mut bytes) = (microseconds(), 0);
        for _ in 0..self.queries {
            let (answer, took) = api.timed(path).await?;
            if answer.status != OK {
                return Err(LoadError::refused(name, &answer));
            }
            bytes = answer.body.len();
            micros.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(Asked { name, must, bytes, milliseconds: Latency::of(&micros) })
    }
}

/// The path with the time that is asked about.
fn whole(path: &str, is_chosen: bool) -> String {
    // Whoever came within this second is meant too.
    let end = seconds(now()) + 1;
    let chosen = if is_chosen { format!("&match%5B%5D={}", encoded(SELECTOR)) } else { String::new() };
    format!("/prometheus/api/v1/{path}?start={}&end={end}{chosen}", end - BACK_SECONDS)
}

const fn seconds(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}

impl Figures {
    fn text(&self) -> String {
        let mut text = format!("labels of {} agents, seed {}\n", self.agents, self.seed);
        text += "\n  question                   p50 ms    p99 ms    max ms          answer\n";
        for Asked { name, bytes, milliseconds: Latency { p50, p99, max, .. }, .. } in &self.asked {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name:<24} {p50:>9.2} {p99:>9.2} {max:>9.2} {bytes:>9} bytes");
        }
        text
    }
}
