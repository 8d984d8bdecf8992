//! The examples in the description of the API, one after the other: each is taken as it is, at today's date, and what is answered
//! has the members that the example has.

use crate::harness::{
    Hub,
    agent::{Agent, nonce, now},
    wire::Wire,
};
use pingup_protocol::time::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// When all of the examples take place.
const THEN: &str = "2026-02-25T10:00:00Z";
/// The agent of the examples.
const AGENT: &str = "web-1";

/// The description, and who follows it.
struct Story {
    document: Value,
    admin: Wire,
    agent: Agent,
    now: Timestamp,
}

impl Story {
    fn begin(hub: &Hub) -> Self {
        let document = hub.wire.get("/api/v1/openapi.json").expect(200);
        let admin = hub.operator("admin");
        let at = "POST /api/v1/agents";
        let (request, answer) = examples(&document, at);
        let made = admin.post("/api/v1/agents", &request.unwrap());
        assert_eq!(made.status, 201, "{made:?}");
        alike(at, &answer.unwrap(), &made.json());
        let agent = Agent::new(hub.wire.clone(), &made.json()["credentials"]);
        assert_eq!(agent.id, AGENT);
        Self { document, admin, agent, now: now() }
    }

    /// Does what the route's example says, as an operator at `path`.
    fn operator(&self, at: &str, path: &str) -> Value {
        let (method, _) = at.split_once(' ').unwrap();
        let body = examples(&self.document, at).0.map(|body| serde_json::to_vec(&self.today(body)).unwrap());
        let headers = [("content-type", "application/json")];
        let answer = match &body {
            Some(body) => self.admin.send(method, path, &headers, Some(body)),
            None => self.admin.send(method, path, &[], None),
        };
        self.seen(at, answer.status, &answer.json_or_null())
    }

    /// The same as the agent.
    fn agent(&self, at: &str, path: &str, amend: impl FnOnce(&mut Value)) -> Value {
        let mut body = self.today(examples(&self.document, at).0.unwrap());
        body.as_object_mut().unwrap().remove("signature").expect("what agents say is signed");
        amend(&mut body);
        let answer = self.agent.post(path, &body);
        self.seen(at, answer.status, &answer.json_or_null())
    }

    fn seen(&self, at: &str, status: u16, told: &Value) -> Value {
        assert!((200..300).contains(&status), "{at}: {status} {told}");
        let example = examples(&self.document, at).1.unwrap_or_else(|| panic!("{at} has no example"));
        alike(at, &example, told);
        told.clone()
    }

    /// An example's moments, as far from now as they are from then.
    fn today(&self, mut example: Value) -> Value {
        shift(&mut example, self.now.as_micros() - Timestamp::parse(THEN).unwrap().as_micros());
        example
    }
}

/// What a route's example sends, and what it is answered.
fn examples(document: &Value, at: &str) -> (Option<Value>, Option<Value>) {
    let (method, path) = at.split_once(' ').unwrap();
    let operation = &document["paths"][path][method.to_ascii_lowercase()];
    let of = |place: &Value| {
        let example = &place["content"]["application/json"]["example"];
        (!example.is_null()).then(|| example.clone())
    };
    let answers = operation["responses"].as_object().unwrap();
    let answer =
        answers.iter().filter(|(status, _)| status.starts_with('2')).find_map(|(_, answer)| of(answer));
    (of(&operation["requestBody"]), answer)
}

