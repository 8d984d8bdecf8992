//! HTTP as a test speaks it: one request, one whole answer, no opinion on the status.

use super::sealed::Sealed;
use serde_json::Value;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

/// Speaks to one hub, perhaps with a token.
#[derive(Clone)]
pub struct Wire {
    /// Where the hub listens.
    pub address: SocketAddr,
    token: Option<String>,
    client: ureq::Agent,
    /// Speaks TLS.
    pub sealed: Option<Sealed>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Wire {
    /// Speaks to the hub at `address`, for nobody.
    pub fn new(address: SocketAddr) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A connection of its own for each request: one that a refusal closed must not fail the next.
            .max_idle_connections(0)
            .timeout_global(Some(super::PATIENCE * 3))
            .build();
        Self { address, token: None, client: config.into(), sealed: None }
    }

    /// The same over TLS.
    pub fn over(sealed: Sealed) -> Self {
        Self { sealed: Some(sealed.clone()), ..Self::new(sealed.address) }
    }

    /// The same, with a bearer token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The token that is sent.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap()
    }

    /// GET.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None)
    }

    /// POST of JSON.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_bytes(path, &serde_json::to_vec(body).unwrap())
    }

    /// POST of bytes that say they are JSON.
    pub fn post_bytes(&self, path: &str, body: &[u8]) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], Some(body))
    }

    /// PATCH of JSON.
    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        let body = serde_json::to_vec(body).unwrap();
        self.send("PATCH", path, &[("content-type", "application/json")], Some(&body))
    }

    /// Any request; a connection that breaks is a failed test.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
        self.try_send(method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Any request, to a hub that may be gone.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, ureq::Error> {
        if let Some(sealed) = &self.sealed {
            let token =
                self.token.iter().map(|token| ("authorization".to_owned(), format!("Bearer {token}")));
            let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            return Ok(sealed.ask_once(method, path, token.chain(headers), body)?);
        }
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match body {
            Some(body) => self.client.run(request.body(body)?)?,
            None => self.client.run(request.body(())?)?,
        };
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec()?;
        Ok(Answer { status: response.status().as_u16(), headers, body })
    }

    /// Sends raw bytes and leaves without waiting for an answer.
    pub fn hang_up_after(&self, bytes: &[u8]) {
        TcpStream::connect(self.address).unwrap().write_all(bytes).unwrap();
    }

    /// Sends what is given and keeps the connection open, unanswered, for as long as it is held.
    pub fn half_sent(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        // A hub that refuses at once may close while this is being sent.
        let _ = stream.write_all(bytes);
        stream
    }

    /// Sends a head that expects `100 Continue`, does something once that came, and sends the body.
    pub fn raw_in_two(&self, head: &[u8], between: impl FnOnce(), body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(super::PATIENCE)).unwrap();
        stream.write_all(head).unwrap();
        let mut told = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
        stream.read_exact(&mut told).unwrap();
        assert!(told.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&told));
        between();
        stream.write_all(body).unwrap();
        Self::read_answer(&mut stream)
    }

    /// Sends raw bytes and reads until the hub closes or the answer is whole.
    pub fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(super::PATIENCE)).unwrap();
        // A hub that refuses early may close before it has read everything.
        let _ = stream.write_all(bytes);
        Self::read_answer(&mut stream)
    }

    /// Reads until the hub closes or the answer is whole.
    pub fn read_answer(stream: &mut impl Read) -> Answer {
        let mut text = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(n) => text.extend_from_slice(&chunk[..n]),
            }
            if let Some(answer) = Answer::parse(&text) {
                return answer;
            }
        }
        Answer::parse(&text).unwrap_or_else(|| panic!("no whole answer: {}", String::from_utf8_lossy(&text)))
    }
}

impl Answer {
    fn parse(text: &[u8]) -> Option<Self> {
        let split = text.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&text[..split]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let body = text[split + 4..].to_vec();
        let answer = Self { status, headers, body };
        let length = answer.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        (answer.body.len() >= length).then_some(answer)
    }

    /// The first header of that name, in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All headers of that name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body as JSON; null where it is something else.
    pub fn json_or_null(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Checks the status and gives the body.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }
}
