//! Every name of the protocol's list, caused many times over the wire: nothing is stored by it, nothing is told of others, and no
//! secret is in an answer or in the log. A name without a row does not compile.

use super::scene::{BOOT, MACHINE, NEIGHBOUR, SEQ, Scene};
use crate::harness::{agent::now, refused, wire::Answer};
use pingup_protocol::{
    limits::{BODY_BYTES_MAX, HEADER_BYTES_MAX},
    problem::ProblemType,
};
use serde_json::{Value, json};

/// How often each is caused, unless `PINGUP_REFUSALS` says otherwise.
const TIMES: usize = 1_000;

/// How often each is caused here and now.
pub(super) fn times() -> usize {
    std::env::var("PINGUP_REFUSALS").map_or(TIMES, |times| times.parse().unwrap())
}

/// How a name is caused.
enum Row {
    /// By this, in a scene that is made for all.
    By(fn(&Scene, usize) -> Answer),
    /// Not here, and why not.
    NotHere(&'static str),
}

/// The table.
fn row(kind: ProblemType) -> Row {
    use ProblemType as P;
    match kind {
        P::MethodNotAllowed => {
            Row::By(|scene, _| scene.hub.wire.send("PUT", "/api/v1/metrics", &[], Some(b"{}")))
        }
        P::NotAcceptable => {
            Row::By(|scene, _| scene.hub.wire.send("GET", "/health", &[("accept", "text/html")], None))
        }
        P::UnsupportedMediaType => Row::By(|scene, _| {
            scene.agent.wire.send(
                "POST",
                "/api/v1/metrics",
                &[("content-type", "text/plain")],
                Some(&good(scene)),
            )
        }),
        P::PayloadTooLarge => Row::By(|scene, _| {
            let head = format!(
                "POST /api/v1/agents/A/heartbeat HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n",
                scene.agent.wire.token(),
                BODY_BYTES_MAX + 1
            );
            scene.agent.wire.raw(head.as_bytes())
        }),
        P::HeadersTooLarge => Row::By(|scene, _| {
            let large = "x".repeat(HEADER_BYTES_MAX);
            scene.hub.wire.raw(format!("GET /health HTTP/1.1\r\nhost: hub\r\nx: {large}\r\n\r\n").as_bytes())
        }),
        P::RateLimited => Row::NotHere(
            "it is slow on purpose, so as often, many at once: `who_asks_too_often_is_refused_slowly`",
        ),
        P::Overloaded => {
            Row::By(|scene, _| scene.hub.wire.with_token(&scene.tokens["viewer"]).get("/api/v1/events"))
        }
        P::TokenMissing => Row::By(|scene, _| scene.hub.wire.post_bytes("/api/v1/metrics", &good(scene))),
        P::TokenInvalid => Row::By(|scene, times| {
            let wrong =
                [scene.tokens["viewer"].as_str(), "rubbish", "a.b.c", &scene.tokens["one"]][times % 4];
            scene.hub.wire.with_token(wrong).post_bytes("/api/v1/metrics", &good(scene))
        }),
        P::TokenExpired => {
            Row::By(|scene, _| scene.hub.wire.with_token(&scene.tokens["expired"]).get("/api/v1/agents/B"))
        }
        P::MalformedJson => Row::By(|scene, _| push(scene, b"{")),
        P::InvalidUnicode => Row::By(|scene, _| push(scene, b"{\"a\":\"\xff\"}")),
        P::DuplicateMember => Row::By(|scene, _| push(scene, b"{\"a\":1,\"a\":2}")),
        P::NestingTooDeep => Row::By(|scene, _| push(scene, &[b'['; 1_000])),
        P::SignatureMissing => Row::By(|scene, _| push(scene, &serde_json::to_vec(&sample(scene)).unwrap())),
        P::SignatureMalformed => Row::By(|scene, _| push(scene, b"{\"signature\":7}")),
        P::NumberOutOfRange => Row::By(|scene, _| {
            let body = String::from_utf8(good(scene)).unwrap().replacen('{', "{\"x\":9007199254740993,", 1);
            push(scene, body.as_bytes())
        }),
        P::SignatureInvalid => Row::By(|scene, _| push(scene, &scene.removed.sign(&sample(scene)))),
        P::AgentRevoked => {
            Row::By(|scene, _| scene.removed.post("/api/v1/metrics", &scene.removed.sample(now(), 1.0)))
        }
        P::AgentMismatch => Row::By(|scene, times| match times % 2 {
            0 => scene.agent.post("/api/v1/agents/B/heartbeat", &sample(scene)),
            _ => scene.agent.wire.get("/api/v1/commands/pending/B?nonce=n"),
        }),
        P::ScopeDenied => {
            Row::By(|scene, _| scene.hub.wire.with_token(&scene.tokens["viewer"]).delete("/api/v1/agents/B"))
        }
        P::JoinTokenInvalid => Row::By(|scene, _| {
            let mut body: Value = serde_json::from_slice(&scene.enrol("many", "m-9")).unwrap();
            body["name"] = json!("changed behind the signature");
            scene.hub.wire.post("/api/v1/agents", &body)
        }),
        P::JoinTokenExhausted => Row::By(|scene, _| enrol(scene, "one", "m-9")),
        P::JoinTokenExpired => Row::By(|scene, _| enrol(scene, "short", "m-9")),
        P::SchemaInvalid => Row::By(|scene, _| scene.agent.post("/api/v1/metrics", &json!({"agentId": "A"}))),
        P::TimestampInFuture => Row::By(|scene, _| {
            scene.agent.post("/api/v1/metrics", &scene.agent.sample(now().plus_seconds(3_600), 1.0))
        }),
        P::NotFound => Row::By(|scene, times| match times % 2 {
            0 => scene.hub.wire.get("/api/v1/agents/../../etc/passwd"),
            _ => scene.hub.wire.with_token(&scene.tokens["viewer"]).get("/api/v1/agents/nobody"),
        }),
        P::Gone => {
            Row::By(|scene, _| scene.hub.wire.with_token(&scene.tokens["viewer"]).get("/api/v1/agents/R"))
        }
        P::SequenceConflict => Row::By(|scene, _| {
            scene.agent.post("/api/v1/metrics", &scene.agent.sequenced(BOOT, SEQ, scene.at.plus_seconds(-1)))
        }),
        P::BootRetired => Row::By(|scene, _| {
            scene.agent.post("/api/v1/metrics", &scene.agent.sequenced(BOOT - 1, 1, scene.at))
        }),
        P::MachineAlreadyEnrolled => Row::By(|scene, _| enrol(scene, "many", MACHINE)),
        P::AgentIdRetired => Row::By(|scene, _| operator(scene).post("/api/v1/agents", &json!({"id": "R"}))),
        P::ResultConflict => Row::By(|scene, _| operator(scene).delete(&scene.cancelled)),
        P::VersionConflict => Row::By(|scene, _| {
            operator(scene).post("/api/v1/config/A", &json!({"config": {}, "expectedVersion": 0}))
        }),
        P::InternalError => Row::NotHere("no request causes it: it takes a fault of the hub's own"),
    }
}

fn sample(scene: &Scene) -> Value {
    scene.agent.sample(now(), 1.0)
}

fn good(scene: &Scene) -> Vec<u8> {
    scene.agent.sign(&sample(scene))
}

fn push(scene: &Scene, body: &[u8]) -> Answer {
    scene.agent.wire.post_bytes("/api/v1/metrics", body)
}

fn enrol(scene: &Scene, token: &str, machine: &str) -> Answer {
    scene.hub.wire.post_bytes("/api/v1/agents", &scene.enrol(token, machine))
}

fn operator(scene: &Scene) -> crate::harness::wire::Wire {
    scene.hub.wire.with_token(&scene.tokens["operator"])
}

#[test]
fn every_refusal_stores_nothing_and_tells_nothing() {
    let times = times();
    let mut scene = Scene::new();
    let before = scene.digest();
    for &kind in ProblemType::ALL {
        let Row::By(cause) = row(kind) else { continue };
        for time in 0..times {
            let answer = cause(&scene, time);
            refused(&answer, kind.status(), kind.name());
            let told = String::from_utf8_lossy(&answer.body);
            assert!(!told.contains(NEIGHBOUR), "{kind:?} tells of another agent: {told}");
            scene.hub.assert_no_secret(&format!("{answer:?} {told}"));
        }
    }
    let after = scene.digest();
    for (place, stored) in &before {
        assert_eq!(Some(stored), after.get(place), "{place}");
    }
    assert_eq!(before.len(), after.len());
    let log = scene.hub.stop();
    scene.hub.assert_no_secret(&log);
}

#[test]
fn each_name_is_caused_or_says_why_not() {
    for &kind in ProblemType::ALL {
        if let Row::NotHere(why) = row(kind) {
            assert!(why.len() > 20, "{kind:?}");
        }
    }
}
