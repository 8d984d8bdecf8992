//! Where the certificate comes from, and how it is read from there.

use super::{
    own,
    pair::{self, Pair, PairError},
};
use crate::storage::TlsKeys;
use pingup_protocol::time::Timestamp;
use rustls::crypto::CryptoProvider;
use std::path::PathBuf;

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The operator's files, PEM: the chain, the hub's certificate first, and its key.
    Files {
        /// The chain.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The hub's own, in this folder, for these names and addresses.
    Own {
        /// The folder, which is made.
        folder: PathBuf,
        /// Names and addresses.
        names: Vec<String>,
        /// How its keys are read.
        keys: TlsKeys,
    },
}

impl Source {
    /// What is there now, and what tells this reading from others, also one that failed.
    pub(super) fn read(
        &self,
        now: Timestamp,
        provider: &CryptoProvider,
    ) -> (pair::Digest, Result<Pair, PairError>) {
        match self {
            Self::Files { certificate, key } => pair::read(certificate, key, now, provider),
            Self::Own { folder, names, keys } => {
                let issued = own::issue(folder, (names.as_slice(), keys), now, provider);
                let digest = match &issued {
                    Ok(pair) => pair.identity.digest,
                    Err(error) => pair::digest(&error.to_string()),
                };
                (digest, issued)
            }
        }
    }
}
