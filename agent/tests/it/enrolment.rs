//! Becoming an agent, and not becoming one.

use crate::harness::{Agent, Hub, Reply, program};
use pingup_protocol::{
    keys::{KEY_BYTES, Secret, derive_enrolment},
    labels::Labels,
    problem::{Problem, ProblemType},
    signing::{self, Key},
};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_machine_enrols_once_and_keeps_what_it_was_given() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    let agent = Agent::start_with(&hub, &state, &["--name", "kitchen", "--ssh-port", "2222"]);
    hub.until("a heartbeat", |hub| !hub.beats.is_empty());
    hub.state.change(|hub| {
        let [enrolment] = hub.enrolments.as_slice() else { panic!("one enrolment expected") };
        assert_eq!((enrolment.token_id.as_str(), enrolment.name.as_deref()), ("t1", Some("kitchen")));
        assert!(enrolment.machine_id.as_deref().is_none_or(|id| id.len() == 64));
        assert_eq!(enrolment.info.agent_version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(enrolment.info.ssh_port, Some(2222));
        assert!(hub.beats[0].info.is_some(), "the first beat says what the machine is");
        hub.beats.clear();
    });
    let (status, log) = agent.terminate();
    assert!(status.success() && log.contains("enrolled"), "{log}");
    let secret = hub.state.lock().credentials().keys.up;
    assert!(!log.contains("pjt_") && !log.contains(&secret) && !log.contains("bearer"), "{log}");
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(state.clone()), mode(state.join("identity.json"))), (0o700, 0o600));

    let again = Agent::start(&hub, &state);
    hub.until("a heartbeat of the second start", |hub| hub.beats.len() > 1);
    assert_eq!(hub.state.lock().enrolments.len(), 1);
    assert!(again.terminate().0.success());
}

#[test]
fn an_answer_that_is_not_the_hubs_is_not_believed() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let (credentials, good) = {
        let hub = hub.state.lock();
        (json!(hub.credentials()), hub.token_key())
    };
    let other = Key::new(&derive_enrolment(&Secret::new([9; KEY_BYTES])));
    let answer = json!({
        "agent": {}, "credentials": credentials, "nonce": "another", "serverTime": hub.state.lock().now()
    });
    for (key, why) in [(&other, "signature"), (&good, "another request")] {
        let body = signing::sign(key, &answer).unwrap();
        hub.state.change(|hub| hub.reply("agents", Reply::Body(201, body)));
        let (status, log) = Agent::start(&hub, home.path()).ended();
        assert_eq!(status.code(), Some(78), "{log}");
        assert!(log.contains(why) && log.contains("check the hub's address"), "{log}");
        assert!(!home.path().join("identity.json").exists());
    }
}

#[test]
fn a_definite_no_ends_the_program_and_says_what_to_do() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    for (kind, advice) in [
        (ProblemType::JoinTokenInvalid, "join-token create"),
        (ProblemType::JoinTokenExhausted, "join-token create"),
        (ProblemType::JoinTokenExpired, "join-token create"),
        (ProblemType::MachineAlreadyEnrolled, "--replace"),
        (ProblemType::MachineAlreadyEnrolled, "pingup-agent reset"),
    ] {
        hub.state.change(|hub| hub.reply("agents", Reply::problem(kind)));
        let (status, log) = Agent::start(&hub, home.path()).ended();
        assert_eq!(status.code(), Some(78), "{}: {log}", kind.name());
        assert!(log.lines().last().unwrap().contains(advice), "{log}");
    }
}

#[test]
fn a_hub_that_is_busy_is_asked_again() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| {
        hub.reply("agents", Reply::problem(ProblemType::RateLimited));
        let mut ahead = Problem::new(ProblemType::TimestampInFuture, "the clock is ahead");
        ahead.server_time = Some(hub.now().plus_seconds(-86_400));
        hub.reply("agents", Reply::Problem(ahead));
    });
    let agent = Agent::start(&hub, home.path());
    hub.until("a heartbeat", |hub| !hub.beats.is_empty());
    assert!(agent.terminate().1.contains("trying again"));
    let hub = hub.state.lock();
    assert!(hub.enrolments[0].timestamp < hub.now().plus_seconds(-80_000), "enrolled by the hub's clock");
}

