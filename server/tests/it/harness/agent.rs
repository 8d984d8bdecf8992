//! An agent as a test plays it: real keys, real signatures, any body it likes.

use super::wire::{Answer, Wire};
use pingup_protocol::{
    enrol::JoinToken,
    keys::{Secret, derive_enrolment},
    signing::{self, Key},
    time::Timestamp,
};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// A registered agent.
#[derive(Clone)]
pub struct Agent {
    /// Its id.
    pub id: String,
    /// What it signs with.
    pub up: Key,
    /// What verifies the hub's answers.
    pub down: Key,
    /// Carries its bearer token.
    pub wire: Wire,
    /// What the hub handed over.
    pub credentials: Value,
}

impl Agent {
    /// The agent of these credentials.
    pub fn new(wire: Wire, credentials: &Value) -> Self {
        let key =
            |name: &str| Key::new(&Secret::from_base64(credentials["keys"][name].as_str().unwrap()).unwrap());
        Self {
            id: credentials["agentId"].as_str().unwrap().to_owned(),
            up: key("up"),
            down: key("down"),
            wire: wire.with_token(credentials["token"].as_str().unwrap()),
            credentials: credentials.clone(),
        }
    }

    /// The same agent, speaking to a hub that started anew.
    pub fn at(&self, wire: &Wire) -> Self {
        Self::new(wire.clone(), &self.credentials)
    }

    /// `body` signed as this agent signs.
    pub fn sign(&self, body: &Value) -> Vec<u8> {
        signing::sign(&self.up, body).unwrap()
    }

    /// Posts `body`, signed.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.wire.post_bytes(path, &self.sign(body))
    }

    /// GETs an answer and checks the hub's signature on it.
    pub fn get_signed(&self, path: &str) -> Value {
        let answer = self.wire.get(path);
        assert_eq!(answer.status, 200, "{answer:?}");
        self.verified(&answer)
    }

    /// An answer whose signature is checked.
    pub fn verified(&self, answer: &Answer) -> Value {
        assert!(signing::scan(&answer.body).unwrap().verify(&self.down), "the hub's signature: {answer:?}");
        answer.json()
    }

    /// A body of one sample in the seed's form.
    pub fn sample(&self, timestamp: Timestamp, cpu: f64) -> Value {
        json!({
            "agentId": self.id, "timestamp": timestamp, "status": "online",
            "metrics": {"cpu": cpu, "ram": 43.2, "disk": 71.4, "latency": 8.25, "load1": 0.5},
        })
    }

    /// A body of one sample with its place in a stream.
    pub fn sequenced(&self, boot: u64, seq: u64, timestamp: Timestamp) -> Value {
        let mut body = self.sample(timestamp, (seq % 100) as f64);
        body["boot"] = json!(boot);
        body["seq"] = json!(seq);
        body
    }

    /// A batch of samples a second apart, numbered `seqs`.
    pub fn batch(&self, boot: u64, seqs: std::ops::RangeInclusive<u64>, from: Timestamp) -> Value {
        let samples: Vec<_> = seqs
            .map(|seq| {
                json!({"seq": seq, "timestamp": from.plus_seconds(seq as i64), "status": "online",
                       "metrics": {"cpu": (seq % 100) as f64}})
            })
            .collect();
        json!({"agentId": self.id, "boot": boot, "samples": samples})
    }

    /// Beats now.
    pub fn heartbeat(&self, status: &str) -> Answer {
        let body = json!({"agentId": self.id, "timestamp": now(), "status": status});
        self.post(&format!("/api/v1/agents/{}/heartbeat", self.id), &body)
    }

    /// Asks for commands.
    pub fn pending(&self, query: &str) -> Value {
        let nonce = nonce();
        let answer = self.get_signed(&format!("/api/v1/commands/pending/{}?nonce={nonce}{query}", self.id));
        assert_eq!(answer["nonce"], nonce);
        answer
    }
}

/// A registration by join token, signed with it.
pub fn enrolment(token: &str, change: impl FnOnce(&mut Value)) -> (Vec<u8>, Key) {
    let token = JoinToken::parse(token).unwrap();
    let key = Key::new(&derive_enrolment(&token.secret));
    let mut body = json!({
        "tokenId": token.token_id, "nonce": nonce(), "name": "a test", "timestamp": now(),
        "info": {"hostname": "here", "os": "test", "cpuCores": 2},
    });
    change(&mut body);
    (signing::sign(&key, &body).unwrap(), key)
}

/// The machine's clock.
pub fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_micros(i64::try_from(since_1970.as_micros()).unwrap())
}

/// Something not asked with before.
pub fn nonce() -> String {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("nonce-{}-{count}", now().as_micros())
}
