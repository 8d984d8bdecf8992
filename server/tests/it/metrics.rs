//! /api/v1/metrics: what 200 promises, exactly once, and what history answers.

mod forms;
mod hang_up;
mod slow;

use crate::harness::{Hub, agent::now, refused};
use pingup_protocol::time::Timestamp;
use serde_json::{Value, json};

fn t(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn a_signed_sample_is_stored_and_read_back() {
    let mut hub = Hub::start();
    let agent = hub.register("AGENT-001");
    let at = now().plus_seconds(-10);
    let answer = agent.post("/api/v1/metrics", &agent.sample(at, 12.5)).expect(200);
    assert_eq!(
        (&answer["accepted"], &answer["duplicates"], &answer["highWater"]),
        (&json!(1), &json!(0), &Value::Null)
    );
    assert_eq!((&answer["expired"], &answer["rejected"]), (&json!(0), &json!([])));

    let row = json!({"timestamp": at, "status": "online",
        "metrics": {"cpu": 12.5, "ram": 43.2, "disk": 71.4, "latency": 8.25, "load1": 0.5}});
    let viewer = hub.operator("viewer");
    assert_eq!(
        viewer.get("/api/v1/metrics/AGENT-001").expect(200),
        json!({"items": [row], "nextCursor": null, "tiers": ["raw"]})
    );
    assert_eq!(viewer.get("/api/v1/metrics/AGENT-001/latest").expect(200), row);
    hub.kill();
    hub.restart();
    let viewer = hub.operator("viewer");
    assert_eq!(viewer.get("/api/v1/metrics/AGENT-001/latest").expect(200), row, "200 means on disk");
}

#[test]
fn the_same_again_is_a_duplicate_whatever_was_killed_between() {
    let mut hub = Hub::start();
    let mut agent = hub.register("A");
    let at = now().plus_seconds(-100);
    let (seed, numbered) = (agent.sample(at, 1.0), agent.sequenced(7, 1, at));
    let batch = agent.batch(7, 2..=5, at);
    for round in 0..3 {
        for (body, rows) in [(&seed, 1), (&numbered, 1), (&batch, 4)] {
            let answer = agent.post("/api/v1/metrics", body).expect(200);
            let fresh = if round == 0 { rows } else { 0 };
            assert_eq!(
                (&answer["accepted"], &answer["duplicates"]),
                (&json!(fresh), &json!(rows - fresh)),
                "{answer}"
            );
        }
        hub.kill();
        hub.restart();
        agent = agent.at(&hub.wire);
    }
    assert_eq!(agent.post("/api/v1/metrics", &batch).expect(200)["highWater"], 5);
    let rows = hub.operator("viewer").get("/api/v1/metrics/A").expect(200);
    assert_eq!(rows["items"].as_array().unwrap().len(), 6);
}

#[test]
fn sequence_rules_are_kept() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let at = now().plus_seconds(-100);
    let push = |body: &Value| agent.post("/api/v1/metrics", body);
    assert_eq!(push(&agent.sequenced(10, 1, at)).expect(200)["highWater"], 1);
    assert_eq!(
        push(&agent.sequenced(10, 9, at.plus_seconds(9))).expect(200)["highWater"],
        9,
        "a gap is allowed"
    );
    assert_eq!(
        push(&agent.sequenced(10, 4, at.plus_seconds(4))).expect(200)["duplicates"],
        1,
        "at or below the mark"
    );
    refused(&push(&agent.sequenced(10, 9, at)), 409, "sequence-conflict");
    let problem = refused(&push(&agent.sequenced(9, 1, at)), 409, "boot-retired");
    assert_eq!(problem["minBoot"], 11);
    assert_eq!(push(&agent.sequenced(11, 1, at)).expect(200)["accepted"], 1);
    assert_eq!(
        push(&agent.sequenced(10, 10, at.plus_seconds(10))).expect(200)["accepted"],
        1,
        "a known boot goes on"
    );

    let mut conflict = agent.batch(10, 10..=12, at.plus_seconds(-500));
    refused(&push(&conflict), 409, "sequence-conflict");
    conflict["samples"].as_array_mut().unwrap().remove(0);
    assert_eq!(push(&conflict).expect(200)["accepted"], 2, "nothing of the refused batch was stored");

    let scan = json!({"agentId": "A", "boot": 11, "seq": 1, "timestamp": at, "discovery": {"hosts": [], "duration": 1}});
    let answer = agent.post("/api/v1/discovery", &scan).expect(200);
    assert_eq!(answer["duplicates"], 1, "samples and scans share one stream: {answer}");
}

