//! Agents written from the protocol's page alone, in another language: the examples that strangers start from.

use crate::harness::Hub;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn python(script: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg("-B").arg(root().join("docs/examples").join(script));
    command
}

#[track_caller]
fn success(output: Output) -> String {
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_python_agent_reproduces_the_vectors() {
    let vectors = root().join("protocol/tests/vectors.json");
    success(python("agent.py").arg("vectors").arg(vectors).output().unwrap());
}

#[test]
fn the_examples_keep_their_own_tests() {
    let mut command = Command::new("python3");
    command
        .args(["-B", "-m", "unittest", "discover", "-p", "test_*.py", "-s"])
        .arg(root().join("docs/examples"));
    success(command.output().unwrap());
}

#[test]
fn the_python_agent_enrols_pushes_and_obeys() {
    let hub = Hub::start();
    let state = tempfile::tempdir().unwrap();
    let operator = hub.operator("operator");
    let hub_address = format!("http://{}", hub.wire.address);
    let run = |token: Option<&str>| {
        let mut command = python("agent.py");
        command
            .args(["run", "--hub", &hub_address, "--interval", "0.2", "--count", "4", "--state"])
            .arg(state.path().join("agent.json"));
        command.args(token.map(|token| ["--join-token", token]).into_iter().flatten());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    success(run(Some(&hub.join_token())).wait_with_output().unwrap());
    let agents = operator.get("/api/v1/agents").expect(200);
    let id = agents["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(agents["items"][0]["status"], "offline", "it said farewell");
    let rows =
        || operator.get(&format!("/api/v1/metrics/{id}")).expect(200)["items"].as_array().unwrap().len();
    assert_eq!(rows(), 4);

    let queue = |action: &str| {
        operator.post("/api/v1/commands", &json!({"agentId": id, "action": action})).expect(201)["commandId"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (ping, other) = (queue("ping"), queue("collect_now"));
    operator.post(&format!("/api/v1/agents/{id}/rotate"), &json!({})).expect(200);
    success(run(None).wait_with_output().unwrap());
    let status = |id: &str| operator.get(&format!("/api/v1/commands/{id}")).expect(200)["status"].clone();
    assert_eq!((status(&ping), status(&other)), (json!("succeeded"), json!("rejected")));
    assert_eq!(rows(), 8, "the stream goes on where it stopped");
    let key = operator.get(&format!("/api/v1/agents/{id}")).expect(200)["key"].clone();
    assert_eq!((&key["generation"], &key["offered"]), (&json!(2), &Value::Null), "by other keys");
    assert_eq!(
        operator.get("/api/v1/agents").expect(200)["items"].as_array().unwrap().len(),
        1,
        "the same agent"
    );
}

#[test]
fn the_readmes_twenty_lines_push_a_sample() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let script = fs::read_to_string(root().join("docs/examples/push.py")).unwrap();
    assert!(readme.contains(script.trim()), "the README shows docs/examples/push.py as it is");
    assert!(script.trim().lines().count() <= 20);

    let hub = Hub::start();
    let operator = hub.operator("operator");
    let made = operator.post("/api/v1/agents", &json!({"id": "twenty-lines"})).expect(201);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut command = python("push.py");
    command.env("HUB", format!("http://{}", hub.wire.address)).env("AGENT_ID", "twenty-lines");
    command
        .env("KEY_UP", text(&made["credentials"]["keys"]["up"]))
        .env("TOKEN", text(&made["credentials"]["token"]));
    success(command.output().unwrap());
    assert_eq!(
        operator.get("/api/v1/metrics/twenty-lines").expect(200)["items"].as_array().unwrap().len(),
        1
    );
}