fn shift(value: &mut Value, micros: i64) {
    match value {
        Value::String(text) => {
            if let Ok(moment) = Timestamp::parse(text) {
                *text = Timestamp::from_micros(moment.as_micros() + micros).to_string();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| shift(item, micros)),
        Value::Object(members) => members.values_mut().for_each(|member| shift(member, micros)),
        _ => {}
    }
}

/// Checks that both have the same members, all the way down; of lists, the first item stands for all. What is null in one may be
/// anything in the other.
#[track_caller]
fn alike(at: &str, example: &Value, told: &Value) {
    match (example, told) {
        (Value::Object(said), Value::Object(found)) => {
            let names = |members: &Map<String, Value>| members.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(names(said), names(found), "{at}: {told:#}");
            for (name, member) in said {
                alike(&format!("{at}/{name}"), member, &found[name]);
            }
        }
        (Value::Array(said), Value::Array(found)) => {
            if let (Some(said), Some(found)) = (said.first(), found.first()) {
                alike(&format!("{at}/0"), said, found);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (said, found) => {
            let kind = |value: &Value| (value.is_string(), value.is_number(), value.is_boolean());
            assert_eq!(kind(said), kind(found), "{at}: {found}");
        }
    }
}

#[test]
fn what_the_examples_send_is_taken_and_what_they_show_is_answered() {
    let hub = Hub::start();
    let story = Story::begin(&hub);
    let at = |template: &str| template.replace("{id}", AGENT).replace("{agentId}", AGENT);
    let own = |route: &str| story.operator(route, &at(route.split_once(' ').unwrap().1));
    let said = |route: &str| story.agent(route, &at(route.split_once(' ').unwrap().1), |_| ());

    own("GET /health");
    said("POST /api/v1/agents/{id}/heartbeat");
    said("POST /api/v1/metrics");
    said("POST /api/v1/discovery");
    own("PATCH /api/v1/agents/{id}");
    own("GET /api/v1/agents");
    own("GET /api/v1/agents/{id}");
    own("GET /api/v1/metrics/{agentId}");
    own("GET /api/v1/metrics/{agentId}/latest");
    story.operator("GET /api/v1/fleet/metrics", "/api/v1/fleet/metrics?step=1m");
    story.operator("GET /api/v1/fleet/top", "/api/v1/fleet/top?field=cpu");
    own("GET /api/v1/discovery/{agentId}");
    own("GET /api/v1/discovery/{agentId}/latest");
    own("GET /api/v1/discovery/{agentId}/changes");
    own("POST /api/v1/config/{agentId}");
    own("GET /api/v1/config/{agentId}");
    own("GET /api/v1/config/{agentId}/versions");
    own("POST /api/v1/sql");

    let queued = own("POST /api/v1/commands");
    let id = queued["commandId"].as_str().unwrap().to_owned();
    let waiting = format!("/api/v1/commands/pending/{AGENT}?nonce={}", nonce());
    let handed = story.agent.get_signed(&waiting);
    story.seen("GET /api/v1/commands/pending/{agentId}", 200, &handed);
    let of_it = |body: &mut Value| {
        body["commandId"] = handed["commands"][0]["commandId"].clone();
        body["commandSeq"] = handed["commands"][0]["commandSeq"].clone();
    };
    for step in ["progress", "result"] {
        story.agent(
            &format!("POST /api/v1/commands/{{id}}/{step}"),
            &format!("/api/v1/commands/{id}/{step}"),
            of_it,
        );
    }
    own("GET /api/v1/commands");
    story.operator("GET /api/v1/commands/{id}", &format!("/api/v1/commands/{id}"));
    let order = serde_json::json!({"agentId": AGENT, "action": "ping"});
    let other = story.admin.post("/api/v1/commands", &order).expect(201);
    let other = format!("/api/v1/commands/{}", other["commandId"].as_str().unwrap());
    story.operator("DELETE /api/v1/commands/{id}", &other);
    let many = serde_json::json!({"agentIds": [AGENT], "action": "ping"});
    let batch = story.admin.post("/api/v1/commands", &many).expect(201);
    let batch = format!("/api/v1/commands/batches/{}", batch["batchId"].as_str().unwrap());
    story.operator("GET /api/v1/commands/batches/{id}", &batch);
    story.operator("DELETE /api/v1/commands/batches/{id}", &batch);

    own("POST /api/v1/agents/{id}/rotate");
    let token = own("POST /api/v1/tokens");
    own("GET /api/v1/tokens");
    let token = format!("/api/v1/tokens/{}", token["token"]["id"].as_str().unwrap());
    story.operator("DELETE /api/v1/tokens/{id}", &token);
    own("GET /api/v1/audit");
    own("DELETE /api/v1/agents/{id}");
}
