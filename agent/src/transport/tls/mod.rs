//! TLS, as the agent speaks it: rustls with ring, versions 1.3 and 1.2, HTTP/1.1 by ALPN.
//!
//! Who the hub is, [`verify`] asks, by the rule that was set and no other; nothing is sent as early data, so the handshake
//! has ended before a token or a body goes out. Sessions are resumed, which spares both sides most of a handshake: a
//! session is only ever one with a hub that proved who it is to this process.

mod authorities;
mod explain;
mod shown;
mod verify;

pub use authorities::{AuthoritiesError, check as check_authorities};
pub(super) use explain::Broken;
pub use shown::Shown;

use crate::settings::Trust;
use authorities::Source;
use rustls::{
    ClientConfig,
    client::Resumption,
    crypto::ring,
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use verify::Verifier;

/// A connection with TLS around it.
pub(super) type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

/// Tickets that are kept to resume by: a hub hands out two a connection, and each is used once.
const TICKETS_MAX: usize = 8;

/// Why TLS cannot be spoken with any hub.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of authorities is of no use.
    #[error("hub-ca: {0}")]
    Authorities(#[from] AuthoritiesError),
    /// This build has nothing to speak it with.
    #[error("TLS cannot be spoken: {0}")]
    Unable(#[from] rustls::Error),
}

/// How TLS is spoken with one hub.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    /// Whose word counts, in words.
    authorities: String,
}

impl Tls {
    /// TLS with a hub called `name`, known by `trust`.
    pub(super) fn new(name: ServerName<'static>, trust: &Trust) -> Result<Self, TlsError> {
        let source = Source::of(trust);
        if let Some(Source::File(path)) = &source {
            check_authorities(path)?;
        }
        let authorities = source.as_ref().map(Source::to_string).unwrap_or_default();
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier::new(trust.pins(), source, provider.signature_verification_algorithms);
        // The dangerous part is what the verifier does not ask: see there.
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::in_memory_sessions(TICKETS_MAX);
        Ok(Self { config: Arc::new(config), name, authorities })
    }

    /// Has the other side of `stream` prove that it is the hub.
    pub(super) async fn shake(&self, stream: TcpStream) -> Result<TlsStream, Broken> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector
            .connect(self.name.clone(), stream)
            .await
            .map_err(|error| explain::explain(&error, &self.authorities))
    }
}

#[cfg(test)]
mod tests;
