//! Signed orders at a hub that somebody stole: it signs whatever it likes with its own keys, knows every order that ever passed
//! through it, and tells what time it pleases. What no operator ordered does not run.

use crate::harness::{Agent, Hub};
use pingup_agent::clock::machine_time;
use pingup_protocol::{
    command::{ResultBody, ResultStatus},
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
    order::{Asked, Order, PrivateKey},
    time::Timestamp,
};
use serde_json::{Value, json};
use std::path::Path;

fn key(seed: u8) -> PrivateKey {
    PrivateKey::new(&Secret::new([seed; KEY_BYTES]))
}

fn start(hub: &Hub, state: &Path) -> Agent {
    let key = format!("{} ada", key(1).id());
    Agent::start_with(hub, state, &["--allow", "ping,exec", "--operator-key", &key, "--interval", "1h"])
}

/// So many seconds from now, as a whole second.
fn after(seconds: i64) -> Timestamp {
    let now = machine_time().as_micros();
    Timestamp::from_micros(now - now.rem_euclid(1_000_000)).plus_seconds(seconds)
}

fn leaves_a_line(file: &Path) -> Value {
    json!({"argv": ["sh", "-c", "echo ran >> \"$0\"", file]})
}

fn lines(file: &Path) -> usize {
    std::fs::read_to_string(file).unwrap_or_default().lines().count()
}

fn order(seed: u8, agent_id: &str, params: &Value, nonce: &str, expires_at: Timestamp) -> Value {
    let agent_id = AgentId::parse(agent_id).unwrap();
    let params = params.as_object().unwrap();
    let asked = Asked { agent_id: &agent_id, action: "exec", params, timeout_seconds: None };
    json!(Order::sign(&key(seed), &asked, nonce, expires_at).unwrap())
}

/// Puts parameters and an order into a command.
fn with(params: Value, order: Value) -> impl FnOnce(&mut Value) {
    move |command| {
        command["params"] = params;
        command["order"] = order;
    }
}

/// The result of command `seq`, once it is there.
fn result(hub: &Hub, seq: u64) -> ResultBody {
    hub.wait("a result", |hub| hub.result(seq).cloned())
}

fn assert_rejected(hub: &Hub, seq: u64, because: &str) {
    let result = result(hub, seq);
    assert_eq!(result.status, ResultStatus::Rejected, "{seq}: {result:?}");
    assert!(result.output.as_deref().unwrap().contains(because), "{seq}: {because:?} in {result:?}");
}

#[test]
fn an_order_runs_once_over_kill_and_restart() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let (state, file) = (home.path().join("state"), home.path().join("ran"));
    let params = leaves_a_line(&file);
    let signed = order(1, "AGENT-1", &params, "n", after(3_600));
    let agent = start(&hub, &state);
    hub.state.change(|hub| {
        hub.offer_changed(1, with(params.clone(), signed.clone()));
        hub.offer_changed(2, with(params.clone(), signed.clone()));
        hub.offer(3, "ping", json!({}));
    });
    assert_eq!(result(&hub, 1).status, ResultStatus::Succeeded);
    assert_rejected(&hub, 2, "used before");
    assert_eq!(result(&hub, 3).status, ResultStatus::Succeeded, "what changes nothing needs no order");
    agent.kill();
    let agent = start(&hub, &state);
    hub.state.change(|hub| hub.offer_changed(4, with(params.clone(), signed)));
    assert_rejected(&hub, 4, "used before");
    hub.state.change(|hub| {
        let fresh = order(1, "AGENT-1", &params, "m", after(3_600));
        hub.offer_changed(5, with(params, fresh));
    });
    assert_eq!(result(&hub, 5).status, ResultStatus::Succeeded);
    assert_eq!(lines(&file), 2);
    assert!(agent.terminate().0.success());
}

