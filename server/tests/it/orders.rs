//! Signed orders, with the real hub and the real agent: made by the command line, run once. What a thief does to them in the
//! hub's records is told in `stolen`, the whole way over TLS in `tls`.

mod stolen;
mod tls;

use crate::{
    end_to_end::Program,
    harness::{Hub, eventually, program, refused, wire::Wire},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use pingup_protocol::{
    ids::AgentId,
    order::{Asked, Order},
};
use pingup_server::deed::digest;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

/// An operator's machine: a key, and the program.
struct Laptop {
    folder: PathBuf,
    public: String,
}

impl Laptop {
    fn new(hub: &Hub) -> Self {
        let folder = hub.beside().join("laptop");
        fs::create_dir(&folder).unwrap();
        let key = folder.join("ada.pingup-key");
        let made = program()
            .args(["operator-key", "create", "--name", "ada@laptop", "--no-passphrase", "--out"])
            .arg(&key)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let shown = program().args(["operator-key", "show"]).arg(&key).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        let public = shown.lines().next().unwrap().to_owned();
        assert!(public.starts_with("pok_") && public.ends_with(" ada@laptop"), "{shown}");
        assert!(String::from_utf8(made.stdout).unwrap().contains(&public));
        Self { folder, public }
    }

    fn key_id(&self) -> &str {
        self.public.split(' ').next().unwrap()
    }

    fn call(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = program();
        command.arg("order").args(arguments).envs(environment.iter().copied());
        command.env("PINGUP_OPERATOR_KEY_FILE", self.folder.join("ada.pingup-key")).output().unwrap()
    }

    /// The body that asks `agent` to run `argv`.
    fn body(&self, agent: &str, argv: &[&str]) -> Value {
        let head = ["exec", "--agent", agent, "--"];
        let output = self.call(&[&head[..], argv].concat(), &[]);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// The agent of this machine, which obeys `laptop`.
fn start(hub: &Hub, laptop: &Laptop, is_new: bool) -> Program {
    let token = is_new.then(|| hub.join_token());
    let state = hub.beside().join("agent");
    Program::start_with(&hub.wire, &state, token.as_deref(), &["--operator-key", &laptop.public])
}

/// Its id, once it is online.
fn online(operator: &Wire) -> String {
    eventually("the agent is online", || {
        let agents = operator.get("/api/v1/agents?status=online").expect(200);
        agents["items"][0]["id"].as_str().map(str::to_owned)
    })
}

fn queued(operator: &Wire, body: &Value) -> String {
    operator.post("/api/v1/commands", body).expect(201)["commandId"].as_str().unwrap().to_owned()
}

/// A command, once its agent has reported on it.
fn reported(operator: &Wire, id: &str) -> Value {
    eventually("a command is reported", || {
        let command = operator.get(&format!("/api/v1/commands/{id}")).expect(200);
        (!command["result"].is_null()).then_some(command)
    })
}

fn assert_rejected(command: &Value, because: &str) {
    let output = command["result"]["output"].as_str().unwrap_or_default();
    assert!(command["status"] == "rejected" && output.contains(because), "{because:?} in {command:#}");
}

fn script(file: &Path) -> Vec<String> {
    vec!["sh".to_owned(), "-c".to_owned(), "echo ran >> \"$0\"".to_owned(), file.display().to_string()]
}

fn lines(file: &Path) -> usize {
    fs::read_to_string(file).unwrap_or_default().lines().count()
}

#[test]
fn orders_of_the_command_line_run_once_for_one_agent_and_for_many() {
    let hub = Hub::start();
    let (operator, laptop) = (hub.operator("operator"), Laptop::new(&hub));
    let agent = start(&hub, &laptop, true);
    // There is one real agent to a machine; the other one is played.
    let (played, ids) = (hub.register("B"), [online(&operator), "B".to_owned()]);
    let (file, url) = (hub.beside().join("ran"), format!("http://{}", hub.wire.address));
    let script = script(&file);
    let words: Vec<&str> = script.iter().map(String::as_str).collect();

    // One, sent by the program itself.
    let head = ["exec", "--agent", &ids[0], "--hub", &url, "--timeout", "30s", "--"];
    let sent = laptop.call(&[&head[..], &words].concat(), &[("PINGUP_TOKEN", &hub.token("operator"))]);
    assert!(sent.status.success(), "{sent:?}");
    let answer: Value = serde_json::from_slice(&sent.stdout).unwrap();
    let done = reported(&operator, answer["commandId"].as_str().unwrap());
    assert_eq!((&done["status"], &done["signedBy"]), (&json!("succeeded"), &json!(laptop.key_id())));
    assert_eq!((lines(&file), &done["timeoutSeconds"]), (1, &json!(30)));

    // The same body twice is one command; the same order under another key is a replay.
    let mut body = laptop.body(&ids[0], &words);
    let first = queued(&operator, &body);
    assert_eq!(reported(&operator, &first)["status"], "succeeded");
    assert_eq!(operator.post("/api/v1/commands", &body).expect(200)["commandId"], json!(first));
    body["idempotencyKey"] = json!("another");
    assert_rejected(&reported(&operator, &queued(&operator, &body)), "used before");
    assert_eq!(lines(&file), 2);

    // Many, by one call.
    let list = hub.beside().join("list");
    fs::write(&list, ids.join("\n")).unwrap();
    let head = ["exec", "--agents-file", list.to_str().unwrap(), "--"];
    let body: Value =
        serde_json::from_slice(&laptop.call(&[&head[..], &words].concat(), &[]).stdout).unwrap();
    let batch = operator.post("/api/v1/commands", &body).expect(201);
    assert_eq!((&batch["agents"], &batch["signedBy"]), (&json!(2), &json!(laptop.key_id())));
    let path = format!("/api/v1/commands/batches/{}", batch["batchId"].as_str().unwrap());
    eventually("it is done", || (operator.get(&path).expect(200)["counts"]["succeeded"] == 1).then_some(()));
    assert_eq!(lines(&file), 3);
    let command = played.pending("")["commands"][0].clone();
    let (order, agent_id) = (Order::read(&command["order"]).unwrap(), AgentId::parse("B").unwrap());
    let params = command["params"].as_object().unwrap();
    let asked = Asked { agent_id: &agent_id, action: "exec", params, timeout_seconds: None };
    order.verify(&asked).unwrap();
    assert_eq!(order.key_id.to_string(), laptop.key_id());
    assert_eq!(operator.post("/api/v1/commands", &body).expect(200)["batchId"], batch["batchId"]);

    let audited = |act: &str| {
        let path = format!("/api/v1/audit?limit=1&act={act}");
        hub.operator("admin").get(&path).expect(200)["items"][0]["detail"].clone()
    };
    // The signatures stand in the body in the order of its agents; they are digested in that of the ids.
    let signatures = body["order"]["signatures"].as_array().unwrap();
    let mut pairs: Vec<_> = body["agentIds"].as_array().unwrap().iter().zip(signatures).collect();
    pairs.sort_by_key(|(agent, _)| agent.as_str().unwrap().to_owned());
    let bytes = pairs.iter().flat_map(|(_, text)| STANDARD.decode(text.as_str().unwrap()).unwrap());
    let detail = audited("batch.queued");
    assert_eq!(detail["signedBy"], json!(laptop.key_id()));
    assert_eq!(detail["orderSha256"], json!(digest(&bytes.collect::<Vec<_>>())));
    let detail = audited("command.queued");
    assert_eq!(detail["signedBy"], json!(laptop.key_id()));
    assert_eq!(detail["orderSha256"].as_str().unwrap().len(), 64);
    let rows = hub.operator("viewer").post(
        "/api/v1/sql",
        &json!({"query": format!("SELECT DISTINCT signed_by FROM commands WHERE command_id = '{first}'")}),
    );
    assert_eq!(rows.expect(200)["rows"], json!([[laptop.key_id()]]));

    // And what nobody signed: harmless, or not at all.
    let ping = queued(&operator, &json!({"agentId": ids[0], "action": "ping"}));
    let ping = reported(&operator, &ping);
    assert_eq!((&ping["status"], &ping["signedBy"]), (&json!("succeeded"), &Value::Null));
    let unsigned = json!({"agentId": ids[0], "action": "exec", "params": {"argv": script}});
    assert_rejected(&reported(&operator, &queued(&operator, &unsigned)), "has none");
    assert_eq!(lines(&file), 3);
    agent.terminate();
}

#[test]
fn an_order_that_every_agent_would_refuse_is_refused_at_the_door() {
    let hub = Hub::start();
    let (operator, laptop) = (hub.operator("operator"), Laptop::new(&hub));
    hub.register("A");
    let good = laptop.body("A", &["true"]);
    for (change, pointer) in [
        (
            &(|body: &mut Value| body["params"] = json!({"argv": ["false"]})) as &dyn Fn(&mut Value),
            "/order/signature",
        ),
        (&|body| body["order"]["expiresAt"] = json!("2020-01-01T00:00:00Z"), "/order/expiresAt"),
        (&|body| body["ttlSeconds"] = json!(5), "/ttlSeconds"),
        (&|body| body["order"]["keyId"] = json!("pok_"), "/order/keyId"),
        (
            &|body| {
                body.as_object_mut().unwrap().remove("agentId");
                body["selector"] = json!({"q": "A"});
            },
            "/order",
        ),
    ] {
        let mut body = good.clone();
        change(&mut body);
        let problem = refused(&operator.post("/api/v1/commands", &body), 422, "schema-invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem:#}");
    }
    let view = operator.post("/api/v1/commands", &good).expect(201);
    assert_eq!(view["expiresAt"], good["order"]["expiresAt"], "the order says when");
    let plain = laptop.call(&["ping", "--agent", "A", "--hub", "http://192.0.2.1"], &[("PINGUP_TOKEN", "x")]);
    assert_eq!(plain.status.code(), Some(64), "the token is not sent where others can read it");
}
