//! /api/v1/sql: questions in SQL over what agents sent, and over what the hub knows of them.

mod examples;
mod hostile;
mod limits;
mod sealing;

use crate::harness::{
    Hub,
    agent::{Agent, now},
    refused,
    wire::{Answer, Wire},
};
use pingup_protocol::time::Timestamp;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/sql";

/// A hub that two agents have told something.
struct Scene {
    hub: Hub,
    viewer: Wire,
    begin: Timestamp,
    agents: [Agent; 2],
}

impl Scene {
    fn set() -> Self {
        Self::set_for("10m")
    }

    /// One in which a question may take so long.
    fn set_for(time_max: &str) -> Self {
        let hub = Hub::start_with(&[("PINGUP_SQL_TIME_MAX", time_max)]);
        let agents = ["A", "B"].map(|id| hub.register(id));
        let begin = Timestamp::from_micros(now().as_micros() / 1_000_000 * 1_000_000).plus_seconds(-3_600);
        for (agent, cpu) in agents.iter().zip([10.0, 50.0]) {
            for seq in 1..=5_u64 {
                let mut body = agent.sample(begin.plus_seconds(seq.cast_signed() * 60), cpu + seq as f64);
                (body["boot"], body["seq"]) = (json!(1), json!(seq));
                agent.post("/api/v1/metrics", &body).expect(200);
            }
        }
        let hosts = json!([{"ip": "10.0.0.1", "latency": 1.5, "ports": [22, 80], "hostname": "router"},
                           {"ip": "fe80::1", "ports": []}]);
        let discovery = json!({"hosts": hosts, "duration": 1200, "networks": ["10.0.0.0/24"]});
        let scan = json!({"agentId": "A", "timestamp": begin, "discovery": discovery});
        agents[0].post("/api/v1/discovery", &scan).expect(200);
        let operator = hub.operator("operator");
        operator.patch("/api/v1/agents/A", &json!({"name": "first", "labels": {"site": "here"}})).expect(200);
        operator.post("/api/v1/commands", &json!({"agentId": "A", "action": "ping"})).expect(201);
        operator
            .post("/api/v1/commands", &json!({"agentIds": ["A", "B"], "action": "ping", "timeoutSeconds": 9}))
            .expect(201);
        let viewer = hub.operator("viewer");
        Self { hub, viewer, begin, agents }
    }

    fn ask(&self, query: &str) -> Answer {
        self.viewer.post(PATH, &json!({"query": query}))
    }

    /// In another form.
    fn ask_as(&self, accept: &str, query: &str) -> Answer {
        let body = serde_json::to_vec(&json!({"query": query})).unwrap();
        let headers = [("content-type", "application/json"), ("accept", accept)];
        self.viewer.send("POST", PATH, &headers, Some(&body))
    }

    /// The rows of the answer.
    #[track_caller]
    fn rows(&self, query: &str) -> Value {
        self.ask(query).expect(200)["rows"].clone()
    }
}

/// The columns of each view, as `docs/sql.md` lists them.
#[test]
fn every_view_has_the_columns_that_are_told_of_it() {
    let scene = Scene::set();
    let told = include_str!("../../../docs/sql.md");
    for view in ["metrics", "discovery", "agents_current", "commands"] {
        let answer = scene.ask(&format!("FROM {view} LIMIT 0")).expect(200);
        let columns = answer["columns"].as_array().unwrap();
        let (_, section) = told.split_once(&format!("### `{view}`")).unwrap();
        let section = section.split("\n#").next().unwrap();
        let listed: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(listed.len(), columns.len(), "{view}: {answer}");
        for (line, column) in listed.iter().zip(columns) {
            let cells =
                format!("| `{}` | {} |", column["name"].as_str().unwrap(), column["type"].as_str().unwrap());
            assert!(line.starts_with(&cells), "{view}: {line}; found {cells}");
        }
    }
}

#[test]
fn what_agents_sent_is_seen_as_it_was_sent() {
    let scene = Scene::set();
    let at = |minutes: i64| scene.begin.plus_seconds(60 * minutes);
    let rows = scene.rows("SELECT * FROM metrics WHERE agent_id = 'B' ORDER BY timestamp LIMIT 2");
    let row =
        |minutes: i64, cpu: f64| json!(["B", at(minutes), "online", cpu, 43.2, 71.4, 8.25, {"load1": 0.5}]);
    assert_eq!(rows, json!([row(1, 51.0), row(2, 52.0)]));
    let scan = scene.rows("SELECT * FROM discovery");
    let hosts = json!([
        {"ip": "10.0.0.1", "latency": 1.5, "ports": [22, 80], "hostname": "router", "mac": null},
        {"ip": "fe80::1", "latency": null, "ports": [], "hostname": null, "mac": null},
    ]);
    assert_eq!(scan, json!([["A", at(0), 1200.0, 2, hosts, ["10.0.0.0/24"]]]));
    let agents = scene
        .rows("SELECT agent_id, name, status, labels, latest_at, cpu FROM agents_current ORDER BY agent_id");
    let expected = json!([
        ["A", "first", "pending", {"site": "here"}, at(5), 15.0],
        ["B", null, "pending", {}, at(5), 55.0],
    ]);
    assert_eq!(agents, expected);
    let commands = scene.rows(
        "SELECT agent_id, seq, batch_id IS NOT NULL, action, status, timeout_seconds, delivered_at FROM commands
         ORDER BY agent_id, seq",
    );
    let expected = json!([
        ["A", 1, false, "ping", "pending", null, null],
        ["A", 2, true, "ping", "pending", 9, null],
        ["B", 1, true, "ping", "pending", 9, null],
    ]);
    assert_eq!(commands, expected);
}

