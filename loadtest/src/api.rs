//! What an operator asks of the hub: lists, pages of history, whatever a path names.

use crate::{
    answer::{Answer, CREATED, OK},
    client::Client,
    error::LoadError,
    request,
    settings::{Bearer, Hub},
};
use pingup_protocol::time::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// Rows on a page at most, as the hub has it.
pub(crate) const PAGE_ROWS_MAX: usize = 10_000;
/// Scans on a page at most, as the hub has it.
pub(crate) const PAGE_SCANS_MAX: usize = 10_000;
/// Agents on a page at most, as the hub has it.
const PAGE_AGENTS_MAX: usize = 1_000;
/// Times that a question is asked when the connection had gone or the hub asks to wait.
const TRIES_MAX: u32 = 10;
const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// A sample as the hub tells it.
#[derive(Debug, Deserialize)]
pub(crate) struct Row {
    /// When it was measured.
    pub(crate) timestamp: Timestamp,
    /// What was measured, as far as it is looked at here.
    pub(crate) metrics: RowMetrics,
}

/// Figures of a sample.
#[derive(Debug, Deserialize)]
pub(crate) struct RowMetrics {
    /// Processor use.
    pub(crate) cpu: f64,
}

/// What was answered to something posted.
#[derive(Debug)]
pub(crate) struct Posted<T> {
    /// What was said.
    pub(crate) answer: T,
    /// When it was sent.
    pub(crate) sent: Instant,
    /// When the answer was there.
    pub(crate) answered: Instant,
}

/// Somebody with a token, and a connection.
pub(crate) struct Api {
    client: Client,
    hub: Arc<Hub>,
    bearer: Bearer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AgentsPage {
    items: Vec<ListedAgent>,
    next_cursor: Option<String>,
}

/// An agent in the hub's list.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ListedAgent {
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Continued {
    next_cursor: Option<String>,
}

impl Api {
    /// Asks `hub` in the name of `bearer`.
    pub(crate) fn new(hub: Arc<Hub>, bearer: Bearer) -> Self {
        Self { client: Client::new(Arc::clone(&hub)), hub, bearer }
    }

    /// Asks for `path` and times the answer; whatever the answer is.
    pub(crate) async fn timed(&mut self, path: &str) -> Result<(Answer<'_>, Duration), LoadError> {
        let request = request::get(&self.hub, path, &self.bearer, JSON);
        let started = Instant::now();
        let answer = self.client.exchange(&request).await?;
        Ok((answer, started.elapsed()))
    }

    /// Posts `message` to `path`; what was answered, and when it was sent and answered.
    pub(crate) async fn post<T: DeserializeOwned>(
        &mut self,
        what: &'static str,
        path: &str,
        message: &impl Serialize,
    ) -> Result<Posted<T>, LoadError> {
        let body = serde_json::to_vec(message)
            .map_err(|error| LoadError::Senseless { what, reason: error.to_string() })?;
        let request = request::post_with(&self.hub, path, Some(&self.bearer), &body);
        let sent = Instant::now();
        let answer = self.client.exchange(&request).await?;
        let answered = Instant::now();
        match answer.status {
            OK | CREATED => Ok(Posted { answer: read(what, answer.body)?, sent, answered }),
            _ => Err(LoadError::refused(what, &answer)),
        }
    }

    /// Asks for `path` and reads what it says.
    pub(crate) async fn read<T: DeserializeOwned>(
        &mut self,
        what: &'static str,
        path: &str,
    ) -> Result<T, LoadError> {
        read(what, self.ask(path, JSON).await?.body)
    }

    /// Asks for all pages of `path` (which has a query already) and times each; returns how many there were.
    pub(crate) async fn timed_pages(
        &mut self,
        path: &str,
        mut note: impl FnMut(Duration),
    ) -> Result<usize, LoadError> {
        let (mut pages, mut cursor) = (0, String::new());
        loop {
            let (answer, took) = self.timed(&format!("{path}{cursor}")).await?;
            if answer.status != OK {
                return Err(LoadError::refused("pages", &answer));
            }
            pages += 1;
            note(took);
            let Continued { next_cursor } = read("pages", answer.body)?;
            match next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(pages),
            }
        }
    }

    /// When the newest sample of an agent was taken.
    pub(crate) async fn newest(&mut self, agent_id: &str) -> Result<Timestamp, LoadError> {
        #[derive(Deserialize)]
        struct Newest {
            timestamp: Timestamp,
        }
        let answer = self.ask(&format!("/api/v1/metrics/{agent_id}/latest"), JSON).await?;
        read("the newest sample", answer.body).map(|Newest { timestamp }| timestamp)
    }

    /// Whether an agent has scans.
    pub(crate) async fn has_scans(&mut self, agent_id: &str) -> Result<bool, LoadError> {
        let path = format!("/api/v1/discovery/{agent_id}/latest");
        self.timed(&path).await.map(|(answer, _)| answer.status == OK)
    }

    /// Every agent of the hub.
    pub(crate) async fn agents(&mut self) -> Result<Vec<ListedAgent>, LoadError> {
        self.agents_that("").await
    }

    /// The agents that fit `filter`, which stands at the end of a query.
    pub(crate) async fn agents_that(&mut self, filter: &str) -> Result<Vec<ListedAgent>, LoadError> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/agents?limit={PAGE_AGENTS_MAX}{filter}{cursor}");
            let page: AgentsPage = read("the list of agents", self.ask(&path, JSON).await?.body)?;
            all.extend(page.items);
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(all),
            }
        }
    }

    /// Every sample of an agent in [`from`, `to`), oldest first.
    pub(crate) async fn history(
        &mut self,
        agent_id: &str,
        (from, to): (Timestamp, Timestamp),
        mut note: impl FnMut(Row),
    ) -> Result<(), LoadError> {
        let mut cursor = String::new();
        loop {
            let path = format!(
                "/api/v1/metrics/{agent_id}?from={from}&to={to}&fields=cpu&limit={PAGE_ROWS_MAX}{cursor}"
            );
            let answer = self.ask(&path, NDJSON).await?;
            for line in answer.body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                note(read("a page of history", line)?);
            }
            match answer.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(()),
            }
        }
    }

    /// Asks until there is an answer that says yes; a hub that is busy is asked again.
    async fn ask(&mut self, path: &str, accept: &str) -> Result<Answer<'_>, LoadError> {
        let request = request::get(&self.hub, path, &self.bearer, accept);
        for _ in 1..TRIES_MAX {
            match self.client.exchange(&request).await.map(|answer| wait_before_asking_again(&answer)) {
                Ok(Some(wait)) => sleep(wait).await,
                // The answer is still in the connection's buffer.
                Ok(None) => break,
                // A connection that the hub had closed meanwhile: the next try opens another.
                Err(_) => {}
            }
        }
        match self.client.last() {
            Some(answer) if answer.status == OK => Ok(answer),
            Some(answer) => Err(LoadError::refused("reading back", &answer)),
            None => Err(LoadError::Nothing("reading back: the hub gives no answer")),
        }
    }
}

fn wait_before_asking_again(answer: &Answer<'_>) -> Option<Duration> {
    answer
        .retry_after(answer.problem().and_then(|problem| problem.problem_type()))
        .filter(|_| answer.status != OK)
}

pub(crate) fn read<'a, T: Deserialize<'a>>(what: &'static str, body: &'a [u8]) -> Result<T, LoadError> {
    serde_json::from_slice(body).map_err(|error| LoadError::Senseless { what, reason: error.to_string() })
}
