//! Questions about a filled store: each kind for random agents, one after the other; then, if asked, ingest beside
//! heavy questions.
//!
//! It takes a store that `fill` made (`--data-dir`, or a running hub); an empty one it fills a little by itself. What
//! the hub does not offer (404, 405, 422) is told as such, in the hub's own words, and judged by nobody.

use super::{Scenario, fill::Fill, load, register};
use crate::{
    answer::OK,
    api::{Api, ListedAgent, PAGE_ROWS_MAX, PAGE_SCANS_MAX},
    error::LoadError,
    hub::Stage,
    lanes,
    load_report::{Latency, LoadReport},
    measured::mix,
    progress::{self, Progress},
    report::Told,
    settings::{RATE_ROWS_MAX, RUN_SECONDS_MAX, SettingsError, TIMES_MAX, Target, number},
    tally::microseconds,
    verdict::{Finding, Must},
};
use clap::{Args, value_parser};
use pingup_protocol::time::Timestamp;
use serde::Serialize;
use std::{
    fmt::Write,
    num::NonZeroU64,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{task::JoinSet, time::sleep};

/// Statuses of a path, a method of it, or a parameter that a hub does not have.
const NOT_OFFERED: [u16; 3] = [404, 405, 422];
/// Agents and connections of the ingest beside heavy queries.
const INGEST_AGENTS: usize = 2_000;
const INGEST_CONNECTIONS: usize = 256;
/// How far back questions reach, seconds.
const MONTH_SECONDS: i64 = 30 * 86_400;
const DAY_SECONDS: i64 = 86_400;
/// Agents that the table's store has; with fewer, questions about the fleet are easier.
const TABLE_AGENTS: usize = 1_000;
const NO_SCANS: &str = "no scans in this store";
/// The wait before a busy hub is asked a heavy question again.
const BUSY_WAIT: Duration = Duration::from_millis(100);

/// What to ask, how often.
#[derive(Args)]
pub(crate) struct QueryMix {
    /// Questions of each kind
    #[arg(long, env = "PINGUP_QUERIES", value_name = "N", default_value = "100", value_parser = number::<1, TIMES_MAX>)]
    pub(crate) queries: usize,
    /// Rows a second to push beside heavy questions; 0: none
    #[arg(long, env = "PINGUP_INGEST_RATE", value_name = "N", default_value_t = 0,
          value_parser = value_parser!(u64).range(0..=RATE_ROWS_MAX))]
    pub(crate) ingest_rate: u64,
    /// Heavy questions (30 days by the minute) at once beside it
    #[arg(long, env = "PINGUP_HEAVY", value_name = "N", default_value = "10", value_parser = number::<0, 1_000>)]
    pub(crate) heavy: usize,
    /// How long to push beside them
    #[arg(long, env = "PINGUP_SECONDS", value_name = "N", default_value_t = 30,
          value_parser = value_parser!(u64).range(1..=RUN_SECONDS_MAX))]
    pub(crate) seconds: u64,
}

/// A kind of question.
struct Kind {
    name: &'static str,
    must: Option<Must>,
    path: fn(&Span, &str) -> String,
}

/// The kinds, in the table's order.
const KINDS: [Kind; 5] = [
    Kind {
        name: "month by hour",
        must: Some(Must::MonthByHour),
        path: |span, id| format!("/api/v1/metrics/{id}?from={}&to={}&step=1h", span.month_ago(), span.end),
    },
    Kind {
        name: "raw rows of a day",
        must: Some(Must::DayRaw),
        path: |span, id| {
            let (from, to) = (span.end.plus_seconds(-2 * DAY_SECONDS), span.end.plus_seconds(-DAY_SECONDS));
            format!("/api/v1/metrics/{id}?from={from}&to={to}&limit={PAGE_ROWS_MAX}")
        },
    },
    Kind {
        name: "fleet by hour",
        must: Some(Must::Fleet),
        path: |span, _| {
            format!("/api/v1/fleet/metrics?step=1h&from={}&to={}&fields=cpu", span.month_ago(), span.end)
        },
    },
    Kind {
        name: "top ten",
        must: Some(Must::Top),
        path: |_, _| "/api/v1/fleet/top?field=cpu&window=1h&limit=10".to_owned(),
    },
    Kind { name: "scans, first page", must: Some(Must::Scans), path: |span, id| span.scans(id) },
];

/// The time that the store covers.
#[derive(Clone, Copy, Debug)]
struct Span {
    end: Timestamp,
}

impl Span {
    const fn month_ago(self) -> Timestamp {
        self.end.plus_seconds(-MONTH_SECONDS)
    }

