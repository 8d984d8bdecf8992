//! GET /api/v1/metrics/:agentId: pages, buckets, fields, and the forms that people take.

use crate::harness::{Hub, agent::now, refused};
use pingup_protocol::time::Timestamp;
use serde_json::{Value, json};

fn t(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
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
