//! The hub's own figures as a Prometheus has them that scrapes the hub.

use crate::harness::{Hub, agent::now, refused, wire::Wire};
use pingup_promql::{Labels, MemorySource};
use serde_json::json;

/// Seconds between two scrapes.
const EVERY_SECONDS: i64 = 60;
/// How often it was scraped before anything happened, and after.
const SCRAPES: i64 = 70;
const LATE_SCRAPES: i64 = 3;

/// What a Prometheus knows at `now_ms` of a hub that began to work shortly before.
pub fn hub_at_work(now_ms: i64) -> MemorySource {
    let hub = Hub::start();
    let before = figures(&hub.operator("scrape"));
    let agent = hub.register("A");
    for seconds in 1..4 {
        agent.post("/api/v1/metrics", &agent.sample(now().plus_seconds(-seconds), 1.0)).expect(200);
    }
    let order = json!({"agentId": "A", "action": "ping"});
    hub.operator("operator").post("/api/v1/commands", &order).expect(201);
    refused(&hub.operator("viewer").get("/api/v1/agents/nobody"), 404, "not-found");
    as_scraped(now_ms, &before, &figures(&hub.operator("scrape")))
}

/// What a Prometheus knows at `now_ms` that scraped a hub for long, and found other figures lately.
pub fn as_scraped(now_ms: i64, before: &str, lately: &str) -> MemorySource {
    let mut source = MemorySource::default();
    for scrape in 0..SCRAPES {
        let figures = if scrape < LATE_SCRAPES { lately } else { before };
        put(&mut source, figures, now_ms - scrape * EVERY_SECONDS * 1_000);
    }
    source
}

/// A hub's own figures, for who may scrape them.
pub fn figures(scraper: &Wire) -> String {
    String::from_utf8(scraper.get("/metrics").body).unwrap()
}

/// Puts one scrape's figures at their moment, with the labels that a scrape adds.
fn put(source: &mut MemorySource, figures: &str, at_ms: i64) {
    let scraped = |labels: Labels| labels.with("job", "pingup-hub").with("instance", "127.0.0.1:8080");
    for line in figures.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        source.put(&scraped(labels(series)), at_ms, value.parse().unwrap());
    }
    source.put(&scraped(labels("up")), at_ms, 1.0);
}

/// `name{label="value"}`; the hub's own figures have one label at most, of plain values.
fn labels(series: &str) -> Labels {
    let (name, rest) = series.split_once('{').unwrap_or((series, ""));
    let named = Labels::new([("__name__", name)]);
    match rest.trim_end_matches("\"}").split_once("=\"") {
        Some((label, value)) => named.with(label, value),
        None => named,
    }
}

#[test]
fn a_series_is_read_as_it_is_told() {
    assert_eq!(labels("up"), Labels::new([("__name__", "up")]));
    assert_eq!(labels(r#"a_bucket{le="+Inf"}"#).get("le"), "+Inf");
    assert_eq!(labels(r#"a_bucket{le="+Inf"}"#).metric_name(), "a_bucket");
}
