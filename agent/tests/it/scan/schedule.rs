//! When scans are made by themselves: the rhythm goes on, whatever else changes.

use crate::harness::{Agent, Hub, HubState};
use pingup_protocol::command::ResultStatus;
use serde_json::{Value, json};
use std::{net::TcpListener, path::Path};

/// A schedule of this machine's own port.
fn discovery(every_seconds: u64, port: u16) -> Value {
    json!({"discovery": {"everySeconds": every_seconds, "cidrs": ["127.0.0.1"], "ports": [port]}})
}

/// What the agent kept of its rhythm.
fn kept(state: &Path) -> Value {
    let bytes = std::fs::read(state.join("scan.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// As if the last scan had been long ago.
fn keep_overdue(state: &Path, every_seconds: u64) -> Value {
    let overdue = json!({"everySeconds": every_seconds, "from": "2026-01-01T00:00:00.000000Z"});
    std::fs::write(state.join("scan.json"), overdue.to_string()).unwrap();
    overdue
}

fn is_applied(version: u64) -> impl Fn(&HubState) -> bool {
    move |hub| {
        hub.beats
            .iter()
            .any(|beat| beat.config.as_ref().is_some_and(|config| config.applied == Some(version)))
    }
}

#[test]
fn what_is_overdue_is_made_up_for_once_and_only_another_schedule_begins_anew() {
    let (hub, home) = (Hub::start(), tempfile::tempdir().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let overdue = keep_overdue(home.path(), 3_600);
    hub.state.change(|hub| hub.config = (1, discovery(3_600, port)));
    let agent = Agent::start(&hub, home.path());
    hub.until("the scan that was due", |hub| hub.scans.len() == 1);
    assert_eq!(hub.state.lock().scans[0].discovery.hosts[0].ports, [port]);
    let struck = kept(home.path());
    assert!(struck["everySeconds"] == 3_600 && struck["from"] != overdue["from"], "{struck}");

    // Other ports, another interval of samples: the schedule is the same.
    let mut changed = discovery(3_600, 1);
    changed["intervalSeconds"] = json!(2);
    hub.state.change(|hub| {
        hub.config = (2, changed);
        hub.offer(1, "ping", json!({}));
    });
    hub.until("the change to be applied", is_applied(2));
    assert!(agent.terminate().0.success());
    let agent = Agent::start(&hub, home.path());
    let samples = hub.state.lock().samples.len();
    hub.until("samples of the next start", |hub| hub.samples.len() >= samples + 2);
    assert_eq!(kept(home.path()), struck, "neither that nor the start moved anything");

    hub.state.change(|hub| {
        hub.config = (3, discovery(1_800, port));
        hub.offer(2, "ping", json!({}));
    });
    hub.until("another schedule to be applied", is_applied(3));
    assert!(agent.terminate().0.success());
    let anew = kept(home.path());
    assert!(anew["everySeconds"] == 1_800 && anew["from"] != struck["from"], "{anew}");
    assert_eq!(hub.state.lock().scans.len(), 1);
}

/// Nobody may connect to all: to that address nothing can be sent.
#[test]
fn a_scan_that_could_send_nothing_fails_and_is_not_told() {
    let (hub, home) = (Hub::start(), tempfile::tempdir().unwrap());
    keep_overdue(home.path(), 3_600);
    let nowhere = "255.255.255.255";
    let config = json!({"discovery": {"everySeconds": 3_600, "cidrs": [nowhere], "ports": [1]}});
    hub.state.change(|hub| hub.config = (1, config));
    let agent = Agent::start_with(&hub, home.path(), &["--interval", "1s", "--allow", "run_discovery"]);
    agent.until_it_says("nothing could be sent");
    hub.state.change(|hub| hub.offer(1, "run_discovery", json!({"cidr": nowhere, "ports": [1]})));
    hub.until("the result of the order", |hub| hub.result(1).is_some());
    let samples = hub.state.lock().samples.len();
    hub.until("samples from after it", |hub| hub.samples.len() >= samples + 2);
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    let result = hub.result(1).unwrap();
    assert_eq!(result.status, ResultStatus::Failed);
    assert!(result.output.as_deref().unwrap().contains("nothing could be sent"), "{result:?}");
    let seqs: Vec<u64> = hub.samples.iter().map(|(_, sample)| sample.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "no scan has a number between them");
    assert!(hub.scans.is_empty());
}

#[test]
fn a_rhythm_that_is_ahead_of_the_clock_begins_now() {
    let (hub, home) = (Hub::start(), tempfile::tempdir().unwrap());
    let ahead = json!({"everySeconds": 3_600, "from": "2199-01-01T00:00:00.000000Z"});
    std::fs::write(home.path().join("scan.json"), ahead.to_string()).unwrap();
    hub.state.change(|hub| hub.config = (1, discovery(3_600, 1)));
    let agent = Agent::start(&hub, home.path());
    agent.until("it to begin anew", || kept(home.path())["from"] != ahead["from"]);
    assert!(agent.terminate().0.success());
    assert!(hub.state.lock().scans.is_empty());
}

#[test]
fn a_machine_that_forbids_scans_makes_none_whatever_the_hub_schedules() {
    let (hub, home) = (Hub::start(), tempfile::tempdir().unwrap());
    let overdue = keep_overdue(home.path(), 60);
    hub.state.change(|hub| hub.config = (1, discovery(60, 1)));
    let agent = Agent::start_with(&hub, home.path(), &["--interval", "1s", "--allow", "ping"]);
    hub.until("the schedule to be applied", is_applied(1));
    let samples = hub.state.lock().samples.len();
    hub.until("more samples", |hub| hub.samples.len() >= samples + 2);
    assert!(agent.terminate().0.success());
    assert!(hub.state.lock().scans.is_empty());
    assert_eq!(kept(home.path()), overdue, "it was not even due");
}
