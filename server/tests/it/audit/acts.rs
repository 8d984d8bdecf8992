//! Every act has a story that brings it about in a real hub. An act that is new does not compile here until it has one.

mod stage;

use super::by_token;
use crate::{
    harness::{Hub, agent::now, signal, wire::Wire},
    operators::forged,
    series,
    tls::files::Files,
};
use pingup_server::deed::Act;
use rusqlite::Connection;
use serde_json::{Value, json};
use stage::{Stage, doer};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

/// The stories, each a test below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    Operators,
    Machines,
    Time,
    MasterKey,
    FormerToken,
    Certificate,
    Files,
}

const fn story_of(act: Act) -> Story {
    use Act::*;
    match act {
        AgentRegistered | AgentChanged | AgentRemoved | KeysOffered | KeysUsed | KeysCompromised
        | CommandQueued | CommandCancelled | BatchQueued | BatchCancelled | BatchEnded | ConfigSet
        | TokenCreated | TokenRevoked | SeriesDeleted | RequestRefused => Story::Operators,
        AgentEnrolled | AgentRekeyed | CommandEnded | JoinTokenCreated => Story::Machines,
        KeysEnded | CommandsLapsed => Story::Time,
        MasterKeyRotated | MasterKeyRetired | MasterKeySealed | MasterKeyUnsealed => Story::MasterKey,
        TokenTakenIn => Story::FormerToken,
        CertificateReplaced => Story::Certificate,
        RecordsRestored | HistoryDropped => Story::Files,
    }
}

#[test]
fn what_operators_do() {
    let mut stage = Stage::set(Hub::start());
    let (operator, admin) = (stage.operator("operator"), stage.operator("admin"));
    let (first, _) = (stage.register("a"), stage.register("b"));
    operator.patch("/api/v1/agents/a", &json!({"name": "web"})).expect(200);
    operator.post("/api/v1/config/a", &json!({"config": {"note": "x"}})).expect(200);
    let one = operator.post("/api/v1/commands", &json!({"agentId": "a", "action": "ping"})).expect(201);
    operator.delete(&format!("/api/v1/commands/{}", one["commandId"].as_str().unwrap())).expect(200);
    let many = json!({"agentIds": ["a", "b"], "action": "ping"});
    let many = operator.post("/api/v1/commands", &many).expect(201);
    operator.delete(&format!("/api/v1/commands/batches/{}", many["batchId"].as_str().unwrap())).expect(200);
    assert!(stage.rows(Act::CommandQueued)[0]["detail"]["signedBy"].is_null());

    let rotate = |id: &str, body| operator.post(&format!("/api/v1/agents/{id}/rotate"), &body).expect(200);
    (0..2).for_each(|_| drop(rotate("a", json!({}))));
    let second = stage.next(&first);
    (1..3).for_each(|seq| drop(second.post("/api/v1/metrics", &second.sequenced(1, seq, now())).expect(200)));
    rotate("b", json!({"compromised": true}));
    let here = "127.0.0.1";
    let [offered] = &stage.rows(Act::KeysOffered)[..] else { panic!("offered again is no deed") };
    assert_eq!((doer(offered), &offered["agentId"]), (["operator", "operator", here], &json!("a")));
    assert_eq!(by_token(offered), json!({"generation": 2, "reason": "asked"}));
    let [used] = &stage.rows(Act::KeysUsed)[..] else { panic!("used again is no deed") };
    assert_eq!((doer(used), &used["detail"]), (["agent", "a", here], &json!({"generation": 2})));
    let [dead] = &stage.rows(Act::KeysCompromised)[..] else { panic!("once") };
    assert_eq!((&dead["agentId"], by_token(dead)), (&json!("b"), json!({"keysEnded": 1})));
    admin.delete("/api/v1/agents/a").expect(200);
    assert_eq!(by_token(&stage.rows(Act::AgentRemoved)[0]), json!({"keysEnded": 2}));

    let sender = stage.operator("writer");
    series::written(&sender, &[series::series(&[("__name__", "x")], &[(1.0, now().as_micros() / 1_000)])]);
    let delete = "/prometheus/api/v1/admin/tsdb/delete_series?match[]=x";
    (0..2).for_each(|_| assert_eq!(admin.send("POST", delete, &[], Some(b"")).status, 204));
    let [deleted] = &stage.rows(Act::SeriesDeleted)[..] else { panic!("nothing is no deed") };
    assert_eq!(by_token(deleted), json!({"series": 1, "match": "{__name__=\"x\"}"}));

    let made = admin.post("/api/v1/tokens", &json!({"role": "viewer", "name": "grafana"})).expect(201);
    let bearer = made["bearer"].as_str().unwrap().to_owned();
    let viewer = stage.hub.wire.with_token(&bearer);
    stage.secrets.push(bearer);
    assert_eq!(viewer.delete("/api/v1/agents/b").status, 403);
    let id = made["token"]["id"].as_str().unwrap();
    (0..2).for_each(|_| drop(admin.delete(&format!("/api/v1/tokens/{id}")).expect(200)));
    let created = stage.rows(Act::TokenCreated).pop().unwrap();
    let [revoked] = &stage.rows(Act::TokenRevoked)[..] else { panic!("revoked again is no deed") };
    for row in [&created, revoked] {
        assert_eq!((doer(row), &row["on"]), (["operator", "admin", here], &json!(id)));
        assert_eq!((&row["detail"]["name"], &row["detail"]["role"]), (&json!("grafana"), &json!("viewer")));
    }
    (0..2).for_each(|_| drop(stage.hub.line(&["token", "revoke", id])));
    stage.operator("viewer");
    stage.hub.line(&["token", "revoke", "--name", "viewer"]);
    let revoked = stage.awaited(Act::TokenRevoked, 2);
    assert_eq!((doer(&revoked)[0], &revoked["from"]), ("command-line", &Value::Null));
    assert_eq!(stage.rows(Act::TokenRevoked).len(), 2);
    stage.awaited(Act::BatchEnded, 1);
    stage.hub.stop();
    stage.hub.restart();
    stage.end(Story::Operators);
}

