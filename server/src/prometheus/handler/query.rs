//! `query` and `query_range`; and what else takes a query: `query_exemplars`, `format_query`.

use super::{Asked, aside, ask, complaint, stats::Stats, success, write};
use crate::{
    http::{envelope::Complaint, pack::Packing},
    prometheus::{Prometheus, Source, limits},
};
use axum::{extract::State, response::Response};
use pingup_promql::{Answer, Cancel, Claim, Error, Limits, Options, Query, pretty};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// What a query is asked with, beside its times.
struct Question {
    text: String,
    /// How old a sample may be that still counts, in milliseconds, if somebody said so.
    lookback_ms: Option<i64>,
    limits: Limits,
    /// Series to answer with.
    limit: Option<usize>,
    stats: bool,
    asked_at: Instant,
}

impl Question {
    fn new(asked: &Asked) -> Result<Self, Complaint> {
        let mut limits = limits();
        if let Some(timeout_ms) = asked.duration_ms("timeout")? {
            limits.time = limits.time.min(Duration::from_millis(timeout_ms.unsigned_abs()));
        }
        Ok(Self {
            text: asked.query(),
            // 0 stands for what is usual.
            lookback_ms: asked.duration_ms("lookback_delta")?.filter(|&lookback| lookback > 0),
            limits,
            limit: asked.limit()?,
            stats: asked.text("stats").is_some(),
            asked_at: Instant::now(),
        })
    }

    /// Waits for a turn, evaluates, and answers.
    async fn answer(
        self,
        room: &Prometheus,
        gzip: bool,
        evaluate: impl FnOnce(&Query, &Source, &Options) -> Result<Answer, Error> + Send + 'static,
    ) -> Result<Response, Complaint> {
        let claim = room.claim();
        let work = move |source: &Source, cancel: &Cancel, out: &mut Packing<'_>| {
            let begun = Instant::now();
            let query = Query::parse(&self.text).map_err(|error| complaint(&error))?;
            if query.selectors().next().is_none() {
                // It reads nothing, so nobody else says so, but it may compute for long.
                out.wanted().give_way();
            }
            // Kept until the answer is written, and its points are gone.
            let options = self.options(cancel, claim);
            let evaluated = evaluate(&query, source, &options);
            let mut answer = evaluated.map_err(|error| complaint(&error))?;
            answer.infos.extend(source.infos());
            let queued = begun.duration_since(self.asked_at).as_secs_f64();
            let stats = Stats::new(queued, begun.elapsed().as_secs_f64(), answer.samples);
            write::answer(out, answer, self.limit, self.stats.then_some(stats))
        };
        ask(room, gzip, work).await
    }

    fn options(&self, cancel: &Cancel, claim: Claim) -> Options {
        let usual = Options::default();
        let lookback_ms = self.lookback_ms.unwrap_or(usual.lookback_ms);
        Options { lookback_ms, limits: self.limits, claim: Some(claim), cancel: cancel.clone(), ..usual }
    }
}

/// `GET` and `POST /prometheus/api/v1/query`: at one moment, now unless said otherwise.
pub async fn query(State(room): State<Arc<Prometheus>>, asked: Asked) -> Result<Response, Complaint> {
    let moment = asked.moment("time")?.unwrap_or_else(|| room.now_ms());
    let question = Question::new(&asked)?;
    let evaluate =
        move |query: &Query, source: &Source, options: &Options| query.instant(source, moment, options);
    question.answer(&room, asked.gzip, evaluate).await
}

/// `GET` and `POST /prometheus/api/v1/query_range`: at steps.
pub async fn query_range(State(room): State<Arc<Prometheus>>, asked: Asked) -> Result<Response, Complaint> {
    let steps = asked.steps()?;
    let question = Question::new(&asked)?;
    let evaluate =
        move |query: &Query, source: &Source, options: &Options| query.range(source, steps, options);
    question.answer(&room, asked.gzip, evaluate).await
}

/// `GET` and `POST /prometheus/api/v1/query_exemplars`: there are none, but a query is still a query.
pub async fn query_exemplars(asked: Asked) -> Result<Response, Complaint> {
    let (first, last) = asked.stretch()?;
    if last < first {
        return Err(Complaint::bad_data("end timestamp must not be before start timestamp"));
    }
    let text = asked.query();
    aside(move || Query::parse(&text).map_err(|error| complaint(&error))).await?;
    Ok(success(&[(); 0]))
}

/// `GET` and `POST /prometheus/api/v1/format_query`: made readable.
pub async fn format_query(asked: Asked) -> Result<Response, Complaint> {
    let text = asked.query();
    let readable = aside(move || pretty(&text).map_err(|error| complaint(&error))).await?;
    Ok(success(&readable))
}
