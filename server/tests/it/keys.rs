//! Agents' keys over the wire: rotated, dropped, made of another master key, and how that one lies on the disk.

mod dropped;
mod load;
mod master;
mod rotated;
mod sealed;

use crate::harness::{Hub, agent::Agent, agent::now, wire::Answer};
use serde_json::{Value, json};

/// Asks for the next generation of an agent's keys; the agent as it is then.
fn rotate(hub: &Hub, id: &str) -> Value {
    hub.operator("operator").post(&format!("/api/v1/agents/{id}/rotate"), &json!({})).expect(200)
}

/// The credentials that an answer hands over.
fn handed(agent: &Agent, answer: &Answer) -> Option<Value> {
    agent.verified(answer).get("credentials").cloned()
}

/// Beats, and becomes who the answer hands over.
fn next(agent: &Agent) -> Agent {
    let beat = agent.heartbeat("online");
    beat.expect(200);
    let credentials = handed(agent, &beat).expect("credentials in the answer");
    Agent::new(agent.wire.clone(), &credentials)
}

/// Pushes one sample, and is told that it was stored once.
fn push(agent: &Agent, boot: u64, seq: u64) {
    let answer = agent.post("/api/v1/metrics", &agent.sequenced(boot, seq, now())).expect(200);
    assert_eq!((&answer["accepted"], &answer["highWater"]), (&json!(1), &json!(seq)));
}

fn generation(agent: &Agent) -> u64 {
    agent.credentials["generation"].as_u64().unwrap()
}

/// How many samples the hub has of an agent.
fn rows(hub: &Hub, id: &str) -> usize {
    let page = hub.operator("viewer").get(&format!("/api/v1/metrics/{id}?limit=10000")).expect(200);
    page["items"].as_array().unwrap().len()
}
