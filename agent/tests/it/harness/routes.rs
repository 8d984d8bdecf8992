//! What the hub of the tests answers: the protocol's rules, as far as the stories need them.

mod pushed;

use self::pushed::{discovery, metrics};
use super::{
    shared::SharedState,
    state::{HubState, Reply},
};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use pingup_protocol::{
    command::ProgressBody,
    enrol::EnrolBody,
    limits::INTEGER_MAX,
    problem::{MEDIA_TYPE, Problem, ProblemType},
    schema,
    signing::{self, Key},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, convert::Infallible, time::Duration};

type Answer = Response<Full<Bytes>>;

pub(crate) async fn answer(request: Request<Incoming>, state: SharedState) -> Result<Answer, Infallible> {
    let (head, body) = request.into_parts();
    state.lock().asked += 1;
    let Ok(body) = body.collect().await else {
        return Ok(refuse(Problem::new(ProblemType::MalformedJson, "cut")));
    };
    let body = body.to_bytes();
    let path = head.uri.path().to_owned();
    let query = head.uri.query().unwrap_or_default().to_owned();
    let route = route_of(&head.method, &path);
    let reply = state.lock().replies.get_mut(route).and_then(|replies| replies.pop_front());
    let swallow = match reply {
        Some(Reply::Problem(problem)) => return Ok(state.change(|_| refuse(problem))),
        Some(Reply::RetryAfter(problem, seconds)) => {
            let mut refusal = refuse(problem);
            refusal.headers_mut().insert("retry-after", seconds.into());
            return Ok(refusal);
        }
        Some(Reply::Body(status, bytes)) => return Ok(respond(status, "application/json", bytes)),
        Some(Reply::Swallow) => true,
        None => false,
    };
    match route {
        "pending" => return Ok(pending(&state, &query).await),
        "health" | "list" if !swallow => return Ok(open(&state.lock(), route)),
        _ => {}
    }
    let authorised = head.headers.get("authorization").is_some_and(|value| value == "Bearer a.bearer.token");
    let answer = state.change(|state| {
        if !authorised && !matches!(route, "agents" | "health") {
            state.complaints.push(format!("{route} without the bearer token"));
        }
        handle(state, route, &query, &body)
    });
    if swallow {
        std::future::pending::<()>().await;
    }
    Ok(answer)
}

fn route_of(method: &Method, path: &str) -> &'static str {
    let parts: Vec<&str> = path.trim_start_matches("/api/v1/").split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("GET", ["", "health"]) => "health",
        ("GET", ["agents"]) => "list",
        ("POST", ["agents"]) => "agents",
        ("POST", ["agents", "AGENT-1", "heartbeat"]) => "heartbeat",
        ("POST", ["metrics"]) => "metrics",
        ("POST", ["discovery"]) => "discovery",
        ("GET", ["commands", "pending", "AGENT-1"]) => "pending",
        ("POST", ["commands", _, "progress"]) => "progress",
        ("POST", ["commands", _, "result"]) => "result",
        ("GET", ["config", "AGENT-1"]) => "config",
        _ => "nowhere",
    }
}

/// What anyone may ask: how the hub does, and, by a refusal, what time it has.
fn open(state: &HubState, route: &str) -> Answer {
    if route == "health" {
        let health = json!({"status": "ok", "version": "0.0.0", "uptimeSeconds": 1, "checks": {}});
        return respond(200, "application/json", health.to_string().into_bytes());
    }
    let mut problem = Problem::new(ProblemType::TokenMissing, "x");
    problem.server_time = Some(state.now());
    refuse(problem)
}

