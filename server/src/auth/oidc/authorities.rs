//! Who may vouch for the provider's certificate, from a file of the operator's.

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{fmt, path::Path};

/// Certificates of authorities, at least one, each of which can be worked with.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorities(Vec<CertificateDer<'static>>);

/// Why a file has none.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// It cannot be read, or is not PEM.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] rustls::pki_types::pem::Error),
    /// A certificate that is none.
    #[error("holds a certificate that cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// Nothing.
    #[error("holds no certificate")]
    Empty,
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}

impl Authorities {
    /// The certificates in the PEM file at `path`.
    pub fn read(path: &Path) -> Result<Self, AuthoritiesError> {
        let certificates = CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>()?;
        if certificates.is_empty() {
            return Err(AuthoritiesError::Empty);
        }
        let authorities = Self(certificates);
        authorities.roots()?;
        Ok(authorities)
    }

    /// As rustls takes them.
    pub(super) fn roots(&self) -> Result<RootCertStore, rustls::Error> {
        let mut roots = RootCertStore::empty();
        self.0.iter().try_for_each(|certificate| roots.add(certificate.clone()))?;
        Ok(roots)
    }
}

/// Whom the system trusts; those among them that cannot be worked with are left out.
pub(super) fn of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (usable, unusable) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        tracing::warn!(
            unusable,
            "the system names no authority: no provider can be asked over TLS; set ca_file"
        );
    }
    roots
}
