//! A certificate of the operator's: read again when it changes, refused where it cannot be used.

use crate::harness::{Hub, agent::now, eventually, refused, sealed, sealed::Sealed, signal, wire::Wire};
use pingup_protocol::pin::Pin;
use rcgen::{CertificateParams, KeyPair, PublicKeyData, date_time_ymd};
use serde_json::json;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};
use tempfile::TempDir;

/// A certificate and its key, in files.
pub struct Files(TempDir);

impl Files {
    pub fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.put();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Puts another pair there; its pin.
    pub fn put(&self) -> Pin {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        replace(&self.path("hub.key"), &key.serialize_pem());
        replace(&self.path("hub.pem"), &params.self_signed(&key).unwrap().pem());
        Pin::of(&key.subject_public_key_info())
    }

    fn prepare(&self) -> Hub {
        Hub::prepare(&[
            ("PINGUP_TLS_CERT", &self.text("hub.pem")),
            ("PINGUP_TLS_KEY", &self.text("hub.key")),
            ("PINGUP_LOG", "info"),
        ])
    }

    pub fn start(&self) -> Hub {
        let mut hub = self.prepare();
        hub.restart();
        hub
    }

    /// Trusts what lies there now.
    pub fn sealed(&self, hub: &Hub) -> Sealed {
        Sealed::trusting(&fs::read(self.path("hub.pem")).unwrap(), hub.wire.address)
    }
}

/// As those do who renew certificates: a new file under the old name.
fn replace(path: &Path, text: &str) {
    let draft = path.with_extension("draft");
    fs::write(&draft, text).unwrap();
    // Whatever mask the tests run under.
    fs::set_permissions(&draft, Permissions::from_mode(0o600)).unwrap();
    fs::rename(draft, path).unwrap();
}

fn is_shown(sealed: &Sealed, pin: Pin) -> Option<()> {
    // What it trusts is not what is shown yet.
    sealed.open().is_ok_and(|_| sealed.shown() == pin).then_some(())
}

