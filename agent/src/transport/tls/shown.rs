//! What a hub shows in a handshake that ended well, for whoever asks.

use super::{TlsStream, explain::moment};
use pingup_protocol::{pin::Pin, time::Timestamp};
use rustls::{
    CertificateError, Error, ProtocolVersion, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor, pki_types::UnixTime, server::ParsedCertificate,
};
use std::time::Duration;

/// Later than any certificate may end: these end with the year 9999.
const AFTER_ALL_SECONDS: u64 = 253_402_300_800;

/// What a hub showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The version of TLS that is spoken with it.
    pub version: &'static str,
    /// Its key.
    pub pin: Pin,
    /// When its certificate begins and ends to be valid.
    pub validity: Option<(Timestamp, Timestamp)>,
}

impl Shown {
    /// What was shown over `stream`.
    pub(in crate::transport) fn of(stream: &TlsStream) -> Option<Self> {
        let (_, session) = stream.get_ref();
        let certificate = ParsedCertificate::try_from(session.peer_certificates()?.first()?).ok()?;
        let version = match session.protocol_version()? {
            ProtocolVersion::TLSv1_3 => "TLS 1.3",
            ProtocolVersion::TLSv1_2 => "TLS 1.2",
            _ => "TLS",
        };
        Some(Self {
            version,
            pin: Pin::of(&certificate.subject_public_key_info()),
            validity: validity(&certificate),
        })
    }
}

/// The library tells when a certificate begins and ends only where it refuses it for that: so it is asked of moments
/// that lie before and after all. It looks at the time before it looks for who signed.
fn validity(certificate: &ParsedCertificate<'_>) -> Option<(Timestamp, Timestamp)> {
    let refusal = |seconds| {
        let (nobody, now) =
            (RootCertStore::empty(), UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
        verify_server_cert_signed_by_trust_anchor(certificate, &nobody, &[], now, &[]).err()
    };
    match (refusal(0), refusal(AFTER_ALL_SECONDS)) {
        (
            Some(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })),
            Some(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })),
        ) => Some((moment(not_before), moment(not_after))),
        _ => None,
    }
}
