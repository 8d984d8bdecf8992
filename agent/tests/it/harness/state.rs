//! What the hub of the tests knows, was sent, and was told to do.

use pingup_protocol::{
    command::{ProgressBody, ResultBody},
    discovery::DiscoveryBody,
    enrol::{Credentials, EnrolBody, JoinToken, KeyPair},
    heartbeat::HeartbeatBody,
    ids::AgentId,
    keys::{KEY_BYTES, Secret, derive_enrolment},
    metrics::Sample,
    problem::{Problem, ProblemType},
    signing::{self, Key},
    time::Timestamp,
};
use rustls::HandshakeKind;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the hub answers instead of what it would.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A refusal.
    Problem(Problem),
    /// A refusal with Retry-After.
    RetryAfter(Problem, u64),
    /// This body, as it is.
    Body(u16, Vec<u8>),
    /// Commit, and then never answer.
    Swallow,
}

impl Reply {
    pub(crate) fn problem(kind: ProblemType) -> Self {
        Self::Problem(Problem::new(kind, "because the story says so"))
    }
}

/// A command to hand out.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    pub(crate) seq: u64,
    pub(crate) json: Value,
}

impl Offered {
    /// Whether it may not be begun any more at `now`.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        serde_json::from_value::<Timestamp>(self.json["expiresAt"].clone()).unwrap() <= now
    }
}

/// Everything.
pub(crate) struct HubState {
    pub(crate) token: JoinToken,
    pub(crate) agent_id: AgentId,
    pub(crate) up: Secret,
    pub(crate) down: Secret,
    /// Added to the clock that the hub tells.
    pub(crate) clock_ahead_seconds: i64,
    /// How old a sample may be that it stores, seconds.
    pub(crate) keeps_seconds: i64,
    /// By the last part of a route: what to answer next, before anything else.
    pub(crate) replies: BTreeMap<&'static str, VecDeque<Reply>>,
    /// By boot: the mark, and the samples in the order they were committed.
    pub(crate) marks: BTreeMap<u64, u64>,
    pub(crate) samples: Vec<(u64, Sample)>,
    pub(crate) scans: Vec<DiscoveryBody>,
    /// Sizes of the batches, in the order they came.
    pub(crate) batches: Vec<usize>,
    pub(crate) enrolments: Vec<EnrolBody>,
    pub(crate) beats: Vec<HeartbeatBody>,
    pub(crate) results: Vec<ResultBody>,
    /// What was said of commands that ran, and by seq what that adds up to.
    pub(crate) progress: Vec<ProgressBody>,
    pub(crate) outputs: BTreeMap<u64, String>,
    pub(crate) offered: Vec<Offered>,
    /// Commands that expired before the agent had begun them, by its own word.
    pub(crate) expired: BTreeSet<u64>,
    /// Commands that are to be ended.
    pub(crate) cancel: Vec<String>,
    /// Hand out everything, whatever the agent says it has had.
    pub(crate) forgetful: bool,
    pub(crate) polls: usize,
    /// Connections that are open, and all that ever were opened.
    pub(crate) open: usize,
    pub(crate) opened: usize,
    /// Requests that were heard, whatever they were.
    pub(crate) asked: usize,
    /// Handshakes of TLS that ended well, and how those ended that did not.
    pub(crate) handshakes: Vec<HandshakeKind>,
    pub(crate) refused: Vec<String>,
    pub(crate) config: (u64, Value),
    /// What was sent and does not verify, or is wrong otherwise: no story expects any.
    pub(crate) complaints: Vec<String>,
}

impl HubState {
    pub(crate) fn new() -> Self {
        Self {
            token: JoinToken { token_id: "t1".into(), secret: Secret::new([3; KEY_BYTES]) },
            agent_id: AgentId::parse("AGENT-1").unwrap(),
            up: Secret::new([1; KEY_BYTES]),
            down: Secret::new([2; KEY_BYTES]),
            clock_ahead_seconds: 0,
            keeps_seconds: i64::MAX,
            replies: BTreeMap::new(),
            marks: BTreeMap::new(),
            samples: Vec::new(),
            scans: Vec::new(),
            batches: Vec::new(),
            enrolments: Vec::new(),
            beats: Vec::new(),
            results: Vec::new(),
            progress: Vec::new(),
            outputs: BTreeMap::new(),
            offered: Vec::new(),
            expired: BTreeSet::new(),
            cancel: Vec::new(),
            forgetful: false,
            polls: 0,
            open: 0,
            opened: 0,
            asked: 0,
            handshakes: Vec::new(),
            refused: Vec::new(),
            config: (0, json!({})),
            complaints: Vec::new(),
        }
    }

