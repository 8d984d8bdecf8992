//! The whole: the real agent program at the real hub program.

mod commands;
mod configured;

use crate::harness::{Hub, PATIENCE, eventually, sibling, signal, wire::Wire};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::Read,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// What must happen within a second is tried this often: the quickest counts, for tests share their machine.
const TRIES: usize = 5;
const A_SECOND: Duration = Duration::from_secs(1);

pub struct Program(Child);

impl Program {
    fn start(hub: &Wire, state: &Path, join_token: Option<&str>) -> Self {
        Self::start_with(hub, state, join_token, &[])
    }

    /// Starts one with these arguments beside.
    pub fn start_with(hub: &Wire, state: &Path, join_token: Option<&str>, arguments: &[&str]) -> Self {
        let mut command = Command::new(sibling("pingup-agent"));
        command
            .args([
                "run",
                "--hub",
                &format!("http://{}", hub.address),
                "--interval",
                "1s",
                "--name",
                "end to end",
                "--state-dir",
            ])
            .arg(state);
        command.args(["--allow", "ping,collect_now,run_discovery,exec"]).args(arguments);
        if let Some(token) = join_token {
            command.args(["--join-token", token]);
        }
        Self::spawn(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()))
    }

    /// Starts one by `command`, whose standard error is piped.
    pub fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// Tells it to stop, and waits until it has; what it logged.
    pub fn terminate(self) -> String {
        signal(self.0.id(), "TERM");
        self.ended()
    }

    /// Waits for the end of a program that was told to stop; it must be a clean one.
    fn ended(mut self) -> String {
        let begun = Instant::now();
        while self.0.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "the agent does not stop");
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let status = self.0.wait().unwrap();
        let mut log = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(status.success(), "{status}: {log}");
        log
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The one agent of the hub, as an operator sees it.
fn only_agent(operator: &Wire) -> Option<Value> {
    let agents = operator.get("/api/v1/agents").expect(200);
    assert!(agents["items"].as_array().unwrap().len() <= 1, "one agent, however often it starts: {agents}");
    agents["items"].get(0).cloned()
}

fn online(operator: &Wire) -> String {
    eventually("the agent is online", || {
        let agent = only_agent(operator)?;
        (agent["status"] == "online").then(|| agent["id"].as_str().unwrap().to_owned())
    })
}

fn rows(operator: &Wire, id: &str) -> Vec<String> {
    let page = operator.get(&format!("/api/v1/metrics/{id}?limit=10000")).expect(200);
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["timestamp"].as_str().unwrap().to_owned())
        .collect()
}

fn more_rows(operator: &Wire, id: &str, than: usize) -> usize {
    eventually("more samples arrive", || Some(rows(operator, id).len()).filter(|count| *count > than))
}

