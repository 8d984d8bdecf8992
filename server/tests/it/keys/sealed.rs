//! How the master key lies on the disk: sealed with a passphrase, outside the data folder, in a backup.

use super::push;
use crate::harness::{
    Hub,
    agent::{Agent, enrolment},
};
use pingup_protocol::enrol::JoinToken;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
};

fn secret_file(path: &Path, text: &str) -> String {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Starts the hub with this passphrase; what it said if it would not.
fn start(hub: &mut Hub, passphrase: Option<&str>) -> Result<(), String> {
    let mut command = hub.serve_command();
    command.args(passphrase.map(|file| ["--master-passphrase-file", file]).into_iter().flatten());
    hub.try_start(command)
}

/// What a command says that is told the passphrase in `file`.
fn with(hub: &Hub, command: &[&str], file: &str) -> Output {
    let arguments: Vec<&str> = command.iter().copied().chain(["--master-passphrase-file", file]).collect();
    hub.run(&arguments)
}

#[test]
fn a_sealed_hub_needs_its_passphrase_and_is_the_same_hub() {
    let mut hub = Hub::start();
    let agent = hub.register("A");
    push(&agent, 1, 1);
    let key = hub.folder().join("master.key");
    let plain = fs::read(&key).unwrap();
    let passphrase = secret_file(&hub.beside().join("passphrase"), "correct horse\n");
    let wrong = secret_file(&hub.beside().join("wrong"), "battery staple\n");
    let running = hub.run(&["master-key", "seal", "--master-passphrase-file", &passphrase]);
    assert!(!running.status.success() && said(&running).contains("another hub"), "{}", said(&running));
    hub.kill();
    assert!(start(&mut hub, Some(&passphrase)).unwrap_err().contains("is not sealed"));
    assert!(with(&hub, &["master-key", "seal"], &passphrase).status.success());
    assert!(!fs::read(&key).unwrap().windows(32).any(|bytes| bytes == plain), "nothing of it lies open");
    assert!(start(&mut hub, None).unwrap_err().contains("is sealed"));
    let refused = start(&mut hub, Some(&wrong)).unwrap_err();
    assert!(refused.contains("the passphrase is wrong"), "{refused}");
    start(&mut hub, Some(&passphrase)).unwrap();
    push(&agent.at(&hub.wire), 1, 2);

    assert!(said(&hub.run(&["check"])).contains("sealed with a passphrase"));
    assert!(!hub.run(&["token", "create", "--role", "viewer"]).status.success());
    let token = with(&hub, &["token", "create", "--role", "viewer"], &passphrase);
    let viewer = hub.wire.with_token(String::from_utf8(token.stdout).unwrap().trim());
    assert_eq!(viewer.get("/api/v1/agents/A").expect(200)["id"], "A");

    // A backup has it as it lies there.
    let backup = hub.beside().join("backup");
    assert!(hub.run(&["backup", backup.to_str().unwrap()]).status.success());
    assert_eq!(fs::read(backup.join("master.key")).unwrap(), fs::read(&key).unwrap());
    hub.stop();
    fs::rename(hub.folder(), hub.beside().join("lost")).unwrap();
    assert!(hub.run(&["restore", backup.to_str().unwrap()]).status.success());
    assert!(start(&mut hub, None).is_err());
    start(&mut hub, Some(&passphrase)).unwrap();
    push(&agent.at(&hub.wire), 1, 3);
    hub.stop();

    assert!(!with(&hub, &["master-key", "unseal"], &wrong).status.success());
    assert!(with(&hub, &["master-key", "unseal"], &passphrase).status.success());
    assert_eq!(fs::read(&key).unwrap(), plain);
    start(&mut hub, None).unwrap();
    push(&agent.at(&hub.wire), 1, 4);
}

/// Whether any file below `folder` holds these bytes.
fn holds(folder: &Path, wanted: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => holds(&path, wanted),
            false => fs::read(&path).unwrap().windows(wanted.len()).any(|bytes| bytes == wanted),
        }
    })
}

