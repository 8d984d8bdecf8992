//! A provider for tests: real keys made at run time, a real listener, and answers that can be changed while it runs. It keeps
//! a list of what it was asked.

// By its path: this file is read by two programs, from two places.
#[path = "signing.rs"]
mod signing;

pub(crate) use signing::{SigningKey, compact};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs::default_provider,
    pki_types::PrivateKeyDer,
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

/// Where a provider says what it is.
pub(crate) const DISCOVERY: &str = "/.well-known/openid-configuration";
/// Where this one says that its keys are.
pub(crate) const KEYS: &str = "/keys";

/// How a path is answered.
#[derive(Clone)]
pub(crate) enum Answer {
    /// By these very bytes, then the connection is closed.
    Bytes(Vec<u8>),
    /// Not at all; the connection is closed.
    HangUp,
    /// Not at all; the connection stays open.
    Silence,
}

impl Answer {
    /// JSON with status 200 and such headers beside.
    pub(crate) fn json(headers: &str, body: &Value) -> Self {
        Self::status("200 OK", headers, body.to_string().as_bytes())
    }

    /// Any whole answer.
    pub(crate) fn status(status: &str, headers: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        Self::Bytes([head.as_bytes(), body].concat())
    }
}

/// An authority in PEM, and a provider's certificate by it.
pub(crate) fn certified() -> (String, ServerConfig) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let pair = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&pair, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(pair.serialize_der()).unwrap(),
        )
        .unwrap();
    (authority.pem(), config)
}

/// A provider that runs.
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    pub(crate) issuer: String,
    house: Arc<House>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct House {
    answers: Mutex<HashMap<String, Answer>>,
    asked: Mutex<Vec<String>>,
    silent: Mutex<Vec<TcpStream>>,
    stopping: AtomicBool,
}

impl Provider {
    /// A provider on this machine that publishes no key yet.
    pub(crate) fn start() -> Self {
        Self::start_as(None)
    }

    /// A provider called `localhost` that is asked over TLS.
    pub(crate) fn start_tls(config: ServerConfig) -> Self {
        Self::start_as(Some(Arc::new(config)))
    }

    fn start_as(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let issuer = match &tls {
            None => format!("http://{address}"),
            Some(_) => format!("https://localhost:{}", address.port()),
        };
        let house = Arc::<House>::default();
        let listening = thread::spawn({
            let house = Arc::clone(&house);
            move || {
                while let Ok((stream, _)) = listener.accept() {
                    if house.stopping.load(Ordering::Acquire) {
                        return;
                    }
                    let (house, tls) = (Arc::clone(&house), tls.clone());
                    thread::spawn(move || house.converse(stream, tls));
                }
            }
        });
        let provider = Self { address, issuer, house, listening: Some(listening) };
        provider.introduce(&provider.issuer, &format!("{}{KEYS}", provider.issuer));
        provider.publish(&[]);
        provider
    }

    /// Says that it is `issuer`, and that its keys are at `jwks_uri`.
    pub(crate) fn introduce(&self, issuer: &str, jwks_uri: &str) {
        self.answer(DISCOVERY, Answer::json("", &json!({"issuer": issuer, "jwks_uri": jwks_uri})));
    }

    /// Publishes these keys and no others.
    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        self.answer(KEYS, Answer::json("", &json!({"keys": keys})));
    }

    /// From now on answers a path so.
    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.house.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.house.asked.lock().unwrap().iter().filter(|asked| *asked == path).count()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.house.stopping.store(true, Ordering::Release);
        // The listener wakes by one more guest.
        let _ = TcpStream::connect(self.address);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

impl House {
    fn converse(&self, tcp: TcpStream, tls: Option<Arc<ServerConfig>>) {
        let Ok(kept) = tcp.try_clone() else { return };
        match tls {
            None => self.answer(tcp, kept),
            Some(config) => match ServerConnection::new(config) {
                Ok(connection) => self.answer(StreamOwned::new(connection, tcp), kept),
                Err(_) => drop(kept),
            },
        }
    }

    fn answer(&self, mut stream: impl Read + Write, tcp: TcpStream) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = self.answers.lock().unwrap().get(&path).cloned();
        self.asked.lock().unwrap().push(path);
        match answer {
            Some(Answer::Bytes(bytes)) => {
                let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
            }
            Some(Answer::Silence) => {
                self.silent.lock().unwrap().push(tcp);
                return;
            }
            Some(Answer::HangUp) | None => {}
        }
        let _ = tcp.shutdown(Shutdown::Both);
    }
}