    pub(crate) fn up_key(&self) -> Key {
        Key::new(&self.up)
    }

    pub(crate) fn down_key(&self) -> Key {
        Key::new(&self.down)
    }

    pub(crate) fn token_key(&self) -> Key {
        Key::new(&derive_enrolment(&self.token.secret))
    }

    pub(crate) fn now(&self) -> Timestamp {
        pingup_agent::clock::machine_time().plus_seconds(self.clock_ahead_seconds)
    }

    pub(crate) fn credentials(&self) -> Credentials {
        Credentials {
            agent_id: self.agent_id.clone(),
            generation: 1,
            keys: KeyPair { up: self.up.to_base64(), down: self.down.to_base64() },
            token: "a.bearer.token".into(),
        }
    }

    /// Tells the hub to answer `route` with `reply`, once, before anything else.
    pub(crate) fn reply(&mut self, route: &'static str, reply: Reply) {
        self.replies.entry(route).or_default().push_back(reply);
    }

    /// Queues a command as the hub makes them.
    pub(crate) fn offer(&mut self, seq: u64, action: &str, params: Value) {
        let json = self.command(seq, action, params);
        self.offered.push(Offered { seq, json });
    }

    /// Queues one that may run only for so long.
    pub(crate) fn offer_for(&mut self, seq: u64, timeout_seconds: u64, action: &str, params: Value) {
        let mut command = self.unsigned(seq, action, params);
        command["timeoutSeconds"] = json!(timeout_seconds);
        let json = self.signed(&command);
        self.offered.push(Offered { seq, json });
    }

    /// Queues one that `change` makes of an ordinary `exec`, signed by the hub as whoever stole it could.
    pub(crate) fn offer_changed(&mut self, seq: u64, change: impl FnOnce(&mut Value)) {
        let mut command = self.unsigned(seq, "exec", json!({}));
        change(&mut command);
        let json = self.signed(&command);
        self.offered.push(Offered { seq, json });
    }

    /// A command, signed.
    pub(crate) fn command(&self, seq: u64, action: &str, params: Value) -> Value {
        self.signed(&self.unsigned(seq, action, params))
    }

    fn unsigned(&self, seq: u64, action: &str, params: Value) -> Value {
        json!({
            "commandId": command_id(seq), "agentId": self.agent_id, "commandSeq": seq,
            "action": action, "params": params,
            "issuedAt": self.now(), "expiresAt": self.now().plus_seconds(3_600),
        })
    }

    fn signed(&self, command: &Value) -> Value {
        serde_json::from_slice(&signing::sign(&self.down_key(), command).unwrap()).unwrap()
    }

    /// Wants the command of this place ended.
    pub(crate) fn cancel(&mut self, seq: u64) {
        self.cancel.push(command_id(seq));
    }

    /// What an agent is handed that has taken down the commands up to `after`. What is over by now of the rest is expired.
    pub(crate) fn hand_out(&mut self, after: u64) -> Vec<Value> {
        let now = self.now();
        let due = self.offered.iter().filter(|offered| self.forgetful || offered.seq > after);
        let (over, open): (Vec<_>, Vec<_>) = due.partition(|offered| offered.is_over(now));
        let open = open.into_iter().map(|offered| offered.json.clone()).collect();
        self.expired.extend(over.into_iter().map(|offered| offered.seq));
        open
    }

    pub(crate) fn result(&self, seq: u64) -> Option<&ResultBody> {
        self.results.iter().find(|result| result.command_seq == seq)
    }
}

fn command_id(seq: u64) -> String {
    format!("CMD-2027-{seq:03}")
}
