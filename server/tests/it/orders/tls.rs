//! The whole way over TLS: an agent by the command that the hub prints, orders by the operator's laptop, which goes by the pin; and
//! a batch whose orders somebody changes in the hub's records.

use super::{Laptop, assert_rejected, lines, online, reported, script, stolen::while_stolen};
use crate::{
    end_to_end::Program,
    harness::{Hub, eventually, join_secret, sibling, wire::Wire},
};
use serde_json::{Value, json};
use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

/// A new machine, and what was printed for it.
struct Machine {
    /// The command behind the token.
    command: String,
    token: String,
    state: PathBuf,
}

impl Machine {
    /// One that is to obey `laptop`.
    fn new(hub: &Hub, laptop: &Laptop) -> Self {
        let output = hub.run(&["join-token", "create", "--operator-key", &laptop.public]);
        let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        hub.keep_secret(join_secret(&token));
        let said = String::from_utf8(output.stderr).unwrap();
        let line = said.lines().find(|line| line.contains("pingup-agent run")).unwrap().trim();
        let (is_token, command) = line.split_once(' ').unwrap();
        assert_eq!(is_token, format!("PINGUP_JOIN_TOKEN={token}"));
        for word in [" --hub https://", " --hub-pin sha256//", " --operator-key "] {
            assert!(command.contains(word), "{word} in {command}");
        }
        Self { command: command.to_owned(), token, state: hub.beside().join("agent") }
    }

    /// Types it into a shell.
    fn start(&self) -> Program {
        let programs = sibling("pingup-agent").parent().unwrap().to_owned();
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([programs].into_iter().chain(env::split_paths(&path))).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec {} --interval 1s --allow ping,exec", self.command)]);
        shell.env("PATH", path).env("PINGUP_STATE_DIR", &self.state).env("PINGUP_JOIN_TOKEN", &self.token);
        Program::spawn(shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()))
    }
}

/// What the laptop's order became; it knows the hub by its pin, and signs for all of `agents`.
fn ordered(hub: &Hub, laptop: &Laptop, agents: &[&str], words: &[String]) -> Value {
    let (url, pin) =
        (format!("https://{}", hub.wire.address), hub.wire.sealed.as_ref().unwrap().shown().to_string());
    let mut arguments = vec!["exec", "--hub", &url, "--pin", &pin];
    arguments.extend(agents.iter().flat_map(|agent| ["--agent", agent]));
    arguments.push("--");
    arguments.extend(words.iter().map(String::as_str));
    let sent = laptop.call(&arguments, &[("PINGUP_TOKEN", &hub.token("operator"))]);
    assert!(sent.status.success(), "{sent:?}");
    serde_json::from_slice(&sent.stdout).unwrap()
}

/// The command of `batch` for `agent`.
fn of_batch(operator: &Wire, batch: &Value, agent: &str) -> String {
    let path = format!("/api/v1/commands?agentId={agent}&batchId={}", batch["batchId"].as_str().unwrap());
    operator.get(&path).expect(200)["items"][0]["commandId"].as_str().unwrap().to_owned()
}

#[test]
fn over_tls_from_the_laptop_to_the_agent_nothing_runs_but_what_was_signed() {
    let mut hub = Hub::start_with(&[("PINGUP_TLS_SELF_SIGNED", "true")]);
    let (operator, laptop) = (hub.operator("operator"), Laptop::new(&hub));
    let machine = Machine::new(&hub, &laptop);
    let agent = machine.start();
    // There is one real agent to a machine; the other one is played.
    let id = online(&operator);
    hub.register("B");
    let (home, both) = (hub.beside().to_owned(), [id.as_str(), "B"]);
    let ran = |name: &str| lines(&home.join(name));
    let words = |name: &str| script(&home.join(name));

    let one = ordered(&hub, &laptop, &[&id], &words("one"));
    let done = reported(&operator, one["commandId"].as_str().unwrap());
    assert_eq!((&done["status"], &done["signedBy"]), (&json!("succeeded"), &json!(laptop.key_id())));
    let batch = ordered(&hub, &laptop, &both, &words("many"));
    eventually("its part of the batch is done", || (ran("many") == 1).then_some(()));
    assert_eq!(reported(&operator, &of_batch(&operator, &batch, &id))["status"], "succeeded");
    let unsigned = json!({"agentId": id, "action": "exec", "params": {"argv": words("unsigned")}});
    let unsigned = operator.post("/api/v1/commands", &unsigned).expect(201);
    assert_rejected(&reported(&operator, unsigned["commandId"].as_str().unwrap()), "has none");
    agent.terminate();

    // Batches that nobody has taken yet, and a thief.
    let names = ["honest", "params", "expiry", "lent", "moved"];
    let batches = names.map(|name| ordered(&hub, &laptop, &both, &words(name)));
    let [mine, theirs] = both.map(|agent| batches.each_ref().map(|batch| of_batch(&operator, batch, agent)));
    let [honest, params, expiry, lent, _] = &mine;
    let moved = &theirs[4];
    let evil = json!({"argv": words("evil")}).to_string().replace('\'', "''");
    let operator = while_stolen(&mut hub, |thief| {
        thief.changes(params, &format!("params = '{evil}'"));
        thief.changes(
            expiry,
            "expires_at = expires_at + 3600000000, signed_order = json_set(signed_order, '$.expiresAt', '2099-01-01T00:00:00Z')",
        );
        // Orders to the other one, under this one's name.
        thief.changes(
            lent,
            &format!("signed_order = (SELECT signed_order FROM commands WHERE id = '{}')", theirs[3]),
        );
        thief.changes(moved, &format!("agent_id = '{id}', batch_id = NULL, seq = 50"));
    });
    let agent = machine.start();
    assert_eq!(reported(&operator, honest)["status"], "succeeded");
    for changed in [params, expiry, lent, moved] {
        assert_rejected(&reported(&operator, changed), "are not what was signed");
    }
    let log = agent.terminate();
    hub.assert_no_secret(&log);
    // What moved was signed for the other one; its own part of that batch ran.
    let counts = ["honest", "params", "expiry", "lent", "moved", "evil", "unsigned"].map(ran);
    assert_eq!(counts, [1, 0, 0, 0, 1, 0, 0], "{log}");
}
