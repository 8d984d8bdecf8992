//! Every way out of the hub: in what an agent, a sender or a joiner said no letter acts, in no answer, on no line of the
//! log, and in nothing that a command prints.

mod scene;

use crate::harness::{Hub, agent::Agent, stream::Stream, wire::Answer};
use pingup_protocol::plain::acts;
use scene::{HOSTILE, scene};
use serde_json::json;

/// Neither the answer's head nor its body has a letter that acts; JSON opens no markup either.
#[track_caller]
fn harmless(what: &str, answer: &Answer) {
    let type_of = answer.header("content-type").unwrap_or_default();
    assert!(answer.header("x-content-type-options") == Some("nosniff"), "{what}: {answer:?}");
    if ["protobuf", "arrow", "parquet"].iter().any(|form| type_of.contains(form)) {
        return;
    }
    let text = answer.text();
    if type_of.contains("csv") {
        return one_row_a_line(what, text);
    }
    let found = text.chars().find(|letter| acts(*letter) && !matches!(letter, '\t' | '\r' | '\n'));
    assert_eq!(found, None, "{what}: {text}");
    assert!(!text.contains('<') || !type_of.contains("json"), "{what}: {text}");
}

/// A table's lines end as its rows do, and nothing else in it is an end of a line, a tab, or acts.
#[track_caller]
fn one_row_a_line(what: &str, table: &str) {
    let rows = table.strip_suffix("\r\n").unwrap_or_else(|| panic!("{what}: {table}"));
    assert!(!rows.split("\r\n").any(|row| row.contains(acts)), "{what}: {table}");
    // A row that was said would begin as what was said goes on after its end of a line.
    assert!(
        !rows.lines().any(|row| row.contains("forged") && row.starts_with("2026-01-01")),
        "{what}: {table}"
    );
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
    one_row_a_line("an export", &table);
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
