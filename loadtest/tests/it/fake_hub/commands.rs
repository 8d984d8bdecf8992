//! The fake hub's commands: queued, handed out over requests that are held open, reported once; and heartbeats.

use super::{Answer, Fault, State, json_answer, refuse};
use hyper::body::Bytes;
use pingup_protocol::{
    command::{PendingAnswer, ResultBody},
    heartbeat::{HeartbeatAnswer, HeartbeatBody},
    ids::AgentId,
    keys::Secret,
    problem::ProblemType,
    schema,
    signing::{self, Key},
    time::Timestamp,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};

/// What was queued, and what came back.
#[derive(Default)]
pub(super) struct Orders {
    /// For each agent, in order.
    queued: HashMap<String, Vec<Value>>,
    /// Commands that were reported.
    reported: BTreeSet<String>,
    last_number: u64,
    bell: Arc<Notify>,
}

/// `POST /api/v1/commands`: for one agent, for those that are named, or for all.
pub(super) fn order(state: &Mutex<State>, body: &[u8]) -> Answer {
    let order: Value = serde_json::from_slice(body).unwrap();
    let mut state = state.lock().unwrap();
    let one = order["agentId"].as_str().map(|id| vec![id.to_owned()]);
    let named = order["agentIds"]
        .as_array()
        .map(|ids| ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect());
    let is_one = one.is_some();
    let ids = one.or(named).unwrap_or_else(|| state.keys.keys().cloned().collect());
    for id in &ids {
        let orders = &mut state.orders;
        orders.last_number += 1;
        let (number, queued) = (orders.last_number, orders.queued.entry(id.clone()).or_default());
        queued.push(json!({
            "commandId": format!("CMD-2026-{number:03}"), "agentId": id, "commandSeq": queued.len() + 1,
            "action": order["action"], "params": {},
            "issuedAt": "2026-02-25T10:00:00Z", "expiresAt": "2999-01-01T00:00:00Z",
        }));
    }
    state.orders.bell.notify_waiters();
    match is_one {
        true => json_answer(201, state.orders.queued[&ids[0]].last().unwrap()),
        false => json_answer(201, &state.orders.batch()),
    }
}

/// `GET /api/v1/commands/batches/:id`: there is only one.
pub(super) fn batch(state: &Mutex<State>) -> Answer {
    json_answer(200, &state.lock().unwrap().orders.batch())
}

/// `GET /api/v1/commands/pending/:agentId`, held open until there is something.
pub(super) async fn pending(state: &Mutex<State>, fault: Fault, id: &str, query: &str) -> Answer {
    let parameter = |name: &str| {
        let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("no {name} in {query}")).to_owned()
    };
    let (nonce, after, wait) = (parameter("nonce"), parameter("after"), parameter("wait"));
    let after = if fault == Fault::HandsOutTwice { 0 } else { after.parse().unwrap() };
    let wait = Duration::from_secs(wait.parse().unwrap());
    loop {
        let bell = Arc::clone(&state.lock().unwrap().orders.bell);
        let mut rung = std::pin::pin!(bell.notified());
        // Listened for before the look: what is queued after it is heard.
        rung.as_mut().enable();
        let due = state.lock().unwrap().orders.after(id, after);
        if !due.is_empty() || timeout(wait, rung).await.is_err() {
            return signed(state, fault, id, |key| {
                let commands = due
                    .iter()
                    .map(|command| serde_json::from_slice(&signing::sign(key, command).unwrap()).unwrap());
                PendingAnswer {
                    agent_id: AgentId::parse(id).unwrap(),
                    nonce,
                    server_time: Timestamp::from_micros(0),
                    commands: commands.collect(),
                    config_version: 0,
                    cancel: Vec::new(),
                }
            });
        }
    }
}

/// `POST /api/v1/commands/:id/result`.
pub(super) fn result(state: &Mutex<State>, id: &str, body: &[u8]) -> Answer {
    let mut state = state.lock().unwrap();
    if !signing::scan(body).unwrap().verify(&Key::new(&state.keys[id])) {
        return refuse(ProblemType::SignatureInvalid);
    }
    let result: ResultBody = schema::read(body).unwrap();
    if !state.orders.reported.insert(result.command_id.clone()) {
        state.faults_of_caller.push(format!("{} was reported twice", result.command_id));
    }
    json_answer(200, &json!({"commandId": result.command_id, "status": result.status}))
}

/// `POST /api/v1/agents/:id/heartbeat`.
pub(super) fn heartbeat(state: &Mutex<State>, fault: Fault, id: &str, body: &Bytes) -> Answer {
    let beat: HeartbeatBody = schema::read(body).unwrap();
    assert_eq!(beat.agent_id.as_str(), id);
    state.lock().unwrap().beats += 1;
    signed(state, fault, id, |_| HeartbeatAnswer {
        server_time: Timestamp::from_micros(0),
        config_version: 0,
        pending_commands: 0,
        generation: 1,
        credentials: None,
    })
}

fn signed<T: Serialize>(
    state: &Mutex<State>,
    fault: Fault,
    id: &str,
    message: impl FnOnce(&Key) -> T,
) -> Answer {
    let key = match fault {
        Fault::SignsWithAnotherKey => Key::new(&Secret::new([0xee; 32])),
        _ => Key::new(&state.lock().unwrap().keys[id]),
    };
    let body = signing::sign(&key, &message(&key)).unwrap();
    json_answer(200, &serde_json::from_slice::<Value>(&body).unwrap())
}

impl Orders {
    /// How many commands were reported.
    pub(super) fn reported(&self) -> usize {
        self.reported.len()
    }

    fn after(&self, id: &str, after: u64) -> Vec<Value> {
        let due = |command: &&Value| command["commandSeq"].as_u64().unwrap() > after;
        self.queued.get(id).into_iter().flatten().filter(due).cloned().collect()
    }

    fn batch(&self) -> Value {
        json!({"batchId": "BATCH-2026-001", "counts": {"succeeded": self.reported.len()}})
    }
}
