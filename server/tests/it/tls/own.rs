//! A certificate of the hub's own: made at the first start, true ever after.

use crate::harness::{Hub, agent, eventually, sealed, sealed::Sealed};
use pingup_protocol::pin::Pin;
use rustls::{
    HandshakeKind,
    version::{TLS12, TLS13},
};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
    thread,
};

const OWN: [(&str, &str); 1] = [("PINGUP_TLS_SELF_SIGNED", "true")];

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What `join-token create` says beside the token, and the pin in it.
fn command(hub: &Hub, arguments: &[&str]) -> (String, Pin) {
    let output = hub.run(&[&["join-token", "create"], arguments].concat());
    let token = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!((output.status.success(), token.trim().lines().count()), (true, 1), "{}", said(&output));
    let said = said(&output);
    let line = said.lines().find(|line| line.contains("pingup-agent run")).unwrap().trim().to_owned();
    assert!(
        line.starts_with(&format!("PINGUP_JOIN_TOKEN={} pingup-agent run --hub ", token.trim())),
        "{line}"
    );
    let pin = line.split(" --hub-pin ").nth(1).unwrap().split(' ').next().unwrap();
    (line.clone(), pin.parse().unwrap())
}

#[test]
fn the_first_start_makes_it_and_a_restart_keeps_its_pin() {
    let mut hub = Hub::start_with(&[OWN[0], ("PINGUP_LOG", "info")]);
    hub.wire.get("/health").expect(200);
    let pin = hub.wire.sealed.as_ref().unwrap().shown();
    let ca = fs::read(hub.trusted()).unwrap();
    for name in ["ca.key", "hub.key"] {
        let mode = fs::metadata(hub.folder().join("tls").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let (line, told) = command(&hub, &[]);
    assert_eq!(told, pin);
    assert!(line.contains(&format!(" --hub https://{} ", hub.wire.address)), "{line}");
    let (line, _) = command(&hub, &["--public-url", "https://hub.example:8443"]);
    assert!(line.contains(" --hub https://hub.example:8443 --hub-pin "), "{line}");
    let log = hub.stop();
    let started = log.lines().find(|line| line.contains(&pin.to_string())).unwrap();
    assert!(started.contains("tls/ca.pem"), "{started}");
    hub.restart();
    assert_eq!(hub.wire.sealed.as_ref().unwrap().shown(), pin);
    assert_eq!(fs::read(hub.trusted()).unwrap(), ca);
    let metrics = hub.operator("scrape").get("/metrics");
    let ends =
        metrics.text().lines().find(|line| line.starts_with("pingup_tls_certificate_end_timestamp_seconds "));
    let ends: u64 = ends.unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let days = (ends - u64::try_from(agent::now().as_micros() / 1_000_000).unwrap()) / 86_400;
    assert!((395..=397).contains(&days), "{days}");
}

#[test]
fn both_versions_are_spoken_and_sessions_are_resumed() {
    let hub = Hub::start_with(&OWN);
    let sealed = hub.wire.sealed.clone().unwrap();
    for version in [&TLS12, &TLS13] {
        let config = Sealed::config_of(&fs::read(hub.trusted()).unwrap(), &[version]);
        let kinds: Vec<_> = (0..2)
            .map(|_| {
                let mut line = Sealed::open_as(&config, sealed.address).unwrap();
                assert_eq!(sealed::get(&mut line, "/health").status, 200);
                line.conn.handshake_kind().unwrap()
            })
            .collect();
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed], "{version:?}");
    }
}

/// As from another machine: with TLS the hub may listen anywhere, and hands out keys.
#[test]
fn agents_enrol_and_push_over_it() {
    let mut hub = Hub::prepare(&OWN);
    hub.restart_as(hub.serve_command_at("0.0.0.0:0"));
    let (body, _) = agent::enrolment(&hub.join_token(), |_| {});
    hub.wire.post_bytes("/api/v1/agents", &body).expect(201);
    let agent = hub.register("A");
    agent.post("/api/v1/metrics", &agent.sample(agent::now(), 1.0)).expect(200);
    hub.operator("viewer").get("/api/v1/metrics/A/latest").expect(200);
}

#[test]
fn a_request_that_waits_is_held_and_woken_over_it() {
    let hub = Hub::start_with(&OWN);
    let (agent, operator, scrape) = (hub.register("A"), hub.operator("operator"), hub.operator("scrape"));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| agent.pending("&wait=60"));
        eventually("it is held", || {
            scrape.get("/metrics").text().contains("\npingup_connections_held 1\n").then_some(())
        });
        operator.post("/api/v1/commands", &json!({"agentId": "A", "action": "ping"})).expect(201);
        assert_eq!(waiting.join().unwrap()["commands"][0]["action"], "ping");
    });
}

#[test]
fn a_backup_has_its_keys_and_check_looks_at_them() {
    let mut hub = Hub::start_with(&OWN);
    let pin = hub.wire.sealed.as_ref().unwrap().shown();
    let backup = hub.beside().join("backup");
    assert!(hub.run(&["backup", backup.to_str().unwrap()]).status.success());
    hub.stop();
    let output = hub.run(&["check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.contains(&format!("tls: the hub's own certificate, {pin}")),
        "{text}"
    );
    fs::rename(hub.folder(), hub.beside().join("lost")).unwrap();
    assert!(hub.run(&["restore", backup.to_str().unwrap()]).status.success());
    for name in ["ca.key", "hub.key"] {
        let mode = fs::metadata(hub.folder().join("tls").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    hub.restart();
    assert_eq!(hub.wire.sealed.as_ref().unwrap().shown(), pin);
    hub.stop();
    fs::remove_file(hub.folder().join("tls/hub.key")).unwrap();
    let output = hub.run(&["check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && text.contains("trouble  tls: "), "{text}");
    let refused = hub.try_start(hub.serve_command()).unwrap_err();
    assert!(refused.contains("hub.key") && refused.contains("put it back"), "{refused}");
}

/// curl takes the same pin; where there is no curl, that is all that is not seen here.
#[test]
fn curl_goes_by_the_pin_or_the_file() {
    if Command::new("curl").arg("--version").output().is_err() {
        return eprintln!("there is no curl here");
    }
    let hub = Hub::start_with(&OWN);
    let pin = hub.wire.sealed.as_ref().unwrap().shown().to_string();
    let url = format!("https://localhost:{}/health", hub.wire.address.port());
    let ca_file = hub.trusted().to_str().unwrap().to_owned();
    let curl = |arguments: &[&str]| {
        let fixed = ["-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code} %{http_version}"];
        let output = Command::new("curl").args(fixed).args(arguments).arg(&url).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    for version in ["--http1.1", "--http2"] {
        let told = format!("200 {}", version.trim_start_matches("--http"));
        assert_eq!(curl(&[version, "--insecure", "--pinnedpubkey", &pin]), (Some(0), told.clone()));
        assert_eq!(curl(&[version, "--cacert", &ca_file]), (Some(0), told));
    }
    let wrong = Pin::of(b"another key").to_string();
    assert_eq!(curl(&["--insecure", "--pinnedpubkey", &wrong]).0, Some(90), "no match of the pinned key");
    assert_eq!(curl(&[]).0, Some(60), "nobody else trusts it");
}
