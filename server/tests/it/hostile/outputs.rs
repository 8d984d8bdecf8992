//! Every way out of the hub: in what an agent, a sender or a joiner said no letter acts, in no answer, on no line of the
//! log, and in nothing that a command prints.

use crate::harness::{
    Hub,
    agent::{Agent, enrolment, now},
    stream::Stream,
    wire::{Answer, Wire},
};
use pingup_protocol::{limits::STATUS_BYTES_MAX, plain::acts};
use pingup_server::http::protobuf::put_bytes;
use serde_json::{Value, json};

/// A forged line, an escape sequence of both kinds, an override of direction, markup, a formula, quotes.
const HOSTILE: &str = "=x\r\n2026-01-01T00:00:00Z ERROR forged\n\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\u{202e}txt\u{2066}\u{2028}\
                       \u{feff}\u{7f}</script><img src=x onerror=alert(1)>\"'`,{{x}}${y}";

/// An operator's name, as hostile as it may be: what turns or breaks lines is refused when a token is made.
const NAME: &str = "=eve\u{feff}</script><b>\"'`,{{x}}${y}";

/// As long as a status may be.
fn status() -> String {
    let mut status = String::new();
    for letter in HOSTILE.replace("2026-01-01T00:00:00Z ", "").chars() {
        if status.len() + letter.len_utf8() <= STATUS_BYTES_MAX {
            status.push(letter);
        }
    }
    status
}

