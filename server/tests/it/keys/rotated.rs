//! Rotation, step by step, with the hub killed between any two; and who is told of new keys.

use super::{generation, handed, next, push, rotate, rows};
use crate::harness::{
    Hub,
    agent::{Agent, now},
    program, refused,
};
use serde_json::{Value, json};
use std::net::{IpAddr, UdpSocket};

const BOOT: u64 = 7;

/// A whole life of keys; `between` comes between any two steps, and may be the hub's death.
fn a_life(mut between: impl FnMut(&mut Hub)) {
    let mut hub = Hub::start();
    let mut step = |hub: &mut Hub, agents: &mut [&mut Agent]| {
        between(hub);
        agents.iter_mut().for_each(|agent| **agent = agent.at(&hub.wire));
    };
    let mut first = hub.register("A");
    step(&mut hub, &mut [&mut first]);
    push(&first, BOOT, 1);
    assert_eq!(handed(&first, &first.heartbeat("online")), None, "nothing to hand over");
    step(&mut hub, &mut [&mut first]);
    let view = rotate(&hub, "A");
    assert_eq!((&view["key"]["generation"], &view["key"]["offered"]), (&json!(1), &json!(2)));
    step(&mut hub, &mut [&mut first]);
    let mut second = next(&first);
    step(&mut hub, &mut [&mut first, &mut second]);
    rotate(&hub, "A");
    assert_eq!(next(&first).credentials, second.credentials, "asked for twice, lost once: the same again");
    step(&mut hub, &mut [&mut first, &mut second]);
    push(&first, BOOT, 2);
    step(&mut hub, &mut [&mut first, &mut second]);
    push(&second, BOOT, 3);
    step(&mut hub, &mut [&mut first, &mut second]);
    assert_eq!(handed(&first, &first.heartbeat("online")), None, "they are in use");
    push(&first, BOOT, 4);
    step(&mut hub, &mut [&mut first, &mut second]);
    let view = rotate(&hub, "A");
    assert_eq!((&view["key"]["generation"], &view["key"]["offered"]), (&json!(2), &json!(3)));
    step(&mut hub, &mut [&mut first, &mut second]);
    let late = first.post("/api/v1/metrics", &first.sequenced(BOOT, 5, now()));
    refused(&late, 403, "agent-revoked");
    refused(&first.heartbeat("online"), 403, "agent-revoked");
    push(&second, BOOT, 5);
    let mut third = next(&second);
    step(&mut hub, &mut [&mut second, &mut third]);
    push(&third, BOOT, 6);
    step(&mut hub, &mut [&mut second, &mut third]);
    push(&second, BOOT, 7);
    assert_eq!((generation(&third), rows(&hub, "A")), (3, 7));
}

#[test]
fn an_agent_goes_from_key_to_key_and_its_samples_with_it() {
    a_life(|_| ());
}

#[test]
fn a_hub_that_is_killed_between_any_two_steps_changes_nothing() {
    a_life(|hub| {
        hub.kill();
        hub.restart();
    });
}

/// Whoever has a bearer token, from a log or made with a stolen master key, can ask, and cannot sign.
#[test]
fn neither_a_bearer_token_nor_a_replay_is_handed_keys() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let old = json!({"agentId": "A", "timestamp": now(), "status": "online"});
    let beat = |body: &Value| agent.post("/api/v1/agents/A/heartbeat", body);
    beat(&old).expect(200);
    rotate(&hub, "A");
    for question in ["commands/pending/A?nonce=n&after=0", "config/A?nonce=n"] {
        let answer = agent.wire.get(&format!("/api/v1/{question}"));
        answer.expect(200);
        assert!(!answer.text().contains("credentials"), "{question}");
    }
    assert_eq!(handed(&agent, &beat(&old)), None, "a replay");
    push(&next(&agent), BOOT, 1);
}

#[test]
fn a_stranger_that_does_not_know_of_this_goes_on_as_it_is() {
    let hub = Hub::start();
    let agent = hub.register("A");
    rotate(&hub, "A");
    for seq in 1..5 {
        push(&agent, BOOT, seq);
        agent.heartbeat("online").expect(200);
    }
    let operator = hub.operator("operator");
    let order = json!({"agentId": "A", "action": "ping"});
    operator.post("/api/v1/commands", &order).expect(201);
    let told = agent.pending("&after=0");
    assert_eq!(told["commands"].as_array().unwrap().len(), 1);
    assert!(told.get("credentials").is_none(), "not to who asks by a bearer token");
    assert_eq!(generation(&next(&agent)), 2, "said again and again");
}

#[test]
fn the_key_shows_to_operators_and_nothing_of_it_does() {
    let hub = Hub::start();
    let agent = hub.register("A");
    rotate(&hub, "A");
    let second = next(&agent);
    second.heartbeat("online").expect(200);
    let viewer = hub.operator("viewer");
    let view = viewer.get("/api/v1/agents/A").expect(200);
    assert_eq!((&view["key"]["generation"], &view["key"]["offered"]), (&json!(2), &Value::Null));
    assert!(view["key"]["since"].is_string());
    let figures = viewer.get("/metrics");
    for line in [
        "pingup_agent_keys{state=\"in-use\"} 1",
        "pingup_agent_keys{state=\"offered\"} 0",
        "pingup_agent_keys{state=\"ending\"} 1",
        "pingup_agent_keys_former_master 0",
    ] {
        assert!(figures.text().lines().any(|told| told == line), "{line} in {}", figures.text());
    }
    refused(&viewer.post("/api/v1/agents/A/rotate", &json!({})), 403, "scope-denied");
    let log = {
        let mut hub = hub;
        hub.stop()
    };
    for agent in [agent, second] {
        for secret in [
            &agent.credentials["keys"]["up"],
            &agent.credentials["keys"]["down"],
            &agent.credentials["token"],
        ] {
            assert!(!log.contains(secret.as_str().unwrap()), "a secret in the log");
        }
    }
}

/// An address of this machine that is not its own loopback, if it has one.
fn elsewhere() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Sends nothing: only asks which address would be used.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[test]
fn over_plain_http_from_elsewhere_nothing_is_handed_over() {
    let Some(address) = elsewhere() else {
        println!("this machine has no address but its own: nothing to try from");
        return;
    };
    let mut hub = Hub::prepare(&[]);
    let mut command = program();
    let listen = format!("{address}:0");
    command
        .args(["serve", "--insecure-http", "--listen", &listen, "--log", "warn", "--data-dir"])
        .arg(hub.folder());
    hub.restart_as(command);
    let agent = hub.register("A");
    rotate(&hub, "A");
    for _ in 0..3 {
        assert_eq!(handed(&agent, &agent.heartbeat("online")), None);
        assert!(agent.pending("&after=0").get("credentials").is_none());
    }
    hub.kill();
    hub.restart();
    assert_eq!(generation(&next(&agent.at(&hub.wire))), 2, "on this machine it is");
}
