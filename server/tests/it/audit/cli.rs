//! At the command line: verified and exported, beside a running hub and without one; and what is done there.

use crate::harness::{Hub, join_secret};
use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// `COUNT:HASH` of a record that is whole.
fn head(hub: &Hub) -> String {
    let line = hub.line(&["audit", "verify"]);
    assert!(line.starts_with("ok: "), "{line}");
    line.rsplit(' ').next().unwrap().to_owned()
}

/// What verifying says of a record that is not.
fn broken(hub: &Hub, arguments: &[&str]) -> String {
    let output = hub.run(&[&["audit", "verify"], arguments].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn tamper(hub: &Hub, sql: &str) {
    let records = Connection::open(hub.folder().join("pingup.db")).unwrap();
    // As somebody would who wants nobody to see it.
    let triggers: Vec<(String, String)> = records
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(triggers.len() >= 3, "{triggers:?}");
    triggers.iter().for_each(|(name, _)| records.execute_batch(&format!("DROP TRIGGER {name}")).unwrap());
    records.execute_batch(sql).unwrap();
    triggers.iter().for_each(|(_, sql)| records.execute_batch(sql).unwrap());
}

#[test]
fn a_record_is_verified_beside_a_hub_and_without_one() {
    let mut hub = Hub::start();
    (0..30).for_each(|number| drop(hub.register(&format!("A-{number}"))));
    let kept = head(&hub);
    hub.register("B");
    assert_ne!(head(&hub), kept);
    hub.line(&["audit", "verify", "--expect", &kept]);
    hub.stop();
    hub.line(&["audit", "verify", "--expect", &kept]);
    let now = head(&hub);
    let count: u64 = now.split_once(':').unwrap().0.parse().unwrap();
    tamper(&hub, &format!("DELETE FROM audit WHERE seq = {count}"));
    let cut = head(&hub);
    assert!(broken(&hub, &["--expect", &now]).contains("cut off at the end"));
    hub.line(&["audit", "verify", "--expect", &cut]);
    tamper(&hub, "UPDATE audit SET who = 'eve' WHERE seq = 9");
    let said = broken(&hub, &[]);
    assert!(said.contains("row 9 is not what was written") && said.lines().count() == 1, "{said}");
    tamper(&hub, "DELETE FROM audit WHERE seq = 5");
    assert!(broken(&hub, &[]).contains("row 5 is missing"));
}

#[test]
fn rows_that_were_put_before_the_first_are_named_and_not_shown() {
    let mut hub = Hub::start();
    hub.register("A");
    let (whole, admin) = (head(&hub), hub.token("admin"));
    hub.stop();
    for seq in [0, -1] {
        let copy = format!(
            "INSERT INTO audit SELECT {seq}, at, 'agent.removed', by_kind, 'victim', role, came_from, agent_id, subject,
                 detail, result, times, hash FROM audit WHERE seq = 1"
        );
        tamper(&hub, &copy);
        let said = broken(&hub, &[]);
        assert!(said.contains(&format!("row {seq} stands before the first")), "{said}");
    }
    hub.restart();
    let list = hub.wire.with_token(&admin).get("/api/v1/audit").expect(200);
    assert!(!list["items"].to_string().contains("victim"), "{list:?}");
    hub.stop();
    tamper(&hub, "DELETE FROM audit WHERE seq < 1");
    assert_ne!(head(&hub), whole, "the admin's token has its row");
    let records = Connection::open(hub.folder().join("pingup.db")).unwrap();
    records.execute_batch("DROP TRIGGER audit_is_not_deleted").unwrap();
    let said = broken(&hub, &[]);
    assert!(said.contains("audit_is_not_deleted"), "{said}");
}

/// Somebody who can write the file has some rows swallowed that are still to come: those that are there stay a whole chain.
#[test]
fn a_trigger_that_was_changed_or_added_is_named_and_nothing_is_done_unseen() {
    let mut hub = Hub::start();
    hub.register("A");
    hub.stop();
    let changes = |sql: &str| {
        let records = Connection::open(hub.folder().join("pingup.db")).unwrap();
        records.execute_batch(sql).unwrap();
    };
    let made =
        "BEFORE DELETE ON audit BEGIN\n    SELECT RAISE(ABORT, 'nothing is deleted from the audit');\nEND";
    let kept = |what: &str| {
        changes(&format!("DROP TRIGGER audit_is_not_deleted; CREATE TRIGGER audit_is_not_deleted {what};"));
    };
    kept("BEFORE DELETE ON audit BEGIN SELECT 1; END");
    let said = broken(&hub, &[]);
    assert!(said.contains("trigger audit_is_not_deleted was changed") && said.lines().count() == 1, "{said}");
    kept(made);
    head(&hub);
    changes(
        "CREATE TRIGGER quiet BEFORE INSERT ON audit WHEN new.act = 'agent.registered' BEGIN SELECT RAISE(IGNORE); END",
    );
    let said = broken(&hub, &[]);
    assert!(said.contains("trigger \"quiet\" was added"), "{said}");

    hub.restart();
    let operator = hub.operator("operator");
    assert_eq!(operator.post("/api/v1/agents", &json!({"id": "B"})).status, 500);
    let agents = operator.get("/api/v1/agents").expect(200);
    assert_eq!(agents["items"].as_array().unwrap().len(), 1, "no deed without its row: {agents}");
}

#[test]
fn an_export_is_verified_by_whoever_has_nothing_else() {
    let mut hub = Hub::start();
    hub.register("A");
    hub.operator("viewer");
    let begin = hub.line(&["audit", "export", "--format", "ndjson"]);
    let (table, text) = (
        hub.line(&["audit", "export", "--format", "csv"]),
        hub.line(&["audit", "export", "--format", "ndjson"]),
    );
    assert_eq!(begin, text);
    assert_eq!(table.lines().count(), text.lines().count() + 1);
    let head = head(&hub);
    let mut previous: Option<Vec<u8>> = None;
    for line in text.lines() {
        let mut row: Value = serde_json::from_str(line).unwrap();
        let hash = row.as_object_mut().unwrap().remove("hash").unwrap().as_str().unwrap().to_owned();
        if let Some(previous) = previous {
            let told = Sha256::new().chain_update(previous).chain_update(row.to_string()).finalize();
            assert_eq!(told.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), hash);
        }
        previous =
            Some((0..32).map(|at| u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).unwrap()).collect());
    }
    assert!(text.lines().last().unwrap().contains(head.split_once(':').unwrap().1));
    assert_eq!(hub.line(&["audit", "export", "--format", "ndjson", "--to", "1h"]), "");
    assert_eq!(hub.line(&["audit", "export", "--format", "ndjson", "--from", "1h"]), text);
    hub.stop();
    assert_eq!(hub.line(&["audit", "export", "--format", "csv"]), table);
}

