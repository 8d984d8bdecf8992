//! The room with real records and real keys, for the stories beside this file.

mod come;
mod rotate;
mod stay;

use super::{Neighbours, Registry, handler, store};
use crate::{
    auth::{
        AgentKeys, AgentMessage, Keyring, Operator, OperatorBody, RawBody, Role, Standing as KeyStanding,
        token::AgentToken,
    },
    clock::Clock,
    deed::{By, Who},
    http::{Peer, problem::Refusal, query::Params},
    latest::Latest,
    standing::AgentChange,
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
    keys::{KEY_BYTES, Secret, derive_enrolment},
    metrics::Measurements,
    problem::ProblemType,
    signing::{self, Key},
    time::Timestamp,
};
use serde_json::{Value, json};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const PENDING_COMMANDS: u64 = 3;
const CONFIG_VERSION: u64 = 7;
/// Whoever asks is on this machine.
const HERE: Peer = Peer { address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9), is_tls: false };
/// High enough to be in nobody's way.
const ENROLMENTS_PER_MINUTE: u32 = 1_000;

struct House {
    _scratch: Scratch,
    sqlite: Sqlite,
    clock: Clock,
    keyring: Keyring,
    latest: Arc<Latest>,
    told: Arc<Mutex<Vec<(String, AgentChange)>>>,
    room: Arc<Registry>,
}

/// A join token as `pingup-server join-token create` makes it.
#[derive(Clone, Copy)]
struct Token {
    id: &'static str,
    uses: u32,
    agent_id: Option<&'static str>,
    replaces: Option<&'static str>,
    rekeys: Option<&'static str>,
}

const ONCE: Token = Token { id: "once", uses: 1, agent_id: None, replaces: None, rekeys: None };
const OFTEN: Token = Token { id: "often", uses: 1_000, ..ONCE };

impl House {
    fn new() -> Self {
        Self::with_enrolments(ENROLMENTS_PER_MINUTE)
    }

    fn with_enrolments(per_minute_max: u32) -> Self {
        let scratch = Scratch::new();
        let (sqlite, clock, latest) = (scratch.sqlite(), Clock::fixed(NOW), Arc::new(Latest::default()));
        let keyring = Keyring::new(
            Secret::new([1; KEY_BYTES]),
            sqlite.clone(),
            clock.clone(),
            crate::audit::store::record,
        );
        let told = Arc::<Mutex<Vec<(String, AgentChange)>>>::default();
        let neighbours = neighbours(&told);
        let (records, keys, newest) = (sqlite.clone(), keyring.clone(), Arc::clone(&latest));
        let room = Arc::new(Registry::new(records, keys, clock.clone(), newest, per_minute_max, neighbours));
        Self { _scratch: scratch, sqlite, clock, keyring, latest, told, room }
    }

    async fn issue(&self, token: Token) {
        let expires_at = self.clock.now().plus_seconds(3_600).as_micros();
        let work = move |connection: &rusqlite::Connection| {
            let sql =
                "INSERT INTO join_tokens (id, secret, uses_left, agent_id, replaces, rekeys, created_at, expires_at)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)";
            let secret = secret(token.id);
            let Token { id, uses, agent_id, replaces, rekeys } = token;
            let row = (id, secret.expose(), uses, agent_id, replaces, rekeys, expires_at);
            connection.execute(sql, row).map(drop).map_err(StorageError::from)
        };
        self.sqlite.write(work).await.unwrap();
    }

    fn enrolment(&self, machine_id: Option<&str>) -> Value {
        json!({"nonce": "n1", "machineId": machine_id, "info": {"hostname": "h"}, "timestamp": self.clock.now()})
    }

    async fn post(&self, operator: Option<Operator>, body: Vec<u8>) -> Result<(StatusCode, Value), Refusal> {
        let state = State(Arc::clone(&self.room));
        Ok(read(handler::register(state, operator, None, Extension(HERE), RawBody(body.into())).await?).await)
    }

