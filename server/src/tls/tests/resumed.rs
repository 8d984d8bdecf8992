//! Sessions that are resumed, and those that are not: handshakes in memory.

use super::*;
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, HandshakeKind, RootCertStore, ServerConnection,
    SupportedProtocolVersion,
    pki_types::{CertificateDer, pem::PemObject},
    version::{TLS12, TLS13},
};

/// Gives all that one side has for the other to it; whether there was anything.
fn hand_over<A, B>(from: &mut ConnectionCommon<A>, to: &mut ConnectionCommon<B>) -> bool {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets().unwrap();
    }
    !bytes.is_empty()
}

/// How a handshake went.
fn shaken(tls: &Tls, client: &Arc<ClientConfig>) -> HandshakeKind {
    let name = "hub.example".try_into().unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut hub = ServerConnection::new(tls.config()).unwrap();
    while hand_over(&mut client, &mut hub) | hand_over(&mut hub, &mut client) {}
    hub.handshake_kind().unwrap()
}

#[test]
fn whoever_was_here_is_known_again_until_the_key_is_another() {
    for version in [&TLS13, &TLS12] {
        let files = Files::new();
        // The client goes by the clock of this machine.
        let years = (2000, 2100);
        let (mut pairs, mut roots) = (Vec::new(), RootCertStore::empty());
        for _ in 0..2 {
            files.put(years);
            let pair = ["hub.pem", "hub.key"].map(|name| fs::read(files.path(name)).unwrap());
            roots.add(CertificateDer::from_pem_slice(&pair[0]).unwrap()).unwrap();
            pairs.push(pair);
        }
        let show = |[certificate, key]: &[Vec<u8>; 2]| {
            fs::write(files.path("hub.pem"), certificate).unwrap();
            fs::write(files.path("hub.key"), key).unwrap();
        };
        show(&pairs[0]);
        let tls = files.open().unwrap();
        let client = client(roots, version);
        assert_eq!(shaken(&tls, &client), HandshakeKind::Full, "{version:?}");
        assert_eq!(shaken(&tls, &client), HandshakeKind::Resumed, "{version:?}");

        // Renewed with the same key.
        let key = KeyPair::from_pem(std::str::from_utf8(&pairs[0][1]).unwrap()).unwrap();
        files.put_certificate(&key, (2001, 2100));
        assert!(tls.look());
        assert_eq!(shaken(&tls, &client), HandshakeKind::Resumed, "{version:?}");

        show(&pairs[1]);
        assert!(tls.look());
        assert_eq!(
            shaken(&tls, &client),
            HandshakeKind::Full,
            "{version:?}: who pins the former key must see"
        );
        assert_eq!(shaken(&tls, &client), HandshakeKind::Resumed, "{version:?}");
    }
}

fn client(roots: RootCertStore, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}
