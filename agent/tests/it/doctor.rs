//! The doctor: each ill is named, with its remedy; and what is well is not called ill.

mod kept;

use crate::harness::{Agent, Hub, Reply, program};
use serde_json::Value;
use std::{
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A hub, and the state of an agent that was enrolled there and has stopped.
fn enrolled(home: &Path) -> (Hub, PathBuf) {
    let hub = Hub::start();
    let state = home.join("state");
    let agent = Agent::start(&hub, &state);
    hub.until("a sample", |hub| !hub.samples.is_empty());
    assert!(agent.terminate().0.success());
    (hub, state)
}

pub(crate) fn examined(hub: &str, state: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = program()
        .args(["doctor", "--json", "--hub", hub, "--state-dir"])
        .arg(state)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

/// The check `name` of a report.
pub(crate) fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name} in {report:#}"))
}

/// That of all checks only `name` failed, in words that hold `about`, with a remedy.
pub(crate) fn assert_only_fails(found: &(Option<i32>, Value), name: &str, about: &str) {
    let (code, report) = found;
    let failed: Vec<&Value> =
        report["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == "fail").collect();
    let [failed] = failed.as_slice() else { panic!("one failure expected: {report:#}") };
    assert_eq!((*code, failed["name"].as_str()), (Some(1), Some(name)), "{report:#}");
    assert!(failed["detail"].as_str().unwrap().contains(about), "{about:?} in {failed}");
    assert!(failed["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{failed}");
}

pub(crate) fn assert_well(found: &(Option<i32>, Value)) {
    assert_eq!(found.0, Some(0), "{:#}", found.1);
}

#[test]
fn a_healthy_agent_is_called_that_a_line_a_check() {
    let home = tempfile::tempdir().unwrap();
    let (hub, state) = enrolled(home.path());
    let last = hub.state.lock().beats.len();
    let found = examined(&hub.url(), &state, &[]);
    assert_well(&found);
    for name in [
        "settings",
        "orders",
        "permissions",
        "key",
        "kept",
        "spool",
        "hub",
        "tls",
        "name",
        "connection",
        "clock",
        "key at hub",
    ] {
        assert_eq!(check(&found.1, name)["outcome"], "ok", "{:#}", found.1);
    }
    let asked = hub.state.change(|hub| hub.beats.split_off(last));
    assert_eq!(
        asked.iter().map(|beat| beat.timestamp.as_micros()).collect::<Vec<_>>(),
        [0],
        "older than any: ignored"
    );

    let output = program().args(["doctor", "--hub", &hub.url(), "--state-dir"]).arg(&state).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("ok ")).count(), 12, "{text}");
    let secrets = {
        let hub = hub.state.lock();
        [hub.up.to_base64(), hub.down.to_base64(), "a.bearer".into()]
    };
    assert!(
        secrets.iter().all(|secret| !text.contains(secret) && !found.1.to_string().contains(secret)),
        "{text}"
    );
}

#[test]
fn who_must_sign_is_told_and_so_is_that_nobody_must() {
    let home = tempfile::tempdir().unwrap();
    let (hub, state) = enrolled(home.path());
    let open = examined(&hub.url(), &state, &["--allow", "ping,exec"]);
    assert_well(&open);
    assert_eq!(check(&open.1, "orders")["outcome"], "warn", "{:#}", open.1);
    let key = "pok_F0VTtFbd38aQjsqxwQH-arIeK6oGF3lbfUOmNIKZP9U ada";
    let signed = examined(&hub.url(), &state, &["--allow", "ping,exec", "--operator-key", key]);
    let orders = check(&signed.1, "orders");
    assert_eq!(orders["outcome"], "ok", "{:#}", signed.1);
    let detail = orders["detail"].as_str().unwrap();
    assert!(detail.contains(key) && detail.contains("exec, restart_service"), "{detail}");
}

#[test]
fn no_hub_and_the_wrong_port_are_told_apart() {
    let home = tempfile::tempdir().unwrap();
    let (mut hub, state) = enrolled(home.path());
    let url = hub.url();
    hub.go_away();
    assert_only_fails(&examined(&url, &state, &[]), "connection", "refused");

    // Something that listens and is no hub, nor even speaks HTTP.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = format!("http://{}", listener.local_addr().unwrap());
    let greeter = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut stream, b"SSH-2.0-other\r\n").unwrap();
    });
    assert_only_fails(&examined(&other, &state, &[]), "connection", "cannot reach");
    greeter.join().unwrap();

    let stranger = Hub::start();
    stranger.state.change(|hub| hub.reply("health", Reply::Body(404, b"<html>".to_vec())));
    assert_only_fails(&examined(&stranger.url(), &state, &[]), "connection", "no pingup hub");
    stranger.state.change(|hub| hub.reply("health", Reply::Body(200, b"<html>".to_vec())));
    assert_only_fails(&examined(&stranger.url(), &state, &[]), "connection", "no pingup hub");
}

#[test]
fn a_hub_that_never_answers_is_not_waited_for_without_end() {
    let home = tempfile::tempdir().unwrap();
    let (hub, state) = enrolled(home.path());
    hub.state.change(|hub| hub.reply("health", Reply::Swallow));
    let began = Instant::now();
    assert_only_fails(&examined(&hub.url(), &state, &[]), "connection", "answer within 5 s");
    assert!(began.elapsed() < Duration::from_secs(25), "bounded, whatever the hub does");
}

#[test]
fn a_hub_that_is_not_well_is_a_warning() {
    let home = tempfile::tempdir().unwrap();
    let (hub, state) = enrolled(home.path());
    hub.state.change(|hub| hub.reply("health", Reply::Body(503, br#"{"status":"error"}"#.to_vec())));
    let found = examined(&hub.url(), &state, &[]);
    assert_well(&found);
    assert_eq!(check(&found.1, "connection")["outcome"], "warn");
}

#[test]
fn a_name_that_leads_nowhere_and_addresses_that_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let (_hub, state) = enrolled(home.path());
    let insecure = ["--insecure-http"];
    let found = examined("http://no-such-hub.invalid:8080", &state, &insecure);
    assert_only_fails(&found, "name", "no-such-hub.invalid");
    assert_eq!(check(&found.1, "tls")["outcome"], "warn", "plain HTTP over the network");
    for (url, name, about) in
        [("http://192.0.2.1:8080", "tls", "--insecure-http"), ("127.0.0.1:8080", "hub", "http://HOST:PORT")]
    {
        let (code, report) = examined(url, &state, &[]);
        let found = check(&report, name);
        assert_eq!((code, found["outcome"].as_str()), (Some(1), Some("fail")), "{report:#}");
        assert!(found["detail"].as_str().unwrap().contains(about), "{found}");
        assert_eq!(check(&report, "settings")["outcome"], "fail", "run would refuse it as well");
    }
}

#[test]
fn clocks_that_are_apart() {
    let home = tempfile::tempdir().unwrap();
    let (hub, state) = enrolled(home.path());
    for (ahead, about) in [(600, "behind the hub's"), (-600, "ahead of the hub's")] {
        hub.state.change(|hub| hub.clock_ahead_seconds = ahead);
        assert_only_fails(&examined(&hub.url(), &state, &[]), "clock", about);
    }
    hub.state.change(|hub| hub.clock_ahead_seconds = 100);
    let found = examined(&hub.url(), &state, &[]);
    assert_well(&found);
    assert_eq!(check(&found.1, "clock")["outcome"], "warn");
}
