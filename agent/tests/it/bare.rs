//! Machines that show nothing of themselves, and disks that have no room left: what there is not is not made up.

use crate::{
    harness::{Agent, Hub, program},
    scan::bed::namespaces,
};
use serde_json::Value;
use std::{path::Path, process::Command};

/// How to make a machine's mounts one's own; none where that cannot be had, and somebody has said so.
fn own_mounts() -> Option<Vec<&'static str>> {
    let (unshare, _) = namespaces()?;
    Some(unshare.iter().copied().filter(|&argument| argument != "--net").collect())
}

#[test]
fn what_a_machine_does_not_show_is_left_out() {
    let Some(unshare) = own_mounts() else { return };
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let agent = Agent::start_apart(&hub, home.path(), &unshare, "mount -t tmpfs none /proc");
    hub.until("samples, and a beat", |hub| hub.samples.len() >= 3 && !hub.beats.is_empty());
    {
        let hub = hub.state.lock();
        for (_, sample) in &hub.samples {
            let found = &sample.metrics;
            let names: Vec<_> = found.further.iter().map(|(name, _)| name.as_str()).collect();
            assert!(found.cpu.is_none() && found.ram.is_none() && found.disk.is_none(), "{found:?}");
            let is_made_up = |name: &&str| name.starts_with("disk_") || ["processes", "load1"].contains(name);
            assert!(!names.iter().any(is_made_up), "{names:?}");
        }
        let info = hub.beats.iter().find_map(|beat| beat.info.as_ref()).unwrap();
        assert_eq!((info.cpu_cores, info.memory_mb, info.disk_gb), (None, None, None));
    }
    let (ended, log) = agent.terminate();
    assert!(ended.success());
    for source in ["processor", "memory", "disk", "processes"] {
        assert_eq!(log.matches(&format!("source=\"{source}\"")).count(), 1, "said once: {log}");
    }
}

/// Of the machine `/proc` then shows its processes and nothing else.
const PROCESSES_ALONE: &str = "mount -t proc -o subset=pid none /proc";

/// Whether a machine of one's own can be changed so; says why where it cannot: only root may mount another `/proc`, and not in
/// every container.
fn can_be(change: &str, unshare: &[&str]) -> bool {
    let tried = Command::new("unshare").args(unshare).args(["sh", "-c", change]).output().unwrap();
    if !tried.status.success() {
        eprintln!("left out: {change}: {}", String::from_utf8_lossy(&tried.stderr).trim_end());
    }
    tried.status.success()
}

#[test]
fn of_a_machine_that_shows_its_processes_alone_they_are_counted() {
    let Some(unshare) = own_mounts().filter(|unshare| can_be(PROCESSES_ALONE, unshare)) else { return };
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let agent = Agent::start_apart(&hub, home.path(), &unshare, PROCESSES_ALONE);
    hub.until("samples, and a beat", |hub| hub.samples.len() >= 3 && !hub.beats.is_empty());
    {
        let hub = hub.state.lock();
        for (_, sample) in &hub.samples {
            let found = &sample.metrics;
            assert!(found.cpu.is_none() && found.ram.is_none() && found.disk.is_none(), "{found:?}");
            let is_made_up = |name: &str| name.starts_with("disk_") || name.starts_with("load");
            assert!(!found.further.iter().any(|(name, _)| is_made_up(name)), "{found:?}");
            let processes = found.further.iter().find(|(name, _)| name == "processes").unwrap();
            assert!(processes.1 >= 1.0, "{found:?}");
        }
        let info = hub.beats.iter().find_map(|beat| beat.info.as_ref()).unwrap();
        assert_eq!((info.cpu_cores, info.memory_mb, info.disk_gb), (None, None, None));
    }
    let (ended, log) = agent.terminate();
    assert!(ended.success());
    for source in ["processor", "memory", "disk"] {
        assert_eq!(log.matches(&format!("source=\"{source}\"")).count(), 1, "said once: {log}");
    }
    assert!(!log.contains("source=\"processes\""), "{log}");
}

/// What `command` says of a copy of `state` on a disk that is full.
fn asked_on_a_full_disk(unshare: &[&str], home: &Path, command: &[&str]) -> (Option<i32>, Value) {
    const FILL: &str = "mount -t tmpfs -o size=512k none \"$1/full\" && cp -a \"$1/state/.\" \"$1/full\"
        head -c 1m /dev/zero >\"$1/full/fill\" 2>/dev/null
        program=$0 state=$1/full; shift; exec \"$program\" \"$@\" --json --state-dir \"$state\"";
    let program = program();
    let mut asked = Command::new("unshare");
    asked.args(unshare).args(["sh", "-c", FILL]).arg(program.get_program()).arg(home).args(command);
    program.get_envs().for_each(|(name, _)| _ = asked.env_remove(name));
    let output = asked.output().unwrap();
    let report = serde_json::from_slice(&output.stdout);
    (output.status.code(), report.unwrap_or_else(|error| panic!("{error}: {output:?}")))
}

#[test]
fn a_full_disk_is_told_at_once() {
    let Some(unshare) = own_mounts() else { return };
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    std::fs::create_dir(home.path().join("full")).unwrap();
    let agent = Agent::start_with(&hub, &state, &["--interval", "1h"]);
    agent.until("a word of it", || state.join("status.json").exists());
    let (code, report) = asked_on_a_full_disk(&unshare, home.path(), &["status"]);
    assert_eq!((code, report["condition"].as_str()), (Some(1), Some("trouble")), "{report:#}");
    assert!(report["why"].as_str().unwrap().contains("cannot write: the disk is full"), "{report:#}");
    let (code, report) = asked_on_a_full_disk(&unshare, home.path(), &["doctor", "--hub", &hub.url()]);
    let spool = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "spool").unwrap();
    assert_eq!((code, spool["outcome"].as_str()), (Some(1), Some("fail")), "{spool}");
    assert!(spool["detail"].as_str().unwrap().contains("full"), "{spool}");
    assert!(agent.terminate().0.success());
}
