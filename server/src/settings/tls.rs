//! What TLS is spoken with, and where the hub is said to be.

use super::{Layer, SettingsError, resolve::unusable};
use crate::address::Address;
use std::path::PathBuf;

/// Where the hub's certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// The operator's files.
    Files {
        /// The chain, PEM.
        certificate: PathBuf,
        /// Its key, PEM.
        key: PathBuf,
    },
    /// The hub makes its own.
    Own,
}

impl Certificate {
    /// What was said, if TLS is to be spoken. A certificate of both kinds is refused, and half a pair.
    pub(super) fn of(said: &Layer) -> Result<Option<Self>, SettingsError> {
        let is_own = said.tls_self_signed.unwrap_or(false);
        match (&said.tls_cert, &said.tls_key) {
            (None, None) => Ok(is_own.then_some(Self::Own)),
            (Some(_), None) => Err(unusable("tls_key", "the key of --tls-cert expected, found nothing")),
            (None, Some(_)) => {
                Err(unusable("tls_cert", "the certificate of --tls-key expected, found nothing"))
            }
            (Some(_), Some(_)) if is_own => Err(unusable(
                "tls_self_signed",
                "a certificate of --tls-cert or of the hub's own expected, not both",
            )),
            (Some(certificate), Some(key)) => {
                Ok(Some(Self::Files { certificate: certificate.clone(), key: key.clone() }))
            }
        }
    }
}

/// Where the hub is said to be. Of one that speaks TLS that is an https address; of one that does not it may be too, where
/// somebody speaks TLS for it.
pub(super) fn public_url(said: Option<&str>, is_tls: bool) -> Result<Option<Address>, SettingsError> {
    let read = |text: &str| {
        let address = Address::parse(text).map_err(|reason| unusable("public_url", reason))?;
        match is_tls && !address.is_https() {
            true => Err(unusable(
                "public_url",
                "this hub speaks TLS, so an address that begins with https:// expected",
            )),
            false => Ok(address),
        }
    };
    said.map(read).transpose()
}
