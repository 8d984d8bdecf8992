//! A configuration's way to the real agent, and back what became of it.

use super::{Program, online, only_agent, run};
use crate::harness::{Hub, eventually};
use serde_json::{Value, json};

#[test]
fn a_configuration_applies_live_and_a_bad_one_is_refused_reported_and_survived() {
    let hub = Hub::start();
    let operator = hub.operator("operator");
    let state = hub.beside().join("agent");
    let agent = Program::start(&hub.wire, &state, Some(&hub.join_token()));
    let id = online(&operator);
    let set = |config: Value| {
        let path = format!("/api/v1/config/{id}");
        operator.post(&path, &json!({ "config": config })).expect(200)["version"].clone()
    };
    let shown = |what: &str, fits: &dyn Fn(&Value) -> bool| {
        eventually(what, || {
            only_agent(&operator).map(|agent| agent["config"].clone()).filter(|config| fits(config))
        })
    };
    let version = set(json!({"allow": ["ping"]}));
    let applied = shown("the first is applied", &|config| config["applied"] == version);
    assert_eq!(applied, json!({"wanted": 1, "applied": 1, "refused": null}));
    let (taken_away, _) = run(&operator, &id, "exec", json!({"argv": ["true"]}));
    assert_eq!(taken_away["status"], "rejected", "in force without a restart");

    // Each network may be scanned; together they are too much, which only the agent finds out.
    let discovery = json!({"force": true, "cidrs": ["10.0.0.0/16", "10.1.0.0/16"]});
    let version = set(json!({"allow": ["ping", "exec"], "discovery": discovery}));
    let refused = shown("the second is refused", &|config| config["refused"]["version"] == version);
    assert_eq!((&refused["wanted"], &refused["applied"]), (&json!(2), &json!(1)));
    assert!(refused["refused"]["reason"].as_str().unwrap().contains("cidrs"), "{refused}");
    let (still, _) = run(&operator, &id, "exec", json!({"argv": ["true"]}));
    assert_eq!(still["status"], "rejected", "the one before is in force");
    assert_eq!(run(&operator, &id, "ping", json!({})).0["status"], "succeeded", "and the agent works");

    set(json!({"allow": ["ping", "exec"]}));
    let mended = shown("the third is applied", &|config| config["applied"] == 3);
    assert_eq!(mended, json!({"wanted": 3, "applied": 3, "refused": null}));
    assert_eq!(run(&operator, &id, "exec", json!({"argv": ["true"]})).0["status"], "succeeded");
    agent.terminate();
}
