//! Whose word counts for who the hub is: the certificates of a file, or those that this system trusts.
//!
//! They are read in each full handshake, and not kept: what was taken out of a file counts no more from the next one on,
//! nobody need start an agent anew when a file was renewed, and no agent holds a few hundred certificates for a
//! connection that lasts for weeks.

use crate::settings::Trust;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem, pem::PemObject},
};
use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Bytes of a file that are read: some hundreds of certificates, and three times as many as a system's list has.
const BYTES_MAX: u64 = 1 << 20;

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is larger than any that is read.
    #[error("{0} has more than {BYTES_MAX} bytes: that is no list of authorities")]
    TooLarge(PathBuf),
    /// No certificate is in the file.
    #[error("no certificate is in {0}: PEM is expected, from -----BEGIN CERTIFICATE----- on")]
    Empty(PathBuf),
    /// Something in the file is no certificate.
    #[error("certificate {number} in {path} cannot be read: {what}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        number: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The system trusts nobody, as far as can be seen.
    #[error(
        "no authorities were found on this system{0}; name a file with --hub-ca, or the hub's key with --hub-pin"
    )]
    NoSystem(String),
}

/// Whose word counts.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// Those of this file.
    File(PathBuf),
    /// Those that this system trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
    System,
}

impl Source {
    /// Whose word counts by `trust`; nothing where only a pin does.
    pub(super) fn of(trust: &Trust) -> Option<Self> {
        match (trust.authorities(), trust.pins()) {
            (Some(path), _) => Some(Self::File(path.to_owned())),
            (None, []) => Some(Self::System),
            (None, _) => None,
        }
    }

    /// They themselves.
    pub(super) fn read(&self) -> Result<RootCertStore, AuthoritiesError> {
        match self {
            Self::File(path) => parse(path, &read_bounded(path)?),
            Self::System => of_system(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::System => f.write_str("this system"),
        }
    }
}

/// The text of the file at `path`, if the certificates in it can be used.
pub fn check(path: &Path) -> Result<String, AuthoritiesError> {
    let bytes = read_bounded(path)?;
    parse(path, &bytes)?;
    // PEM is text; what surrounds it may be anything.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, AuthoritiesError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(count) if count as u64 > BYTES_MAX => Err(AuthoritiesError::TooLarge(path.to_owned())),
        Ok(_) => Ok(bytes),
        Err(error) => Err(AuthoritiesError::Io { path: path.to_owned(), error }),
    }
}

/// Every certificate in the file counts: one that cannot be read is a mistake that somebody should hear of.
fn parse(path: &Path, bytes: &[u8]) -> Result<RootCertStore, AuthoritiesError> {
    let mut roots = RootCertStore::empty();
    let malformed =
        |number: usize, what: String| AuthoritiesError::Malformed { path: path.to_owned(), number, what };
    for (index, certificate) in CertificateDer::pem_slice_iter(bytes).enumerate() {
        let certificate = certificate.map_err(|error: pem::Error| malformed(index + 1, error.to_string()))?;
        roots.add(certificate).map_err(|error| malformed(index + 1, error.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(AuthoritiesError::Empty(path.to_owned())),
        false => Ok(roots),
    }
}

/// Systems keep old things: what cannot be read of them is left out.
fn of_system() -> Result<RootCertStore, AuthoritiesError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    match roots.is_empty() {
        true => {
            let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
            Err(AuthoritiesError::NoSystem(why))
        }
        false => Ok(roots),
    }
}
