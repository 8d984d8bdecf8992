//! A state that was copied to another machine: it is found out before it runs anything, stays found out, and can be made
//! an agent of its own.

use crate::harness::{Agent, Hub, HubState, Reply, program};
use pingup_protocol::problem::ProblemType;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What `pingup-agent` says, called with `arguments` of the state in `state`: exit code, stdout, stderr.
fn called(arguments: &[&str], state: &Path) -> (Option<i32>, String, String) {
    let output = program().args(arguments).arg("--state-dir").arg(state).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => _ = fs::copy(entry.path(), to.join(entry.file_name())).unwrap(),
        }
    }
}

/// A hub, and the state of an agent that it has found to be a copy; the original is at rest.
fn found_out(home: &Path) -> (Hub, PathBuf) {
    let hub = Hub::start();
    let (original, clone) = (home.join("original"), home.join("clone"));
    let agent = Agent::start(&hub, &original);
    hub.until("a sample", |hub| !hub.samples.is_empty());
    assert!(agent.terminate().0.success());
    copy(&original, &clone);
    let samples = hub.state.lock().samples.len();
    let agent = Agent::start(&hub, &original);
    hub.until("samples that the copy does not know of", |hub| hub.samples.len() > samples + 2);
    assert!(agent.terminate().0.success());
    let agent = Agent::start(&hub, &clone);
    agent.until_it_says("another machine uses this agent's identity");
    assert!(agent.terminate().0.success());
    (hub, clone)
}

/// All that an agent says.
fn said(hub: &HubState) -> [usize; 5] {
    [hub.beats.len(), hub.batches.len(), hub.polls, hub.results.len(), hub.opened]
}

#[test]
fn no_command_is_asked_for_before_a_push_has_shown_whose_the_state_is() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| {
        hub.offer(1, "ping", json!({}));
        hub.reply("metrics", Reply::problem(ProblemType::Overloaded));
        hub.reply("metrics", Reply::problem(ProblemType::SequenceConflict));
    });
    let agent = Agent::start(&hub, home.path());
    agent.until_it_says("another machine uses this agent's identity");
    assert!(home.path().join("copied.json").exists(), "kept before it is said");
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    assert_eq!((hub.polls, hub.results.len()), (0, 0));
}

#[test]
fn a_copy_stays_one_at_its_next_start_and_says_nothing_to_the_hub() {
    let home = tempfile::tempdir().unwrap();
    let (hub, clone) = found_out(home.path());
    let before = hub.state.change(|hub| {
        hub.offer(1, "ping", json!({}));
        said(hub)
    });
    let agent = Agent::start(&hub, &clone);
    agent.until("a word of it", || called(&["status"], &clone).0 == Some(1));
    let (_, status, _) = called(&["status"], &clone);
    assert!(status.starts_with("condition trouble") && status.contains("`pingup-agent reset`"), "{status}");
    let (code, report, _) = called(&["doctor", "--json", "--hub", "http://127.0.0.1:1"], &clone);
    let report: Value = serde_json::from_str(&report).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["name"] == "copy").unwrap();
    assert_eq!((code, found["outcome"].as_str()), (Some(1), Some("fail")), "{report:#}");
    assert!(found["remedy"].as_str().unwrap().contains("`pingup-agent reset`"), "{found}");

    let (code, _, refused) = called(&["reset"], &clone);
    assert!(code == Some(74) && refused.contains("stop it first"), "{refused}");
    let (status, log) = agent.terminate();
    assert!(status.success() && log.contains("nothing is said to the hub"), "{log}");
    assert_eq!(said(&hub.state.lock()), before, "beats, batches, polls, results, connections");
}

#[test]
fn a_copy_that_is_reset_enrols_as_a_machine_of_its_own() {
    let home = tempfile::tempdir().unwrap();
    let (hub, clone) = found_out(home.path());
    let (code, text, _) = called(&["reset"], &clone);
    assert!(code == Some(0) && text.contains("join-token create"), "{text}");
    let aside = fs::read_dir(&clone).unwrap().flatten().find(|entry| entry.file_type().unwrap().is_dir());
    let aside = aside.unwrap().path();
    assert!(text.contains(aside.to_str().unwrap()), "{text}");
    for part in ["identity.json", "spool", "journal.json", "results", "status.json", "copied.json"] {
        let is_moved = aside.join(part).exists() && !clone.join(part).exists();
        assert!(is_moved || part == "journal.json", "{part}");
    }
    let (samples, enrolments) = {
        let hub = hub.state.lock();
        (hub.samples.len(), hub.enrolments.len())
    };
    hub.state.change(|hub| hub.offer(1, "ping", json!({})));
    let agent = Agent::start(&hub, &clone);
    hub.until("samples, and a result", |hub| hub.samples.len() > samples && hub.result(1).is_some());
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    assert_eq!(hub.enrolments.len(), enrolments + 1);
    let ids: Vec<_> = hub.enrolments.iter().map(|enrolment| enrolment.machine_id.as_deref()).collect();
    assert!(ids[0] != ids[1] || ids[0].is_none(), "the hub enrols nobody else under the original's: {ids:?}");
    assert_eq!(hub.marks.len(), 2, "a boot of its own");
}

#[test]
fn what_a_reset_that_was_cut_short_leaves_does_not_enrol() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("copied.json"), "").unwrap();
    let (status, log) = Agent::start(&hub, home.path()).ended();
    assert_eq!(status.code(), Some(78), "{log}");
    assert!(log.contains("`pingup-agent reset`") && hub.state.lock().enrolments.is_empty(), "{log}");
}
