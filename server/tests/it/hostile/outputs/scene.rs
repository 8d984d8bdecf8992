//! A hub that was told hostile things at every door.

use super::harmless;
use crate::harness::{
    Hub,
    agent::{Agent, enrolment, now},
    wire::Wire,
};
use pingup_protocol::limits::STATUS_BYTES_MAX;
use pingup_server::http::protobuf::put_bytes;
use serde_json::{Value, json};

/// A forged line, an escape sequence of both kinds, an override of direction, markup, a formula, quotes.
pub(super) const HOSTILE: &str = "=x\r\n2026-01-01T00:00:00Z ERROR forged\n\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\u{202e}txt\u{2066}\u{2028}\
                       \u{feff}\u{7f}</script><img src=x onerror=alert(1)>\"'`,{{x}}${y}";

/// An operator's name, as hostile as it may be: what turns or breaks lines is refused when a token is made.
pub(super) const NAME: &str = "=eve\u{feff}</script><b>\"'`,{{x}}${y}";

/// As long as a status may be.
pub(super) fn status() -> String {
    let mut status = String::new();
    for letter in HOSTILE.replace("2026-01-01T00:00:00Z ", "").chars() {
        if status.len() + letter.len_utf8() <= STATUS_BYTES_MAX {
            status.push(letter);
        }
    }
    status
}

/// A hub that was told hostile things at every door.
pub(super) fn scene() -> (Hub, Agent) {
    let hub = Hub::start_with(&[("PINGUP_LOG", "trace")]);
    let operator = hub.operator("operator");
    let (body, _) = enrolment(&hub.join_token(), |body| {
        body["name"] = json!(HOSTILE);
        body["machineId"] = json!(HOSTILE);
        body["info"] = json!({"hostname": HOSTILE, "os": HOSTILE, "arch": HOSTILE, "kernel": HOSTILE, "agentVersion": HOSTILE,
            "ipAddress": HOSTILE, "limaVmName": HOSTILE});
    });
    let answer = hub.wire.post_bytes("/api/v1/agents", &body).expect(201);
    let agent = Agent::new(hub.wire.clone(), &answer["credentials"]);
    let path = format!("/api/v1/agents/{}", agent.id);
    operator.patch(&path, &json!({"metadata": {HOSTILE: HOSTILE}})).expect(200);
    let mut sample = agent.sample(now().plus_seconds(-5), 1.0);
    sample["status"] = json!(status());
    agent.post("/api/v1/metrics", &sample).expect(200);
    let hosts = json!([{"ip": "10.0.0.1", "latency": 1.0, "ports": [1], "hostname": HOSTILE}]);
    let scan = json!({"agentId": agent.id, "timestamp": now(), "discovery": {"hosts": hosts, "duration": 1}});
    agent.post("/api/v1/discovery", &scan).expect(200);
    operator.post(&format!("/api/v1/config/{}", agent.id), &json!({"config": {"note": HOSTILE}})).expect(200);
    let beat = json!({"agentId": agent.id, "timestamp": now(), "status": "online", "info": {"hostname": HOSTILE},
        "config": {"applied": null, "refused": {"version": 1, "reason": HOSTILE}}});
    agent.post(&format!("{path}/heartbeat"), &beat).expect(200);
    report(&operator, &agent);
    write_series(&hub.operator("writer"));
    let name = format!("--name={NAME}");
    let odd = hub.wire.with_token(&hub.line(&["token", "create", "--role", "operator", &name]));
    odd.post("/api/v1/agents", &json!({"id": "odd", "name": HOSTILE})).expect(201);
    odd.post("/api/v1/config/odd", &json!({"config": {}})).expect(200);
    (hub, agent)
}

/// A command whose output is hostile.
pub(super) fn report(operator: &Wire, agent: &Agent) {
    let params = json!({"argv": [HOSTILE.replace('\0', "")]});
    operator
        .post("/api/v1/commands", &json!({"agentId": agent.id, "action": "exec", "params": params}))
        .expect(201);
    let command = agent.pending("")["commands"][0].clone();
    let of = |rest: Value| {
        let mut body = json!({"agentId": agent.id, "timestamp": now(), "commandId": command["commandId"],
            "commandSeq": command["commandSeq"], "startedAt": now(), "output": HOSTILE});
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        body
    };
    let path = format!("/api/v1/commands/{}", command["commandId"].as_str().unwrap());
    agent.post(&format!("{path}/progress"), &of(json!({"offset": 0}))).expect(200);
    agent.post(&format!("{path}/result"), &of(json!({"status": "failed", "finishedAt": now()}))).expect(200);
}

/// A series, and what is told of it, by OTLP in JSON: names and texts as hostile as they may be.
pub(super) fn write_series(writer: &Wire) {
    let attributes = json!([{"key": HOSTILE, "value": {"stringValue": HOSTILE}}]);
    let at = (now().as_micros() * 1_000).to_string();
    let metric = json!({"name": format!("hostile{HOSTILE}"), "description": HOSTILE, "unit": HOSTILE,
        "gauge": {"dataPoints": [{"asDouble": 1.0, "timeUnixNano": at, "attributes": attributes}]}});
    let body = json!({"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": [metric]}]}]});
    assert_eq!(writer.post("/otlp/v1/metrics", &body).status, 200);
    // What cannot be read is told in words of its own.
    let mut broken = Vec::new();
    put_bytes(&mut broken, 1, HOSTILE.as_bytes());
    let headers = [("content-type", "application/x-protobuf")];
    harmless("what a sender is told", &writer.send("POST", "/otlp/v1/metrics", &headers, Some(&broken)));
}
