//! What the doctor says of TLS; and that it says nothing to who is not trusted.

use crate::{
    doctor::{assert_only_fails, assert_well, check, examined},
    harness::{Agent, Authority, Hub, Shows},
};
use rcgen::date_time_ymd;
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
};

/// A hub that shows this, and the state of an agent that was enrolled there and has stopped.
fn enrolled(home: &Path, shows: &Shows) -> (Hub, PathBuf) {
    let (hub, state) = (Hub::start_tls(shows), home.join("state"));
    let agent = Agent::start_with(&hub, &state, &["--interval", "1s", "--hub-pin", &shows.pin]);
    hub.until("a sample", |hub| !hub.samples.is_empty());
    assert!(agent.terminate().0.success());
    (hub, state)
}

#[test]
fn a_hub_that_is_known_is_described() {
    let home = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let shows = authority.certify(|params| params.not_after = date_time_ymd(2190, 1, 1));
    let (hub, state) = enrolled(home.path(), &shows);
    let file = authority.file(home.path(), "ca.pem");
    for (arguments, known) in [
        (["--hub-pin", &shows.pin], "its pinned key"),
        (["--hub-ca", file.to_str().unwrap()], "the authorities of"),
    ] {
        let found = examined(&hub.url(), &state, &arguments);
        assert_well(&found);
        let tls = check(&found.1, "tls");
        let detail = tls["detail"].as_str().unwrap();
        assert_eq!(tls["outcome"], "ok", "{tls}");
        for words in ["TLS 1.3", known, &shows.pin, "ends at 2190-01-01T00:00:00Z"] {
            assert!(detail.contains(words), "{words:?} in {detail}");
        }
        assert_eq!(check(&found.1, "key at hub")["outcome"], "ok", "asked over TLS");
    }
}

#[test]
fn a_hub_that_is_not_known_is_told_nothing() {
    let home = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let shows = authority.certify(|params| params.not_after = date_time_ymd(2001, 1, 1));
    let (mut hub, state) = enrolled(home.path(), &shows);
    let asked = hub.state.lock().asked;
    let pin = Shows::by_itself(|_| {}).pin;
    let file = authority.file(home.path(), "ca.pem");
    let file = ["--hub-ca", file.to_str().unwrap()];
    assert_only_fails(&examined(&hub.url(), &state, &["--hub-pin", &pin]), "tls", "which is not pinned here");
    assert_only_fails(&examined(&hub.url(), &state, &file), "tls", "this machine's clock says");
    hub.show(&Authority::new().certify(|_| {}));
    assert_only_fails(&examined(&hub.url(), &state, &file), "tls", "none of the authorities");
    assert_eq!(hub.state.lock().asked, asked);
}

#[test]
fn what_cannot_be_tls_is_named() {
    let home = tempfile::tempdir().unwrap();
    let shows = Shows::by_itself(|_| {});
    let (mut hub, state) = enrolled(home.path(), &shows);
    let pinned = ["--hub-pin", shows.pin.as_str()];
    let plain = Hub::start();
    let url = plain.url().replace("http://", "https://");
    assert_only_fails(&examined(&url, &state, &pinned), "tls", "does not speak TLS");
    // One that takes connections and is silent.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    assert_only_fails(&examined(&url, &state, &pinned), "tls", "did not end a handshake within 5 s");
    let url = hub.url();
    hub.go_away();
    assert_only_fails(&examined(&url, &state, &pinned), "tls", "refused");
    // What `run` refuses is refused by both checks.
    let (code, report) = examined(&plain.url(), &state, &pinned);
    assert_eq!(code, Some(1));
    for name in ["settings", "tls"] {
        assert_eq!(check(&report, name)["outcome"], "fail", "{report:#}");
    }
}
