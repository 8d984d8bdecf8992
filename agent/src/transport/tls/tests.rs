//! Who is the hub and who is not, at moments of the tests' own; and what is said of it.

use super::{
    authorities::Source,
    explain::{Broken, explain},
    verify::Verifier,
};
use pingup_protocol::pin::Pin;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PublicKeyData, date_time_ymd};
use rustls::{
    CertificateError, Error,
    client::danger::ServerCertVerifier,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{io, time::Duration};

/// 2020-01-01 and 2030-01-01, in seconds.
const BEGIN: u64 = 1_577_836_800;
const END: u64 = 1_893_456_000;

/// A certificate of hub.example for the time between, which it signed itself; its pin; and its text.
fn certificate() -> (CertificateDer<'static>, Pin, String) {
    certificate_with(|_| {})
}

/// The same, changed first.
fn certificate_with(change: impl FnOnce(&mut CertificateParams)) -> (CertificateDer<'static>, Pin, String) {
    let (key, mut params) =
        (KeyPair::generate().unwrap(), CertificateParams::new(["hub.example".into()]).unwrap());
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2030, 1, 1));
    change(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    (certificate.der().clone(), Pin::of(&key.subject_public_key_info()), certificate.pem())
}

fn verify(
    pins: &[Pin],
    authorities: Option<Source>,
    shown: &CertificateDer<'_>,
    name: &str,
    seconds: u64,
) -> Result<(), Broken> {
    let algorithms = ring::default_provider().signature_verification_algorithms;
    let (name, now) =
        (ServerName::try_from(name).unwrap(), UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
    let verified =
        Verifier::new(pins, authorities, algorithms).verify_server_cert(shown, &[], &name, &[], now);
    verified.map(drop).map_err(explained)
}

fn explained(error: Error) -> Broken {
    explain(&io::Error::new(io::ErrorKind::InvalidData, error), "FILE")
}

#[test]
fn of_a_pinned_key_neither_name_nor_time_is_asked() {
    let (shown, pin, _) = certificate();
    let other = Pin::of(b"another key");
    for seconds in [0, BEGIN, END + 1, u64::from(u32::MAX)] {
        assert_eq!(verify(&[other, pin], None, &shown, "192.0.2.1", seconds), Ok(()));
    }
    let Err(Broken::Distrusted(why)) = verify(&[other], None, &shown, "hub.example", BEGIN) else { panic!() };
    assert!(why.contains(&pin.to_string()) && why.len() < 300, "{why}");
}

#[test]
fn of_authorities_name_and_time_are() {
    let home = tempfile::tempdir().unwrap();
    let (shown, pin, text) = certificate();
    let path = home.path().join("ca.pem");
    std::fs::write(&path, &text).unwrap();
    let file = || Some(Source::File(path.clone()));
    let trusted = |name, seconds| verify(&[], file(), &shown, name, seconds);
    for seconds in [BEGIN, END] {
        assert_eq!(trusted("hub.example", seconds), Ok(()));
        assert_eq!(verify(&[pin], file(), &shown, "hub.example", seconds), Ok(()));
    }
    let why = |result| match result {
        Err(Broken::Distrusted(why)) => why,
        other => panic!("{other:?}"),
    };
    let early = why(trusted("hub.example", BEGIN - 1));
    assert!(
        early.contains("not valid before 2020-01-01T00:00:00Z")
            && early.contains("says 2019-12-31T23:59:59Z")
    );
    assert!(why(trusted("hub.example", END + 1)).contains("ended at 2030-01-01T00:00:00Z"));
    assert!(why(trusted("other.example", BEGIN)).contains("not for other.example but for"));
    assert!(
        why(verify(&[Pin::of(b"x")], file(), &shown, "hub.example", BEGIN)).contains("not pinned"),
        "both must hold"
    );
    assert!(
        why(verify(&[pin], file(), &shown, "hub.example", END + 1)).contains("ended at"),
        "both must hold"
    );
    let another = certificate().0;
    assert!(why(verify(&[], file(), &another, "hub.example", BEGIN)).contains("authorities of FILE"));
    std::fs::remove_file(&path).unwrap();
    assert!(why(trusted("hub.example", BEGIN)).contains("nobody can vouch for it"), "it is read each time");
}

/// A certificate for a hub that was made in one line is often that of an authority.
#[test]
fn an_authority_is_no_hub_and_has_a_key_like_any_other() {
    let home = tempfile::tempdir().unwrap();
    let (shown, pin, text) =
        certificate_with(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let path = home.path().join("ca.pem");
    std::fs::write(&path, text).unwrap();
    assert_eq!(verify(&[pin], None, &shown, "hub.example", BEGIN), Ok(()));
    let Err(Broken::Distrusted(why)) = verify(&[], Some(Source::File(path)), &shown, "hub.example", BEGIN)
    else {
        panic!()
    };
    assert!(why.contains("CA:TRUE") && why.contains("pin its key"), "{why}");
}

#[test]
fn what_is_no_certificate_is_not_trusted() {
    for shown in [&b""[..], b"\x30\x00", &[0x30; 4_096]] {
        let shown = CertificateDer::from(shown);
        assert!(matches!(verify(&[Pin::of(b"")], None, &shown, "h", BEGIN), Err(Broken::Distrusted(_))));
    }
}

/// Anybody may answer at the hub's address, and show what he pleases.
#[test]
fn what_the_other_side_shows_stays_on_one_line() {
    let presented: Vec<String> = (0..1_000).map(|_| "x\r\n\u{1b}[31m".repeat(100)).collect();
    let expected = ServerName::try_from("hub.example").unwrap();
    let error = CertificateError::NotValidForNameContext { expected, presented };
    let Broken::Distrusted(why) = explained(error.into()) else { panic!() };
    assert!(!why.contains(['\r', '\n', '\u{1b}']) && why.chars().count() <= 300, "{why}");
    let Broken::Failed(why) = explained(Error::General("x\n".repeat(1_000))) else { panic!() };
    assert!(!why.contains('\n') && why.chars().count() <= 300, "{why}");
}

#[test]
fn what_is_no_handshake_is_told_from_one_that_failed() {
    let failed = |error: io::Error| match explain(&error, "") {
        Broken::Failed(why) => why,
        Broken::Distrusted(why) => panic!("{why}"),
    };
    assert!(failed(io::ErrorKind::UnexpectedEof.into()).contains("does it speak TLS"));
    assert!(failed(io::ErrorKind::ConnectionReset.into()).contains("in the TLS handshake"));
}