/// A hub that was told hostile things at every door.
fn scene() -> (Hub, Agent) {
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
fn report(operator: &Wire, agent: &Agent) {
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
fn write_series(writer: &Wire) {
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

/// Neither the answer's head nor its body has a letter that acts; JSON opens no markup either.
#[track_caller]
fn harmless(what: &str, answer: &Answer) {
    let type_of = answer.header("content-type").unwrap_or_default();
    assert!(answer.header("x-content-type-options") == Some("nosniff"), "{what}: {answer:?}");
    if ["protobuf", "arrow", "parquet"].iter().any(|form| type_of.contains(form)) {
        return;
    }
    let text = answer.text();
    let found = text.chars().find(|letter| acts(*letter) && !matches!(letter, '\t' | '\r' | '\n'));
    assert_eq!(found, None, "{what}: {text}");
    assert!(!text.contains('<') || !type_of.contains("json"), "{what}: {text}");
}

/// What operators ask for, each in all its forms.
fn ways(agent: &str) -> Vec<String> {
    let fixed = [
        "/api/v1/agents",
        "/api/v1/commands",
        "/api/v1/audit",
        "/api/v1/openapi.json",
        "/health",
        "/metrics",
        "/api/v1/fleet/metrics",
        "/api/v1/fleet/top?field=cpu",
        "/prometheus/api/v1/metadata",
        "/prometheus/api/v1/labels",
        "/prometheus/api/v1/series?match[]={__name__!=%22%22}",
        "/prometheus/api/v1/query?query={__name__!=%22%22}",
        "/prometheus/api/v1/label/agent_name/values",
        "/prometheus/api/v1/label/instance/values",
        "/prometheus/api/v1/status/tsdb",
        "/prometheus/api/v1/status/flags",
        "/prometheus/api/v1/status/buildinfo",
    ];
    let of_agent = [
        "/api/v1/agents/A",
        "/api/v1/metrics/A",
        "/api/v1/metrics/A?step=1m",
        "/api/v1/metrics/A/latest",
        "/api/v1/discovery/A",
        "/api/v1/discovery/A/latest",
        "/api/v1/discovery/A/changes",
        "/api/v1/config/A",
        "/api/v1/config/A/versions",
    ];
    let of_agent = of_agent.into_iter().map(|path| path.replace("/A", &format!("/{agent}")));
    fixed.into_iter().map(str::to_owned).chain(of_agent).collect()
}

#[test]
fn no_answer_has_a_letter_that_acts() {
    let (hub, agent) = scene();
    let admin = hub.operator("admin");
    for path in ways(&agent.id) {
        for accept in ["*/*", "application/x-ndjson", "text/csv"] {
            let answer = admin.send("GET", &path, &[("accept", accept)], None);
            assert!([200, 406].contains(&answer.status), "{path}: {answer:?}");
            harmless(&path, &answer);
        }
    }
    for accept in ["application/json", "application/x-ndjson", "text/csv"] {
        for view in ["metrics", "discovery", "agents_current", "commands"] {
            let query = json!({"query": format!("SELECT * FROM {view}"), "limit": 100});
            let body = serde_json::to_vec(&query).unwrap();
            let headers = [("accept", accept), ("content-type", "application/json")];
            let answer = admin.send("POST", "/api/v1/sql", &headers, Some(&body));
            harmless(view, &answer);
            cells(&answer);
        }
    }
    cells(&admin.send("GET", &format!("/api/v1/metrics/{}", agent.id), &[("accept", "text/csv")], None));
    refusals(&hub, &agent);
    let seen = Stream::open(&hub.operator("viewer"), "", None).next().unwrap();
    assert!(seen.data.is_object(), "an event is what it was: {seen:?}");
}

/// No cell of a table is a formula, and numbers are as they were.
#[track_caller]
fn cells(answer: &Answer) {
    if answer.header("content-type") != Some("text/csv") {
        return;
    }
    let text = answer.text();
    let is_formula =
        |cell: &str| cell.trim_end_matches('\r').trim_start_matches('"').starts_with(['=', '@', '\t', '\r']);
    assert!(!text.split([',', '\n']).any(is_formula), "{text}");
}

/// Refusals say what was wrong in the words of whoever asked.
fn refusals(hub: &Hub, agent: &Agent) {
    let operator = hub.operator("operator");
    let wide: String = HOSTILE.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for path in [
        format!("/api/v1/agents/{wide}"),
        format!("/api/v1/commands/{wide}"),
        format!("/api/v1/config/{wide}"),
        format!("/api/v1/metrics/{wide}"),
        format!("/api/v1/agents?{wide}={wide}"),
        format!("/api/v1/agents?status={wide}"),
        format!("/api/v1/agents?cursor={wide}"),
        format!("/api/v1/events?types={wide}"),
        format!("/prometheus/api/v1/query?query={wide}"),
        format!("/prometheus/api/v1/query_range?query=up&start={wide}"),
        format!("/{wide}"),
    ] {
        let answer = operator.get(&path);
        assert!(answer.status >= 400, "{path}: {answer:?}");
        harmless(&path, &answer);
    }
    let member = json!({HOSTILE: 1, "id": HOSTILE, "agentId": HOSTILE, "action": HOSTILE, "labels": {HOSTILE: HOSTILE}});
    for path in ["/api/v1/agents", "/api/v1/commands", "/api/v1/sql"] {
        harmless(path, &operator.post(path, &member));
    }
    harmless("a patch", &operator.patch(&format!("/api/v1/agents/{}", agent.id), &member));
    harmless(
        "a question",
        &operator.post("/api/v1/sql", &json!({"query": format!("SELECT \"{}\"", HOSTILE.replace('"', ""))})),
    );
    harmless(
        "a sample",
        &agent.post(
            "/api/v1/metrics",
            &json!({"agentId": agent.id, HOSTILE: HOSTILE, "metrics": {HOSTILE: 1}}),
        ),
    );
    let mut twice = b"{\"".to_vec();
    let name = serde_json::to_string(HOSTILE).unwrap();
    twice.splice(1.., format!("{name}:1,{name}:2}}").into_bytes());
    harmless("a name twice", &operator.post_bytes("/api/v1/agents", &twice));
    let headers = [("content-type", "application/json"), ("user-agent", "=x <b>\t"), ("accept", "<b>/x")];
    harmless("a header", &operator.send("POST", "/api/v1/agents", &headers, Some(b"{}")));
}

#[test]
fn the_log_and_the_command_line_have_a_line_for_each_thing() {
    let (mut hub, agent) = scene();
    refusals(&hub, &agent);
    let lines = |text: &str| {
        assert!(!text.lines().any(|line| line.contains(acts)), "{text}");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    for arguments in [
        &["check"][..],
        &["audit", "export", "--format", "ndjson"],
        &["audit", "export", "--format", "csv"],
        &["audit", "verify"],
    ] {
        let output = hub.run(arguments);
        lines(&String::from_utf8(output.stdout).unwrap());
        lines(&String::from_utf8(output.stderr).unwrap());
    }
    let export = hub.run(&["export", "--agent", &agent.id, "--format", "csv"]);
    let table = String::from_utf8(export.stdout).unwrap();
    assert!(!table.contains(|letter| acts(letter) && !matches!(letter, '\t' | '\r' | '\n')), "{table}");
    let wrong = hub.run(&["export", "--agent", HOSTILE, "--format", "csv"]);
    assert_eq!(lines(&String::from_utf8(wrong.stderr).unwrap()).len(), 1);

    let log = lines(&hub.stop());
    assert!(log.iter().any(|line| line.contains("agent registered")), "{log:?}");
    for line in log {
        let (moment, rest) = line.split_at_checked(27).unwrap_or_else(|| panic!("no event: {line}"));
        assert!(moment.ends_with('Z') && pingup_protocol::time::Timestamp::parse(moment).is_ok(), "{line}");
        let level = rest.trim_start().split(' ').next().unwrap_or_default();
        assert!(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].contains(&level), "{line}");
    }
}
