//! Why a handshake ended, in words that say what to do about it. What the other side says of itself comes from anybody,
//! and is made fit for one line.

use super::verify::Distrust;
use crate::transport::for_log;
use pingup_protocol::time::Timestamp;
use rustls::{CertificateError, Error, OtherError, pki_types::UnixTime};
use std::io;

/// Names of a certificate that are told.
const NAMES_MAX: usize = 4;

/// Why there is no connection.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::transport) enum Broken {
    /// The other side did not prove that it is the hub.
    Distrusted(String),
    /// It did not come to that.
    Failed(String),
}

/// What `error`, which ended a handshake, says, where the word of these `authorities` counts.
pub(super) fn explain(error: &io::Error, authorities: &str) -> Broken {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(error)) => Broken::Distrusted(certificate(error, authorities)),
        Some(Error::NoCertificatesPresented) => Broken::Distrusted("it showed no certificate".to_owned()),
        Some(Error::InvalidMessage(_)) => {
            Broken::Failed("what answers does not speak TLS: a hub without it is at http://".to_owned())
        }
        Some(Error::AlertReceived(alert)) => Broken::Failed(format!("it ended the TLS handshake: {alert:?}")),
        Some(error) => Broken::Failed(for_log(&format!("no TLS with it: {error}"))),
        None if error.kind() == io::ErrorKind::UnexpectedEof => Broken::Failed(
            "it closed the connection in the TLS handshake; does it speak TLS there?".to_owned(),
        ),
        None => Broken::Failed(format!("in the TLS handshake: {error}")),
    }
}

fn certificate(error: &CertificateError, authorities: &str) -> String {
    let told = match error {
        CertificateError::Other(OtherError(inner)) => match inner.downcast_ref::<Distrust>() {
            Some(distrust @ Distrust::OtherKey(_)) => format!(
                "{distrust}; nothing was sent. If the hub's key was changed, pin the new one (--hub-pin); if not, this is \
                 somebody else"
            ),
            Some(distrust) => distrust.to_string(),
            // What a program makes that was only asked for a certificate, e.g. `openssl req -x509`.
            None if inner.to_string() == "CaUsedAsEndEntity" => {
                "its certificate is that of an authority (CA:TRUE), which may not be a hub's as well: make one that is not, or \
                 pin its key"
                    .to_owned()
            }
            None => format!("its certificate cannot be used: {inner}"),
        },
        CertificateError::ExpiredContext { time, not_after } => format!(
            "its certificate ended at {}, and this machine's clock says {}: renew it, or set the clock",
            moment(*not_after),
            moment(*time)
        ),
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "its certificate is not valid before {}, and this machine's clock says {}: the clock is probably behind, set it",
            moment(*not_before),
            moment(*time)
        ),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let (expected, names) = (expected.to_str(), names(presented));
            format!(
                "its certificate is not for {expected} but for {names}: use a name that it has in the hub's address"
            )
        }
        CertificateError::UnknownIssuer => {
            format!("its certificate is of none of the authorities of {authorities}")
        }
        CertificateError::BadSignature => {
            "its signature is wrong: it has not the key of the certificate that it showed".to_owned()
        }
        error => format!("its certificate cannot be used: {error}"),
    };
    for_log(&told)
}

fn names(presented: &[String]) -> String {
    match presented {
        [] => "no name".to_owned(),
        names if names.len() > NAMES_MAX => format!("{} and others", names[..NAMES_MAX].join(", ")),
        names => names.join(", "),
    }
}

/// A moment of TLS, as a text for people.
pub(super) fn moment(time: UnixTime) -> Timestamp {
    Timestamp::from_micros(0).plus_seconds(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}
