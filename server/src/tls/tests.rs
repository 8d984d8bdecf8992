//! Certificates, taken up and kept.

mod resumed;

use super::*;
use crate::storage::TlsKeys;
use pingup_protocol::pin::Pin;
use rcgen::{CertificateParams, KeyPair, PublicKeyData, date_time_ymd};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};
use tempfile::TempDir;

/// A certificate of one's own and its key, in files.
struct Files {
    place: TempDir,
}

impl Files {
    fn new() -> Self {
        Self { place: tempfile::tempdir().unwrap() }
    }

    fn source(&self) -> Source {
        Source::Files { certificate: self.path("hub.pem"), key: self.path("hub.key") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Puts a certificate there that is good in these years; its pin.
    fn put(&self, years: (i32, i32)) -> Pin {
        let key = KeyPair::generate().unwrap();
        self.put_certificate(&key, years);
        fs::write(self.path("hub.key"), key.serialize_pem()).unwrap();
        // Whatever mask the tests run under.
        fs::set_permissions(self.path("hub.key"), Permissions::from_mode(0o600)).unwrap();
        Pin::of(&key.subject_public_key_info())
    }

    fn put_certificate(&self, key: &KeyPair, years: (i32, i32)) {
        let mut params = CertificateParams::new(["hub.example".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        fs::write(self.path("hub.pem"), params.self_signed(key).unwrap().pem()).unwrap();
    }

    fn open(&self) -> Result<Tls, TlsError> {
        Tls::open(self.source(), now())
    }

    fn refusal(&self) -> String {
        let line = self.open().unwrap_err().to_string();
        assert!(!line.contains('\n'), "{line}");
        line
    }
}

fn now() -> Clock {
    Clock::fixed(Timestamp::parse("2026-06-01T00:00:00Z").unwrap())
}

fn own(folder: &Path, clock: Clock) -> Result<Tls, TlsError> {
    let (names, keys) = (vec!["hub.example".to_owned()], TlsKeys::default());
    Tls::open(Source::Own { folder: folder.to_owned(), names, keys }, clock)
}

fn looked(folder: &Path) -> Result<Option<Inspected>, PairError> {
    inspect(folder, &TlsKeys::default())
}

#[test]
fn a_pair_that_has_changed_is_taken_up_and_a_broken_one_is_not() {
    let files = Files::new();
    let first = files.put((2026, 2027));
    let tls = files.open().unwrap();
    assert_eq!(tls.identity().pin, first);
    assert!(!tls.look(), "nothing has changed");
    let good = fs::read(files.path("hub.pem")).unwrap();
    for broken in
        [&b""[..], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &good[..good.len() / 2]]
    {
        fs::write(files.path("hub.pem"), broken).unwrap();
        assert!(!tls.look() && !tls.look() && !tls.look_again());
        assert!(tls.verdict().unwrap().unwrap().contains("cannot be used"));
        assert_eq!(tls.identity().pin, first);
    }
    fs::remove_file(files.path("hub.pem")).unwrap();
    assert!(!tls.look());
    // Half of a new pair: the certificate is there before its key.
    let key = KeyPair::generate().unwrap();
    files.put_certificate(&key, (2026, 2027));
    assert!(!tls.look());
    assert_eq!(tls.identity().pin, first);
    fs::write(files.path("hub.key"), key.serialize_pem()).unwrap();
    assert!(tls.look());
    assert_eq!(tls.identity().pin, Pin::of(&key.subject_public_key_info()));
    assert_eq!(tls.verdict(), Ok(None));
    // Renewed with the same key.
    files.put_certificate(&key, (2026, 2028));
    assert!(tls.look());
    assert_eq!(tls.identity().ends, Timestamp::parse("2028-01-01T00:00:00Z").unwrap());
}

#[test]
fn what_cannot_be_used_is_refused_by_name_at_the_start() {
    let files = Files::new();
    assert!(files.refusal().starts_with("cannot read "), "{}", files.refusal());
    files.put((2026, 2027));
    let good = fs::read(files.path("hub.pem")).unwrap();
    for (file, content, told) in [
        ("hub.pem", Vec::new(), "hub.pem: no certificate in it"),
        ("hub.pem", b"not PEM".to_vec(), "hub.pem: no certificate in it"),
        ("hub.key", Vec::new(), "hub.key: no key in it"),
        ("hub.key", good, "hub.key: no key in it"),
        (
            "hub.key",
            KeyPair::generate().unwrap().serialize_pem().into_bytes(),
            "is not that of the certificate in",
        ),
        ("hub.key", vec![b'x'; 300_000], "hub.key: longer than 262144 bytes"),
    ] {
        let before = fs::read(files.path(file)).unwrap();
        fs::write(files.path(file), content).unwrap();
        assert!(files.refusal().contains(told), "{told}: {}", files.refusal());
        fs::write(files.path(file), before).unwrap();
    }
    files.put((2020, 2026));
    assert!(files.refusal().contains("ended 2026-01-01"), "{}", files.refusal());
    files.put((2027, 2028));
    assert!(files.refusal().contains("good only from 2027-01-01"), "{}", files.refusal());
}

#[test]
fn a_key_that_others_can_change_is_not_used() {
    let files = Files::new();
    let pin = files.put((2026, 2027));
    let set = |mode| fs::set_permissions(files.path("hub.key"), Permissions::from_mode(mode)).unwrap();
    for mode in [0o666, 0o602, 0o660] {
        set(mode);
        assert!(files.refusal().contains("hub.key: others can change it"), "{mode:o}: {}", files.refusal());
    }
    set(0o640);
    let tls = files.open().unwrap();
    // While the hub runs it stays what it was.
    set(0o666);
    assert!(!tls.look());
    assert!(tls.verdict().unwrap().is_some());
    assert_eq!(tls.identity().pin, pin);
}

#[test]
fn health_says_when_the_end_is_near() {
    let files = Files::new();
    files.put((2026, 2027));
    let clock = now();
    let tls = Tls::open(files.source(), clock.clone()).unwrap();
    assert_eq!(tls.verdict(), Ok(None));
    clock.advance(205 * DAY_SECONDS);
    assert!(tls.verdict().unwrap().unwrap().contains("2027-01-01"));
    clock.advance(10 * DAY_SECONDS);
    assert!(tls.verdict().unwrap_err().contains("ended 2027-01-01"));
    assert!(!tls.look(), "it stays for those who know it by its pin");
}

#[test]
fn the_hubs_own_is_renewed_with_the_same_key() {
    let place = tempfile::tempdir().unwrap();
    let (folder, clock) = (place.path().join("tls"), now());
    let tls = own(&folder, clock.clone()).unwrap();
    let (first, ca) = (tls.identity(), fs::read(tls.ca_file().unwrap()).unwrap());
    assert!(!tls.look(), "it is good for long");
    clock.advance(300 * DAY_SECONDS);
    assert!(!tls.look());
    clock.advance(8 * DAY_SECONDS);
    assert!(tls.look() && !tls.look());
    assert!(tls.identity().ends > first.ends);
    // Somebody set the clock right that was years ahead.
    clock.advance(-2_000 * DAY_SECONDS);
    assert!(tls.look() && !tls.look());
    let again = own(&folder, now()).unwrap();
    assert_eq!((tls.identity().pin, again.identity().pin), (first.pin, first.pin));
    assert_eq!(fs::read(again.ca_file().unwrap()).unwrap(), ca);
    assert!(matches!(looked(&folder), Ok(Some(Inspected::Opened(pin))) if pin == first.pin));
}

#[test]
fn the_hubs_own_keys_are_its_owners_alone_and_not_made_twice() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("tls");
    assert!(looked(&folder).unwrap().is_none());
    own(&folder, now()).unwrap();
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["ca.key", "ca.pem", "hub.key", "hub.pem"]);
    for name in ["ca.key", "hub.key"] {
        let path = folder.join(name);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        let key = fs::read(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(own(&folder, now()).unwrap_err().to_string().contains("mode 0640"));
        fs::remove_file(&path).unwrap();
        for told in [own(&folder, now()).unwrap_err().to_string(), looked(&folder).unwrap_err().to_string()] {
            assert!(told.contains(name) && told.contains("put it back"), "{told}");
        }
        assert!(!path.exists());
        fs::write(&path, &key).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        own(&folder, now()).unwrap();
    }
    // Another's key.
    fs::write(folder.join("ca.key"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(looked(&folder).unwrap_err().to_string().contains("is not that of"));
}

#[test]
fn a_first_start_that_was_cut_off_is_finished_by_the_next() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("tls");
    let first = own(&folder, now()).unwrap().identity().pin;
    for missing in [&["hub.pem", "ca.pem"][..], &["ca.pem", "ca.key"]] {
        missing.iter().for_each(|name| fs::remove_file(folder.join(name)).unwrap());
        fs::write(folder.join("ca.new"), "half of something").unwrap();
        assert_eq!(own(&folder, now()).unwrap().identity().pin, first);
    }
}
