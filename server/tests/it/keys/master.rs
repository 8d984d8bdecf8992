//! Another master key: agents go over to it as they beat, operators' tokens stay; and what does not wait for them.

use super::{generation, next, push, rotate, rows};
use crate::harness::{
    Hub,
    agent::{Agent, enrolment},
};
use serde_json::json;
use std::fs;

const BOOT: u64 = 7;

#[test]
fn agents_go_over_to_a_new_master_key_as_they_beat_and_operators_notice_nothing() {
    let mut hub = Hub::start();
    let (mut quick, slow) = (hub.register("A"), hub.register("B"));
    push(&quick, BOOT, 1);
    let (token, old_key) = (hub.token("admin"), hub.folder().join("master.key"));
    let running = hub.run(&["master-key", "rotate"]);
    assert!(!running.status.success(), "not beside a hub");
    hub.kill();
    let first = fs::read(&old_key).unwrap();
    let told = hub.line(&["master-key", "rotate"]);
    assert!(told.contains("tokens stay good") && !told.contains("REVOKED"), "{told}");
    assert_ne!(fs::read(&old_key).unwrap(), first);
    assert_eq!(fs::read(hub.folder().join("master.key.former")).unwrap(), first);
    hub.restart();
    quick = quick.at(&hub.wire);
    hub.wire.with_token(&token).get("/api/v1/agents").expect(200);
    push(&quick, BOOT, 2);
    let second = next(&quick);
    assert_eq!(generation(&second), 2, "with its first beat");
    hub.kill();
    hub.restart();
    let (quick, second) = (quick.at(&hub.wire), second.at(&hub.wire));
    assert_eq!(next(&quick).credentials, second.credentials, "the same after the hub's death");
    push(&second, BOOT, 3);
    push(&quick, BOOT, 4);
    let figures = hub.operator("viewer").get("/metrics");
    let left = "pingup_agent_keys_former_master 2";
    assert!(figures.text().lines().any(|line| line == left), "{}", figures.text());

    // Those that do not come do not hold it up for ever.
    hub.stop();
    let refusal = |arguments: &[&str]| {
        let output = hub.run(arguments);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refusal(&["master-key", "rotate"]).contains("2 keys of agents"));
    assert!(refusal(&["master-key", "retire"]).contains("--yes"));
    let told = hub.line(&["master-key", "retire", "--yes"]);
    assert!(
        told.contains("overwritten and gone, and 2 keys of agents") && told.contains("--rekey"),
        "{told}"
    );
    assert!(!hub.folder().join("master.key.former").exists());
    hub.restart();
    let (quick, second, slow) = (quick.at(&hub.wire), second.at(&hub.wire), slow.at(&hub.wire));
    push(&second, BOOT, 5);
    for gone in [&quick, &slow] {
        let status = gone.heartbeat("online").status;
        assert!(status == 401 || status == 403, "nothing of the former one is known: {status}");
    }
    let token = hub.line(&["join-token", "create", "--rekey", "B"]);
    let made = hub.wire.post_bytes("/api/v1/agents", &enrolment(&token, |_| ()).0).expect(201);
    push(&Agent::new(hub.wire.clone(), &made["credentials"]), BOOT, 1);
    assert_eq!((rows(&hub, "A"), rows(&hub, "B")), (5, 1));

    // And from here it can be rotated again.
    hub.stop();
    hub.line(&["master-key", "rotate"]);
    hub.restart();
    let third = next(&second.at(&hub.wire));
    assert_eq!(generation(&third), 3);
    push(&third, BOOT, 6);
}