fn figure(operator: &Wire, name: &str) -> f64 {
    let figures = operator.get("/metrics");
    let line = figures
        .text()
        .lines()
        .find(|line| line.split(' ').next() == Some(name))
        .unwrap_or_else(|| panic!("{name}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Queues a command, waits for its end, and gives it with the time that took.
fn run(operator: &Wire, id: &str, action: &str, params: Value) -> (Value, Duration) {
    let begun = Instant::now();
    let queued = operator
        .post("/api/v1/commands", &json!({"agentId": id, "action": action, "params": params}))
        .expect(201);
    let path = format!("/api/v1/commands/{}", queued["commandId"].as_str().unwrap());
    let done = eventually("the command ends", || {
        let command = operator.get(&path).expect(200);
        (!["pending", "delivered", "running"].contains(&command["status"].as_str().unwrap()))
            .then_some(command)
    });
    (done, begun.elapsed())
}

#[test]
fn a_real_agent_lives_at_a_real_hub() {
    let mut hub = Hub::start();
    let state = tempfile::tempdir().unwrap();
    let mut agent = Program::start(&hub.wire, state.path(), Some(&hub.join_token()));
    let operator = hub.operator("operator");

    // Enrolled, and measured.
    let id = online(&operator);
    let seen = only_agent(&operator).unwrap();
    assert_eq!(seen["name"], "end to end");
    assert!(seen["info"]["cpuCores"].as_u64().unwrap() > 0, "{seen}");
    more_rows(&operator, &id, 1);
    let latest = operator.get(&format!("/api/v1/metrics/{id}/latest")).expect(200);
    for name in ["cpu", "ram", "disk", "latency", "load1", "uptime_seconds"] {
        assert!(latest["metrics"][name].is_number(), "{name} in {latest}");
    }

    // Commanded.
    let quickest = (0..TRIES)
        .map(|_| {
            let (done, took) = run(&operator, &id, "ping", json!({}));
            assert_eq!((&done["status"], &done["result"]["output"]), (&json!("succeeded"), &json!("pong")));
            took
        })
        .min()
        .unwrap();
    assert!(quickest < A_SECOND, "a result within a second of being queued: {quickest:?}");
    let (done, _) = run(&operator, &id, "exec", json!({"argv": ["sh", "-c", "echo out; exit 3"]}));
    assert_eq!(
        (&done["status"], &done["result"]["exitCode"], &done["result"]["output"]),
        (&json!("failed"), &json!(3), &json!("out\n"))
    );
    let (done, _) = run(&operator, &id, "restart_service", json!({"service": "nothing-of-that-name"}));
    assert_eq!(done["status"], "rejected", "not on the agent's list: {done}");

    // Discovered.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (done, _) = run(&operator, &id, "run_discovery", json!({"cidr": "127.0.0.1/32", "ports": [port]}));
    assert_eq!(done["status"], "succeeded", "{done}");
    let scan = eventually("the scan arrives", || {
        let answer = operator.get(&format!("/api/v1/discovery/{id}/latest"));
        (answer.status == 200).then(|| answer.json())
    });
    assert_eq!((&scan["hosts"][0]["ip"], &scan["hosts"][0]["ports"]), (&json!("127.0.0.1"), &json!([port])));

    // Configured.
    let narrowed = json!({"config": {"allow": ["ping"]}});
    operator.post(&format!("/api/v1/config/{id}"), &narrowed).expect(200);
    eventually("the narrowed list is in force", || {
        (run(&operator, &id, "exec", json!({"argv": ["true"]})).0["status"] == "rejected").then_some(())
    });

    // The hub is stopped, then killed, under it: nothing lost, nothing doubled.
    let before = rows(&operator, &id).len();
    assert_eq!(figure(&operator, "pingup_ingest_gaps_total"), 0.0);
    hub.stop();
    hub.restart_in_place();
    let operator = hub.operator("operator");
    let after = more_rows(&operator, &id, before + 1);
    hub.kill();
    hub.restart_in_place();
    let operator = hub.operator("operator");
    more_rows(&operator, &id, after + 1);
    assert_eq!(figure(&operator, "pingup_ingest_gaps_total"), 0.0, "every number of the stream is there");
    let stamps = rows(&operator, &id);
    assert_eq!(stamps.iter().collect::<BTreeSet<_>>().len(), stamps.len(), "each once");
    assert_eq!(run(&operator, &id, "ping", json!({})).0["status"], "succeeded", "commands flow again");

    // It says farewell at once, and a new start is the same agent.
    let mut quickest = PATIENCE;
    for _ in 0..3 {
        assert_eq!(online(&operator), id);
        signal(agent.0.id(), "TERM");
        let begun = Instant::now();
        eventually("the agent is offline", || (only_agent(&operator)?["status"] == "offline").then_some(()));
        quickest = quickest.min(begun.elapsed());
        agent.ended();
        agent = Program::start(&hub.wire, state.path(), None);
    }
    assert!(quickest < A_SECOND, "offline within a second of SIGTERM: {quickest:?}");
    assert_eq!(online(&operator), id);
    more_rows(&operator, &id, rows(&operator, &id).len());
    assert_eq!(figure(&operator, "pingup_ingest_gaps_total"), 0.0);
    agent.terminate();
}