    fn scans(&self, id: &str) -> String {
        format!("/api/v1/discovery/{id}?from={}&to={}&limit={PAGE_SCANS_MAX}", self.month_ago(), self.end)
    }
}

/// What one kind came to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    name: &'static str,
    #[serde(skip)]
    must: Option<Must>,
    /// Why there is no answer; null where there is one.
    not_offered: Option<String>,
    answers: u64,
    /// Bytes of the longest answer.
    bytes_max: usize,
    milliseconds: Latency,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    seed: u64,
    agents: usize,
    agents_with_scans: usize,
    asked: Vec<Asked>,
    beside: Option<Beside>,
}

/// Ingest beside heavy questions.
#[derive(Serialize)]
struct Beside {
    ingest: LoadReport,
    heavy: Asked,
    heavy_at_once: usize,
}

/// Who can be asked about.
struct Store {
    agents: Vec<String>,
    with_scans: Vec<String>,
    span: Span,
}

impl Scenario for QueryMix {
    fn check(&self, _: &Target) -> Result<(), SettingsError> {
        Ok(())
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let stage = Stage::open(target).await?;
        let mut api = Api::new(Arc::clone(&stage.hub), stage.bearer.clone());
        if api.agents().await?.is_empty() {
            Fill::small().push(&stage, seed).await?;
        }
        let store = Store::find(&mut api).await?;
        let mut asked = Vec::new();
        for kind in &KINDS {
            asked.push(self.ask(&mut api, &store, kind, seed).await?);
        }
        asked.push(self.whole_months(&mut api, &store, seed).await?);
        let beside = match NonZeroU64::new(self.ingest_rate) {
            Some(rate) => Some(self.beside(&stage, &store, rate, seed).await?),
            None => None,
        };
        let memory = stage.close().await?;
        let agents_with_scans = store.with_scans.len();
        let figures = Figures { seed, agents: store.agents.len(), agents_with_scans, asked, beside };
        let sound = figures.beside.as_ref().is_none_or(|beside| beside.ingest.sound());
        let findings = figures.findings(self);
        Ok(Told::new("query-mix", &figures, figures.text(), sound).with(findings).with_memory(memory))
    }
}

