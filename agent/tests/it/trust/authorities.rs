//! A hub that an authority certified: one of a file, or one that the system trusts.

use super::assert_nothing_was_said;
use crate::harness::{Agent, Authority, Hub, Shows};
use rcgen::date_time_ymd;
use std::path::Path;

fn start(hub: &Hub, state: &Path, file: &Path, further: &[&str]) -> Agent {
    let arguments = [&["--interval", "1s", "--hub-ca", file.to_str().unwrap()], further].concat();
    Agent::start_with(hub, state, &arguments)
}

fn assert_works(hub: &Hub, agent: Agent) {
    hub.until("a sample and a beat", |hub| !hub.samples.is_empty() && !hub.beats.is_empty());
    let (ended, log) = agent.terminate();
    assert!(ended.success() && !log.contains("is not trusted"), "{log}");
}

#[test]
fn who_was_certified_is_the_hub() {
    let authority = Authority::new();
    let shows = authority.certify(|_| {});
    let home = tempfile::tempdir().unwrap();
    let file = authority.file(home.path(), "ca.pem");
    for (state, further) in [("alone", &[][..]), ("with a pin", &["--hub-pin", shows.pin.as_str()])] {
        let hub = Hub::start_tls(&shows);
        assert_works(&hub, start(&hub, &home.path().join(state), &file, further));
    }
}

#[test]
fn who_was_not_certified_for_here_and_now_is_told_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    let home = tempfile::tempdir().unwrap();
    let file = authority.file(home.path(), "ca.pem");
    let elsewhere = || Shows::by_itself(|_| {}).pin;
    for (shows, pin, why) in [
        (other.certify(|_| {}), None, "is of none of the authorities of"),
        (Shows::by_itself(|_| {}), None, "is of none of the authorities of"),
        (
            authority.certify(|params| params.not_after = date_time_ymd(2001, 1, 1)),
            None,
            "ended at 2001-01-01T00:00:00Z, and this machine's clock says 20",
        ),
        (
            authority.certify(|params| params.not_before = date_time_ymd(2200, 1, 1)),
            None,
            "the clock is probably behind",
        ),
        (
            authority.certify(|params| params.subject_alt_names = named("hub.example")),
            None,
            "is not for 127.0.0.1 but for",
        ),
        (authority.certify(|_| {}), Some(elsewhere()), "which is not pinned here"),
        (Shows::by_itself(|_| {}), Some(String::new()), "is of none of the authorities of"),
    ] {
        let hub = Hub::start_tls(&shows);
        // One that shows the pinned key still needs an authority.
        let pin = pin.map(|pin| if pin.is_empty() { shows.pin.clone() } else { pin });
        let further: Vec<&str> = pin.iter().flat_map(|pin| ["--hub-pin", pin]).collect();
        let state = tempfile::tempdir().unwrap();
        assert_nothing_was_said(&hub, start(&hub, state.path(), &file, &further), why);
    }
}

fn named(name: &str) -> Vec<rcgen::SanType> {
    rcgen::CertificateParams::new([name.to_owned()]).unwrap().subject_alt_names
}

#[test]
fn without_a_pin_and_a_file_the_systems_authorities_count() {
    let authority = Authority::new();
    let shows = authority.certify(|_| {});
    let home = tempfile::tempdir().unwrap();
    let trusted = authority.file(home.path(), "trusted.pem");
    let hub = Hub::start_tls(&shows);
    assert_works(&hub, Agent::start_trusting(&hub, &home.path().join("a"), &trusted));

    let others = Authority::new().file(home.path(), "others.pem");
    let hub = Hub::start_tls(&shows);
    let agent = Agent::start_trusting(&hub, &home.path().join("b"), &others);
    assert_nothing_was_said(&hub, agent, "is of none of the authorities of this system");

    std::fs::write(&others, "").unwrap();
    let hub = Hub::start_tls(&shows);
    let agent = Agent::start_trusting(&hub, &home.path().join("c"), &others);
    assert_nothing_was_said(&hub, agent, "no authorities were found on this system");
}

/// Nobody starts ten thousand agents anew because a file was renewed.
#[test]
fn a_file_that_was_renewed_counts_from_the_next_connection_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let home = tempfile::tempdir().unwrap();
    let file = old.file(home.path(), "ca.pem");
    let mut hub = Hub::start_tls(&old.certify(|_| {}));
    let agent = start(&hub, &home.path().join("state"), &file, &[]);
    hub.until("a sample", |hub| !hub.samples.is_empty());
    new.file(home.path(), "ca.pem");
    hub.show(&new.certify(|_| {}));
    let before = hub.state.lock().samples.len();
    hub.until("samples", |hub| hub.samples.len() > before);
    assert!(agent.terminate().0.success());
}
