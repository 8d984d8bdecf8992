//! A hub on which stories are told, and what must be true of its audit when one is over.

use super::{Story, story_of};
use crate::harness::{
    Hub,
    agent::{Agent, enrolment},
    eventually, join_secret,
    wire::Wire,
};
use pingup_server::deed::Act;
use rusqlite::Connection;
use serde_json::{Value, json};

/// A hub, and every secret that it handed out.
pub(super) struct Stage {
    pub(super) hub: Hub,
    pub(super) secrets: Vec<String>,
}

impl Stage {
    pub(super) fn set(hub: Hub) -> Self {
        Self { hub, secrets: Vec::new() }
    }

    pub(super) fn operator(&mut self, role: &str) -> Wire {
        let token = self.hub.token(role);
        self.secrets.push(token.clone());
        self.hub.wire.with_token(&token)
    }

    pub(super) fn met(&mut self, credentials: &Value) -> Agent {
        let keys = ["up", "down"].map(|key| credentials["keys"][key].as_str().unwrap().to_owned());
        self.secrets.extend(keys);
        self.secrets.push(credentials["token"].as_str().unwrap().to_owned());
        Agent::new(self.hub.wire.clone(), credentials)
    }

    pub(super) fn register(&mut self, id: &str) -> Agent {
        let made = self.operator("operator").post("/api/v1/agents", &json!({ "id": id })).expect(201);
        self.met(&made["credentials"])
    }

    /// Beats, and becomes who the answer hands over.
    pub(super) fn next(&mut self, agent: &Agent) -> Agent {
        let beat = agent.heartbeat("online").expect(200);
        self.met(&beat["credentials"])
    }

    pub(super) fn enrol(&mut self, token: &str) -> Agent {
        self.secrets.push(join_secret(token).to_owned());
        let made = self.hub.wire.post_bytes("/api/v1/agents", &enrolment(token, |_| ()).0).expect(201);
        self.met(&made["credentials"])
    }

    /// Changes the records while no hub runs on them.
    pub(super) fn meanwhile(&mut self, sql: &str) {
        self.hub.stop();
        Connection::open(self.hub.folder().join("pingup.db")).unwrap().execute_batch(sql).unwrap();
        self.hub.restart();
    }

    pub(super) fn export(&self) -> String {
        self.hub.line(&["audit", "export", "--format", "ndjson"])
    }

    /// The rows of an act, from the first on.
    pub(super) fn rows(&self, act: Act) -> Vec<Value> {
        let text = self.export();
        let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.filter(|row| row["act"] == act.as_str()).collect()
    }

    /// The last row of an act, once there are so many.
    pub(super) fn awaited(&self, act: Act, count: usize) -> Value {
        eventually(act.as_str(), || {
            let mut rows = self.rows(act);
            (rows.len() >= count).then(|| rows.pop()).flatten()
        })
    }

    /// Every act of the story has rows, which command line and API show alike; the chain is whole, and tells no secret.
    pub(super) fn end(mut self, story: Story) {
        let mut acts = Act::ALL.iter().filter(|act| story_of(**act) == story).peekable();
        assert!(acts.peek().is_some(), "{story:?} tells of nothing");
        let admin = self.operator("admin");
        for act in acts {
            let path = format!("/api/v1/audit?limit=1000&act={}", act.as_str());
            let mut told = admin.get(&path).expect(200)["items"].as_array().unwrap().clone();
            told.reverse();
            assert!(!told.is_empty(), "{} was not written down", act.as_str());
            assert_eq!(told, self.rows(*act));
        }
        self.hub.stop();
        assert!(self.hub.line(&["audit", "verify"]).starts_with("ok: "));
        let text = self.export();
        for secret in self.secrets {
            assert!(!text.contains(&secret), "{secret} stands in the audit");
            let proof = secret.rsplit('.').next().unwrap();
            assert!(!text.contains(proof), "{proof} stands in the audit");
        }
    }
}

/// Who did it, and from where.
pub(super) fn doer(row: &Value) -> [&str; 3] {
    ["by", "who", "from"].map(|member| row[member].as_str().unwrap_or_default())
}