#[test]
fn what_is_done_at_the_command_line_has_its_rows() {
    let mut hub = Hub::start();
    let token = hub.token("viewer");
    let join = hub.join_token();
    hub.stop();
    let (backup, other) = (hub.beside().join("backup"), hub.beside().join("other"));
    hub.run(&["backup", backup.to_str().unwrap()]);
    let restored =
        crate::harness::program().arg("restore").arg(&backup).arg("--data-dir").arg(&other).output().unwrap();
    assert!(restored.status.success(), "{restored:?}");
    let export = |folder: &std::path::Path| {
        let output = crate::harness::program()
            .args(["audit", "export", "--format", "ndjson", "--data-dir"])
            .arg(folder)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let text = export(&other);
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let acts: Vec<_> = rows.iter().map(|row| row["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["token.created", "join-token.created", "records.restored"]);
    assert!(rows.iter().all(|row| row["by"] == "command-line" && row["from"].is_null()));
    assert!(rows[0]["who"].as_str().unwrap().contains("uid "));
    assert_eq!(
        (&rows[0]["detail"]["name"], &rows[0]["detail"]["role"]),
        (&json!("viewer"), &json!("viewer"))
    );
    let signature = token.rsplit('.').next().unwrap();
    let secret = join_secret(&join);
    assert!(!text.contains(signature) && !text.contains(secret), "no secret is told");
    assert_eq!(export(&hub.folder()).lines().count(), 2, "the hub that was restored from goes on without it");
}
