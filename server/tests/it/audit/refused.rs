//! Who tries to change what they may not is written down too, folded: a flood of it fills no disk.

use crate::harness::{Hub, agent::enrolment};
use serde_json::{Value, json};

/// Rows of what was refused, once the hub that counted them was asked to stop.
fn refusals(hub: &mut Hub) -> Vec<Value> {
    hub.stop();
    let text = hub.line(&["audit", "export", "--format", "ndjson"]);
    hub.line(&["audit", "verify"]);
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.filter(|row| row["act"] == "request.refused").collect()
}

#[test]
fn tries_are_counted_by_address_and_kind() {
    let mut hub = Hub::start_with(&[("PINGUP_ENROLMENTS_PER_MINUTE", "3")]);
    let (viewer, bad) = (hub.operator("viewer"), hub.wire.with_token("not.a.token"));
    hub.register("a");
    for _ in 0..50 {
        assert_eq!(bad.delete("/api/v1/agents/a").status, 401);
    }
    assert_eq!(hub.wire.post("/api/v1/commands", &json!({"agentId": "a", "action": "ping"})).status, 401);
    assert_eq!(viewer.delete("/api/v1/agents/a").status, 403);
    assert_eq!(viewer.patch("/api/v1/agents/a", &json!({})).status, 403);
    let (mut body, _) = enrolment(&hub.join_token(), |_| ());
    let place = body.windows(6).position(|window| window == b"a test").unwrap();
    body[place] = b'b';
    let statuses: Vec<_> = (0..5).map(|_| hub.wire.post_bytes("/api/v1/agents", &body).status).collect();
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    // Who only looks, and agents, are not written down.
    assert_eq!(bad.get("/api/v1/agents").status, 401);
    assert_eq!(bad.post("/api/v1/metrics", &json!({})).status, 401);
    assert_eq!(bad.post("/api/v1/sql", &json!({"query": "SELECT 1"})).status, 401);

    let mut found: Vec<_> = refusals(&mut hub)
        .iter()
        .map(|row| {
            assert_eq!(row["from"], "127.0.0.1");
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (
                text(&row["result"]),
                text(&row["who"]),
                text(&row["detail"]["route"]),
                row["times"].as_u64().unwrap(),
            )
        })
        .collect();
    found.sort();
    let row = |result: &str, who: &str, route: &str, times| {
        (result.to_owned(), who.to_owned(), route.to_owned(), times)
    };
    let expected = [
        row("join-token-invalid", "", "POST /api/v1/agents", 3),
        row("rate-limited", "", "POST /api/v1/agents", 2),
        row("scope-denied", "viewer", "DELETE /api/v1/agents/{id}", 2),
        row("token-invalid", "", "DELETE /api/v1/agents/{id}", 50),
        row("token-missing", "", "POST /api/v1/commands", 1),
    ];
    // A minute may have ended between two of them.
    let mut folded = Vec::<(String, String, String, u64)>::new();
    for (result, who, route, times) in found {
        match folded.last_mut() {
            Some(last) if last.0 == result && last.1 == who => last.3 += times,
            _ => folded.push((result, who, route, times)),
        }
    }
    assert_eq!(folded, expected);
}
