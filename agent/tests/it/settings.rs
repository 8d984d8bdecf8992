//! Settings: where they come from, and that a bad one is one plain line and exit code 64.

use crate::harness::program;
use std::{path::Path, process::Output};

const PIN: &str = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

fn assert_bad(output: &Output, about: &str) {
    let line = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(64), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with("pingup-agent: ") && line.contains(about), "{about:?} in {line}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_bad_setting_is_one_plain_line() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    let state = state.to_str().unwrap();
    let hub = ["--hub", "http://127.0.0.1:1", "--state-dir", state];
    for (arguments, about) in [
        (&["--interval", "soon"][..], "interval"),
        (&["--interval", "0s"], "interval"),
        (&["--join-token", "secret"], "join-token"),
        (&["--allow", "ping,rm"], "rm"),
        (&["--operator-key", "pok_x"], "operator-key"),
        (&["--operator-key", "pok_F0VTtFbd38aQjsqxwQH-arIeK6oGF3lbfUOmNIKZP9U two words"], "operator-key"),
        (&["--signed-actions", "run_discovery"], "operator-key"),
        (&["--insecure-http=perhaps"], "insecure-http"),
        (&["--ports", "22,x"], "ports"),
        (&["--scan-networks", "10.0.0.0/33"], "scan-networks"),
        (&["--scan-rate", "fast"], "scan-rate"),
        (&["--spool-bytes-max", "1"], "spool-bytes-max"),
        (&["--spool-age-max", "1s"], "spool-age-max"),
        (&["--ssh-port", "0"], "ssh-port"),
        (&["--log", "loud"], "log"),
        (&["--hub-pin", "sha256//x"], "hub-pin: a pin is sha256//"),
        (&["--hub-pin", PIN], "hub-pin: proves nothing of http://127.0.0.1:1"),
        (&["--hub-ca", "/nowhere/ca.pem"], "hub-ca: proves nothing of http://127.0.0.1:1"),
        (&["--config", "/nowhere/at-all.toml"], "/nowhere/at-all.toml"),
        (&["--no-such-flag"], "--no-such-flag"),
        (&["surplus"], "surplus"),
    ] {
        let all: Vec<&str> = ["run"].iter().chain(&hub).chain(arguments).copied().collect();
        assert_bad(&run(&all), about);
    }
    assert_bad(&run(&["run"]), "hub");
    assert_bad(&run(&["run", "--hub", "https://"]), "https://HOST:PORT");
    assert_bad(&run(&["run", "--hub", "http://192.0.2.1"]), "--insecure-http");
    assert_bad(&run(&["run", "--hub", "127.0.0.1:8080"]), "http://HOST:PORT");
    assert_bad(&run(&[]), "run, sample, scan, install");
    assert_bad(&run(&["scan", "10.0.0.0/8"]), "too wide");
    assert_bad(&run(&["scan", "10.0.0.0/16"]), "--force");
    assert_bad(&run(&["scan", "--force", "10.0.0.0/15"]), "too wide");
    assert_bad(&run(&["scan", "10.0.0.0/24", "--rate", "0"]), "scan-rate");
    assert_bad(&run(&["scan", "10.0.0.0/24", "--ports", "ssh"]), "ports");
    assert_bad(&run(&["scan", "no-such-link0"]), "192.168.1.0/24");
    assert!(!Path::new(state).exists(), "nothing was opened");
}

/// Whoever is to be believed is looked for before anything else is.
#[test]
fn authorities_that_are_none_are_one_plain_line() {
    let home = tempfile::tempdir().unwrap();
    let (state, file) = (home.path().join("state"), home.path().join("ca.pem"));
    let tried = |file: &Path| {
        let hub = ["run", "--hub", "https://hub.example", "--hub-ca"];
        program().args(hub).arg(file).arg("--state-dir").arg(&state).output().unwrap()
    };
    assert_bad(&tried(Path::new("/nowhere/ca.pem")), "hub-ca: /nowhere/ca.pem");
    for (text, about) in [
        ("", "no certificate is in"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1 in"),
        ("-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n", "certificate 1 in"),
        (&" ".repeat((1 << 20) + 1), "more than 1048576 bytes"),
    ] {
        std::fs::write(&file, text).unwrap();
        assert_bad(&tried(&file), about);
    }
    assert!(!state.exists(), "nothing was opened");
}

#[test]
fn flags_win_over_environment_over_file() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("agent.toml");
    std::fs::write(&file, "hub = \"file://\"\ninterval = \"30s\"\n").unwrap();
    let refused = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = program();
        command.arg("run").args(arguments).env("PINGUP_CONFIG", &file).envs(variables.iter().copied());
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    assert!(refused(&[], &[]).contains("file://"));
    assert!(refused(&[], &[("PINGUP_HUB", "environment://")]).contains("environment://"));
    assert!(refused(&["--hub", "flag://"], &[("PINGUP_HUB", "environment://")]).contains("flag://"));
    assert!(refused(&[], &[("PINGUP_HUB", "")]).contains("file://"), "an empty variable says nothing");
    std::fs::write(&file, "hubb = \"x\"\n").unwrap();
    assert!(refused(&[], &[]).contains("line 1: unknown field `hubb`"));
}

#[test]
fn help_and_version_are_no_errors_and_tell_no_secret() {
    let version = run(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(version.stdout, format!("pingup-agent {}\n", env!("CARGO_PKG_VERSION")).into_bytes());
    let help = program().args(["run", "--help"]).env("PINGUP_JOIN_TOKEN", "pjt_secret").output().unwrap();
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(
        help.status.success() && text.contains("PINGUP_STATE_DIR") && !text.contains("pjt_secret"),
        "{text}"
    );
}