/// No battery for its clock, and no time server: what it says may be years behind.
#[test]
fn a_machine_whose_clock_is_behind_enrols_by_the_hubs() {
    for behind in [7_200, 50 * 365 * 86_400] {
        let hub = Hub::start();
        let home = tempfile::tempdir().unwrap();
        hub.state.change(|hub| {
            hub.clock_ahead_seconds = behind;
            let mut too_old = Problem::new(ProblemType::SchemaInvalid, "the body breaks the protocol");
            too_old.server_time = Some(hub.now());
            hub.reply("agents", Reply::Problem(too_old));
        });
        let agent = Agent::start(&hub, home.path());
        hub.until("a heartbeat", |hub| !hub.beats.is_empty());
        assert!(agent.terminate().0.success());
        let hub = hub.state.lock();
        assert!(hub.enrolments[0].timestamp > hub.now().plus_seconds(-3_600), "{behind} s behind");
    }
}

/// A name that is too long is refused in the same words.
#[test]
fn what_no_clock_explains_is_not_asked_again() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| {
        let mut refusal = Problem::new(ProblemType::SchemaInvalid, "the body breaks the protocol");
        refusal.server_time = Some(hub.now());
        hub.reply("agents", Reply::Problem(refusal));
    });
    let (status, log) = Agent::start(&hub, home.path()).ended();
    assert_eq!(status.code(), Some(78), "{log}");
    assert!(log.lines().last().unwrap().contains("as it is"), "{log}");
}

#[test]
fn without_a_join_token_it_says_how_to_get_one() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let output =
        program().args(["run", "--hub", &hub.url(), "--state-dir"]).arg(home.path()).output().unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), line.lines().count()), (Some(64), 1), "{line}");
    assert!(line.contains("join-token create"), "{line}");
}

#[test]
fn two_agents_do_not_share_a_state() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let first = Agent::start(&hub, home.path());
    hub.until("a heartbeat", |hub| !hub.beats.is_empty());
    let (status, log) = Agent::start(&hub, home.path()).ended();
    assert_eq!(status.code(), Some(74));
    assert!(log.contains("another agent is at work"), "{log}");
    assert!(first.terminate().0.success());
}

#[test]
fn labels_of_the_agents_own_settings_are_told_when_it_enrols_when_it_starts_and_when_they_change() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("agent.toml");
    std::fs::write(&file, "labels = [\"role=web\", \"site=ber\"]\n").unwrap();
    let config = file.to_str().unwrap();
    let agent = Agent::start_with(&hub, &home.path().join("state"), &["--config", config]);
    hub.until("a beat", |hub| hub.beats.iter().any(|beat| beat.info.is_some()));
    assert!(agent.terminate().0.success());
    std::fs::write(&file, "labels = [\"role=db\"]\n").unwrap();
    let beats = hub.state.lock().beats.len();
    let agent = Agent::start_with(&hub, &home.path().join("state"), &["--config", config]);
    hub.until("a beat of the next start", |hub| hub.beats[beats..].iter().any(|beat| beat.info.is_some()));
    // And while it works: with the next beat, which a configuration brings about here.
    std::fs::write(&file, "labels = [\"role=cache\"]\n").unwrap();
    let beats = hub.state.change(|hub| {
        hub.config = (1, json!({}));
        hub.offer(1, "ping", json!({}));
        hub.beats.len()
    });
    hub.until("a beat with what changed", |hub| hub.beats[beats..].iter().any(|beat| beat.info.is_some()));
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    let both: Labels = serde_json::from_str(r#"{"role":"web","site":"ber"}"#).unwrap();
    assert_eq!(hub.enrolments[0].info.labels, both);
    let told: Vec<_> =
        hub.beats.iter().filter_map(|beat| beat.info.as_ref()).map(|info| &info.labels).collect();
    assert_eq!(told, [&both, &Labels::one("role", "db"), &Labels::one("role", "cache")]);
}