#[test]
fn what_machines_do() {
    let mut stage = Stage::set(Hub::start());
    let join = stage.hub.join_token();
    let agent = stage.enrol(&join);
    let operator = stage.operator("operator");
    operator.post("/api/v1/commands", &json!({"agentId": agent.id, "action": "ping"})).expect(201);
    let command = agent.pending("")["commands"][0].clone();
    let id = command["commandId"].as_str().unwrap();
    let result = json!({"agentId": agent.id, "timestamp": now(), "commandId": id,
        "commandSeq": command["commandSeq"], "status": "succeeded", "startedAt": now(), "finishedAt": now()});
    agent.post(&format!("/api/v1/commands/{id}/result"), &result).expect(200);
    let rekey = stage.hub.line(&["join-token", "create", "--token-only", "--rekey", &agent.id]);
    assert_eq!(stage.enrol(&rekey).id, agent.id);
    let made = stage.rows(Act::JoinTokenCreated).pop().unwrap();
    assert_eq!(made["detail"]["rekeys"], json!(agent.id));
    let [rekeyed] = &stage.rows(Act::AgentRekeyed)[..] else { panic!("once") };
    assert_eq!(doer(rekeyed), ["join-token", made["on"].as_str().unwrap(), "127.0.0.1"]);
    assert_eq!(rekeyed["agentId"], json!(agent.id));
    assert_eq!(rekeyed["detail"], json!({"generation": 2, "keysEnded": 1}));
    stage.end(Story::Machines);
}

#[test]
fn what_time_brings_about() {
    let mut stage = Stage::set(Hub::start());
    let first = stage.register("a");
    let operator = stage.operator("operator");
    operator.post("/api/v1/agents/a/rotate", &json!({})).expect(200);
    let second = stage.next(&first);
    second.heartbeat("online").expect(200);
    let order = json!({"agentId": "a", "action": "ping", "ttlSeconds": 1});
    let order = operator.post("/api/v1/commands", &order).expect(201);
    let lapsed = stage.awaited(Act::CommandsLapsed, 1);
    assert_eq!(lapsed["detail"]["commandIds"], json!([order["commandId"]]));
    // A day later, and a year.
    stage.meanwhile("UPDATE agent_keys SET ends_at = 1 WHERE ends_at IS NOT NULL");
    let ended = stage.awaited(Act::KeysEnded, 1);
    assert_eq!((doer(&ended)[0], &ended["detail"]), ("hub", &json!({"agentIds": ["a"], "count": 1})));
    stage.meanwhile("UPDATE agent_keys SET created_at = created_at - 365 * 86400000000");
    let offered = stage.awaited(Act::KeysOffered, 2);
    assert_eq!((doer(&offered)[0], &offered["agentId"]), ("hub", &json!("a")));
    assert_eq!(offered["detail"], json!({"generation": 3, "reason": "age"}));
    stage.end(Story::Time);
}

