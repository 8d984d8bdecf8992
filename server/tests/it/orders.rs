//! Signed orders, with the real hub and the real agent: made by the command line, run once; and a thief's hands in the hub's
//! records, by which nothing runs that no operator ordered.

use crate::{
    end_to_end::Program,
    harness::{Hub, PATIENCE, eventually, program, refused, wire::Wire},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use pingup_protocol::{
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
    order::{Asked, Order, PrivateKey},
    time::Timestamp,
};
use pingup_server::deed::digest;
use rusqlite::Connection;
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

/// Somebody stole the hub: its records and its keys. What they write there is signed by the hub and handed out by it.
struct Thief(Connection);

impl Thief {
    fn at(hub: &Hub) -> Self {
        let records = Connection::open(hub.folder().join("pingup.db")).unwrap();
        records.busy_timeout(PATIENCE).unwrap();
        Self(records)
    }

    fn changes(&self, command_id: &str, what: &str) {
        let sql = format!("UPDATE commands SET {what} WHERE id = '{command_id}'");
        assert_eq!(self.0.execute(&sql, []).unwrap(), 1, "{sql}");
    }

    /// Gives the command a place that its agent has not taken down yet, as if it had never been handed out.
    fn hands_out_again(&self, command_id: &str, seq: u64) {
        let fresh = "status = 'pending', result = NULL, delivered_at = NULL, signature = NULL, started_at = NULL, \
                     finished_at = NULL, running_at = NULL";
        self.changes(command_id, &format!("{fresh}, seq = {seq}"));
    }
}

#[test]
fn a_thief_with_the_hubs_records_and_keys_has_nothing_run() {
    let mut hub = Hub::start();
    let (operator, laptop) = (hub.operator("operator"), Laptop::new(&hub));
    let agent = start(&hub, &laptop, true);
    let ids = [online(&operator), "B".to_owned()];
    hub.register("B");
    agent.terminate();
    let home = hub.beside().to_owned();
    let file = |name: &str| home.join(name);
    let order = |agent: &str, name: &str| {
        let script = script(&file(name));
        let words: Vec<&str> = script.iter().map(String::as_str).collect();
        queued(&operator, &laptop.body(agent, &words))
    };
    // All for the first agent, but for one.
    let names = ["honest", "params", "longer", "expiry", "stripped", "replay", "forged", "action"];
    let made = names.map(|name| order(&ids[0], name));
    let [honest, params, longer, expiry, stripped, replay, forged, action] = &made;
    let elsewhere = order(&ids[1], "elsewhere");
    let evil = json!({"argv": script(&file("evil"))});
    let of_thief = {
        let (key, agent_id) =
            (PrivateKey::new(&Secret::new([9; KEY_BYTES])), AgentId::parse(&ids[0]).unwrap());
        let params = evil.as_object().unwrap();
        let asked = Asked { agent_id: &agent_id, action: "exec", params, timeout_seconds: None };
        let until = Timestamp::parse("2099-01-01T00:00:00Z").unwrap();
        serde_json::to_string(&Order::sign(&key, &asked, "n", until).unwrap()).unwrap()
    };
    hub.stop();
    let thief = Thief::at(&hub);
    thief.changes(params, &format!("params = '{}'", evil.to_string().replace('\'', "''")));
    thief.changes(longer, "timeout_seconds = 86400");
    thief.changes(
        expiry,
        "expires_at = expires_at + 3600000000, signed_order = json_set(signed_order, '$.expiresAt', '2099-01-01T00:00:00Z')",
    );
    thief.changes(stripped, "signed_order = NULL");
    thief.changes(
        forged,
        &format!("params = '{}', signed_order = '{of_thief}'", evil.to_string().replace('\'', "''")),
    );
    thief.changes(action, "action = 'restart_service', params = '{\"service\": \"nginx\"}'");
    let of_honest = format!("(SELECT signed_order FROM commands WHERE id = '{honest}')");
    let params_of_honest = format!("(SELECT params FROM commands WHERE id = '{honest}')");
    thief.changes(replay, &format!("signed_order = {of_honest}, params = {params_of_honest}"));
    thief.changes(&elsewhere, &format!("agent_id = '{}', seq = 50", ids[0]));
    drop(thief);
    hub.restart_in_place();
    let operator = hub.operator("operator");
    let agent = start(&hub, &laptop, false);
    assert_eq!(reported(&operator, honest)["status"], "succeeded");
    for changed in [params, longer, expiry, action, &elsewhere] {
        assert_rejected(&reported(&operator, changed), "are not what was signed");
    }
    assert_rejected(&reported(&operator, stripped), "has none");
    assert_rejected(&reported(&operator, replay), "used before");
    assert_rejected(&reported(&operator, forged), "none of this agent's operator keys");

    // Once more after a kill, and with a configuration that would have it otherwise.
    drop(agent);
    let config = json!({"config": {"allow": ["ping", "exec"], "operatorKeys": [], "signedActions": []}});
    operator.post(&format!("/api/v1/config/{}", ids[0]), &config).expect(200);
    hub.stop();
    let thief = Thief::at(&hub);
    thief.hands_out_again(honest, 60);
    thief.hands_out_again(stripped, 61);
    drop(thief);
    hub.restart_in_place();
    let operator = hub.operator("operator");
    let agent = start(&hub, &laptop, false);
    assert_rejected(&reported(&operator, honest), "used before");
    assert_rejected(&reported(&operator, stripped), "has none");

    let log = agent.terminate();
    assert_eq!(log.matches("since nobody ordered it").count(), 2, "once a command: {log}");
    assert_eq!(lines(&file("honest")), 1);
    for name in names.iter().skip(1).chain(&["elsewhere", "evil"]) {
        assert_eq!(lines(&file(name)), 0, "{name}");
    }
}
