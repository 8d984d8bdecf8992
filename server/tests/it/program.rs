//! The program itself: its subcommands, its settings, its folder.

use crate::harness::{Hub, eventually, program, refused};
use pingup_protocol::enrol::JoinToken;
use std::{fs, os::unix::fs::PermissionsExt, process::Output};

fn plain_line(output: &Output, code: i32) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "one plain line: {stderr}");
    assert!(output.stdout.is_empty());
    stderr
}

#[test]
fn the_first_start_makes_the_folder_and_keeps_it_to_itself() {
    let hub = Hub::start();
    let mode = |name: &str| fs::metadata(hub.folder().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("master.key"), 0o600);
    assert!(hub.folder().join("pingup.db").is_file());
    for name in ["journal", "history/raw"] {
        assert!(hub.folder().join(name).is_dir(), "{name}");
    }
    assert_eq!(fs::read(hub.folder().join("master.key")).unwrap().len(), 32);
    let inner = hub.folder().join("deep/data");
    let made =
        program().args(["token", "create", "--role", "viewer", "--data-dir"]).arg(&inner).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    assert_eq!(fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_second_hub_on_the_same_folder_is_refused() {
    let hub = Hub::start();
    let output = hub.serve_command().output().unwrap();
    let line = plain_line(&output, 1);
    assert!(line.contains("another hub"), "{line}");
    assert_eq!(hub.wire.get("/health").status, 200);
    assert_eq!(hub.run(&["migrate"]).status.code(), Some(1));
}

#[test]
fn bad_settings_are_one_plain_line_before_anything_is_opened() {
    let hub = Hub::prepare(&[]);
    let folder = hub.folder();
    let file = hub.beside().join("bad.toml");
    fs::write(&file, "listne = \"127.0.0.1:0\"\n").unwrap();
    let file = file.to_str().unwrap();
    let made = hub.beside().join("made.toml");
    fs::write(&made, "[token]\nrole = \"god\"\n").unwrap();
    let made = made.to_str().unwrap();
    for arguments in [
        &["serve", "--listen", "nowhere"][..],
        &["serve", "--config", made],
        &["serve", "--listen", "0.0.0.0:0"],
        &["serve", "--lisen", "127.0.0.1:0"],
        &["serve", "--tls-cert", "hub.pem"],
        &["serve", "--tls-self-signed", "--public-url", "http://hub.example"],
        &["join-token", "create", "--public-url", "hub.example"],
        &["serve", "--config", "/does/not/exist.toml"],
        &["serve", "--config", file],
        &["token", "create", "--role", "king"],
        &["token", "create"],
        &["token", "create", "--role", "viewer", "--ttl", "soon"],
        &["join-token", "create", "--uses", "0"],
        &["join-token", "create", "--agent-id", "a b"],
        &["backup"],
        &["export", "--agent", "A", "--format", "parquet"],
        &["export", "--agent", "A", "--format", "csv", "--from", "1d", "--to", "2d"],
        &["grafana", "export", "grafana", "--url", "hub"],
        &["dance"],
    ] {
        let output = program().args(arguments).env("PINGUP_DATA_DIR", &folder).output().unwrap();
        plain_line(&output, 64);
        assert!(!folder.exists(), "{arguments:?} opened something");
    }
    let output = program()
        .arg("serve")
        .env("PINGUP_DATA_DIR", &folder)
        .env("PINGUP_LISTEN", "nowhere")
        .output()
        .unwrap();
    assert!(plain_line(&output, 64).contains("nowhere"));
    for good in ["--help", "--version"] {
        assert_eq!(program().arg(good).output().unwrap().status.code(), Some(0));
    }
}

#[test]
fn flags_win_over_environment_over_file() {
    let mut hub = Hub::prepare(&[("PINGUP_DISK_RESERVE_BYTES", "0")]);
    let file = hub.beside().join("hub.toml");
    // The file alone would leave the hub without room, and listening where it may not.
    fs::write(&file, "disk_reserve_bytes = 9000000000000000000\nlisten = \"0.0.0.0:0\"\n").unwrap();
    let mut command = hub.serve_command();
    command.arg("--config").arg(&file);
    hub.restart_as(command);
    assert_eq!(hub.wire.get("/health").status, 200);
    assert!(hub.wire.address.ip().is_loopback());
}

#[test]
fn what_the_commands_make_can_be_set_in_the_file_too() {
    let hub = Hub::start();
    let file = hub.beside().join("hub.toml");
    std::fs::write(&file, "[token]\nrole = \"viewer\"\nttl = \"1h\"\n[join_token]\nuses = 2\n").unwrap();
    let file = file.to_str().unwrap();
    let viewer = hub.wire.with_token(&hub.line(&["token", "create", "--config", file]));
    viewer.get("/api/v1/agents").expect(200);
    refused(&viewer.post("/api/v1/commands", &serde_json::json!({})), 403, "scope-denied");
    let token = hub.line(&["join-token", "create", "--config", file]);
    for machine in ["m-1", "m-2"] {
        let body = crate::harness::agent::enrolment(&token, |body| body["machineId"] = machine.into()).0;
        hub.wire.post_bytes("/api/v1/agents", &body).expect(201);
    }
    for arguments in [&["--agent-id", "X", "--uses", "2"][..], &["--agent-id", "X", "--replace", "X"]] {
        plain_line(&hub.run(&[&["join-token", "create"], arguments].concat()), 64);
    }
}

#[test]
fn records_without_their_master_key_are_not_given_a_new_one() {
    let mut hub = Hub::start();
    hub.stop();
    fs::remove_file(hub.folder().join("master.key")).unwrap();
    for output in [hub.serve_command().output().unwrap(), hub.run(&["token", "create", "--role", "admin"])] {
        assert!(plain_line(&output, 1).contains("master.key"));
    }
    assert!(!hub.folder().join("master.key").exists());
}

#[test]
fn tokens_and_join_tokens_are_made_beside_a_running_hub() {
    let hub = Hub::start();
    hub.operator("viewer").get("/api/v1/agents").expect(200);
    let token = JoinToken::parse(&hub.join_token()).unwrap();
    assert!(!token.token_id.is_empty());
    assert_ne!(hub.join_token(), hub.join_token());
    let unknown = hub.run(&["join-token", "create", "--replace", "nobody"]);
    assert_ne!(unknown.status.code(), Some(0));
}

#[test]
fn check_says_what_it_finds_and_migrate_is_idempotent() {
    let mut hub = Hub::start();
    let agent = hub.register("A");
    agent.post("/api/v1/metrics", &agent.sample(crate::harness::agent::now(), 1.0)).expect(200);
    hub.stop();
    let output = hub.run(&["check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for word in ["pingup.db", "history: raw", "1 samples and 0 points in 1 records", "agents"] {
        assert!(text.contains(word), "{word} in {text}");
    }
    let mut names: Vec<_> =
        fs::read_dir(hub.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(
        names,
        ["history", "hub.lock", "journal", "master.key", "pingup.db", "reach.json"],
        "check leaves nothing behind"
    );
    assert!(hub.run(&["migrate"]).status.success());
    fs::write(hub.folder().join("pingup.db"), b"not a database, though long enough to be one").unwrap();
    assert_eq!(hub.run(&["check"]).status.code(), Some(1));
}

/// Root's backup made `history.hold`, which the hub's user could not open any more. A folder stands for it: root opens any
/// file.
#[test]
fn who_reads_the_history_beside_a_hub_does_not_shut_it_out() {
    let mut hub = Hub::start();
    hub.stop();
    fs::create_dir(hub.folder().join("history.hold")).unwrap();
    let unlisted = hub.folder().join("history/raw/2026-01-01-0000000099.parquet");
    fs::write(&unlisted, "half a part").unwrap();
    let reader = fs::File::open(hub.folder()).unwrap();
    reader.lock_shared().unwrap();
    hub.restart();
    assert!(unlisted.exists(), "somebody reads");
    drop(reader);
    eventually("it is deleted", || (!unlisted.exists()).then_some(()));
    hub.stop();
    assert!(hub.run(&["check"]).status.success());
    fs::write(&unlisted, "half a part").unwrap();
    hub.restart();
    assert!(!unlisted.exists());
}

#[test]
fn a_master_key_that_others_can_read_is_refused() {
    let mut hub = Hub::start();
    hub.stop();
    fs::set_permissions(hub.folder().join("master.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let output = hub.serve_command().output().unwrap();
    assert!(plain_line(&output, 1).contains("master.key"));
}

#[test]
fn health_says_how_the_hub_does() {
    let hub = Hub::start();
    let health = hub.wire.get("/health").expect(200);
    assert_eq!(
        (&health["status"], &health["version"]),
        (&serde_json::json!("ok"), &serde_json::json!(env!("CARGO_PKG_VERSION")))
    );
    for check in ["sqlite", "history", "keeper", "queue"] {
        assert_eq!(health["checks"][check]["status"], "ok", "{health}");
    }
    assert!(health["uptimeSeconds"].is_u64());
    refused(&hub.wire.get("/health?verbose=1"), 422, "schema-invalid");
}
