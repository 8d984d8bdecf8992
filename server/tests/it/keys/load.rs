//! The real agent under load, its keys rotated again and again, while it or the hub is killed: no sample is lost, and none
//! comes twice.
//!
//! `PINGUP_KILLS` says how often; `PINGUP_SEED` repeats a run's moments, as far as the machine does.

use crate::harness::{Hub, eventually, sibling, wire::Wire};
use fastrand::Rng;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Kills unless the environment says otherwise.
const KILLS: u64 = 8;
/// Samples that are asked for in a round, beside one a second.
const A_ROUND: u64 = 4;
/// Looks at an agent that does not use what it was offered until it is called again: some seconds.
const LOOKS_A_CALL: u64 = 100;

/// The agent program, dead when this is dropped.
struct Program(Child);

impl Program {
    fn start(hub: &Hub, state: &Path, token: &str) -> Self {
        let mut command = Command::new(sibling("pingup-agent"));
        command.args(["run", "--interval", "1s", "--allow", "ping,collect_now", "--log", "warn", "--hub"]);
        command.arg(format!("http://{}", hub.wire.address)).arg("--state-dir").arg(state);
        command.env("PINGUP_JOIN_TOKEN", token);
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn only_agent(viewer: &Wire) -> Option<Value> {
    viewer.get("/api/v1/agents").expect(200)["items"].get(0).cloned()
}

fn stamps(viewer: &Wire, id: &str) -> Vec<String> {
    let page = viewer.get(&format!("/api/v1/metrics/{id}?limit=10000")).expect(200);
    let rows = page["items"].as_array().unwrap().iter();
    rows.map(|row| row["timestamp"].as_str().unwrap().to_owned()).collect()
}

/// Every number of the stream came, as far as this life of the hub can tell.
fn no_gaps(viewer: &Wire) {
    let figures = viewer.get("/metrics");
    assert!(figures.text().lines().any(|line| line == "pingup_ingest_gaps_total 0"), "{}", figures.text());
}

/// Waits until the agent uses the keys that it was offered. Where it was not told of the call, since the hub died meanwhile,
/// it is called again: not at every look, for a call that comes too late offers others.
fn in_use(operator: &Wire, id: &str) -> u64 {
    let mut looks = 0_u64;
    eventually("the new keys are in use", || {
        let agent = operator.get(&format!("/api/v1/agents/{id}")).expect(200);
        if agent["key"]["offered"].is_null() {
            return agent["key"]["generation"].as_u64();
        }
        looks += 1;
        if looks.is_multiple_of(LOOKS_A_CALL) {
            rotate_by(operator, id);
        }
        None
    })
}

/// Offers it others, and a configuration too: it says that it has that by a heartbeat, which need not be waited for then.
fn rotate_by(operator: &Wire, id: &str) {
    operator.post(&format!("/api/v1/agents/{id}/rotate"), &json!({})).expect(200);
    operator.post(&format!("/api/v1/config/{id}"), &json!({"config": {}})).expect(200);
}

#[test]
fn keys_are_rotated_under_load_and_kills_and_no_sample_is_lost_or_doubled() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = from_environment("PINGUP_SEED").unwrap_or(now.as_secs());
    let kills = from_environment("PINGUP_KILLS").unwrap_or(KILLS);
    println!("seed {seed}, {kills} kills");
    let (mut hub, mut random) = (Hub::start(), Rng::with_seed(seed));
    let state = hub.beside().join("agent");
    let mut agent = Program::start(&hub, &state, &hub.join_token());
    let operator = hub.token("operator");
    let id = eventually("the agent is online", || {
        let agent =
            only_agent(&hub.wire.with_token(&operator)).filter(|agent| agent["status"] == "online")?;
        Some(agent["id"].as_str().unwrap().to_owned())
    });
    let mut last = 1;
    for round in 0..kills {
        let wire = hub.wire.with_token(&operator);
        for _ in 0..A_ROUND {
            wire.post("/api/v1/commands", &json!({"agentId": id, "action": "collect_now"})).expect(201);
        }
        rotate_by(&wire, &id);
        // The moment of death is the point here: there is nothing to wait for.
        thread::park_timeout(Duration::from_millis(random.u64(..60)));
        match round % 2 {
            0 => {
                drop(agent);
                agent = Program::start(&hub, &state, "");
            }
            _ => {
                no_gaps(&wire);
                hub.kill();
                hub.restart_in_place();
            }
        }
        let generation = in_use(&hub.wire.with_token(&operator), &id);
        assert!(generation > last, "generation {generation} after {last}");
        last = generation;
    }
    let viewer = hub.wire.with_token(&operator);
    let before = stamps(&viewer, &id).len();
    let after =
        eventually("samples go on", || Some(stamps(&viewer, &id)).filter(|rows| rows.len() > before + 1));
    no_gaps(&viewer);
    assert_eq!(after.iter().collect::<BTreeSet<_>>().len(), after.len(), "each once");
    println!("{} samples, generation {last}", after.len());
}

/// A hub that was restored from a backup of before knows the agent's former keys, and gives it others.
#[test]
fn an_agent_whose_keys_a_restored_hub_does_not_know_comes_back_by_those_before() {
    let mut hub = Hub::start();
    let state = hub.beside().join("agent");
    let _agent = Program::start(&hub, &state, &hub.join_token());
    let operator = hub.operator("operator");
    let id = eventually("the agent is online", || {
        let agent = only_agent(&operator).filter(|agent| agent["status"] == "online")?;
        Some(agent["id"].as_str().unwrap().to_owned())
    });
    let backup = hub.beside().join("backup");
    assert!(hub.run(&["backup", backup.to_str().unwrap()]).status.success());
    rotate_by(&operator, &id);
    assert_eq!(in_use(&operator, &id), 2);
    assert!(state.join("identity.former.json").is_file());
    hub.kill();
    fs::rename(hub.folder(), hub.beside().join("lost")).unwrap();
    assert!(hub.run(&["restore", backup.to_str().unwrap()]).status.success());
    hub.restart_in_place();
    let operator = hub.operator("operator");
    let count = stamps(&operator, &id).len();
    eventually("it sends by the keys of before", || (stamps(&operator, &id).len() > count).then_some(()));
    rotate_by(&operator, &id);
    assert!(in_use(&operator, &id) > 100, "and has others since");
    let count = stamps(&operator, &id).len();
    eventually("samples go on", || (stamps(&operator, &id).len() > count).then_some(()));
}
