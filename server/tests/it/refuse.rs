//! Every refusal of the protocol, provoked over the wire: its status, its name, and that nothing was stored.
//! What is refused of a body: `bodies`; what is hardly HTTP: `odd`; who comes in crowds: `crowds`; every name, many times: `every`; who asks too often: `often`. (Refusals with a story of their own are told beside it: enrolment in `agents`,
//! sequences in `metrics`.)

mod bodies;
mod crowds;
mod every;
mod odd;
mod often;
mod scene;

use crate::harness::{
    Hub,
    agent::{Agent, now},
    eventually, join_secret, refused,
};
use serde_json::{Value, json};
use std::thread;

/// A hub, an agent, and the promise that nothing of this agent's is stored at the end.
struct Door {
    hub: Hub,
    agent: Agent,
}

impl Door {
    fn open() -> Self {
        let hub = Hub::start();
        let agent = hub.register("A");
        Self { hub, agent }
    }

    fn nothing_stored(&self) {
        let viewer = self.hub.operator("viewer");
        assert_eq!(viewer.get("/api/v1/metrics/A?from=2000-01-01T00:00:00Z").expect(200)["items"], json!([]));
        assert_eq!(viewer.get("/api/v1/discovery/A").expect(200)["items"], json!([]));
        assert_eq!(viewer.get("/api/v1/agents/A").expect(200)["status"], "pending");
    }

    fn sample(&self) -> Value {
        self.agent.sample(now(), 1.0)
    }

    fn push(&self, body: &[u8]) -> crate::harness::wire::Answer {
        self.agent.wire.post_bytes("/api/v1/metrics", body)
    }
}

#[test]
fn methods_and_media_types() {
    let door = Door::open();
    let wire = &door.agent.wire;
    let answer = wire.send("DELETE", "/health", &[], None);
    refused(&answer, 405, "method-not-allowed");
    assert!(answer.header("allow").unwrap().contains("GET"));
    refused(&wire.send("PUT", "/api/v1/metrics", &[], Some(b"{}")), 405, "method-not-allowed");
    refused(&wire.send("GET", "/health", &[("accept", "text/html")], None), 406, "not-acceptable");
    let body = door.agent.sign(&door.sample());
    refused(
        &wire.send(
            "POST",
            "/api/v1/metrics",
            &[("accept", "text/csv"), ("content-type", "application/json")],
            Some(&body),
        ),
        406,
        "not-acceptable",
    );
    for media_type in ["text/plain", "application/jsonx", ""] {
        refused(
            &wire.send("POST", "/api/v1/metrics", &[("content-type", media_type)], Some(&body)),
            415,
            "unsupported-media-type",
        );
    }
    let compressed = [("content-type", "application/json"), ("content-encoding", "gzip")];
    refused(&wire.send("POST", "/api/v1/metrics", &compressed, Some(&body)), 415, "unsupported-media-type");
    refused(&wire.get("/api/v2/agents"), 404, "not-found");
    refused(&wire.get("/api/v1/agents/../../etc/passwd"), 404, "not-found");
    door.nothing_stored();
}

#[test]
fn bearer_tokens() {
    let door = Door::open();
    let body = door.agent.sign(&door.sample());
    let with = |authorization: &str| {
        door.hub.wire.send(
            "POST",
            "/api/v1/metrics",
            &[("content-type", "application/json"), ("authorization", authorization)],
            Some(&body),
        )
    };
    let missing = door.hub.wire.post_bytes("/api/v1/metrics", &body);
    refused(&missing, 401, "token-missing");
    assert!(missing.header("www-authenticate").unwrap().starts_with("Bearer"));
    refused(&with("Basic QTpC"), 401, "token-missing");
    let token = door.agent.wire.token().to_owned();
    refused(&with(&format!("Bearer {}", &token[..token.len() - 2])), 401, "token-invalid");
    refused(&with(&format!("Bearer {}", door.hub.token("admin"))), 401, "token-invalid");
    refused(&door.agent.wire.get("/api/v1/agents"), 401, "token-invalid");
    let expired = door.hub.line(&["token", "create", "--role", "admin", "--ttl", "1s"]);
    eventually("the token has expired", || {
        let answer = door.hub.wire.with_token(&expired).get("/api/v1/agents");
        (answer.status == 401).then(|| refused(&answer, 401, "token-expired"))
    });
    let elsewhere = Hub::start();
    refused(&with(&format!("Bearer {}", elsewhere.register("A").wire.token())), 401, "token-invalid");
    refused(&door.hub.operator("viewer").delete("/api/v1/agents/A"), 403, "scope-denied");
    door.nothing_stored();
}

#[test]
fn paths_and_methods_that_lead_nowhere() {
    let door = Door::open();
    for path in ["/api/v1/agents/%FF", "/api/v1/metrics/%ff", "/api/v1/commands/pending/%ff?nonce=a"] {
        refused(&door.agent.wire.get(path), 404, "not-found");
    }
    // A command must not be marked as handed out by a request whose answer has no body.
    let operator = door.hub.operator("operator");
    let queued = operator.post("/api/v1/commands", &json!({"agentId": "A", "action": "ping"})).expect(201);
    let head = door.agent.wire.send("HEAD", "/api/v1/commands/pending/A?nonce=a", &[], None);
    assert_eq!((head.status, head.header("allow")), (405, Some("GET")));
    let path = format!("/api/v1/commands/{}", queued["commandId"].as_str().unwrap());
    assert_eq!(operator.get(&path).expect(200)["status"], "pending");
    door.nothing_stored();
}

#[test]
fn a_full_queue_says_when_to_come_back() {
    let hub = Hub::start_with(&[("PINGUP_QUEUE_JOBS", "1")]);
    let agents: Vec<_> = (0..16).map(|i| hub.register(&format!("A-{i}"))).collect();
    let full = eventually("the queue was full", || {
        let answers: Vec<_> = thread::scope(|scope| {
            let posts: Vec<_> = agents
                .iter()
                .map(|agent| scope.spawn(|| agent.post("/api/v1/metrics", &agent.sample(now(), 1.0))))
                .collect();
            posts.into_iter().map(|post| post.join().unwrap()).collect()
        });
        answers.into_iter().find(|answer| answer.status == 503)
    });
    assert_eq!(refused(&full, 503, "overloaded")["retryable"], true);
    assert!(full.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
}

#[test]
fn no_refusal_and_no_log_line_tells_a_secret() {
    let mut hub = Hub::start_with(&[("PINGUP_LOG", "debug")]);
    let agent = hub.register("A");
    let token = hub.join_token();
    let mut told = String::new();
    for body in [&b"{"[..], b"{\"signature\":\"x\"}", &agent.sign(&json!({"agentId": "B"}))] {
        told += agent.wire.post_bytes("/api/v1/metrics", body).text();
        told += hub.wire.post_bytes("/api/v1/agents", body).text();
    }
    told += hub.wire.with_token(&token).get("/api/v1/agents").text();
    told += hub.operator("admin").get("/api/v1/agents/A").text();
    told += &hub.stop();
    let secret = join_secret(&token).to_owned();
    let keys =
        agent.credentials["keys"].as_object().unwrap().values().map(|key| key.as_str().unwrap().to_owned());
    for secret in keys.chain([secret, agent.wire.token().to_owned()]) {
        assert!(!told.contains(&secret), "a secret is told: {told}");
    }
}
