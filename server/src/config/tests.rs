//! Stories of the room with real records and real keys: what an operator sets, an agent fetches.

use super::{Configs, Neighbours, handler};
use crate::{
    auth::{
        AgentCaller, Caller, Keyring, Operator, OperatorBody, Role, Standing as KeyStanding,
        token::AgentToken,
    },
    clock::Clock,
    deed::{By, Who},
    generations,
    http::{problem::Refusal, query::Params},
    standing::Standing,
    storage::{Sqlite, StorageError, scratch::Scratch},
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use pingup_protocol::{
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
    problem::ProblemType,
    signing::{self, Key},
    time::Timestamp,
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// The room, with an agent `a` that lives and `gone` that does not.
struct House {
    _scratch: Scratch,
    sqlite: Sqlite,
    clock: Clock,
    changes: Arc<AtomicU64>,
    room: Arc<Configs>,
}

impl House {
    fn new() -> Self {
        let scratch = Scratch::new();
        let (sqlite, clock, changes) = (scratch.sqlite(), Clock::fixed(NOW), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&changes);
        let neighbours = Neighbours {
            standing: |_, id| {
                Ok(match id {
                    "a" => Standing::Living,
                    "gone" => Standing::Removed,
                    _ => Standing::Unknown,
                })
            },
            changed: Arc::new(move |agent_id| {
                assert_eq!(agent_id.as_str(), "a");
                counted.fetch_add(1, Ordering::SeqCst);
            }),
            record: crate::audit::store::record,
        };
        let room = Arc::new(Configs::new(sqlite.clone(), clock.clone(), neighbours));
        Self { _scratch: scratch, sqlite, clock, changes, room }
    }

    /// The agent `a` as a caller, and the key that the hub answers it with.
    async fn agent(&self) -> (Caller, Key) {
        let keyring = Keyring::new(
            Secret::new([1; KEY_BYTES]),
            self.sqlite.clone(),
            self.clock.clone(),
            crate::audit::store::record,
        );
        let agent_id = AgentId::parse("a").unwrap();
        let fresh = keyring.fresh(&agent_id, 1).unwrap();
        let row = fresh.row.clone();
        let work = move |connection: &rusqlite::Connection| {
            connection.execute("INSERT INTO agents (id, created_at) VALUES ('a', 0)", [])?;
            generations::insert(connection, "a", &row).map_err(StorageError::from)
        };
        self.sqlite.write(work).await.unwrap();
        let found = keyring
            .find(&AgentToken { agent_id, generation: 1, master: keyring.tokens().master() })
            .await
            .unwrap();
        let KeyStanding::Alive(keys) = found else { panic!("it lives") };
        let down = Secret::from_base64(&fresh.credentials.keys.down).unwrap();
        (Caller::Agent(AgentCaller::new(keys)), Key::new(&down))
    }

    async fn get(&self, caller: Caller, id: &str, query: &str) -> Result<Value, Refusal> {
        let path = Path(id.to_owned());
        Ok(read(handler::get(State(Arc::clone(&self.room)), path, caller, Params::parse(query)).await?).await)
    }

    async fn set(&self, id: &str, body: Value) -> Result<Value, Refusal> {
        let (path, body) = (Path(id.to_owned()), OperatorBody(body.to_string().into()));
        Ok(read(handler::post(State(Arc::clone(&self.room)), path, by_ada(), body).await?).await)
    }

    async fn versions(&self, id: &str, query: &str) -> Result<(Vec<u64>, Option<String>), Refusal> {
        let path = Path(id.to_owned());
        let response = handler::versions(State(Arc::clone(&self.room)), path, Params::parse(query)).await?;
        let page = read(response).await;
        let versions = page["items"].as_array().unwrap().iter().map(|view| view["version"].as_u64().unwrap());
        Ok((versions.collect(), page["nextCursor"].as_str().map(str::to_owned)))
    }
}

fn ada() -> Operator {
    Operator { name: "ada".to_owned(), role: Role::Operator }
}

fn by_ada() -> By {
    By::over(
        Who::Operator { name: "ada".to_owned(), role: Role::Operator, token: None },
        [127, 0, 0, 1].into(),
    )
}

async fn read(response: Response) -> Value {
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn an_agent_fetches_what_was_set_signed_and_with_its_nonce() {
    let house = House::new();
    let (agent, key) = house.agent().await;
    let unset = house.get(agent.clone(), "a", "nonce=n1").await.unwrap();
    assert_eq!(
        (&unset["version"], &unset["config"], &unset["issuedAt"]),
        (&json!(0), &json!({}), &json!(NOW))
    );

    house.set("a", json!({"config": {"intervalSeconds": 5, "note": "kept"}})).await.unwrap();
    house.clock.advance(10);
    let set = house.get(agent.clone(), "a", "nonce=n2").await.unwrap();
    assert!(signing::scan(set.to_string().as_bytes()).unwrap().verify(&key));
    assert_eq!((&set["nonce"], &set["agentId"], &set["version"]), (&json!("n2"), &json!("a"), &json!(1)));
    assert_eq!(set["config"], json!({"intervalSeconds": 5, "note": "kept"}));
    assert_eq!(set["issuedAt"], json!(NOW));

    for query in ["", "nonce=", "nonce=%C3%A9"] {
        let refused = house.get(agent.clone(), "a", query).await.unwrap_err();
        assert_eq!(refused.kind(), ProblemType::SchemaInvalid, "{query}");
    }
}

#[tokio::test]
async fn a_new_version_is_told_and_a_refused_one_is_not() {
    let house = House::new();
    let view = house.set("a", json!({"config": {}, "expectedVersion": 0})).await.unwrap();
    assert_eq!(
        (&view["version"], &view["updatedBy"], &view["updatedAt"]),
        (&json!(1), &json!("ada"), &json!(NOW))
    );
    assert_eq!(house.get(Caller::Operator(ada()), "a", "").await.unwrap(), view);

    let conflict = house.set("a", json!({"config": {}, "expectedVersion": 0})).await.unwrap_err();
    assert_eq!(conflict.kind(), ProblemType::VersionConflict);
    assert_eq!(conflict.problem().current_version, Some(1));
    let invalid = house.set("a", json!({"config": {"intervalSeconds": 0}})).await.unwrap_err();
    assert_eq!(invalid.kind(), ProblemType::SchemaInvalid);
    assert_eq!(house.changes.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn versions_are_paged_the_newest_first() {
    let house = House::new();
    for number in 0..3 {
        house.set("a", json!({"config": {"n": number}})).await.unwrap();
    }
    let (first, cursor) = house.versions("a", "limit=2").await.unwrap();
    assert_eq!(first, [3, 2]);
    let rest = house.versions("a", &format!("limit=2&cursor={}", cursor.unwrap())).await.unwrap();
    assert_eq!(rest, (vec![1], None));
}

#[tokio::test]
async fn nobody_is_configured_who_does_not_live() {
    let house = House::new();
    for (id, kind) in
        [("gone", ProblemType::Gone), ("nobody", ProblemType::NotFound), ("no id", ProblemType::NotFound)]
    {
        assert_eq!(house.set(id, json!({"config": {}})).await.unwrap_err().kind(), kind);
        assert_eq!(house.get(Caller::Operator(ada()), id, "").await.unwrap_err().kind(), kind);
        assert_eq!(house.versions(id, "").await.unwrap_err().kind(), kind);
    }
    assert_eq!(house.changes.load(Ordering::SeqCst), 0);
}