#[test]
fn any_json_form_of_a_body_means_the_same() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let canonical = String::from_utf8(agent.sign(&agent.sequenced(100, 7, now().plus_seconds(-10)))).unwrap();
    let other = canonical.replace("\"seq\":7", " \"seq\" : 70e-1 ").replace("\"boot\":100", "\"boot\":1.0E2");
    assert_ne!(canonical, other);
    assert_eq!(agent.wire.post_bytes("/api/v1/metrics", other.as_bytes()).expect(200)["accepted"], 1);
    let again = agent.wire.post_bytes("/api/v1/metrics", canonical.as_bytes()).expect(200);
    assert_eq!((&again["duplicates"], &again["highWater"]), (&json!(1), &json!(7)));
}

#[test]
fn a_batch_stores_what_it_can_and_lists_the_rest() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let at = now().plus_seconds(-100);
    let mut batch = agent.batch(1, 1..=5, at);
    batch["samples"][1]["metrics"]["cpu"] = json!(250);
    batch["samples"][2]["timestamp"] = json!(now().plus_seconds(86_400));
    batch["samples"][3]["timestamp"] = json!(now().plus_seconds(-40 * 86_400));
    let answer = agent.post("/api/v1/metrics", &batch).expect(200);
    assert_eq!(
        (&answer["accepted"], &answer["expired"], &answer["highWater"]),
        (&json!(2), &json!(1), &json!(5))
    );
    let rejected: Vec<_> = answer["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["seq"].clone(), r["problem"].clone()))
        .collect();
    assert_eq!(rejected, [(json!(2), json!("schema-invalid")), (json!(3), json!("timestamp-in-future"))]);
    let again = agent.post("/api/v1/metrics", &batch).expect(200);
    assert_eq!(
        (&again["accepted"], &again["duplicates"]),
        (&json!(0), &json!(5)),
        "rejected ones are consumed: {again}"
    );
}

#[test]
fn a_sample_of_tomorrow_is_refused_and_one_of_last_year_expired() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let problem = refused(
        &agent.post("/api/v1/metrics", &agent.sample(now().plus_seconds(600), 1.0)),
        422,
        "timestamp-in-future",
    );
    assert!(problem["serverTime"].is_string());
    assert_eq!(
        agent.post("/api/v1/metrics", &agent.sample(now().plus_seconds(200), 1.0)).expect(200)["accepted"],
        1
    );
    let old =
        agent.post("/api/v1/metrics", &agent.sample(now().plus_seconds(-365 * 86_400), 1.0)).expect(200);
    assert_eq!((&old["accepted"], &old["expired"]), (&json!(0), &json!(1)));
}

