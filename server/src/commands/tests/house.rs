//! The room with real records and real keys, and agents' side of it.

use crate::{
    auth::{
        AgentCaller, AgentKeys, AgentMessage, Keyring, OperatorBody, Role, Standing as KeyStanding,
        token::AgentToken,
    },
    clock::Clock,
    commands::{Change, Commands, Neighbours, Teller, WAITERS_MAX, handler},
    deed::{By, Who},
    generations,
    http::{Peer, held::settled, problem::Refusal, query::Params},
    standing::Standing,
    storage::{Sqlite, StorageError, scratch::Scratch},
};
use axum::{
    Extension,
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use pingup_protocol::{
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
    signing::{self, Key},
    time::Timestamp,
};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

pub(super) const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const CONFIG_VERSION: u64 = 7;

/// The room, with agents `a`, `b` and `w-…` that live, `gone` that does not, and nobody else.
pub(super) struct House {
    _scratch: Scratch,
    pub(super) sqlite: Sqlite,
    pub(super) clock: Clock,
    pub(super) room: Arc<Commands>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) keyring: Keyring,
    told: Arc<Mutex<Vec<Change>>>,
}

/// An agent's side: what it says with, and what it checks answers with.
pub(super) struct Agent {
    pub(super) keys: Arc<AgentKeys>,
    down: Key,
}

impl House {
    pub(super) fn new() -> Self {
        let scratch = Scratch::new();
        let (sqlite, clock) = (scratch.sqlite(), Clock::fixed(NOW));
        let keyring = Keyring::new(
            Secret::new([1; KEY_BYTES]),
            sqlite.clone(),
            clock.clone(),
            crate::audit::store::record,
        );
        let (stop, stopping) = watch::channel(false);
        let neighbours = Neighbours {
            standing: |_, id| {
                Ok(match id {
                    "a" | "b" => Standing::Living,
                    _ if id.starts_with("w-") => Standing::Living,
                    "gone" => Standing::Removed,
                    _ => Standing::Unknown,
                })
            },
            select: crate::registry::store::select,
            config_version: |_, _| Ok(CONFIG_VERSION),
            config_reported: |_, _| Ok(CONFIG_VERSION),
            record: crate::audit::store::record,
        };
        let told = Arc::new(Mutex::new(Vec::new()));
        let listener = Arc::clone(&told);
        let teller = Teller::new(move |changes| listener.lock().unwrap().extend(changes));
        let room =
            Arc::new(Commands::new(sqlite.clone(), clock.clone(), neighbours, teller, WAITERS_MAX, stopping));
        Self { _scratch: scratch, sqlite, clock, room, stop, keyring, told }
    }

    pub(super) async fn agent(&self, name: &str) -> Agent {
        let agent_id = AgentId::parse(name).unwrap();
        let fresh = self.keyring.fresh(&agent_id, 1).unwrap();
        let (id, row) = (agent_id.clone(), fresh.row.clone());
        self.sqlite
            .write(move |connection| {
                connection.execute("INSERT INTO agents (id, created_at) VALUES (?1, 0)", [id.as_str()])?;
                Ok::<_, StorageError>(generations::insert(connection, id.as_str(), &row)?)
            })
            .await
            .unwrap();
        let token = AgentToken { agent_id, generation: 1, master: self.keyring.tokens().master() };
        let KeyStanding::Alive(keys) = self.keyring.find(&token).await.unwrap() else { panic!("it lives") };
        let down = Secret::from_base64(&fresh.credentials.keys.down).unwrap();
        Agent { keys, down: Key::new(&down) }
    }

    pub(super) async fn queue(&self, body: Value) -> Result<(StatusCode, Value), Refusal> {
        let body = OperatorBody(body.to_string().into());
        Ok(read(handler::create(State(Arc::clone(&self.room)), ada(), body).await?).await)
    }

    pub(super) async fn pull(&self, agent: &Agent, query: &str) -> Result<Value, Refusal> {
        Ok(self.ask(agent, query).await?["commands"].clone())
    }

    pub(super) async fn ask(&self, agent: &Agent, query: &str) -> Result<Value, Refusal> {
        let caller = AgentCaller::new(Arc::clone(&agent.keys));
        let params = Params::parse(&format!("nonce=n1&{query}"));
        let response = handler::pending(State(Arc::clone(&self.room)), caller, params).await?;
        let answer = read(settled(response).await).await.1;
        assert!(agent.verifies(&answer), "the answer is signed");
        assert_eq!((&answer["nonce"], &answer["configVersion"]), (&json!("n1"), &json!(CONFIG_VERSION)));
        assert!(answer["commands"].as_array().unwrap().iter().all(|command| agent.verifies(command)));
        Ok(answer)
    }

    pub(super) async fn report(&self, agent: &Agent, path: &str, body: Value) -> Result<Value, Refusal> {
        let message =
            AgentMessage::verified(Arc::clone(&agent.keys), body.to_string().into(), body.to_string().len());
        let path = Path(path.to_owned());
        Ok(read(handler::result(State(Arc::clone(&self.room)), path, Extension(peer()), message).await?)
            .await
            .1)
    }

    pub(super) async fn status(&self, id: &str) -> Value {
        let response = handler::get(State(Arc::clone(&self.room)), Path(id.to_owned())).await.unwrap();
        read(response).await.1["status"].clone()
    }

    /// What was told since this was asked last, by number.
    pub(super) fn told(&self) -> Vec<(String, &'static str)> {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        told.into_iter().map(|change| (change.command_id, change.status.as_str())).collect()
    }

    pub(super) async fn cancel(&self, id: &str) -> Result<Value, Refusal> {
        Ok(read(handler::cancel(State(Arc::clone(&self.room)), Path(id.to_owned()), ada()).await?).await.1)
    }
}

impl Agent {
    pub(super) fn verifies(&self, message: &Value) -> bool {
        signing::scan(message.to_string().as_bytes()).unwrap().verify(&self.down)
    }

    pub(super) fn result(&self, id: &str, seq: u64, output: &str) -> Value {
        json!({
            "agentId": self.keys.agent_id(), "timestamp": NOW, "commandId": id, "commandSeq": seq,
            "status": "succeeded", "exitCode": 0, "output": output, "startedAt": NOW, "finishedAt": NOW,
        })
    }
}

pub(super) fn ada() -> By {
    By::over(Who::Operator { name: "ada".to_owned(), role: Role::Operator, token: None }, peer().address.ip())
}

pub(super) fn peer() -> Peer {
    Peer { address: SocketAddr::from(([127, 0, 0, 1], 9)), is_tls: false }
}

pub(super) async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}