/// What a rotation leaves that dies after each of its steps, found by a hub that starts.
#[test]
fn a_rotation_that_dies_at_any_step_leaves_a_hub_that_starts() {
    let mut hub = Hub::start();
    let agent = hub.register("A");
    let key = hub.folder().join("master.key");
    let beside = |suffix: &str| hub.folder().join(format!("master.key.{suffix}"));
    let (next_key, former) = (beside("next"), beside("former"));
    hub.kill();
    let first = fs::read(&key).unwrap();
    fs::write(&next_key, [9; 32]).unwrap();
    hub.restart();
    push(&agent.at(&hub.wire), BOOT, 1);
    hub.kill();
    assert!(!next_key.exists(), "nobody was given a key from it");

    fs::write(&next_key, [9; 32]).unwrap();
    fs::hard_link(&key, &former).unwrap();
    hub.restart();
    push(&agent.at(&hub.wire), BOOT, 2);
    hub.kill();
    assert!(!next_key.exists() && !former.exists() && fs::read(&key).unwrap() == first);
    hub.line(&["master-key", "rotate"]);
    hub.restart();
    push(&next(&agent.at(&hub.wire)), BOOT, 3);
}

#[test]
fn a_hub_with_the_wrong_master_key_does_not_start_and_turns_nobody_away() {
    let mut hub = Hub::start();
    let agent = hub.register("A");
    hub.stop();
    let key = hub.folder().join("master.key");
    let right = fs::read(&key).unwrap();
    fs::write(&key, [9; 32]).unwrap();
    let command = hub.serve_command();
    let said = hub.try_start(command).unwrap_err();
    assert!(said.contains("another master key"), "{said}");
    fs::write(&key, right).unwrap();
    hub.restart();
    push(&agent.at(&hub.wire), BOOT, 1);
}

#[test]
fn a_backup_has_both_master_keys_while_a_rotation_is_under_way() {
    let mut hub = Hub::start();
    let (moved, waiting) = (hub.register("A"), hub.register("B"));
    hub.stop();
    hub.line(&["master-key", "rotate"]);
    hub.restart();
    let moved = next(&moved.at(&hub.wire));
    push(&moved, BOOT, 1);
    let backup = hub.beside().join("backup");
    assert!(hub.run(&["backup", backup.to_str().unwrap()]).status.success());
    hub.stop();
    fs::rename(hub.folder(), hub.beside().join("lost")).unwrap();
    assert!(hub.run(&["restore", backup.to_str().unwrap()]).status.success());
    hub.restart();
    push(&moved.at(&hub.wire), BOOT, 2);
    push(&waiting.at(&hub.wire), BOOT, 1);
    let view = rotate(&hub, "A");
    assert!(
        view["key"]["offered"].as_u64().unwrap() > 100,
        "no number that may have been given since: {view}"
    );
    assert_eq!(json!(generation(&next(&moved.at(&hub.wire)))), view["key"]["offered"]);
}

/// Records of before an update say of no key which master key it comes from.
#[test]
fn to_retire_what_is_not_there_ends_nothing_of_the_living() {
    let mut hub = Hub::start();
    let agent = hub.register("A");
    hub.stop();
    let forget = |hub: &Hub| {
        let records = rusqlite::Connection::open(hub.folder().join("pingup.db")).unwrap();
        assert_eq!(records.execute("UPDATE agent_keys SET master = NULL", ()).unwrap(), 1);
    };
    forget(&hub);
    for arguments in [&["master-key", "retire"][..], &["master-key", "retire", "--yes"]] {
        let told = hub.line(arguments);
        assert!(told.contains("nothing to do"), "{told}");
    }
    hub.restart();
    push(&agent.at(&hub.wire), BOOT, 1);
    hub.stop();

    // What was offered a former master key goes over from it as any other.
    forget(&hub);
    hub.line(&["master-key", "rotate"]);
    // And whoever destroyed the former one may have died before its name was gone.
    hub.restart();
    push(&next(&agent.at(&hub.wire)), BOOT, 2);
    hub.stop();
    fs::write(hub.folder().join("master.key.former"), [0; 32]).unwrap();
    let command = hub.serve_command();
    let said = hub.try_start(command).unwrap_err();
    assert!(said.contains("retire") && !hub.folder().join("master.key.former").exists(), "{said}");
    let told = hub.line(&["master-key", "retire", "--yes"]);
    assert!(
        told.starts_with("1 keys of agents") && told.contains("no former master key was there"),
        "{told}"
    );
    assert!(!told.contains("overwritten"), "{told}");
    hub.restart();
}