impl QueryMix {
    async fn ask(&self, api: &mut Api, store: &Store, kind: &Kind, seed: u64) -> Result<Asked, LoadError> {
        let ids = if kind.must == Some(Must::Scans) { &store.with_scans } else { &store.agents };
        let bar = progress::bar(kind.name, self.queries as u64, "questions");
        let (mut micros, mut bytes_max) = (microseconds(), 0);
        let mut not_offered = ids.is_empty().then(|| NO_SCANS.to_owned());
        for query in 0..self.queries {
            let Some(id) = pick(ids, seed ^ query as u64) else { break };
            let (answer, took) = api.timed(&(kind.path)(&store.span, id)).await?;
            match answer.status {
                OK => {
                    micros.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
                    bytes_max = bytes_max.max(answer.body.len());
                }
                status if NOT_OFFERED.contains(&status) => {
                    not_offered = Some(LoadError::refused(kind.name, &answer).to_string());
                    break;
                }
                _ => return Err(LoadError::refused(kind.name, &answer)),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        let (name, must, milliseconds) = (kind.name, kind.must, Latency::of(&micros));
        Ok(Asked { name, must, not_offered, answers: micros.len(), bytes_max, milliseconds })
    }

    /// All scans of a month, page by page: what all pages take together.
    async fn whole_months(&self, api: &mut Api, store: &Store, seed: u64) -> Result<Asked, LoadError> {
        const MONTHS_MAX: usize = 5;
        let mut micros = microseconds();
        for query in 0..self.queries.min(MONTHS_MAX) {
            let Some(id) = pick(&store.with_scans, seed ^ query as u64) else { break };
            let mut whole = Duration::ZERO;
            api.timed_pages(&store.span.scans(id), |took| whole += took).await?;
            micros.saturating_record(u64::try_from(whole.as_micros()).unwrap_or(u64::MAX));
        }
        Ok(Asked {
            name: "scans, all pages",
            must: None,
            not_offered: store.with_scans.is_empty().then(|| NO_SCANS.to_owned()),
            answers: micros.len(),
            bytes_max: 0,
            milliseconds: Latency::of(&micros),
        })
    }

    async fn beside(
        &self,
        stage: &Stage,
        store: &Store,
        rate: NonZeroU64,
        seed: u64,
    ) -> Result<Beside, LoadError> {
        let fleet = register(stage, INGEST_AGENTS, seed).await?;
        let mut askers = JoinSet::new();
        let micros = Arc::new(Mutex::new(microseconds()));
        for asker in 0..self.heavy {
            let mut api = Api::new(Arc::clone(&stage.hub), stage.bearer.clone());
            let (ids, span, micros) = (store.agents.clone(), store.span, Arc::clone(&micros));
            askers.spawn(async move {
                for query in 0.. {
                    let Some(id) = pick(&ids, mix(seed ^ asker as u64) ^ query) else { break };
                    let path = format!(
                        "/api/v1/metrics/{id}?from={}&to={}&step=1m&limit={PAGE_ROWS_MAX}",
                        span.month_ago(),
                        span.end
                    );
                    match api.timed(&path).await {
                        Ok((answer, took)) if answer.status == OK => {
                            let mut micros = micros.lock().unwrap_or_else(PoisonError::into_inner);
                            micros.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
                        }
                        // Busy, or a connection that went: what is measured here is the ingest.
                        _ => sleep(BUSY_WAIT).await,
                    }
                }
            });
        }
        let load = load(INGEST_CONNECTIONS, 1, Some(rate), self.seconds);
        let progress = Progress::new("beside heavy questions", load.until, 0);
        let ran = lanes::run(&stage.hub, fleet, load, &progress).await?;
        askers.shutdown().await;
        let micros = micros.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Beside {
            ingest: LoadReport::new(stage.hub.url(), INGEST_AGENTS, seed, &load, &ran),
            heavy: Asked {
                name: "30 days by the minute",
                must: None,
                not_offered: None,
                answers: micros.len(),
                bytes_max: 0,
                milliseconds: Latency::of(&micros),
            },
            heavy_at_once: self.heavy,
        })
    }
}

impl Store {
    /// The agents that a fill made, or else all; those with scans; and when the newest sample was taken.
    async fn find(api: &mut Api) -> Result<Self, LoadError> {
        let listed = api.agents().await?;
        let filled =
            |agent: &&ListedAgent| agent.name.as_deref().is_some_and(|name| name.starts_with("fill-"));
        let mut agents: Vec<_> = listed.iter().filter(filled).map(|agent| agent.id.clone()).collect();
        if agents.is_empty() {
            agents = listed.into_iter().map(|agent| agent.id).collect();
        }
        let end = api
            .newest(agents.first().ok_or(LoadError::Nothing("the hub has no agents to ask about"))?)
            .await?;
        let spinner = progress::spinner("looking for scans");
        let mut with_scans = Vec::new();
        for id in &agents {
            if api.has_scans(id).await? {
                with_scans.push(id.clone());
            }
        }
        spinner.finish_and_clear();
        Ok(Self { agents, with_scans, span: Span { end: end.plus_seconds(1) } })
    }
}

impl Figures {
    fn findings(&self, asked: &QueryMix) -> Vec<Finding> {
        let small = match self.agents < TABLE_AGENTS {
            true => format!("{} agents", self.agents),
            false => String::new(),
        };
        let mut findings = Vec::new();
        for asked in &self.asked {
            let Some(must) = asked.must else { continue };
            let finding = Finding::new(must, asked.milliseconds.p50).noted(small.clone());
            findings.push(match &asked.not_offered {
                None => finding,
                Some(why) => Finding { value: None, ..finding.noted(why.clone()) },
            });
        }
        if let Some(Beside { ingest, heavy_at_once: 10, .. }) = &self.beside
            && asked.ingest_rate == 20_000
        {
            findings.push(Finding::new(Must::BesideQueries, ingest.latency_milliseconds.p99).noted(small));
        }
        findings
    }

    fn text(&self) -> String {
        let mut text = format!(
            "query-mix, {} agents, {} with scans, seed {}\n",
            self.agents, self.agents_with_scans, self.seed
        );
        text += "\n  question                answers    p50 ms    p99 ms    max ms   longest answer\n";
        let heavy = self.beside.as_ref().map(|beside| &beside.heavy);
        for Asked { name, not_offered, answers, bytes_max, milliseconds, .. } in
            self.asked.iter().chain(heavy)
        {
            let Latency { p50, p99, max, .. } = milliseconds;
            // Writing to a String cannot fail.
            let _ = match not_offered {
                None => writeln!(
                    text,
                    "  {name:<22} {answers:>8} {p50:>9.2} {p99:>9.2} {max:>9.2} {bytes_max:>10} bytes"
                ),
                Some(_) => writeln!(text, "  {name:<22} not offered"),
            };
        }
        if let Some(beside) = &self.beside {
            let _ = write!(
                text,
                "\nbeside {} heavy questions at once, on {}",
                beside.heavy_at_once, beside.ingest
            );
        }
        text
    }
}

fn pick(ids: &[String], random: u64) -> Option<&str> {
    let place = mix(random) % (ids.len() as u64).max(1);
    ids.get(usize::try_from(place).ok()?).map(String::as_str)
}