#[test]
fn a_new_pair_is_taken_up_under_traffic_and_no_connection_is_dropped() {
    let files = Files::new();
    let mut hub = files.start();
    let agent = hub.register("A");
    let mut kept = hub.wire.sealed.clone().unwrap().open().unwrap();
    let before = hub.wire.sealed.clone().unwrap().shown();
    assert_eq!(sealed::get(&mut kept, "/health").status, 200);
    let (is_over, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let traffic = {
        let (is_over, answered) = (Arc::clone(&is_over), Arc::clone(&answered));
        let mut line = hub.wire.sealed.clone().unwrap().open().unwrap();
        thread::spawn(move || {
            while !is_over.load(Ordering::SeqCst) {
                assert_eq!(sealed::get(&mut line, "/api/v1/openapi.json").status, 200);
                answered.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    let pin = files.put();
    let sealed = files.sealed(&hub);
    eventually("the new certificate is shown", || is_shown(&sealed, pin));
    assert_ne!(pin, before);
    let so_far = answered.load(Ordering::SeqCst);
    eventually("the traffic goes on", || (answered.load(Ordering::SeqCst) > so_far).then_some(()));
    is_over.store(true, Ordering::SeqCst);
    traffic.join().unwrap();
    assert_eq!(sealed::get(&mut kept, "/health").status, 200, "who was there stays");
    // The note that `join-token create` goes by is written right after.
    eventually("the new pin is told", || {
        let said = String::from_utf8(hub.run(&["join-token", "create"]).stderr).unwrap();
        said.contains(&pin.to_string()).then_some(())
    });
    hub.wire = Wire::over(sealed);
    let agent = agent.at(&hub.wire);
    agent.post("/api/v1/metrics", &agent.sample(now(), 1.0)).expect(200);
    let log = hub.stop();
    assert!(log.contains("another key"), "{log}");
}

#[test]
fn a_hub_without_files_to_read_again_survives_who_asks_for_it() {
    for tls in [&[][..], &[("PINGUP_TLS_SELF_SIGNED", "true")]] {
        let environment = [&[("PINGUP_LOG", "info")][..], tls].concat();
        let mut hub = Hub::start_with(&environment);
        signal(hub.pid(), "HUP");
        eventually("it says that there are none", || {
            hub.log().contains("SIGHUP: there are no files of a certificate to read again").then_some(())
        });
        hub.wire.get("/health").expect(200);
        // Which asserts that it ends by this word, and not by the one before.
        assert!(hub.stop().contains("stopping"));
    }
}

/// Whoever renews certificates reads in the log what became of it, also where nothing has changed.
#[test]
fn who_asks_for_the_files_to_be_read_again_is_told_what_became_of_it() {
    let files = Files::new();
    let mut hub = files.start();
    let before = hub.wire.sealed.as_ref().unwrap().shown();
    let asked = |what: &str, is_told: &dyn Fn(&str) -> bool| {
        signal(hub.pid(), "HUP");
        eventually(what, || hub.log().lines().any(is_told).then_some(()));
    };
    let taken_up = |line: &str, pin: Pin| line.contains("was taken up") && line.contains(&pin.to_string());
    // Nothing has changed: no look of the hub's own would tell.
    asked("it says that they are as they were", &|line| taken_up(line, before));
    assert!(!hub.log().contains("another key"), "{}", hub.log());
    let pin = files.put();
    asked("it says that they are others", &|line| taken_up(line, pin));
    replace(&files.path("hub.pem"), "half of a certificate");
    asked("it says that they cannot be used", &|line| line.contains("the certificate stays what it was"));
    let log = hub.stop();
    let told = log.lines().position(|line| line.contains("another key") && line.contains(&pin.to_string()));
    assert!(told.is_some(), "{log}");
}

#[test]
fn a_broken_pair_keeps_the_old_one_and_is_told_once() {
    let files = Files::new();
    let mut hub = files.start();
    let before = hub.wire.sealed.as_ref().unwrap().shown();
    let remark = |wire: &Wire| wire.get("/health").expect(200)["checks"]["tls"]["detail"].clone();
    replace(&files.path("hub.pem"), "half of a certificate");
    signal(hub.pid(), "HUP");
    let said = eventually("health says so", || remark(&hub.wire).as_str().map(str::to_owned));
    assert!(said.contains("cannot be used") && !said.contains("hub.pem"), "{said}");
    assert_eq!(hub.wire.sealed.as_ref().unwrap().shown(), before);
    let pin = files.put();
    signal(hub.pid(), "HUP");
    let renewed = files.sealed(&hub);
    eventually("the new certificate is shown", || is_shown(&renewed, pin));
    let wire = Wire::over(renewed);
    eventually("health has nothing to say", || remark(&wire).is_null().then_some(()));
    let log = hub.stop();
    let kept = log.lines().filter(|line| line.contains("the certificate stays what it was")).count();
    // Once for the change and once for who asked; and a look may fall between the two files of a pair.
    assert!((1..=3).contains(&kept), "{log}");
    assert!(!log.contains("BEGIN"), "{log}");
}

#[test]
fn what_cannot_be_used_ends_the_start_with_one_plain_line() {
    let files = Files::new();
    let (good, key) = (fs::read(files.path("hub.pem")).unwrap(), fs::read(files.path("hub.key")).unwrap());
    let mut expired = CertificateParams::new(["localhost".to_owned()]).unwrap();
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let expired =
        expired.self_signed(&KeyPair::from_pem(std::str::from_utf8(&key).unwrap()).unwrap()).unwrap().pem();
    let another = KeyPair::generate().unwrap().serialize_pem();
    for (certificate, secret, told) in [
        (&b""[..], &key[..], "no certificate in it"),
        (&good[..], b"", "no key in it"),
        (&good[..], another.as_bytes(), "is not that of the certificate"),
        (expired.as_bytes(), &key[..], "ended 2021-01-01"),
    ] {
        fs::write(files.path("hub.pem"), certificate).unwrap();
        fs::write(files.path("hub.key"), secret).unwrap();
        let mut hub = files.prepare();
        let said = hub.try_start(hub.serve_command()).unwrap_err();
        let lines: Vec<_> = said.lines().filter(|line| line.starts_with("pingup-server: ")).collect();
        assert!(lines.len() == 1 && lines[0].contains(told) && lines[0].contains("hub."), "{told}: {said}");
    }
    fs::remove_file(files.path("hub.key")).unwrap();
    let mut hub = files.prepare();
    let said = hub.try_start(hub.serve_command()).unwrap_err();
    assert!(said.contains("pingup-server: cannot read ") && said.contains("hub.key"), "{said}");
}

#[test]
fn rsa_keys_will_do_and_the_api_is_the_same() {
    let files = Files::new();
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &files.text("hub.key"), "-out", &files.text("hub.pem")])
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        return eprintln!("there is no openssl here");
    }
    let hub = files.start();
    assert_eq!(hub.wire.get("/health").expect(200)["checks"]["tls"], json!({ "status": "ok" }));
    refused(&hub.wire.get("/api/v1/agents"), 401, "token-missing");
}
