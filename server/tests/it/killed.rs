//! The real agent, killed at any moment while commands flow from the real hub: nothing runs twice, nothing stays open,
//! what is not known has a reason, and the queue goes on.
//!
//! Each round queues commands that leave a line in a file of their own, starts the agent, and kills it with SIGKILL after
//! a random while. `PINGUP_KILLS` says how often; `PINGUP_SEED` repeats a run's moments, as far as the machine does.

use crate::harness::{Hub, eventually, sibling, signal, wire::Wire};
use fastrand::Rng;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Kills unless the environment says otherwise.
const KILLS: u64 = 10;
/// Commands that are queued before each start.
const A_ROUND: u64 = 3;
/// One round of so many has commands that run for a while, and the agent lives long enough to say so.
const LONG_EVERY: u64 = 4;
/// The states that are over.
const OVER: [&str; 6] = ["succeeded", "failed", "rejected", "unknown", "expired", "cancelled"];

/// The agent program, dead when this is dropped.
struct Agent(Child);

impl Agent {
    fn start(hub: &Hub, state: &Path, token: &str) -> Self {
        let mut command = Command::new(sibling("pingup-agent"));
        command.args(["run", "--interval", "1h", "--allow", "ping,exec", "--log", "error", "--hub"]);
        command.arg(format!("http://{}", hub.wire.address)).arg("--state-dir").arg(state);
        command.env("PINGUP_JOIN_TOKEN", token);
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    fn terminate(mut self) {
        signal(self.0.id(), "TERM");
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// An agent that was registered, and is not at work; its id.
fn enrolled(hub: &Hub, operator: &Wire, state: &Path) -> String {
    let agent = Agent::start(hub, state, &hub.join_token());
    let id = eventually("the agent is online", || {
        let agents = operator.get("/api/v1/agents").expect(200);
        let agent = agents["items"].get(0).filter(|agent| agent["status"] == "online")?;
        Some(agent["id"].as_str().unwrap().to_owned())
    });
    agent.terminate();
    id
}

/// Queues a command that leaves a line in `file`, and takes a while from then on; its path.
fn leaves_a_line(operator: &Wire, id: &str, file: &Path, millis: u64) -> String {
    let script = format!("echo ran >> \"$0\"; sleep {}.{:03}", millis / 1_000, millis % 1_000);
    let order = json!({"agentId": id, "action": "exec", "params": {"argv": ["sh", "-c", script, file]}});
    let queued = operator.post("/api/v1/commands", &order).expect(201);
    format!("/api/v1/commands/{}", queued["commandId"].as_str().unwrap())
}

/// Waits until every command is over, in the order in which they were queued; each as the hub tells it then.
fn all_over(operator: &Wire, paths: &[String]) -> Vec<Value> {
    let over = |path: &String| {
        eventually("a command is over", || {
            let command = operator.get(path).expect(200);
            OVER.contains(&command["status"].as_str().unwrap()).then_some(command)
        })
    };
    paths.iter().map(over).collect()
}

fn runs(file: &Path) -> usize {
    fs::read_to_string(file).unwrap_or_default().lines().count()
}

#[test]
fn an_agent_that_is_killed_at_random_moments_runs_nothing_twice_and_leaves_nothing_open() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = from_environment("PINGUP_SEED").unwrap_or(now.as_secs());
    let kills = from_environment("PINGUP_KILLS").unwrap_or(KILLS);
    println!("seed {seed}, {kills} kills");
    let (hub, mut random) = (Hub::start(), Rng::with_seed(seed));
    let operator = hub.operator("operator");
    let (state, home) = (hub.beside().join("agent"), hub.beside().join("ran"));
    fs::create_dir(&home).unwrap();
    let id = enrolled(&hub, &operator, &state);
    let (mut paths, mut files): (Vec<String>, Vec<PathBuf>) = Default::default();
    for round in 0..kills {
        let is_long = round % LONG_EVERY == LONG_EVERY - 1;
        for _ in 0..A_ROUND {
            let file = home.join(files.len().to_string());
            let millis = random.u64(..40) + if is_long { 1_500 } else { 0 };
            paths.push(leaves_a_line(&operator, &id, &file, millis));
            files.push(file);
        }
        let agent = Agent::start(&hub, &state, "");
        // The moment of death is the point here: there is nothing to wait for.
        thread::park_timeout(Duration::from_millis(random.u64(..if is_long { 2_500 } else { 400 })));
        drop(agent);
    }
    let agent = Agent::start(&hub, &state, "");
    let mut counts = BTreeMap::<String, usize>::new();
    for (command, file) in all_over(&operator, &paths).iter().zip(&files) {
        let status = command["status"].as_str().unwrap();
        match status {
            "succeeded" => assert_eq!(runs(file), 1, "{command}"),
            "unknown" => {
                assert!(runs(file) <= 1, "{} runs of {command}", runs(file));
                // The agent's own word: what the hub gives up by itself has none.
                let why = command["result"]["output"].as_str();
                assert!(why.is_some_and(|why| !why.is_empty()), "{command}");
            }
            _ => panic!("neither done nor cut short: {command}"),
        }
        *counts.entry(status.to_owned()).or_default() += 1;
    }
    println!("{counts:?}");
    let last = leaves_a_line(&operator, &id, &home.join("last"), 0);
    assert_eq!(all_over(&operator, &[last])[0]["status"], "succeeded", "the queue goes on");
    agent.terminate();
}
