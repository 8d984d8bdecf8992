//! Over TLS with a hub of the test's own: who is believed to be it, and who is not.

use super::*;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A door that shakes hands with two who come, and its certificate.
async fn door() -> (u16, CertificateDer<'static>, tokio::task::JoinHandle<()>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let door = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not believe it hangs up.
            let _ = acceptor.accept(stream).await;
        }
    });
    (port, certificate, door)
}

async fn believes(trust: &Trust, port: u16, name: &str) -> Result<(), String> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    trust.connect(name, stream).await.map(drop)
}

#[tokio::test]
async fn a_hub_is_known_by_its_key_or_by_who_vouches_for_it() {
    let (port, certificate, door) = door().await;
    let key = EndEntityCert::try_from(&certificate).unwrap().subject_public_key_info();
    believes(&Trust::Pin(Pin::of(&key)), port, "any.name").await.unwrap();
    assert!(believes(&Trust::Pin(Pin::of(b"another key")), port, "localhost").await.is_err());

    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("ca.pem");
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &certificate);
    std::fs::write(&file, format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n"))
        .unwrap();
    believes(&Trust::File(file.clone()), port, "localhost").await.unwrap();
    assert!(believes(&Trust::File(file.clone()), port, "another.example").await.is_err());
    std::fs::write(&file, "no certificate").unwrap();
    assert!(believes(&Trust::File(file), port, "localhost").await.is_err());
    assert!(believes(&Trust::System, port, "localhost").await.is_err());
    door.abort();
}
