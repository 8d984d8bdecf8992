//! Keys that were called compromised: dead at once, also for what is under way; and how the agent comes back.

use super::{push, rotate, rows};
use crate::harness::{
    Hub,
    agent::{Agent, enrolment},
    eventually, refused,
};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

const COMPROMISED: &str = r#"{"compromised": true}"#;
const BOOT: u64 = 7;

fn compromise(hub: &Hub, id: &str) -> Value {
    let body: Value = serde_json::from_str(COMPROMISED).unwrap();
    hub.operator("operator").post(&format!("/api/v1/agents/{id}/rotate"), &body).expect(200)
}

#[test]
fn keys_that_were_called_compromised_are_dead_and_what_waits_under_them_ends() {
    let mut hub = Hub::start();
    let agent = hub.register("A");
    push(&agent, BOOT, 1);
    let offered = {
        rotate(&hub, "A");
        super::next(&agent)
    };
    let operator = hub.operator("operator");
    thread::scope(|scope| {
        let path = "/api/v1/commands/pending/A?nonce=n&wait=60&after=0";
        let asked = scope.spawn(|| agent.wire.get(path));
        eventually("the question is held", || {
            let figures = operator.get("/metrics");
            figures.text().lines().any(|line| line == "pingup_connections_held 1").then_some(())
        });
        let dropped = Instant::now();
        assert_eq!(compromise(&hub, "A")["key"], Value::Null);
        refused(&asked.join().unwrap(), 403, "agent-revoked");
        assert!(dropped.elapsed() < Duration::from_secs(30), "ended, not timed out");
    });
    for dead in [&agent, &offered] {
        refused(&dead.heartbeat("online"), 403, "agent-revoked");
        let sample = dead.sequenced(BOOT, 2, crate::harness::agent::now());
        refused(&dead.post("/api/v1/metrics", &sample), 403, "agent-revoked");
        refused(&dead.wire.get("/api/v1/commands/pending/A?nonce=n"), 403, "agent-revoked");
        refused(&dead.wire.get("/api/v1/config/A?nonce=n"), 403, "agent-revoked");
    }
    refused(&operator.post("/api/v1/agents/A/rotate", &json!({})), 410, "gone");

    // The hub's death in between brings nothing back.
    hub.kill();
    hub.restart();
    let token = hub.line(&["join-token", "create", "--rekey", "A"]);
    let made = hub.wire.post_bytes("/api/v1/agents", &enrolment(&token, |_| ()).0).expect(201);
    assert_eq!((&made["agent"]["id"], &made["credentials"]["generation"]), (&json!("A"), &json!(3)));
    let again = Agent::new(hub.wire.clone(), &made["credentials"]);
    push(&again, BOOT, 2);
    assert_eq!(rows(&hub, "A"), 2, "its history goes on");
    for dead in [&agent, &offered] {
        let dead = dead.at(&hub.wire);
        refused(&dead.heartbeat("online"), 403, "agent-revoked");
        refused(&dead.wire.get("/api/v1/config/A?nonce=n"), 403, "agent-revoked");
    }
    refused(
        &hub.wire.post_bytes("/api/v1/agents", &enrolment(&token, |_| ()).0),
        403,
        "join-token-exhausted",
    );
}

#[test]
fn a_body_that_is_under_way_when_its_key_dies_is_not_stored() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let body = agent.sign(&agent.sequenced(BOOT, 1, crate::harness::agent::now()));
    let token = agent.credentials["token"].as_str().unwrap();
    let head = format!(
        "POST /api/v1/metrics HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    let answer = hub.wire.raw_in_two(head.as_bytes(), || drop(compromise(&hub, "A")), &body);
    refused(&answer, 403, "agent-revoked");
    assert_eq!(rows(&hub, "A"), 0);
}

/// Whether these bytes stand somewhere in a file, if it is there.
fn holds(path: &Path, wanted: &[u8]) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes.windows(wanted.len()).any(|some| some == wanted))
}

#[test]
fn a_salt_that_is_deleted_is_in_no_file_of_the_records_and_in_no_backup() {
    let mut hub = Hub::start();
    let agents = ["A", "B", "C"].map(|id| hub.register(id));
    let path = hub.folder().join("pingup.db");
    let log = hub.folder().join("pingup.db-wal");
    // What the hub has in its log comes into the file, and the log is emptied; it may be at work itself just then.
    let fold = || {
        let records = Connection::open(&path).unwrap();
        eventually("the log is folded in", || {
            let busy: i64 =
                records.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).ok()?;
            (busy == 0).then_some(())
        });
    };
    let records = Connection::open(&path).unwrap();
    let salt = |id: &str| -> Vec<u8> {
        records.query_row("SELECT salt FROM agent_keys WHERE agent_id = ?1", [id], |row| row.get(0)).unwrap()
    };
    let [removed, dropped, living] = ["A", "B", "C"].map(salt);
    drop(records);
    fold();
    assert!(
        [&removed, &dropped, &living].into_iter().all(|salt| holds(&path, salt)),
        "or this shows nothing"
    );

    hub.operator("admin").delete("/api/v1/agents/A").expect(200);
    compromise(&hub, "B");
    fold();
    let backup = hub.beside().join("backup");
    let made = hub.run(&["backup", backup.to_str().unwrap()]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    push(&agents[2], BOOT, 1);
    fold();
    let look = |file: &Path| [&removed, &dropped, &living].map(|salt| holds(file, salt));
    assert_eq!(look(&path), [false, false, true]);
    assert_eq!(look(&backup.join("pingup.db")), [false, false, true]);
    assert!(!look(&log)[0] && !look(&log)[1]);
    hub.stop();
    assert_eq!(look(&path), [false, false, true], "and so it stays");
    assert!(!log.exists());
}