#[test]
fn the_keys_of_the_hubs_own_certificate_are_sealed_with_the_master_key_in_backups_too() {
    const CLEAR: &[u8] = b"PRIVATE KEY";
    let mut hub = Hub::start_with(&[("PINGUP_TLS_SELF_SIGNED", "true")]);
    let shown = |hub: &Hub| hub.wire.sealed.as_ref().unwrap().shown();
    let pin = shown(&hub);
    hub.stop();
    let tls = hub.folder().join("tls");
    let keys = ["hub.key", "ca.key"].map(|name| tls.join(name));
    let plain = keys.each_ref().map(|path| fs::read(path).unwrap());
    assert!(holds(&hub.folder(), CLEAR));
    let passphrase = secret_file(&hub.beside().join("passphrase"), "correct horse\n");
    let wrong = secret_file(&hub.beside().join("wrong"), "battery staple\n");
    assert!(with(&hub, &["master-key", "seal"], &passphrase).status.success());
    assert!(!holds(&hub.folder(), CLEAR));
    assert!(start(&mut hub, None).is_err() && start(&mut hub, Some(&wrong)).is_err());
    start(&mut hub, Some(&passphrase)).unwrap();
    assert_eq!(shown(&hub), pin);
    assert!(said(&hub.run(&["check"])).contains("its keys sealed with a passphrase"));
    assert!(said(&with(&hub, &["check"], &passphrase)).contains(&pin.to_string()));
    hub.kill();

    // As a version left them that sealed the master key alone, or whoever was killed on the way.
    for (path, key) in keys.iter().zip(&plain) {
        fs::write(path, key).unwrap();
        start(&mut hub, Some(&passphrase)).unwrap();
        assert!(shown(&hub) == pin && !holds(&hub.folder(), CLEAR), "{}", path.display());
        hub.kill();
    }
    let backup = hub.beside().join("backup");
    assert!(with(&hub, &["backup", backup.to_str().unwrap()], &passphrase).status.success());
    assert!(!holds(&backup, CLEAR));
    assert!(with(&hub, &["master-key", "rotate"], &passphrase).status.success());
    assert!(with(&hub, &["master-key", "retire", "--yes"], &passphrase).status.success());
    start(&mut hub, Some(&passphrase)).unwrap();
    assert_eq!(shown(&hub), pin, "another master key is no other certificate");
    hub.stop();
    fs::rename(hub.folder(), hub.beside().join("lost")).unwrap();
    assert!(hub.run(&["restore", backup.to_str().unwrap()]).status.success());
    start(&mut hub, Some(&passphrase)).unwrap();
    assert_eq!(shown(&hub), pin);
    hub.stop();
    assert!(with(&hub, &["master-key", "unseal"], &passphrase).status.success());
    assert_eq!(keys.each_ref().map(|path| fs::read(path).unwrap()), plain);
    start(&mut hub, None).unwrap();
    assert_eq!(shown(&hub), pin);
}

#[test]
fn a_first_start_with_a_passphrase_never_writes_a_key_in_the_clear() {
    let mut hub = Hub::prepare(&[("PINGUP_TLS_SELF_SIGNED", "true")]);
    let passphrase = secret_file(&hub.beside().join("passphrase"), "correct horse\n");
    start(&mut hub, Some(&passphrase)).unwrap();
    hub.wire.get("/health").expect(200);
    assert!(!holds(&hub.folder(), b"PRIVATE KEY"));
    hub.stop();
    assert!(start(&mut hub, None).is_err());
}

#[test]
fn a_stolen_database_enrols_nobody() {
    let mut hub = Hub::start();
    let text = hub.join_token();
    let token = JoinToken::parse(&text).unwrap();
    hub.stop();
    assert!(holds(&hub.folder(), token.token_id.as_bytes()) && !holds(&hub.folder(), token.secret.expose()));
    hub.restart();
    hub.wire.post_bytes("/api/v1/agents", &enrolment(&text, |_| ()).0).expect(201);
}

#[test]
fn a_key_outside_the_data_folder_is_neither_in_it_nor_in_its_backups() {
    let mut hub = Hub::prepare(&[]);
    let outside: PathBuf = hub.beside().join("elsewhere.key");
    let place = outside.to_str().unwrap().to_owned();
    let mut command = hub.serve_command();
    command.args(["--master-key-file", &place]);
    hub.restart_as(command);
    let token = hub.line(&["token", "create", "--role", "operator", "--master-key-file", &place]);
    let operator = hub.wire.with_token(&token);
    let made = operator.post("/api/v1/agents", &serde_json::json!({"id": "A"})).expect(201);
    let agent = Agent::new(hub.wire.clone(), &made["credentials"]);
    push(&agent, 1, 1);
    assert!(outside.is_file() && !hub.folder().join("master.key").exists());
    let backup = hub.beside().join("backup");
    let made = hub.run(&["backup", backup.to_str().unwrap(), "--master-key-file", &place]);
    assert!(made.status.success() && said(&made).contains("WITHOUT the master key"), "{}", said(&made));
    assert!(!backup.join("master.key").exists());
    hub.stop();
    // Forgotten at the next start, it is told; no second one is made.
    let refused = start(&mut hub, None).unwrap_err();
    assert!(refused.contains("no master key"), "{refused}");
}
