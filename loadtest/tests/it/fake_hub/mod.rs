//! A hub for the load generator to talk to: real HTTP, real signatures, marks in memory, faults on request.
//!
//! It also watches its visitor: two requests of one agent under way at once, or a gap in a stream, are
//! remembered as faults of the caller.

mod commands;
mod ingest;

use commands::Orders;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use pingup_protocol::{
    keys::Secret,
    problem::{Problem, ProblemType},
};
use serde_json::json;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, runtime::Runtime, sync::Notify};

/// What the hub does beside its duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Answers 503 to each agent's first request, and asks to come back at once.
    OverloadedOnce,
    /// Stores each agent's first request and hangs up before the answer.
    LosesFirstAnswer,
    /// Answers 422 to everything.
    RefusesAll,
    /// Rejects the first sample of each request.
    RejectsFirstSample,
    /// Claims to have had every sample before.
    CallsAllDuplicates,
    /// Signs what it says to agents with a key that is not theirs.
    SignsWithAnotherKey,
    /// Hands commands out again that were reported.
    HandsOutTwice,
    /// Holds the very first request until so many rows of others are stored.
    HoldsFirst(u64),
}

/// A hub that runs until it is dropped.
pub(crate) struct FakeHub {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    _runtime: Runtime,
}

#[derive(Default)]
struct State {
    keys: HashMap<String, Secret>,
    marks: HashMap<String, u64>,
    visited: BTreeSet<String>,
    in_flight: BTreeSet<String>,
    stored: u64,
    /// Rings when rows were stored.
    bell: Arc<Notify>,
    beats: u64,
    orders: Orders,
    faults_of_caller: Vec<String>,
}

impl FakeHub {
    pub(crate) fn start(fault: Fault) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| answer(Arc::clone(&shared), fault, request));
                tokio::spawn(
                    http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { url, state, _runtime: runtime }
    }

    /// Rows stored, each once.
    pub(crate) fn stored(&self) -> u64 {
        self.state.lock().unwrap().stored
    }

    pub(crate) fn agents(&self) -> usize {
        self.state.lock().unwrap().keys.len()
    }

    /// Heartbeats that came.
    pub(crate) fn beats(&self) -> u64 {
        self.state.lock().unwrap().beats
    }

    /// Commands that were reported, each once.
    pub(crate) fn reported(&self) -> usize {
        self.state.lock().unwrap().orders.reported()
    }

    /// What the caller did that no agent may do.
    pub(crate) fn faults_of_caller(&self) -> Vec<String> {
        self.state.lock().unwrap().faults_of_caller.clone()
    }
}

/// The connection is closed instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("hung up on purpose")]
struct HangUp;

type Answer = Response<Full<Bytes>>;

async fn answer(
    state: Arc<Mutex<State>>,
    fault: Fault,
    request: Request<Incoming>,
) -> Result<Answer, HangUp> {
    let bearer = request.headers()["authorization"].to_str().unwrap().to_owned();
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let id = bearer.strip_prefix("Bearer token-of-").unwrap_or_default().to_owned();
    // What lies elsewhere it does not have, as a hub of former times.
    let steps: Vec<_> = path.strip_prefix("/api/v1/").unwrap_or("elsewhere").split('/').collect();
    if request.method() == Method::GET {
        return match steps[..] {
            ["commands", "pending", _] => Ok(commands::pending(&state, fault, &id, &query).await),
            _ => Ok(tell(&state, &steps)),
        };
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    match steps[..] {
        ["agents"] => Ok(register(&state, &bearer)),
        ["agents", _, "heartbeat"] => Ok(commands::heartbeat(&state, fault, &id, &body)),
        ["commands"] => Ok(commands::order(&state, &body)),
        ["commands", _, "result"] => Ok(commands::result(&state, &id, &body)),
        ["metrics" | "discovery"] => {
            let first = enter(&state, &id);
            if let Fault::HoldsFirst(rows) = fault
                && first == Visit::FirstOfAll
            {
                hold(&state, rows).await;
            }
            let answer = ingest::metrics(&state, fault, &id, first != Visit::Again, &body);
            let mut state = state.lock().unwrap();
            state.in_flight.remove(&id);
            state.bell.notify_waiters();
            answer
        }
        _ => panic!("no such route: {path}"),
    }
}

/// Waits until so many rows are stored.
async fn hold(state: &Mutex<State>, rows: u64) {
    let bell = Arc::clone(&state.lock().unwrap().bell);
    loop {
        // Before the look, so that what rings after it is heard.
        let heard = bell.notified();
        if state.lock().unwrap().stored >= rows {
            return;
        }
        heard.await;
    }
}

#[derive(PartialEq, Eq)]
enum Visit {
    FirstOfAll,
    FirstOfAgent,
    Again,
}

fn enter(state: &Mutex<State>, id: &str) -> Visit {
    let mut state = state.lock().unwrap();
    if !state.in_flight.insert(id.to_owned()) {
        state.faults_of_caller.push(format!("two requests of {id} at once"));
    }
    let nobody = state.visited.is_empty();
    match state.visited.insert(id.to_owned()) {
        true if nobody => Visit::FirstOfAll,
        true => Visit::FirstOfAgent,
        false => Visit::Again,
    }
}

fn register(state: &Mutex<State>, bearer: &str) -> Answer {
    if bearer != "Bearer operator" {
        return refuse(ProblemType::TokenInvalid);
    }
    let mut state = state.lock().unwrap();
    let number = state.keys.len();
    let id = format!("AGENT-{number}");
    let key = Secret::new([u8::try_from(number % 256).unwrap(); 32]);
    let credentials = json!({
        "agentId": id, "generation": 1, "token": format!("token-of-{id}"),
        "keys": {"up": key.to_base64(), "down": key.to_base64()},
    });
    state.keys.insert(id.clone(), key);
    json_answer(201, &json!({"agent": {"id": id}, "credentials": credentials}))
}

/// Answers an operator's question: the list of agents, one newest moment for all, and an empty history. It has no
/// scans, and no route about the whole fleet.
fn tell(state: &Mutex<State>, steps: &[&str]) -> Answer {
    match *steps {
        ["commands", "batches", _] => commands::batch(state),
        ["agents"] => {
            let ids: Vec<_> = state.lock().unwrap().keys.keys().map(|id| json!({"id": id})).collect();
            json_answer(200, &json!({"items": ids, "nextCursor": null}))
        }
        ["metrics", _, "latest"] => json_answer(200, &json!({"timestamp": "2026-02-25T10:00:00Z"})),
        ["metrics", id] if id != "top" => json_answer(200, &json!({"items": [], "nextCursor": null})),
        _ => refuse(ProblemType::NotFound),
    }
}

fn refuse(kind: ProblemType) -> Answer {
    let mut answer = json_answer(kind.status(), &Problem::new(kind, "on purpose"));
    if kind.retryable() {
        answer.headers_mut().insert("retry-after", "0".parse().unwrap());
    }
    answer
}

fn json_answer(status: u16, body: &impl serde::Serialize) -> Answer {
    let body = Full::new(Bytes::from(serde_json::to_vec(body).unwrap()));
    Response::builder().status(status).body(body).unwrap()
}