#[test]
fn history_is_paged_bucketed_and_narrowed() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let day = t(&format!("{}T00:00:00Z", &now().plus_seconds(-2 * 86_400).to_string()[..10]));
    let samples: Vec<_> = (0..120_u64)
        .map(|i| {
            json!({"seq": i + 1, "timestamp": day.plus_seconds(i as i64 * 30), "status": "online",
                        "metrics": {"cpu": i % 4, "load1": i}})
        })
        .collect();
    agent.post("/api/v1/metrics", &json!({"agentId": "A", "boot": 1, "samples": samples})).expect(200);

    let viewer = hub.operator("viewer");
    let range = format!("from={day}&to={}", day.plus_seconds(3600));
    let mut rows = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = viewer.get(&format!("/api/v1/metrics/A?{range}&limit=50{cursor}")).expect(200);
        rows.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(rows.len(), 120);
    assert!(rows.is_sorted_by_key(|row| row["timestamp"].as_str().unwrap().to_owned()));

    let buckets = viewer.get(&format!("/api/v1/metrics/A?{range}&step=30m")).expect(200);
    let cpu = json!({"min": 0.0, "max": 3.0, "avg": 1.5, "last": 3.0, "count": 60});
    let load = |first: f64| json!({"min": first, "max": first + 59.0, "avg": first + 29.5, "last": first + 59.0, "count": 60});
    assert_eq!(
        buckets["items"],
        json!([
            {"start": day, "count": 60, "metrics": {"cpu": cpu, "load1": load(0.0)}},
            {"start": day.plus_seconds(1800), "count": 60, "metrics": {"cpu": cpu, "load1": load(60.0)}},
        ])
    );
    let narrowed = viewer.get(&format!("/api/v1/metrics/A?{range}&fields=load1&limit=1")).expect(200);
    assert_eq!(narrowed["items"][0]["metrics"], json!({"load1": 0.0}));
    assert_eq!(viewer.get("/api/v1/metrics/A").expect(200)["items"], json!([]), "the last hour by default");
    for bad in [
        "from=x",
        "step=0s",
        "step=1",
        "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
        "fields=Cpu%20x",
        "limit=0",
        "step=1s&from=2020-01-01T00:00:00Z",
    ] {
        refused(&viewer.get(&format!("/api/v1/metrics/A?{bad}")), 422, "schema-invalid");
    }
    refused(&viewer.get("/api/v1/metrics/nobody"), 404, "not-found");
    refused(&viewer.get("/api/v1/metrics/nobody/latest"), 404, "not-found");
}

#[test]
fn history_comes_as_json_lines_and_csv_too() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let at = now().plus_seconds(-60);
    let mut body = agent.sample(at, 1.0);
    body["status"] = json!("=cmd|' /C calc'!A0,\"x\"");
    agent.post("/api/v1/metrics", &body).expect(200);
    agent.post("/api/v1/metrics", &agent.sample(at.plus_seconds(1), 2.0)).expect(200);
    let viewer = hub.operator("viewer");

    let lines = viewer.send("GET", "/api/v1/metrics/A?limit=1", &[("accept", "application/x-ndjson")], None);
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let first: Value = serde_json::from_str(lines.text().lines().next().unwrap()).unwrap();
    assert_eq!((&first["status"], lines.text().lines().count()), (&body["status"], 1));
    assert!(lines.header("x-next-cursor").is_some());

    let csv = viewer.send("GET", "/api/v1/metrics/A", &[("accept", "text/csv")], None);
    assert!(csv.header("content-type").unwrap().starts_with("text/csv"));
    let mut lines = csv.text().lines();
    assert_eq!(lines.next(), Some("timestamp,status,cpu,ram,disk,latency,load1"));
    let guarded = lines.next().unwrap();
    assert!(guarded.contains("\"'=cmd|' /C calc'!A0,\"\"x\"\"\""), "a formula is guarded: {guarded}");
    assert_eq!(lines.count(), 1);
    refused(
        &viewer.send("GET", "/api/v1/metrics/A", &[("accept", "image/png")], None),
        406,
        "not-acceptable",
    );
}

#[test]
fn the_hubs_own_figures_count_what_happened() {
    let hub = Hub::start();
    let agent = hub.register("A");
    agent.post("/api/v1/metrics", &agent.sample(now(), 1.0)).expect(200);
    refused(&hub.wire.get("/api/v1/agents"), 401, "token-missing");
    refused(&hub.wire.get("/metrics"), 401, "token-missing");
    let scraper = hub.operator("scrape");
    refused(&scraper.get("/api/v1/agents"), 403, "scope-denied");
    let answer = scraper.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
    let text = answer.text();
    for line in [
        "pingup_ingest_rows_total{kind=\"metrics\"} 1",
        "pingup_refusals_total{problem=\"token-missing\"} 2",
        "pingup_agents{status=\"pending\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
    }
    for name in [
        "pingup_ingest_batches_total",
        "pingup_ingest_queue_depth",
        "pingup_ingest_commit_seconds_count",
        "pingup_commands",
    ] {
        assert!(text.contains(name), "{name} in\n{text}");
    }
}
