//! What befalls an agent on a machine of people: hubs that refuse, sleep, full disks, folders that take nothing.
//! What it does then stands in docs/agents.md. Clocks are in `pushing` and in the clock's own tests, a key that was
//! revoked in `pushing`.

use crate::harness::{Agent, Hub, HubState, Reply};
use pingup_protocol::{command::ResultStatus, heartbeat::Presence, problem::ProblemType};
use rustix::process::Signal;
use serde_json::json;
use std::{path::Path, thread, time::Duration};

#[test]
fn a_heartbeat_that_was_missed_is_made_up_for() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| {
        hub.reply("heartbeat", Reply::problem(ProblemType::Overloaded));
        hub.reply("heartbeat", Reply::Body(502, b"<html>".to_vec()));
    });
    let agent = Agent::start_with(&hub, home.path(), &["--interval", "1h"]);
    hub.until("a beat, and a sample meanwhile", |hub| !hub.beats.is_empty() && !hub.samples.is_empty());
    {
        let hub = hub.state.lock();
        assert!(hub.beats[0].info.is_some(), "what the first one had to say is said by this one");
        assert_eq!(hub.beats[0].status, Presence::Online);
    }
    assert!(agent.terminate().0.success());
}

/// A machine without a battery for its clock: what it says first is old, and may have been said before.
#[test]
fn an_agent_that_starts_with_its_clock_behind_beats_by_the_hubs() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| hub.clock_ahead_seconds = 30 * 86_400);
    let agent = Agent::start_with(&hub, home.path(), &["--interval", "1h"]);
    hub.until("a second beat at once", |hub| hub.beats.len() == 2);
    {
        let hub = hub.state.lock();
        assert!(hub.beats[0].timestamp < hub.now().plus_seconds(-86_400), "nobody had told it yet");
        assert!(hub.beats[1].timestamp > hub.now().plus_seconds(-60), "{:?}", hub.beats[1].timestamp);
        assert!(hub.beats[1].info.is_some(), "the first one may not have been heard");
    }
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    let last = hub.beats.last().unwrap();
    assert!(last.status == Presence::Offline && last.timestamp > hub.beats[1].timestamp);
}

#[test]
fn an_agent_keeps_two_connections_whatever_it_says() {
    let mut hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    // For one that wants commands at once, and has results, samples, beats and a configuration at the same time.
    hub.state.change(|hub| {
        hub.config = (1, json!({"intervalSeconds": 1}));
        (1..=8).for_each(|seq| hub.offer(seq, "ping", json!({})));
        hub.offer(9, "run_discovery", json!({"cidr": "127.0.0.1/32", "ports": [9]}));
    });
    let agent = Agent::start(&hub, home.path());
    let all_said = |hub: &HubState| {
        hub.results.len() == 9 && hub.samples.len() > 2 && !hub.beats.is_empty() && !hub.scans.is_empty()
    };
    hub.until("all that is said", all_said);
    {
        let hub = hub.state.lock();
        // Enrolling had one of its own.
        assert_eq!((hub.opened, hub.open), (3, 2));
    }
    hub.go_away();
    let opened = hub.state.lock().opened;
    hub.come_back();
    let polls = hub.state.lock().polls;
    hub.until("it to be back", |hub| hub.polls > polls && hub.samples.len() > 4);
    let opened_again = hub.state.lock().opened - opened;
    assert_eq!(opened_again, 2, "one found the hub, and the other followed");
    assert!(agent.terminate().0.success());
}

/// Stopped and continued as by a machine that sleeps: what it had open is dead by then.
#[test]
fn an_agent_that_slept_goes_on() {
    let mut hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let agent = Agent::start(&hub, home.path());
    hub.until("a sample, and a request that waits", |hub| !hub.samples.is_empty() && hub.polls > 0);
    agent.signal(Signal::STOP);
    hub.go_away();
    hub.come_back();
    let (before, polls) = {
        let hub = hub.state.lock();
        (hub.samples.len(), hub.polls)
    };
    agent.signal(Signal::CONT);
    hub.until("samples, and a request that waits", |hub| hub.samples.len() > before + 1 && hub.polls > polls);
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    let seqs: Vec<u64> = hub.samples.iter().map(|(_, sample)| sample.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "each once");
}

