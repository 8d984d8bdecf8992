//! A hub whose key is known: that key is all that counts, and nobody else's will do.

use super::{assert_nothing_was_said, status, wait_for_more};
use crate::harness::{Agent, Hub, Shows};
use rcgen::date_time_ymd;
use rustls::{HandshakeKind, SupportedProtocolVersion, version::TLS12};
use std::path::Path;

static OLD_VERSIONS: &[&SupportedProtocolVersion] = &[&TLS12];

fn start(hub: &Hub, state: &Path, pins: &[&str]) -> Agent {
    let pins = pins.iter().flat_map(|pin| ["--hub-pin", pin]);
    let arguments: Vec<&str> = ["--interval", "1s"].into_iter().chain(pins).collect();
    Agent::start_with(hub, state, &arguments)
}

/// That the hub has each sample of the agent once, from the first one on.
fn assert_nothing_is_lost(hub: &Hub) {
    let hub = hub.state.lock();
    let mut boots: Vec<u64> = hub.samples.iter().map(|(boot, _)| *boot).collect();
    boots.dedup();
    assert!(!boots.is_empty());
    for boot in boots {
        let sent = hub.samples.iter().filter(|(of, _)| *of == boot).count();
        assert_eq!(hub.marks.get(&boot).copied(), u64::try_from(sent).ok(), "each number once");
    }
}

#[test]
fn a_pinned_key_is_the_hub_whatever_its_certificate_says() {
    let shows = Shows::by_itself(|params| {
        params.subject_alt_names.clear();
        (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
    });
    let hub = Hub::start_tls(&shows);
    let home = tempfile::tempdir().unwrap();
    let agent = start(&hub, home.path(), &[&shows.pin]);
    hub.until("samples, a beat and a question", |hub| {
        hub.samples.len() >= 2 && !hub.beats.is_empty() && hub.polls > 0
    });
    agent.until("its status", || home.path().join("status.json").exists());
    assert_eq!(status(home.path())["agent"]["hubKnownBy"], "its pinned key");
    assert!(agent.terminate().0.success());
    assert_nothing_is_lost(&hub);
    let hub = hub.state.lock();
    assert_eq!(hub.handshakes.first(), Some(&HandshakeKind::Full));
    // The farewell has a connection of its own.
    assert_eq!(hub.handshakes.last(), Some(&HandshakeKind::Resumed), "{:?}", hub.handshakes);
    assert_eq!(hub.refused, Vec::<String>::new());
}

#[test]
fn a_hub_that_speaks_no_newer_tls_than_1_2_will_do() {
    let shows = Shows::by_itself(|_| {}).speaking(OLD_VERSIONS);
    let hub = Hub::start_tls(&shows);
    let home = tempfile::tempdir().unwrap();
    let agent = start(&hub, home.path(), &[&shows.pin]);
    hub.until("a sample and a beat", |hub| !hub.samples.is_empty() && !hub.beats.is_empty());
    assert!(agent.terminate().0.success());
}

#[test]
fn a_machine_that_would_enrol_says_nothing_to_another_key() {
    let (hubs, thief) = (Shows::by_itself(|_| {}), Shows::by_itself(|_| {}));
    let hub = Hub::start_tls(&thief);
    let home = tempfile::tempdir().unwrap();
    let agent = start(&hub, home.path(), &[&hubs.pin]);
    agent.until_it_says("is not trusted");
    let log = agent.log();
    let line = log.lines().find(|line| line.contains("is not trusted")).unwrap().to_owned();
    for words in [&format!("its key is {}", thief.pin), "nothing was sent", "--hub-pin", "not enrolled yet"] {
        assert!(line.contains(words), "{words:?} in {line}");
    }
    let why = status(home.path())["why"].as_str().unwrap().to_owned();
    assert!(why.contains("not enrolled yet"), "{why}");
    assert_nothing_was_said(&hub, agent, "is not trusted");
    assert!(!home.path().join("identity.json").exists());
}

/// Everybody can have the certificate: what makes a hub is the key.
#[test]
fn a_certificate_that_was_copied_is_worth_nothing_without_its_key() {
    for versions in [rustls::ALL_VERSIONS, OLD_VERSIONS] {
        let (hubs, thief) = (Shows::by_itself(|_| {}), Shows::by_itself(|_| {}));
        let hub = Hub::start_tls(&hubs.copied_by(&thief).speaking(versions));
        let home = tempfile::tempdir().unwrap();
        let agent = start(&hub, home.path(), &[&hubs.pin]);
        assert_nothing_was_said(&hub, agent, "it has not the key of the certificate");
    }
}

#[test]
fn a_thief_in_the_hubs_place_hears_nothing_and_no_sample_is_lost() {
    let (hubs, thief) = (Shows::by_itself(|_| {}), Shows::by_itself(|_| {}));
    let mut hub = Hub::start_tls(&hubs);
    let home = tempfile::tempdir().unwrap();
    let agent = start(&hub, home.path(), &[&hubs.pin]);
    hub.until("a sample", |hub| !hub.samples.is_empty());
    hub.show(&thief);
    let asked = hub.state.lock().asked;
    agent.until_it_says(&format!("its key is {}", thief.pin));
    wait_for_more(&agent, home.path());
    agent.until("its status", || {
        let why = &status(home.path())["why"];
        why.as_str().is_some_and(|why| why.contains("is not trusted"))
    });
    let before = {
        let hub = hub.state.lock();
        assert_eq!(hub.asked, asked, "the thief heard nothing");
        assert!(!hub.refused.is_empty());
        hub.samples.len()
    };
    assert!(agent.terminate().0.success());
    assert_eq!(hub.state.lock().asked, asked, "nor a farewell");
    hub.show(&hubs);
    let agent = start(&hub, home.path(), &[&hubs.pin]);
    hub.until("what was measured meanwhile", |hub| hub.samples.len() > before + 1);
    assert!(agent.terminate().0.success());
    assert_nothing_is_lost(&hub);
}

#[test]
fn two_pins_carry_an_agent_over_a_change_of_keys() {
    let (old, new) = (Shows::by_itself(|_| {}), Shows::by_itself(|_| {}));
    let mut hub = Hub::start_tls(&old);
    let home = tempfile::tempdir().unwrap();
    let agent = start(&hub, home.path(), &[&old.pin, &new.pin]);
    hub.until("a sample", |hub| !hub.samples.is_empty());
    hub.show(&new);
    let before = hub.state.lock().samples.len();
    hub.until("samples to the new key", |hub| hub.samples.len() > before);
    let (ended, log) = agent.terminate();
    assert!(ended.success() && !log.contains("is not trusted"), "{log}");
    assert_nothing_is_lost(&hub);
}