fn handle(state: &mut HubState, route: &'static str, query: &str, body: &[u8]) -> Answer {
    if route == "health" {
        return open(state, route);
    }
    let key = if route == "agents" { state.token_key() } else { state.up_key() };
    if route != "config" && !signing::scan(body).is_ok_and(|scanned| scanned.verify(&key)) {
        state.complaints.push(format!("{route}: not signed: {}", String::from_utf8_lossy(body)));
        return refuse(Problem::new(ProblemType::SignatureInvalid, "x"));
    }
    match route {
        "agents" => enrol(state, body),
        "heartbeat" => {
            let beat = schema::read(body).unwrap();
            state.beats.push(beat);
            let answer = json!({
                "serverTime": state.now(), "configVersion": state.config.0, "pendingCommands": 0, "generation": 1
            });
            signed(200, &state.down_key(), &answer)
        }
        "metrics" => metrics(state, body),
        "discovery" => discovery(state, body),
        "progress" => progress(state, body),
        "result" => {
            let result = schema::read(body).unwrap();
            state.results.push(result);
            respond(200, "application/json", b"{}".to_vec())
        }
        "config" => {
            let answer = json!({
                "agentId": state.agent_id, "nonce": parameter(query, "nonce"), "version": state.config.0,
                "issuedAt": state.now(), "config": state.config.1
            });
            signed(200, &state.down_key(), &answer)
        }
        _ => refuse(Problem::new(ProblemType::NotFound, "x")),
    }
}

/// Places a piece as the hub does.
fn progress(state: &mut HubState, body: &[u8]) -> Answer {
    let said: ProgressBody = schema::read(body).unwrap();
    let output = state.outputs.entry(said.command_seq).or_default();
    let known = output.len().checked_sub(usize::try_from(said.offset).unwrap());
    output.push_str(known.and_then(|known| said.output.get(known..)).unwrap_or_default());
    let answer = json!({
        "commandId": said.command_id, "status": "running", "outputBytes": output.len(),
        "serverTime": state.now()
    });
    state.progress.push(said);
    respond(200, "application/json", answer.to_string().into_bytes())
}

fn enrol(state: &mut HubState, body: &[u8]) -> Answer {
    let asked: EnrolBody = schema::read(body).unwrap();
    let answer = json!({
        "agent": {"id": state.agent_id}, "credentials": state.credentials(),
        "nonce": asked.nonce, "serverTime": state.now()
    });
    state.enrolments.push(asked);
    signed(201, &state.token_key(), &answer)
}

/// Held open until there is a command that the agent has not had, or one to end for an agent that wants no more.
async fn pending(state: &SharedState, query: &str) -> Answer {
    let after: u64 = parameter(query, "after").parse().unwrap();
    let wait = Duration::from_secs(parameter(query, "wait").parse().unwrap());
    state.change(|state| state.polls += 1);
    let held = tokio::time::Instant::now() + wait;
    // From before the look: a change after it is heard of.
    let mut changes = state.changes();
    loop {
        let (commands, cancel, version) = {
            let mut state = state.lock();
            (state.hand_out(after), state.cancel.clone(), state.config.0)
        };
        let is_news = !commands.is_empty() || (after == INTEGER_MAX && !cancel.is_empty());
        if is_news || tokio::time::Instant::now() >= held {
            let state = state.lock();
            let mut answer = json!({
                "agentId": state.agent_id, "nonce": parameter(query, "nonce"), "serverTime": state.now(),
                "commands": commands, "configVersion": version
            });
            if !cancel.is_empty() {
                answer["cancel"] = json!(cancel);
            }
            return signed(200, &state.down_key(), &answer);
        }
        // A change, or the end of the wait: the next look tells.
        let _ = tokio::time::timeout_at(held, changes.changed()).await;
    }
}

fn parameter(query: &str, name: &str) -> String {
    let pairs: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    pairs.get(name).copied().unwrap_or_default().to_owned()
}

fn signed(status: u16, key: &Key, message: &Value) -> Answer {
    respond(status, "application/json", signing::sign(key, message).unwrap())
}

fn refuse(problem: Problem) -> Answer {
    respond(problem.status, MEDIA_TYPE, serde_json::to_vec(&problem).unwrap())
}

fn respond(status: u16, media_type: &str, body: Vec<u8>) -> Answer {
    Response::builder().status(status).header("content-type", media_type).body(Full::from(body)).unwrap()
}
