//! Ceasing to be a service: what goes, and what stays.

use crate::{
    harness::{Agent, Hub},
    install::{ACTIONS, CONFIG, HUB, PROGRAM, STATE, UNIT, called, done, install, some_token, text},
};
use std::os::unix::fs::symlink;

#[test]
fn uninstall_leaves_the_state_and_purge_does_not() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    install(root, &[HUB[0], HUB[1], "--actions-as-root"]);
    assert_eq!(text(root, ACTIONS), include_str!("../../../deploy/systemd/actions.conf"));
    std::fs::write(root.join(STATE).join("identity.json"), "{}").unwrap();
    std::fs::write(root.join("etc/pingup-agent/mine"), "").unwrap();
    let said = done(root, &["uninstall"]);
    assert!(said.contains("/var/lib/pingup-agent stays"), "{said}");
    for gone in [UNIT, ACTIONS, CONFIG, PROGRAM, "etc/pingup-agent/installed"] {
        assert!(!root.join(gone).exists(), "{gone}");
    }
    assert!(!root.join(ACTIONS).parent().unwrap().exists() && root.join("etc/pingup-agent/mine").exists());
    assert!(root.join(STATE).join("identity.json").exists());
    assert!(done(root, &["uninstall"]).contains("nothing is here"));
    assert!(done(root, &["uninstall", "--purge"]).contains("remove it there as well"));
    assert!(!root.join(STATE).exists());
}

#[test]
fn uninstall_touches_only_what_install_made() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    std::fs::create_dir_all(root.join("etc/pingup-agent")).unwrap();
    std::fs::write(
        root.join(CONFIG),
        format!("hub = \"http://127.0.0.1:9\"\njoin_token = \"{}\"\n", some_token()),
    )
    .unwrap();
    install(root, &[]);
    let said = done(root, &["install", "--init", "systemd", "--name", "x", "--dry-run"]);
    assert!(said.contains("would update /etc/pingup-agent/agent.toml") && !said.contains("pjt_"), "{said}");
    assert!(text(root, CONFIG).starts_with("hub = \"http://127.0.0.1:9\"\njoin_token = "));
    done(root, &["uninstall"]);
    assert!(root.join(CONFIG).exists() && !root.join(UNIT).exists());
}

#[test]
fn purge_removes_links_and_never_what_they_lead_to() {
    let home = tempfile::tempdir().unwrap();
    let (root, elsewhere) = (home.path().join("root"), home.path().join("elsewhere"));
    std::fs::create_dir_all(root.join("var/lib/private/pingup-agent")).unwrap();
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("kept"), "").unwrap();
    symlink(&elsewhere, root.join(STATE)).unwrap();
    done(&root, &["uninstall", "--purge"]);
    assert!(elsewhere.join("kept").exists() && std::fs::symlink_metadata(root.join(STATE)).is_err());
    assert!(!root.join("var/lib/private/pingup-agent").exists(), "systemd's own place for it");
}

#[test]
fn an_agent_at_work_keeps_its_state() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join(STATE);
    let agent = Agent::start(&hub, &state);
    hub.until("a heartbeat", |hub| !hub.beats.is_empty());
    let output = called(home.path(), &["uninstall", "--purge"], "");
    assert_eq!(output.status.code(), Some(74));
    assert!(String::from_utf8_lossy(&output.stderr).contains("another agent is at work"));
    assert!(state.join("identity.json").exists() && agent.terminate().0.success());
}
