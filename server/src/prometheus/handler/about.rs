//! What there is to know beside series: `metadata`, `rules`, `alerts`, `status/…`.

use super::{
    Asked, ask, complaint, success,
    write::{self, Notes},
};
use crate::{
    http::{envelope::Complaint, pack::Packing},
    prometheus::{Heads, Metadata, Prometheus},
};
use axum::{extract::State, response::Response};
use pingup_protocol::plain;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The version of Prometheus whose language and API these are. Clients turn features on by it, and must be able to
/// read it as a semantic version.
const PROMETHEUS_VERSION: &str = "3.8.0";

/// Metrics and labels that `status/tsdb` lists where nobody says how many, as in Prometheus.
const LISTED_DEFAULT: usize = 10;

/// `GET /prometheus/api/v1/rules`: there are none.
pub async fn rules() -> Response {
    success(&json!({ "groups": [] }))
}

/// `GET /prometheus/api/v1/alerts`: there are none.
pub async fn alerts() -> Response {
    success(&json!({ "alerts": [] }))
}

/// `GET /prometheus/api/v1/status/flags`: none. Editors look there for experimental syntax.
pub async fn flags() -> Response {
    success(&json!({}))
}

/// `GET /prometheus/api/v1/status/buildinfo`. It lists no features: Grafana would take a server that does for Mimir.
pub async fn buildinfo() -> Response {
    success(&json!({
        "version": PROMETHEUS_VERSION,
        "revision": concat!("pingup-", env!("CARGO_PKG_VERSION")),
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }))
}

/// `GET /prometheus/api/v1/metadata`: type, help and unit of each metric. It has one entry, so `limit_per_metric` cuts
/// nothing.
pub async fn metadata(State(room): State<Arc<Prometheus>>, asked: Asked) -> Result<Response, Complaint> {
    let limit = asked.limit()?;
    let metric = asked.text("metric").map(str::to_owned);
    ask(&room, asked.gzip, move |source, _, out| {
        let mut all = source.metadata().map_err(|error| complaint(&error))?;
        all.retain(|entry| metric.as_ref().is_none_or(|metric| *metric == entry.name));
        all.truncate(limit.unwrap_or(usize::MAX));
        let all: Map<_, _> = all.into_iter().map(described).collect();
        whole(out, &Value::Object(all))
    })
    .await
}

fn described(metric: Metadata) -> (String, Value) {
    let Metadata { name, kind, help, unit } = metric;
    (name, json!([{ "type": kind, "help": help, "unit": unit }]))
}

/// `GET /prometheus/api/v1/status/tsdb`: how many series and labels there are. What only Prometheus's own store has
/// is 0, or empty; how many series each sender wrote first is the hub's own.
pub async fn tsdb(State(room): State<Arc<Prometheus>>, asked: Asked) -> Result<Response, Complaint> {
    let listed = asked.limit()?.unwrap_or(LISTED_DEFAULT);
    ask(&room, asked.gzip, move |source, _, out| {
        let Heads { series, label_pairs, metrics, labels, senders, times } =
            source.heads().map_err(|error| complaint(&error))?;
        let (first, last) = times.unwrap_or_default();
        let list = |counts: Vec<(String, usize)>| {
            let named = |(name, value)| json!({ "name": name, "value": value });
            counts.into_iter().take(listed).map(named).collect::<Vec<_>>()
        };
        whole(
            out,
            &json!({
                "headStats": {
                    "numSeries": series, "numLabelPairs": label_pairs, "chunkCount": 0,
                    "minTime": first, "maxTime": last,
                },
                "seriesCountByMetricName": list(metrics),
                "labelValueCountByLabelName": list(labels),
                "memoryInBytesByLabelName": [],
                "seriesCountByLabelValuePair": [],
                "seriesCountBySender": list(senders),
            }),
        )
    })
    .await
}

/// An answer that is small enough to be one value first.
fn whole(out: &mut Packing<'_>, data: &Value) -> Result<(), Complaint> {
    write::success(out, &Notes::default(), |out| {
        out.text().push_str(&plain::json_text(&data.to_string()));
        Ok(())
    })
}
