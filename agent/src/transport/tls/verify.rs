//! Whether what answers is the hub: asked once in each full handshake, before anything is said to it.
//!
//! With pins, the key in its certificate must be one of them. Of nothing else in that certificate is asked then, neither
//! name nor time nor who signed it: the key is who the hub is, and the handshake's signature shows that the other side has
//! it. With authorities, one of them must have certified it, for this name and this moment. With both, both.

use super::authorities::{AuthoritiesError, Source};
use pingup_protocol::pin::Pin;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use std::sync::Arc;

/// Why a hub is not trusted that the library has no word for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Distrust {
    /// Its key is none of the pinned ones.
    #[error("its key is {0}, which is not pinned here")]
    OtherKey(Pin),
    /// There is nobody whose word would count.
    #[error("nobody can vouch for it: {0}")]
    Authorities(AuthoritiesError),
}

impl From<Distrust> for Error {
    fn from(distrust: Distrust) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(distrust))))
    }
}

/// The rule that was set.
#[derive(Debug)]
pub(super) struct Verifier {
    pins: Vec<Pin>,
    /// Nothing where pins are all that counts.
    authorities: Option<Source>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// Asks for one of `pins`, where there are any, and for the word of `authorities`, where they count.
    pub(super) fn new(
        pins: &[Pin],
        authorities: Option<Source>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        Self { pins: pins.to_vec(), authorities, algorithms }
    }
}

/// Two authorities may have one name, as those have that programs make for themselves. Who was certified by the other one
/// is as unknown as anybody; a signature that is wrong is one of the handshake.
fn of_another_authority(error: Error) -> Error {
    match error {
        Error::InvalidCertificate(CertificateError::BadSignature) => CertificateError::UnknownIssuer.into(),
        error => error,
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if !self.pins.is_empty() {
            let seen = Pin::of(&certificate.subject_public_key_info());
            if !self.pins.contains(&seen) {
                return Err(Distrust::OtherKey(seen).into());
            }
        }
        if let Some(source) = &self.authorities {
            let roots = source.read().map_err(Distrust::Authorities)?;
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, &roots, intermediates, now, algorithms)
                .map_err(of_another_authority)?;
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
