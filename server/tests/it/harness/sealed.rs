//! HTTP over TLS as a test speaks it: real handshakes, a trusted file, and a look at what the hub showed.

use super::{PATIENCE, wire::Answer, wire::Wire};
use pingup_protocol::pin::Pin;
use rustls::{
    ALL_VERSIONS, ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{
    io::{self, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};
use webpki::EndEntityCert;

/// A connection whose handshake is over.
pub type Line = StreamOwned<ClientConnection, TcpStream>;

/// Speaks to one hub, and trusts one file.
#[derive(Clone)]
pub struct Sealed {
    /// Where the hub listens.
    pub address: SocketAddr,
    /// Whom it trusts.
    pub config: Arc<ClientConfig>,
}

impl Sealed {
    /// Trusts the certificates in `pem`; speaks HTTP/1.1.
    pub fn trusting(pem: &[u8], address: SocketAddr) -> Self {
        Self { address, config: Self::config_of(pem, ALL_VERSIONS) }
    }

    /// The same by these versions alone.
    pub fn config_of(pem: &[u8], versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    /// The same, which wants this protocol.
    pub fn speaking(&self, protocol: &[u8]) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config)
    }

    /// A new connection to the hub by its name.
    pub fn open(&self) -> io::Result<Line> {
        Self::open_as(&self.config, self.address)
    }

    /// The same, in a manner of one's own.
    pub fn open_as(config: &Arc<ClientConfig>, address: SocketAddr) -> io::Result<Line> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        while client.is_handshaking() {
            client.complete_io(&mut stream)?;
        }
        Ok(StreamOwned::new(client, stream))
    }

    /// The pin of what the hub shows now.
    pub fn shown(&self) -> Pin {
        let line = self.open().unwrap();
        let shown = &line.conn.peer_certificates().unwrap()[0];
        Pin::of(&EndEntityCert::try_from(shown).unwrap().subject_public_key_info())
    }

    /// One request on a connection of its own.
    pub fn ask_once(
        &self,
        method: &str,
        path: &str,
        headers: impl Iterator<Item = (String, String)>,
        body: Option<&[u8]>,
    ) -> io::Result<Answer> {
        let headers: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.map_or_else(String::new, |body| format!("content-length: {}\r\n", body.len()));
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n{headers}{length}\r\n");
        let mut line = self.open()?;
        line.write_all(&[head.as_bytes(), body.unwrap_or_default()].concat())?;
        Ok(Wire::read_answer(&mut line))
    }
}

/// GETs `path` on a connection that stays.
pub fn get(line: &mut Line, path: &str) -> Answer {
    line.write_all(format!("GET {path} HTTP/1.1\r\nhost: hub\r\n\r\n").as_bytes()).unwrap();
    Wire::read_answer(line)
}
