//! Stories of the room with real records and real keys: what an operator queues, an agent gets.

mod batches;
mod running;

use super::{Change, Commands, Neighbours, PARAMS_DEPTH_MAX, Teller, WAITERS_MAX, handler};
use crate::{
    auth::{
        AgentCaller, AgentKeys, AgentMessage, Keyring, OperatorBody, Role, Standing as KeyStanding,
        token::AgentToken,
    },
    clock::Clock,
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
    problem::ProblemType,
    signing::{self, Key},
    time::Timestamp,
};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const CONFIG_VERSION: u64 = 7;

/// The room, with agents `a`, `b` and `w-…` that live, `gone` that does not, and nobody else.
struct House {
    _scratch: Scratch,
    sqlite: Sqlite,
    clock: Clock,
    room: Arc<Commands>,
    stop: watch::Sender<bool>,
    keyring: Keyring,
    told: Arc<Mutex<Vec<Change>>>,
}

/// An agent's side: what it says with, and what it checks answers with.
struct Agent {
    keys: Arc<AgentKeys>,
    down: Key,
}

impl House {
    fn new() -> Self {
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

    async fn agent(&self, name: &str) -> Agent {
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

    async fn queue(&self, body: Value) -> Result<(StatusCode, Value), Refusal> {
        let body = OperatorBody(body.to_string().into());
        Ok(read(handler::create(State(Arc::clone(&self.room)), ada(), body).await?).await)
    }

    async fn pull(&self, agent: &Agent, query: &str) -> Result<Value, Refusal> {
        Ok(self.ask(agent, query).await?["commands"].clone())
    }

    async fn ask(&self, agent: &Agent, query: &str) -> Result<Value, Refusal> {
        let caller = AgentCaller::new(Arc::clone(&agent.keys));
        let params = Params::parse(&format!("nonce=n1&{query}"));
        let response = handler::pending(State(Arc::clone(&self.room)), caller, params).await?;
        let answer = read(settled(response).await).await.1;
        assert!(agent.verifies(&answer), "the answer is signed");
        assert_eq!((&answer["nonce"], &answer["configVersion"]), (&json!("n1"), &json!(CONFIG_VERSION)));
        assert!(answer["commands"].as_array().unwrap().iter().all(|command| agent.verifies(command)));
        Ok(answer)
    }

    async fn report(&self, agent: &Agent, path: &str, body: Value) -> Result<Value, Refusal> {
        let message =
            AgentMessage::verified(Arc::clone(&agent.keys), body.to_string().into(), body.to_string().len());
        let path = Path(path.to_owned());
        Ok(read(handler::result(State(Arc::clone(&self.room)), path, Extension(peer()), message).await?)
            .await
            .1)
    }

    async fn status(&self, id: &str) -> Value {
        let response = handler::get(State(Arc::clone(&self.room)), Path(id.to_owned())).await.unwrap();
        read(response).await.1["status"].clone()
    }

    /// What was told since this was asked last, by number.
    fn told(&self) -> Vec<(String, &'static str)> {
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        told.into_iter().map(|change| (change.command_id, change.status.as_str())).collect()
    }

    async fn cancel(&self, id: &str) -> Result<Value, Refusal> {
        Ok(read(handler::cancel(State(Arc::clone(&self.room)), Path(id.to_owned()), ada()).await?).await.1)
    }
}

impl Agent {
    fn verifies(&self, message: &Value) -> bool {
        signing::scan(message.to_string().as_bytes()).unwrap().verify(&self.down)
    }

    fn result(&self, id: &str, seq: u64, output: &str) -> Value {
        json!({
            "agentId": self.keys.agent_id(), "timestamp": NOW, "commandId": id, "commandSeq": seq,
            "status": "succeeded", "exitCode": 0, "output": output, "startedAt": NOW, "finishedAt": NOW,
        })
    }
}

fn ada() -> By {
    By::over(Who::Operator { name: "ada".to_owned(), role: Role::Operator, token: None }, peer().address.ip())
}

fn peer() -> Peer {
    Peer { address: SocketAddr::from(([127, 0, 0, 1], 9)), is_tls: false }
}

async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn a_command_goes_out_signed_and_its_result_comes_back_once() {
    let house = House::new();
    let agent = house.agent("a").await;
    let params = json!({"argv": ["true"]});
    let (created, view) =
        house.queue(json!({"agentId": "a", "action": "exec", "params": params})).await.unwrap();
    assert_eq!(created, StatusCode::CREATED);
    assert_eq!(view["commandId"], "CMD-2027-001");

    let commands = house.pull(&agent, "").await.unwrap();
    assert_eq!(commands[0]["params"], params);
    assert_eq!(commands[0]["expiresAt"], json!(NOW.plus_seconds(3_600)));
    assert_eq!(house.status("CMD-2027-001").await, "delivered");
    assert_eq!(house.pull(&agent, "").await.unwrap(), commands, "handed out again until a result comes");
    assert_eq!(house.pull(&agent, "after=1").await.unwrap(), json!([]));

    let first = agent.result("CMD-2027-001", 1, "done");
    for _ in 0..2 {
        let answer = house.report(&agent, "CMD-2027-001", first.clone()).await.unwrap();
        assert_eq!(answer, json!({"commandId": "CMD-2027-001", "status": "succeeded", "serverTime": NOW}));
    }
    let other = agent.result("CMD-2027-001", 1, "done otherwise");
    let refused = house.report(&agent, "CMD-2027-001", other).await.unwrap_err();
    assert_eq!(refused.kind(), ProblemType::ResultConflict);
    assert_eq!(house.cancel("CMD-2027-001").await.unwrap_err().kind(), ProblemType::ResultConflict);
    assert_eq!(house.pull(&agent, "").await.unwrap(), json!([]));
}

#[tokio::test]
async fn every_change_is_told_once_after_it_was_made() {
    let house = House::new();
    let agent = house.agent("a").await;
    let (one, two) = ("CMD-2027-001".to_owned(), "CMD-2027-002".to_owned());
    for _ in 0..2 {
        house.queue(json!({"agentId": "a", "action": "ping", "idempotencyKey": "k"})).await.unwrap();
    }
    assert_eq!(house.told(), [(one.clone(), "pending")]);
    let (first, second) = tokio::join!(house.pull(&agent, ""), house.pull(&agent, ""));
    assert!(first.is_ok() && second.is_ok() && house.pull(&agent, "").await.is_ok());
    assert_eq!(house.told(), [(one.clone(), "delivered")]);
    for _ in 0..2 {
        house.report(&agent, &one, agent.result(&one, 1, "x")).await.unwrap();
    }
    assert_eq!(house.told(), [(one, "succeeded")]);
    let batch = house.queue(json!({"agentIds": ["a"], "action": "ping"})).await.unwrap().1;
    let id = batch["batchId"].as_str().unwrap();
    for _ in 0..2 {
        let path = Path(id.to_owned());
        handler::cancel_batch(State(Arc::clone(&house.room)), path, ada()).await.unwrap();
    }
    assert_eq!(house.told(), [(two.clone(), "pending"), (two, "cancelled")]);
    house.queue(json!({"agentId": "a", "action": "ping"})).await.unwrap();
    house.cancel("CMD-2027-003").await.unwrap();
    assert_eq!(house.told().last().unwrap(), &("CMD-2027-003".to_owned(), "cancelled"));
}

#[tokio::test]
async fn what_was_not_issued_to_an_agent_is_refused_with_one_answer() {
    let house = House::new();
    let (a, b) = (house.agent("a").await, house.agent("b").await);
    house.queue(json!({"agentId": "a", "action": "ping"})).await.unwrap();
    let mut details = Vec::new();
    for (agent, id, seq) in [(&b, "CMD-2027-001", 1), (&a, "CMD-2027-001", 2), (&a, "CMD-2027-999", 1)] {
        let refused = house.report(agent, id, agent.result(id, seq, "x")).await.unwrap_err();
        assert_eq!(refused.kind(), ProblemType::AgentMismatch);
        details.push(refused.problem().detail.clone());
    }
    details.dedup();
    assert_eq!(details.len(), 1, "{details:?}");
    let elsewhere = house.report(&a, "CMD-2027-002", a.result("CMD-2027-001", 1, "x")).await.unwrap_err();
    assert_eq!(elsewhere.problem().errors[0].pointer, "/commandId");
    assert_eq!(house.status("CMD-2027-001").await, "pending");
}

#[tokio::test]
async fn a_held_open_request_is_answered_when_a_command_is_queued() {
    let house = House::new();
    let agent = house.agent("a").await;
    let (commands, queued) =
        tokio::join!(house.pull(&agent, "wait=60"), house.queue(json!({"agentId": "a", "action": "ping"})));
    assert_eq!(commands.unwrap()[0]["commandId"], queued.unwrap().1["commandId"]);
    assert_eq!(house.room.waiting(), 0);
}

#[tokio::test]
async fn the_stop_and_another_rooms_call_answer_a_held_open_request_empty() {
    let house = House::new();
    let agent = house.agent("a").await;
    let call = async {
        while house.room.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        house.room.wake(agent.keys.agent_id().as_str());
    };
    let (commands, ()) = tokio::join!(house.pull(&agent, "wait=60"), call);
    assert_eq!(commands.unwrap(), json!([]));
    house.stop.send_replace(true);
    assert_eq!(house.pull(&agent, "wait=60").await.unwrap(), json!([]));
}

#[tokio::test]
async fn a_question_that_was_held_over_its_generations_end_is_refused() {
    let house = House::new();
    let mut agent = house.agent("a").await;
    let (agent_id, master) = (agent.keys.agent_id().clone(), house.keyring.tokens().master());
    let id = agent_id.clone();
    let rotated = move |connection: &rusqlite::Connection| {
        generations::offer(connection, id.as_str(), ([2; 16], master), NOW)?;
        Ok::<_, StorageError>(generations::note_use(connection, id.as_str(), 2, NOW)?)
    };
    assert!(house.sqlite.write(rotated).await.unwrap());
    let token = AgentToken { agent_id, generation: 1, master };
    let KeyStanding::Alive(ending) = house.keyring.find(&token).await.unwrap() else { panic!("for a day") };
    agent.keys = ending;
    house.clock.advance(generations::ENDING_SECONDS - 1);
    assert_eq!(house.pull(&agent, "").await.unwrap(), json!([]));
    let end = async {
        while house.room.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        house.clock.advance(1);
        house.stop.send_replace(true);
    };
    let asked = async {
        let caller = AgentCaller::new(Arc::clone(&agent.keys));
        let params = Params::parse("nonce=n1&wait=60");
        settled(handler::pending(State(Arc::clone(&house.room)), caller, params).await.unwrap()).await
    };
    let (answer, ()) = tokio::join!(asked, end);
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_dropped_request_leaves_no_waiter_behind() {
    let house = House::new();
    let agent = house.agent("a").await;
    tokio::select! {
        _ = house.pull(&agent, "wait=60") => panic!("nothing ends it"),
        () = async { while house.room.waiting() == 0 { tokio::task::yield_now().await } } => {}
    }
    assert_eq!(house.room.waiting(), 0);
}

#[tokio::test]
async fn one_key_makes_one_command() {
    let house = House::new();
    house.agent("a").await;
    let body = |action: &str| json!({"agentId": "a", "action": action, "idempotencyKey": "k"});
    let (status, first) = house.queue(body("ping")).await.unwrap();
    assert_eq!(status, StatusCode::CREATED);
    house.clock.advance(5);
    assert_eq!(house.queue(body("ping")).await.unwrap(), (StatusCode::OK, first));
    let refused = house.queue(body("collect_now")).await.unwrap_err();
    assert_eq!(refused.problem().errors[0].pointer, "/idempotencyKey");
}

#[tokio::test]
async fn nobody_is_asked_who_does_not_live() {
    let house = House::new();
    for (agent_id, kind) in [("gone", ProblemType::Gone), ("nobody", ProblemType::NotFound)] {
        let refused = house.queue(json!({"agentId": agent_id, "action": "ping"})).await.unwrap_err();
        assert_eq!(refused.kind(), kind);
    }
    assert_eq!(house.cancel("CMD-2027-001").await.unwrap_err().kind(), ProblemType::NotFound);
}

#[tokio::test]
async fn the_deepest_parameters_that_are_taken_can_be_signed() {
    let house = House::new();
    let agent = house.agent("a").await;
    let params = (1..PARAMS_DEPTH_MAX).fold(json!({}), |inner, _| json!({ "x": inner }));
    house.queue(json!({"agentId": "a", "action": "other", "params": params})).await.unwrap();
    assert_eq!(house.pull(&agent, "").await.unwrap()[0]["params"], params);
}

#[tokio::test]
async fn a_cancelled_or_expired_command_is_not_handed_out_and_has_no_result() {
    let house = House::new();
    let agent = house.agent("a").await;
    for _ in 0..2 {
        house.queue(json!({"agentId": "a", "action": "ping", "ttlSeconds": 60})).await.unwrap();
    }
    assert_eq!(house.cancel("CMD-2027-001").await.unwrap()["status"], "cancelled");
    house.clock.advance(60);
    assert_eq!(house.status("CMD-2027-002").await, "expired", "before any sweep wrote it down");
    assert_eq!(house.pull(&agent, "").await.unwrap(), json!([]));
    for (id, seq) in [("CMD-2027-001", 1), ("CMD-2027-002", 2)] {
        let refused = house.report(&agent, id, agent.result(id, seq, "x")).await.unwrap_err();
        assert_eq!(refused.kind(), ProblemType::ResultConflict);
    }
}

#[tokio::test]
async fn parameters_of_a_pull_are_checked() {
    let house = House::new();
    let agent = house.agent("a").await;
    for query in ["wait=61", "wait=-1", "after=x"] {
        let refused = house.pull(&agent, query).await.unwrap_err();
        assert_eq!(refused.kind(), ProblemType::SchemaInvalid, "{query}");
    }
    for query in ["", "nonce=%C3%A9"] {
        let caller = AgentCaller::new(Arc::clone(&agent.keys));
        let refused = handler::pending(State(Arc::clone(&house.room)), caller, Params::parse(query)).await;
        assert_eq!(refused.unwrap_err().kind(), ProblemType::SchemaInvalid);
    }
}
