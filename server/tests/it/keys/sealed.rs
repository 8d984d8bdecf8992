//! How the master key lies on the disk: sealed with a passphrase, outside the data folder, in a backup.

use super::push;
use crate::harness::{Hub, agent::Agent};
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
    let with = |hub: &Hub, command: &[&str], file: &str| {
        let arguments: Vec<&str> =
            command.iter().copied().chain(["--master-passphrase-file", file]).collect();
        hub.run(&arguments)
    };
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