/// A command that was done has its exit code; what it printed stays where it is.
#[test]
fn a_command_that_is_over_has_its_exit_code() {
    let scene = Scene::set();
    let agent = &scene.agents[0];
    let command = agent.pending("")["commands"][0].clone();
    let id = command["commandId"].as_str().unwrap();
    let result = json!({"agentId": "A", "timestamp": now(), "commandId": id, "commandSeq": 1, "status": "failed",
                        "exitCode": 3, "output": "secret words", "startedAt": scene.begin, "finishedAt": now()});
    agent.post(&format!("/api/v1/commands/{id}/result"), &result).expect(200);
    let query =
        format!("SELECT status, exit_code, started_at, signed_by FROM commands WHERE command_id = '{id}'");
    assert_eq!(scene.rows(&query), json!([["failed", 3, scene.begin, null]]));
    for view in ["metrics", "discovery", "agents_current", "commands"] {
        let answer = scene.ask(&format!("FROM {view}"));
        assert_eq!(answer.status, 200);
        let key = agent.credentials["keys"]["up"].as_str().unwrap();
        let token = agent.credentials["token"].as_str().unwrap();
        for secret in ["secret words", key, token] {
            assert!(!answer.text().contains(secret), "{view}");
        }
    }
}

#[test]
fn removed_agents_are_not_current_and_keep_their_history() {
    let scene = Scene::set();
    scene.hub.operator("admin").delete("/api/v1/agents/B").expect(200);
    assert_eq!(scene.rows("SELECT agent_id FROM agents_current"), json!([["A"]]));
    assert_eq!(scene.rows("SELECT count(*) FROM metrics WHERE agent_id = 'B'"), json!([[5]]));
    assert_eq!(
        scene.rows("SELECT DISTINCT status FROM commands WHERE agent_id = 'B'"),
        json!([["cancelled"]])
    );
}

#[test]
fn answers_come_in_every_form() {
    let scene = Scene::set();
    let query = "SELECT agent_id, count(*) AS samples, max(cpu) AS most FROM metrics GROUP BY ALL ORDER BY 1";
    let csv = scene.ask_as("text/csv", query);
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(csv.text(), "agent_id,samples,most\r\nA,5,15.0\r\nB,5,55.0\r\n");
    let lines = scene.ask_as("application/x-ndjson", query);
    let first: Value = serde_json::from_str(lines.text().lines().next().unwrap()).unwrap();
    assert_eq!(first, json!({"agent_id": "A", "samples": 5, "most": 15.0}));
    let arrow = scene.ask_as("application/vnd.apache.arrow.stream", query);
    let read = arrow::ipc::reader::StreamReader::try_new(&arrow.body[..], None).unwrap();
    assert_eq!(read.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2);
    for answer in [&csv, &lines, &arrow] {
        assert_eq!(answer.header("x-pingup-more"), Some("false"));
    }
    refused(&scene.ask_as("application/vnd.apache.parquet", query), 406, "not-acceptable");
}

#[test]
fn only_those_who_may_see_everything_may_ask() {
    let scene = Scene::set();
    let question = json!({"query": "SELECT 1"});
    refused(&scene.hub.wire.post(PATH, &question), 401, "token-missing");
    refused(&scene.hub.operator("scrape").post(PATH, &question), 403, "scope-denied");
    refused(&scene.agents[0].wire.post(PATH, &question), 401, "token-invalid");
    for role in ["viewer", "operator", "admin"] {
        scene.hub.operator(role).post(PATH, &question).expect(200);
    }
    refused(&scene.viewer.get(PATH), 405, "method-not-allowed");
}

#[test]
fn a_body_that_is_no_question_is_refused() {
    let scene = Scene::set();
    for (body, pointer) in [
        (json!({}), ""),
        (json!({"query": 1}), "/query"),
        (json!({"query": "SELECT 1", "limit": 0}), "/limit"),
        (json!({"query": "SELECT 1", "limit": 100_001}), "/limit"),
        (json!({"query": "SELECT 1", "parameters": []}), ""),
        (json!({"query": "SELECT '\u{0}'"}), "/query"),
        (json!({"query": format!("SELECT '{}'", "x".repeat(32 * 1024))}), "/query"),
        (json!({"query": "SELECT nothing FROM metrics"}), "/query"),
    ] {
        let problem = refused(&scene.viewer.post(PATH, &body), 422, "schema-invalid");
        assert!(problem["errors"][0]["pointer"].as_str().unwrap().starts_with(pointer), "{problem}");
    }
}
