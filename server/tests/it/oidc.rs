//! Operators with tokens of a provider, at the hub's doors: one made for the tests, and one that others run too.

mod trust;

use crate::harness::{Hub, clients::is_there, eventually, refused, wire::Wire};
use provider::{DISCOVERY, KEYS, Provider, SigningKey};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

#[allow(dead_code, unused_imports, reason = "the tests of the parts use more of it")]
#[path = "../../src/auth/oidc/tests/provider.rs"]
mod provider;

const LOG: (&str, &str) = ("PINGUP_LOG", "debug,hyper=warn");

/// A hub that trusts `issuer`, and is told `more` of it.
fn hub(issuer: &str, more: &str) -> Hub {
    hub_with(issuer, more, "10000")
}

/// The same, which takes so many bad tokens a minute.
fn hub_with(issuer: &str, more: &str, bad_tokens: &str) -> Hub {
    let mut hub = Hub::prepare(&[LOG, ("PINGUP_BAD_TOKENS_PER_MINUTE", bad_tokens)]);
    let command = serve_command(&hub, issuer, more);
    hub.restart_as(command);
    hub
}

/// What starts it.
fn serve_command(hub: &Hub, issuer: &str, more: &str) -> Command {
    let file = hub.beside().join("hub.toml");
    fs::write(&file, format!("[oidc]\nissuer = '{issuer}'\naudience = 'pingup'\n{more}\n")).unwrap();
    let mut command = hub.serve_command();
    command.arg("--config").arg(file);
    command
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn claims(provider: &Provider, groups: &Value) -> Value {
    let now = seconds_now();
    json!({"iss": provider.issuer, "aud": ["account", "pingup"], "sub": "7f", "preferred_username": "ada",
        "iat": now, "exp": now + 600, "groups": groups})
}

#[test]
fn a_providers_tokens_open_the_operators_doors_by_their_roles() {
    let (provider, key) = (Provider::start(), SigningKey::ec("e"));
    provider.publish(&[&key]);
    let more = "role_claim = 'groups'\nname_claim = 'preferred_username'\n\
                roles = { 'hub-admins' = 'admin', 'hub-watchers' = 'viewer' }";
    let mut hub = hub(&provider.issuer, more);
    let mut tokens = Vec::new();
    let mut comes = |claims: &Value| {
        let token = key.token(claims);
        tokens.push(token.clone());
        hub.wire.with_token(&token)
    };
    let admin = comes(&claims(&provider, &json!(["hub-watchers", "hub-admins"])));
    let viewer = comes(&claims(&provider, &json!(["hub-watchers"])));
    let nobody = comes(&claims(&provider, &json!(["admin"])));
    let mut late = claims(&provider, &json!(["hub-admins"]));
    late["exp"] = json!(seconds_now() - 60);
    let late = comes(&late);
    let mut elsewhere = claims(&provider, &json!(["hub-admins"]));
    elsewhere["aud"] = json!("grafana");
    let elsewhere = comes(&elsewhere);
    let mut unsigned = admin.token().to_owned();
    unsigned.truncate(unsigned.rfind('.').unwrap() + 1);
    let unsigned = hub.wire.with_token(&unsigned);

    let agents = "/api/v1/agents";
    admin.post(agents, &json!({"id": "A"})).expect(201);
    admin.post("/api/v1/config/A", &json!({"config": {}})).expect(200);
    assert_eq!(viewer.get("/api/v1/config/A").expect(200)["updatedBy"], "oidc:ada");
    refused(&viewer.post(agents, &json!({"id": "B"})), 403, "scope-denied");
    let told = refused(&nobody.get(agents), 403, "scope-denied");
    assert!(told["detail"].as_str().unwrap().contains("claim groups"), "{told}");
    refused(&late.get(agents), 401, "token-expired");
    refused(&elsewhere.get(agents), 401, "token-invalid");
    let told = refused(&unsigned.get(agents), 401, "token-invalid");
    assert!(told["detail"].as_str().unwrap().contains("signature"), "{told}");
    let rows = admin.get("/api/v1/audit?who=oidc:ada").expect(200)["items"].as_array().unwrap().clone();
    let acts: Vec<_> = rows.iter().map(|row| row["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["config.set", "agent.registered"]);
    assert!(rows.iter().all(|row| row["by"] == "operator" && row["role"] == "admin"), "{rows:#?}");
    // The hub's own tokens are what they were, and agents' doors ask no provider.
    hub.operator("viewer").get(agents).expect(200);
    assert_eq!((provider.asked(DISCOVERY), provider.asked(KEYS)), (1, 1));
    refused(&admin.post("/api/v1/metrics", &json!({"agentId": "A", "signature": "x"})), 401, "token-invalid");
    refused(&hub.wire.with_token("x.y.z").get(agents), 401, "token-invalid");

    let log = hub.stop();
    assert!(log.contains("oidc:ada"), "{log}");
    for token in tokens {
        assert!(!log.contains(&token) && !log.contains(token.rsplit('.').next().unwrap()), "{log}");
    }
}

#[test]
fn whoever_guesses_locks_out_nobody_whom_the_provider_vouches_for() {
    let (provider, key, stranger) = (Provider::start(), SigningKey::ec("e"), SigningKey::ec("e"));
    provider.publish(&[&key]);
    let hub = hub_with(&provider.issuer, "role_claim = 'groups'", "3");
    let comes = |key: &SigningKey, number: u64| {
        let mut claims = claims(&provider, &json!("viewer"));
        claims["jti"] = json!(number.to_string());
        hub.wire.with_token(&key.token(&claims))
    };
    let agents = "/api/v1/agents";
    comes(&key, 0).get(agents).expect(200);
    // A lock of a second may be over between two looks; they grow.
    for number in 1..=10 {
        eventually("the address is locked", || {
            let statuses = [
                hub.wire.with_token("guessed").get(agents).status,
                comes(&stranger, number).get(agents).status,
            ];
            (statuses == [429, 429]).then_some(())
        });
        comes(&key, number).get(agents).expect(200);
    }
}

#[test]
fn a_provider_that_is_away_is_nobodys_fault_and_no_ones_door() {
    let (provider, key) = (Provider::start(), SigningKey::ed("o"));
    let hub = hub(&provider.issuer, "role_claim = 'groups'");
    let operator = hub.wire.with_token(&key.token(&claims(&provider, &json!("operator"))));
    drop(provider);
    let answer = operator.get("/api/v1/agents");
    refused(&answer, 503, "overloaded");
    assert!(answer.header("retry-after").is_some());
    hub.operator("viewer").get("/api/v1/agents").expect(200);
}

#[test]
fn a_provider_that_cannot_be_trusted_is_refused_before_anything_is_opened() {
    let hub = Hub::prepare(&[]);
    let file = hub.beside().join("hub.toml");
    fs::write(&file, "[oidc]\nissuer = 'http://sso.example'\naudience = 'pingup'").unwrap();
    let output = hub.serve_command().arg("--config").arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.lines().count()), (Some(64), 1), "{said}");
    assert!(said.contains("[oidc] issuer") && !hub.folder().exists(), "{said}");
}

/// npm's `oidc-provider`, found by `NODE_PATH`; ends with this.
struct Real {
    child: Child,
    issuer: String,
    tokens: Value,
}

impl Real {
    fn start() -> Option<Self> {
        if !is_there("oidc-provider", Command::new("node").args(["-e", "require('oidc-provider')"])) {
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/oidc/provider.cjs");
        let mut child = Command::new("node")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // It says other things too.
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines.map(Result::unwrap).find(|line| line.starts_with('{')).unwrap();
        let said: Value = serde_json::from_str(&said).unwrap();
        Some(Self {
            child,
            issuer: said["issuer"].as_str().unwrap().to_owned(),
            tokens: said["tokens"].clone(),
        })
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_provider_as_others_run_it_is_understood() {
    let Some(real) = Real::start() else { return };
    let hub = hub(&real.issuer, "roleClaim = 'realm_access.roles'");
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let token = real.tokens[algorithm].as_str().unwrap();
        let ada: Wire = hub.wire.with_token(token);
        ada.post("/api/v1/agents", &json!({"id": algorithm})).expect(201);
        ada.post(&format!("/api/v1/config/{algorithm}"), &json!({"config": {}})).expect(200);
        let config = ada.get(&format!("/api/v1/config/{algorithm}")).expect(200);
        assert_eq!(config["updatedBy"], "oidc:ada");
        refused(&ada.delete(&format!("/api/v1/agents/{algorithm}")), 403, "scope-denied");
    }
}
