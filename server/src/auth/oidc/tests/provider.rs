//! A provider for tests: real keys made at run time, a real listener, and answers that can be changed while it runs. It keeps
//! a list of what it was asked.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
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

/// A key that a provider signs with.
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
    Ed(Box<Ed25519KeyPair>),
}

impl SigningKey {
    pub(crate) fn rsa(kid: &str) -> Self {
        Self {
            kid: kid.to_owned(),
            pair: Pair::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())),
        }
    }

    pub(crate) fn ec(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: kid.to_owned(), pair: Pair::Ec(Box::new(pair)) }
    }

    pub(crate) fn ed(kid: &str) -> Self {
        Self { kid: kid.to_owned(), pair: Pair::Ed(Box::new(Ed25519KeyPair::generate().unwrap())) }
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::Ec(_) => "ES256",
            Pair::Ed(_) => "EdDSA",
        }
    }

    /// The public half in the bytes that its system has: what an attacker might take for a secret.
    pub(crate) fn public(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// The public half as it is published.
    pub(crate) fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public = self.public();
        let mut jwk = match &self.pair {
            // A sequence of two integers: 2048 bits and 65537, each behind its head.
            Pair::Rsa(_) => json!({"kty": "RSA", "n": text(&public[9..265]), "e": "AQAB"}),
            Pair::Ec(_) => {
                json!({"kty": "EC", "crv": "P-256", "x": text(&public[1..33]), "y": text(&public[33..])})
            }
            Pair::Ed(_) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(&public)}),
        };
        for (name, value) in [("kid", self.kid.as_str()), ("use", "sig"), ("alg", self.algorithm())] {
            jwk[name] = value.into();
        }
        jwk
    }

    /// Signs bytes as its algorithm does.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature).unwrap();
                signature
            }
            Pair::Ec(pair) => pair.sign(&random, bytes).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(bytes).as_ref().to_vec(),
        }
    }

    /// The header of its tokens.
    pub(crate) fn header(&self) -> Value {
        json!({"alg": self.algorithm(), "kid": self.kid, "typ": "JWT"})
    }

    /// A token that says `claims`.
    pub(crate) fn token(&self, claims: &Value) -> String {
        compact(&self.header(), claims, |bytes| self.sign(bytes))
    }
}

/// A JWT, signed by whatever `sign` does.
pub(crate) fn compact(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signed = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

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