/// Frozen, as by `docker pause`, with the answer that brings the command in its socket.
#[test]
fn a_command_that_expires_while_the_agent_stands_still_is_not_run() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| hub.clock_ahead_seconds = 30 * 86_400);
    let agent = Agent::start_with(&hub, home.path(), &["--interval", "1h"]);
    hub.until("a beat by the hub's time, and a request that waits", |hub| {
        hub.beats.len() == 2 && hub.polls > 0
    });
    agent.signal(Signal::STOP);
    let expires = hub.state.change(|hub| {
        let expires = hub.now().plus_seconds(3);
        hub.offer_changed(1, |ping| {
            ping["action"] = json!("ping");
            ping["expiresAt"] = json!(expires);
        });
        expires
    });
    while hub.state.lock().now() <= expires {
        thread::sleep(Duration::from_millis(50));
    }
    agent.signal(Signal::CONT);
    // Of what is handed out next, the first one is told by its result.
    hub.state.change(|hub| hub.offer(2, "ping", json!({})));
    hub.until("what comes behind it", |hub| hub.result(2).is_some());
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    assert_eq!((hub.expired.iter().copied().collect::<Vec<_>>(), hub.results.len()), (vec![1], 1));
}

#[test]
fn an_agent_whose_disk_is_full_runs_no_command_counts_what_it_loses_and_recovers() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let agent = Agent::start_for_full_disk(&hub, home.path());
    hub.until("a sample", |hub| !hub.samples.is_empty());
    agent.limit_files("0");
    agent.until_it_says("a sample is lost");
    hub.state.change(|hub| hub.offer(1, "ping", json!({})));
    agent.until_it_says("it cannot be taken down first");
    assert!(hub.state.lock().results.is_empty());
    agent.limit_files("unlimited");
    hub.until("the command's result, and the loss", |hub| {
        let told = |(name, count): &(String, f64)| name == "spool_dropped" && *count >= 1.0;
        let is_told = hub.samples.iter().any(|(_, sample)| sample.metrics.further.iter().any(told));
        hub.result(1).is_some_and(|result| result.status == ResultStatus::Succeeded) && is_told
    });
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    let seqs: Vec<u64> = hub.samples.iter().map(|(_, sample)| sample.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "what was lost was never numbered");
}

/// The command waits for a file, so that it ends only when there is no room any more.
#[test]
fn a_command_that_ends_while_the_disk_is_full_is_told_as_it_ended() {
    let hub = Hub::start();
    let (home, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let agent = Agent::start_for_full_disk(&hub, home.path());
    let go = beside.path().join("go");
    let script = "echo begun; while ! test -e \"$0\"; do sleep 0.05; done; echo important; exit 7";
    hub.state.change(|hub| hub.offer(1, "exec", json!({"argv": ["sh", "-c", script, go]})));
    hub.until("the command to run", |hub| !hub.progress.is_empty());
    agent.limit_files("0");
    hub.state.change(|hub| hub.offer(2, "ping", json!({})));
    std::fs::write(&go, "").unwrap();
    agent.until_it_says("its result cannot be kept yet");
    hub.until("the result, though there is no room", |hub| hub.result(1).is_some());
    agent.limit_files("unlimited");
    hub.until("the next one's result", |hub| hub.result(2).is_some());
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    let told: Vec<_> = hub.results.iter().map(|r| (r.command_seq, r.status, r.exit_code)).collect();
    assert_eq!(told, [(1, ResultStatus::Failed, Some(7)), (2, ResultStatus::Succeeded, None)], "each once");
    assert_eq!(hub.results[0].output.as_deref(), Some("begun\nimportant\n"));
}

/// In /proc nobody can make anything, not even root: as on a disk that is read-only.
#[test]
fn a_state_folder_that_takes_nothing_ends_the_agent_before_it_begins() {
    let hub = Hub::start();
    let (status, log) = Agent::start(&hub, Path::new("/proc/pingup-agent")).ended();
    assert_eq!(status.code(), Some(74), "{log}");
    assert!(log.contains("cannot use /proc/pingup-agent"), "{log}");
    assert!(hub.state.lock().enrolments.is_empty(), "no use of the token is spent");
}