    /// Enrols with the token `id`, signed with the secret of `signer`.
    async fn enrol_as(&self, id: &str, signer: &str, mut body: Value) -> Result<Value, Refusal> {
        body["tokenId"] = json!(id);
        let key = Key::new(&derive_enrolment(&secret(signer)));
        let (status, answer) = self.post(None, signing::sign(&key, &body).unwrap()).await?;
        assert_eq!((status, &answer["nonce"]), (StatusCode::CREATED, &json!("n1")));
        assert!(signing::scan(answer.to_string().as_bytes()).unwrap().verify(&key), "the answer is signed");
        Ok(answer)
    }

    async fn enrol(&self, token: Token, machine_id: Option<&str>) -> Result<Value, Refusal> {
        self.enrol_as(token.id, token.id, self.enrolment(machine_id)).await
    }

    async fn uses_left(&self, token: Token) -> u32 {
        let sql = "SELECT uses_left FROM join_tokens WHERE id = ?1";
        let work = move |connection: &rusqlite::Connection| {
            connection.query_row(sql, [token.id], |row| row.get(0)).map_err(StorageError::from)
        };
        self.sqlite.read(work).await.unwrap()
    }

    async fn register(&self, body: Value) -> Result<Value, Refusal> {
        Ok(self.post(Some(admin()), body.to_string().into_bytes()).await?.1)
    }

    async fn get(&self, id: &str) -> Result<Value, Refusal> {
        Ok(read(handler::get(State(Arc::clone(&self.room)), Path(id.to_owned())).await?).await.1)
    }

    async fn list(&self, query: &str) -> (Vec<String>, Option<String>) {
        let list = handler::list(State(Arc::clone(&self.room)), Params::parse(query)).await.unwrap();
        let page = read(list).await.1;
        let ids =
            page["items"].as_array().unwrap().iter().map(|agent| agent["id"].as_str().unwrap().to_owned());
        (ids.collect(), page["nextCursor"].as_str().map(str::to_owned))
    }

    async fn remove(&self, id: &str) -> Result<Value, Refusal> {
        let state = State(Arc::clone(&self.room));
        Ok(read(handler::remove(state, Path(id.to_owned()), ada()).await?).await.1)
    }

    /// What was told since this was asked last.
    fn told(&self) -> Vec<(String, AgentChange)> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    async fn key_standing(&self, id: &str) -> KeyStanding {
        self.generation_standing(id, 1).await
    }

    async fn generation_standing(&self, id: &str, generation: u32) -> KeyStanding {
        let master = self.keyring.tokens().master();
        let token = AgentToken { agent_id: AgentId::parse(id).unwrap(), generation, master };
        self.keyring.find(&token).await.unwrap()
    }

    async fn beat(&self, id: &str, body: Value) -> Result<Value, Refusal> {
        let KeyStanding::Alive(keys) = self.key_standing(id).await else { panic!("{id} lives") };
        self.beat_under(keys, HERE, body).await
    }

    async fn beat_under(&self, keys: Arc<AgentKeys>, peer: Peer, body: Value) -> Result<Value, Refusal> {
        let message = AgentMessage::verified(keys, body.to_string().into(), body.to_string().len());
        Ok(read(handler::heartbeat(State(Arc::clone(&self.room)), Extension(peer), message).await?).await.1)
    }
}

/// What the room is handed of others; who comes and goes is `told`.
fn neighbours(told: &Arc<Mutex<Vec<(String, AgentChange)>>>) -> Neighbours {
    let hearing = Arc::clone(told);
    Neighbours {
        cancel_open: Arc::new(|_, _, _| Ok(Box::new(|| ()))),
        count_pending: |_, _, _| Ok(PENDING_COMMANDS),
        config_version: |_, _| Ok(CONFIG_VERSION),
        call: Arc::new(|_| ()),
        tell: Arc::new(move |change, agents, _| {
            let mut told = hearing.lock().unwrap();
            told.extend(agents.iter().map(|agent| (agent.to_string(), change)));
        }),
        record: crate::audit::store::record,
    }
}

fn secret(token_id: &str) -> Secret {
    Secret::new([u8::try_from(token_id.len()).unwrap(); KEY_BYTES])
}

fn ada() -> By {
    By::over(Who::Operator { name: "ada".to_owned(), role: Role::Admin, token: None }, [127, 0, 0, 1].into())
}

fn admin() -> Operator {
    Operator { name: "ada".to_owned(), role: Role::Admin }
}

async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}
