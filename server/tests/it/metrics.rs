//! /api/v1/metrics: what 200 promises, exactly once, and what history answers.

mod forms;
mod hang_up;
mod history;
mod slow;

use crate::harness::{Hub, agent::now, refused};
use serde_json::{Value, json};

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
