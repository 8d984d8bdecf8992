//! What hubs of the tests show in TLS: keys and certificates, made anew in each test.

use pingup_protocol::pin::Pin;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PublicKeyData,
};
use rustls::{
    ServerConfig, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::{CertifiedKey, SingleCertAndKey},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a hub shows, and the key that it has.
#[derive(Clone)]
pub(crate) struct Shows {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
    pub(crate) pin: String,
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
}

impl Shows {
    /// A new key, and a certificate for 127.0.0.1 that it signed itself; changed first.
    pub(crate) fn by_itself(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (key, params) = (KeyPair::generate().unwrap(), params(change));
        let certificate = params.self_signed(&key).unwrap();
        Self::new(certificate.der().clone(), &key)
    }

    fn new(certificate: CertificateDer<'static>, key: &KeyPair) -> Self {
        let pin = Pin::of(&key.subject_public_key_info()).to_string();
        Self { chain: vec![certificate], key: key.serialize_der(), pin, versions: rustls::ALL_VERSIONS }
    }

    /// This certificate, which is there for all to see, with the key of `thief`.
    pub(crate) fn copied_by(&self, thief: &Self) -> Self {
        Self { key: thief.key.clone(), ..self.clone() }
    }

    /// The same, with no version of TLS but these.
    pub(crate) fn speaking(self, versions: &'static [&'static SupportedProtocolVersion]) -> Self {
        Self { versions, ..self }
    }

    /// That a server shows this. Nobody asks whether the key fits.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::try_from(self.key.clone()).unwrap();
        let key = ring::sign::any_supported_type(&key).unwrap();
        let shown = SingleCertAndKey::from(CertifiedKey::new(self.chain.clone(), key));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shown));
        Arc::new(config)
    }
}

/// One who certifies hubs.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let params = params(|params| {
            params.distinguished_name.push(DnType::CommonName, "an authority of the tests");
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            params.subject_alt_names.clear();
        });
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its certificate, in a file `name` of this folder.
    pub(crate) fn file(&self, folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, self.0.pem()).unwrap();
        path
    }

    /// A new key, and its certificate for 127.0.0.1; changed first.
    pub(crate) fn certify(&self, change: impl FnOnce(&mut CertificateParams)) -> Shows {
        let (key, params) = (KeyPair::generate().unwrap(), params(change));
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Shows::new(certificate.der().clone(), &key)
    }
}

fn params(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    change(&mut params);
    params
}