#[test]
fn what_becomes_of_the_master_key() {
    let mut stage = Stage::set(Hub::start());
    stage.register("lost");
    let first = stage.register("a");
    stage.hub.stop();
    let key = fs::read(stage.hub.folder().join("master.key")).unwrap();
    stage.hub.line(&["master-key", "rotate"]);
    stage.hub.restart();
    let second = stage.next(&first.at(&stage.hub.wire));
    second.heartbeat("online").expect(200);
    let offered = stage.rows(Act::KeysOffered).pop().unwrap();
    assert_eq!((doer(&offered)[0], &offered["detail"]["reason"]), ("hub", &json!("master-key")));
    stage.hub.stop();
    stage.hub.line(&["master-key", "retire", "--yes"]);
    let [retired] = &stage.rows(Act::MasterKeyRetired)[..] else { panic!("once") };
    assert_eq!((doer(retired)[0], &retired["detail"]), ("command-line", &json!({"keysEnded": 2})));
    let file = stage.hub.beside().join("passphrase");
    fs::write(&file, "correct horse").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let file = file.to_str().unwrap();
    for word in ["seal", "unseal"] {
        stage.hub.line(&["master-key", word, "--master-passphrase-file", file]);
    }
    assert!(!stage.hub.run(&["master-key", "seal"]).status.success(), "with nothing to seal it with");
    assert_eq!(stage.rows(Act::MasterKeySealed).len(), 1, "what failed is no deed");

    // Another time, to its end: the hub drops the former one by itself.
    stage.hub.line(&["master-key", "rotate"]);
    stage.hub.restart();
    let third = stage.next(&second.at(&stage.hub.wire));
    third.heartbeat("online").expect(200);
    stage.meanwhile("UPDATE agent_keys SET ends_at = 1 WHERE ends_at IS NOT NULL");
    stage.awaited(Act::KeysEnded, 1);
    stage.hub.stop();
    stage.hub.restart();
    let retired = stage.awaited(Act::MasterKeyRetired, 2);
    assert_eq!((doer(&retired)[0], &retired["detail"]), ("hub", &json!({"keysEnded": 0})));
    third.at(&stage.hub.wire).heartbeat("online").expect(200);
    stage.secrets.push("correct horse".to_owned());
    stage.secrets.push(key.iter().map(|byte| format!("{byte:02x}")).collect());
    stage.end(Story::MasterKey);
}

#[test]
fn tokens_of_before_are_taken_in() {
    let mut stage = Stage::set(Hub::start());
    stage.meanwhile(
        "UPDATE schema_migrations SET applied_at = applied_at - 86400000000 * iif(name = 'operator_tokens', 1, 9)",
    );
    let token = forged(&stage.hub, "old", now().plus_seconds(-2 * 86_400), None);
    (0..2).for_each(|_| drop(stage.hub.wire.with_token(&token).get("/api/v1/agents").expect(200)));
    let [taken] = &stage.rows(Act::TokenTakenIn)[..] else { panic!("once") };
    assert_eq!((doer(taken), &taken["on"]), (["operator", "thief", "127.0.0.1"], &json!("old")));
    assert_eq!(taken["detail"]["role"], "admin");
    stage.secrets.push(token);
    stage.end(Story::FormerToken);
}

#[test]
fn another_certificate() {
    let files = Files::new();
    let mut stage = Stage::set(files.start());
    let before = stage.hub.wire.sealed.as_ref().unwrap().shown();
    let pin = files.put();
    signal(stage.hub.pid(), "HUP");
    let replaced = stage.awaited(Act::CertificateReplaced, 1);
    assert_eq!(doer(&replaced), ["hub", "", ""]);
    assert_eq!(replaced["detail"]["pin"], json!(pin.to_string()));
    assert_eq!(replaced["detail"]["formerPin"], json!(before.to_string()));
    stage.hub.wire = Wire::over(files.sealed(&stage.hub));
    stage.end(Story::Certificate);
}

#[test]
fn what_is_done_with_files() {
    let mut stage = Stage::set(Hub::start());
    stage.register("a");
    let backup = stage.hub.beside().join("backup");
    assert!(stage.hub.run(&["backup", backup.to_str().unwrap()]).status.success());
    stage.hub.stop();
    fs::rename(stage.hub.folder(), stage.hub.beside().join("lost")).unwrap();
    assert!(stage.hub.run(&["restore", backup.to_str().unwrap()]).status.success());
    // A file of the history that is not what the records say of it.
    let insert = "INSERT INTO parts VALUES (999, 'raw', 20000, 0, 3, 7000, 1728000000000000, 1728000000000000, \
                  'a', 'a', 1728000000000000, 7)";
    Connection::open(stage.hub.folder().join("pingup.db")).unwrap().execute_batch(insert).unwrap();
    let file = stage.hub.folder().join("history/raw/2024-10-04-0000000999.parquet");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, "damaged").unwrap();
    let dropped = stage.hub.run(&["check", "--drop-damaged", "--yes"]);
    assert!(dropped.status.success(), "{dropped:?}");
    let [row] = &stage.rows(Act::HistoryDropped)[..] else { panic!("once") };
    assert_eq!((doer(row)[0], &row["detail"]), ("command-line", &json!({"files": 1, "rows": 3})));
    stage.hub.restart();
    stage.end(Story::Files);
}
