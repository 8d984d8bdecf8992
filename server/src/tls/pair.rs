//! A certificate with its key: read from two files, and looked at before it is shown to anybody.

use super::validity::validity;
use crate::storage::StorageError;
use pingup_protocol::{pin::Pin, time::Timestamp};
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use webpki::EndEntityCert;
use zeroize::Zeroizing;

/// What is read of a file: far more than any chain has.
const PEM_BYTES_MAX: u64 = 256 * 1024;

/// Tells one reading of a source from another.
pub(super) type Digest = [u8; 32];

/// Tells one failure from another.
pub(super) fn digest(text: &str) -> Digest {
    Sha256::digest(text).into()
}

/// What is known of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Of its public key.
    pub pin: Pin,
    /// From when it is good.
    pub begins: Timestamp,
    /// Until when.
    pub ends: Timestamp,
    /// Tells it from others of the same key.
    pub(super) digest: Digest,
}

/// A certificate and its key that belong together.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) identity: Identity,
}

/// Why a pair cannot be used; one line that names the file.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// A file that cannot be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// What was to be done.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A key of the hub's own that cannot be opened, or made.
    #[error(transparent)]
    Kept(#[from] StorageError),
    /// Each is right, and they are not of one another.
    #[error("the key in {} is not that of the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's.
        certificate: PathBuf,
    },
}

impl PairError {
    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { what, path: path.to_owned(), source }
    }

    pub(super) fn unusable(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unusable { path: path.to_owned(), reason: reason.into() }
    }
}

/// Reads the pair, and tells this reading from others, also one that failed.
pub(super) fn read(
    certificate: &Path,
    key: &Path,
    now: Timestamp,
    provider: &CryptoProvider,
) -> (Digest, Result<Pair, PairError>) {
    let mut digest = Sha256::new();
    let read = contents(certificate).and_then(|chain| Ok((chain, own_contents(key)?))).and_then(
        |(chain, secret)| {
            digest.update(&*chain);
            digest.update(&*secret);
            let pair = pair(certificate, &chain, key, &secret, provider)?;
            in_time(pair, certificate, now)
        },
    );
    if let Err(error) = &read {
        digest.update(error.to_string());
    }
    (digest.finalize().into(), read)
}

/// All of a file, which nobody finds in memory later.
pub(super) fn contents(path: &Path) -> Result<Zeroizing<Vec<u8>>, PairError> {
    let cannot = |error| PairError::file("read", path)(error);
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path).map_err(cannot)?.take(PEM_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > PEM_BYTES_MAX {
        return Err(PairError::unusable(path, format!("longer than {PEM_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// All of a key's file, which nobody but its owner may be able to change. That others read it is the operator's affair:
/// there are groups for that.
fn own_contents(path: &Path) -> Result<Zeroizing<Vec<u8>>, PairError> {
    let mode = path.metadata().map_err(PairError::file("read", path))?.permissions().mode() & 0o777;
    match mode & 0o022 {
        0 => contents(path),
        _ => Err(PairError::unusable(
            path,
            format!(
                "others can change it (mode {mode:04o}); run `chmod go-w {0}`, and think about who may have read it",
                path.display()
            ),
        )),
    }
}

/// The pair of what two files hold.
pub(super) fn pair(
    certificate: &Path,
    chain: &[u8],
    key: &Path,
    secret: &[u8],
    provider: &CryptoProvider,
) -> Result<Pair, PairError> {
    let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>().map_err(|error| {
        PairError::unusable(certificate, format!("a chain of certificates in PEM expected: {error}"))
    })?;
    let Some(first) = chain.first() else {
        return Err(PairError::unusable(certificate, "no certificate in it; a chain in PEM expected"));
    };
    let identity = identity(first)
        .ok_or_else(|| PairError::unusable(certificate, "its first certificate cannot be read"))?;
    let secret = PrivateKeyDer::from_pem_slice(secret).map_err(|_| {
        // Not what was found: it may be half a key.
        PairError::unusable(key, "no key in it that can be read; one in PEM, without a passphrase, expected")
    })?;
    let key = CertifiedKey::from_der(chain, secret, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            PairError::Mismatch { key: key.to_owned(), certificate: certificate.to_owned() }
        }
        error => PairError::unusable(key, format!("its key cannot be used: {error}")),
    })?;
    Ok(Pair { key: Arc::new(key), identity })
}

/// The pin of the first certificate of a chain.
pub(super) fn public_key(chain: &[u8]) -> Option<Pin> {
    identity(&CertificateDer::from_pem_slice(chain).ok()?).map(|identity| identity.pin)
}

fn identity(certificate: &CertificateDer<'_>) -> Option<Identity> {
    let (begins, ends) = validity(certificate)?;
    let read = EndEntityCert::try_from(certificate).ok()?;
    let pin = Pin::of(&read.subject_public_key_info());
    Some(Identity { pin, begins, ends, digest: Sha256::digest(certificate).into() })
}

/// Refuses one that nobody would take now.
fn in_time(pair: Pair, certificate: &Path, now: Timestamp) -> Result<Pair, PairError> {
    let Identity { begins, ends, .. } = pair.identity;
    let reason = match () {
        () if ends <= now => format!("the certificate ended {ends}; renew it"),
        () if begins > now => {
            format!("the certificate is good only from {begins}; is this machine's clock right?")
        }
        () => return Ok(pair),
    };
    Err(PairError::unusable(certificate, reason))
}