#[test]
fn what_no_operator_ordered_does_not_run_and_says_why_once() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("ran");
    let (params, harmless) = (leaves_a_line(&file), json!({"argv": ["true"]}));
    let until = after(3_600);
    let longer = {
        let mut order = order(1, "AGENT-1", &params, "a", after(-3_600));
        order["expiresAt"] = json!(until);
        order
    };
    let forgeries: [(Value, &str); 8] = [
        (Value::Null, "has none"),
        (json!("an order"), "cannot be read"),
        (order(1, "AGENT-1", &harmless, "b", until), "are not what was signed"),
        (order(1, "AGENT-2", &params, "c", until), "are not what was signed"),
        (order(9, "AGENT-1", &params, "d", until), "none of this agent's operator keys"),
        (longer, "are not what was signed"),
        (order(1, "AGENT-1", &params, "e", after(-1)), "its order expired"),
        (json!({"keyId": key(1).id(), "nonce": "f", "expiresAt": until}), "cannot be read"),
    ];
    let agent = start(&hub, &home.path().join("state"));
    hub.state.change(|hub| {
        for ((order, _), seq) in forgeries.iter().zip(1..) {
            hub.offer_changed(seq, with(params.clone(), order.clone()));
        }
        hub.offer_changed(9, |command| {
            command["params"] = params.clone();
            command["order"] = order(1, "AGENT-1", &params, "g", until);
            command["timeoutSeconds"] = json!(86_400);
        });
    });
    for ((_, because), seq) in forgeries.iter().zip(1..) {
        assert_rejected(&hub, seq, because);
    }
    assert_rejected(&hub, 9, "are not what was signed");
    assert_eq!(lines(&file), 0);
    let (status, log) = agent.terminate();
    assert!(status.success());
    assert_eq!(log.matches("since nobody ordered it").count(), 9, "{log}");
}

/// Both the hub's word of the time and the command's end are the thief's; the order's own is not.
#[test]
fn a_hub_that_sets_its_clock_back_revives_no_order() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("ran");
    let params = leaves_a_line(&file);
    hub.state.change(|hub| {
        hub.clock_ahead_seconds = -7_200;
        let kept_back = order(1, "AGENT-1", &params, "n", after(-3_600));
        hub.offer_changed(1, with(params.clone(), kept_back));
        let fresh = order(1, "AGENT-1", &params, "m", after(3_600));
        hub.offer_changed(2, with(params, fresh));
    });
    let agent = start(&hub, &home.path().join("state"));
    assert_rejected(&hub, 1, "its order expired");
    assert_eq!(result(&hub, 2).status, ResultStatus::Succeeded, "one that holds is not held up by it");
    assert_eq!(lines(&file), 1);
    assert!(agent.terminate().0.success());
}

#[test]
fn no_configuration_of_the_hubs_widens_what_may_run() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("ran");
    let params = leaves_a_line(&file);
    let thief = key(9).id();
    hub.state.change(|hub| {
        let config = json!({
            "allow": ["ping", "exec", "restart_service"], "operatorKeys": [thief], "operator_keys": [],
            "signedActions": [], "signed_actions": [], "operatorKey": null, "signers": {"keys": [], "actions": []},
        });
        hub.config = (1, config);
        hub.offer_changed(1, |command| command["params"] = params.clone());
        hub.offer_changed(2, with(params.clone(), order(9, "AGENT-1", &params, "n", after(3_600))));
        hub.offer_changed(3, |command| {
            let (agent_id, params) = (AgentId::parse("AGENT-1").unwrap(), json!({"service": "nginx"}));
            let asked = Asked {
                agent_id: &agent_id,
                action: "restart_service",
                params: params.as_object().unwrap(),
                timeout_seconds: None,
            };
            command["order"] = json!(Order::sign(&key(1), &asked, "m", after(3_600)).unwrap());
            (command["action"], command["params"]) = (json!("restart_service"), params.clone());
        });
    });
    let agent = start(&hub, &home.path().join("state"));
    assert_rejected(&hub, 1, "has none");
    assert_rejected(&hub, 2, "none of this agent's operator keys");
    assert_rejected(&hub, 3, "allow-list");
    let (_, log) = agent.terminate();
    assert!(log.contains("applied a new configuration"), "{log}");
    assert_eq!(lines(&file), 0);
}

#[test]
fn what_an_agent_without_keys_is_ordered_runs_as_ever() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("ran");
    let params = leaves_a_line(&file);
    let agent = Agent::start_with(&hub, &home.path().join("state"), &["--allow", "exec"]);
    hub.state.change(|hub| {
        hub.offer_changed(1, with(params.clone(), order(1, "AGENT-1", &params, "n", after(3_600))));
        hub.offer_changed(2, with(params, json!("what it does not look at")));
    });
    for seq in [1, 2] {
        assert_eq!(result(&hub, seq).status, ResultStatus::Succeeded);
    }
    assert_eq!(lines(&file), 2);
    assert!(agent.terminate().0.success());
}
