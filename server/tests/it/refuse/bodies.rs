//! Bodies that are refused: their size, their form, their signature, what they say.

use super::Door;
use crate::harness::{Hub, agent::now, refused, wire::Wire};
use pingup_protocol::{
    keys::Secret,
    limits::{BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX, HEADER_BYTES_MAX},
    signing::{self, Key},
};
use pingup_server::http::body::BODIES_BYTES_MAX;
use serde_json::json;

#[test]
fn sizes() {
    let door = Door::open();
    let head = |path: &str, rest: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n{rest}\r\n",
            door.agent.wire.token()
        )
    };
    // Announced: refused before a byte of it is sent.
    for (path, limit) in
        [("/api/v1/metrics", BATCH_BODY_BYTES_MAX), ("/api/v1/agents/A/heartbeat", BODY_BYTES_MAX)]
    {
        let announced = head(path, &format!("content-length: {}\r\n", limit + 1));
        refused(&door.agent.wire.raw(announced.as_bytes()), 413, "payload-too-large");
    }
    // Not announced: refused as soon as it passes the limit, though it never ends.
    let mut endless = head("/api/v1/agents/A/heartbeat", "transfer-encoding: chunked\r\n").into_bytes();
    for _ in 0..=BODY_BYTES_MAX / 65_536 {
        endless.extend_from_slice(b"10000\r\n");
        endless.extend_from_slice(&[b' '; 65_536]);
        endless.extend_from_slice(b"\r\n");
    }
    refused(&door.agent.wire.raw(&endless), 413, "payload-too-large");

    let large =
        |bytes: usize| format!("GET /health HTTP/1.1\r\nhost: hub\r\nx: {}\r\n\r\n", "x".repeat(bytes));
    refused(&door.hub.wire.raw(large(HEADER_BYTES_MAX).as_bytes()), 431, "headers-too-large");
    assert_eq!(door.hub.wire.raw(large(HEADER_BYTES_MAX - 200).as_bytes()).status, 200);
    assert_eq!(
        door.hub.wire.raw(large(100 * 1024).as_bytes()).status,
        431,
        "beyond what is buffered, without a document"
    );
    door.nothing_stored();
}

#[test]
fn bodies_that_are_not_strict_json() {
    let door = Door::open();
    let signed = String::from_utf8(door.agent.sign(&door.sample())).unwrap();
    let spliced = |member: &str| signed.replacen('{', &format!("{{{member},"), 1).into_bytes();
    for (name, status, body) in [
        ("malformed-json", 400, b"".to_vec()),
        ("malformed-json", 400, b"{".to_vec()),
        ("malformed-json", 400, format!("{signed}x").into_bytes()),
        ("malformed-json", 400, spliced("\"a\":NaN")),
        ("malformed-json", 400, spliced("\"a\":01")),
        ("malformed-json", 400, spliced("a:1")),
        ("invalid-unicode", 400, spliced("\"a\":\"\\ud800\"")),
        ("invalid-unicode", 400, [b"{\"a\":\"\xff\"}".to_vec()].concat()),
        ("invalid-unicode", 400, [b"\xef\xbb\xbf".to_vec(), signed.clone().into_bytes()].concat()),
        ("duplicate-member", 400, spliced("\"agentId\":\"A\"")),
        ("duplicate-member", 400, spliced("\"x\":{\"b\":1,\"\\u0062\":2}")),
        ("nesting-too-deep", 400, spliced(&format!("\"x\":{}{}", "[".repeat(16), "]".repeat(16)))),
        ("nesting-too-deep", 400, vec![b'['; 1 << 20]),
        ("signature-missing", 400, serde_json::to_vec(&door.sample()).unwrap()),
        ("signature-missing", 400, b"[]".to_vec()),
        ("signature-malformed", 400, spliced("\"y\":1").into_iter().filter(|b| *b != b'=').collect()),
        ("signature-malformed", 400, b"{\"signature\":7}".to_vec()),
        ("number-out-of-range", 422, spliced("\"x\":9007199254740993")),
        ("number-out-of-range", 422, spliced("\"x\":1e400")),
        ("schema-invalid", 422, spliced(&format!("\"x\":\"{}\"", "x".repeat(65_537)))),
    ] {
        let answer = door.push(&body);
        refused(&answer, status, name);
    }
    let operator = door.hub.operator("operator");
    refused(
        &operator.post_bytes("/api/v1/commands", b"{\"agentId\":\"A\",\"agentId\":\"B\"}"),
        400,
        "duplicate-member",
    );
    refused(&operator.post_bytes("/api/v1/commands", b"{}"), 422, "schema-invalid");
    door.nothing_stored();
}

#[test]
fn signatures() {
    let door = Door::open();
    let other = door.hub.register("B");
    let body = door.sample();
    let flipped = String::from_utf8(door.agent.sign(&body)).unwrap().replace("\"cpu\":1", "\"cpu\":2");
    let bad = refused(&door.push(flipped.as_bytes()), 401, "signature-invalid");
    refused(&door.push(&other.sign(&body)), 401, "signature-invalid");
    refused(&door.push(&signing::sign(&door.agent.down, &body).unwrap()), 401, "signature-invalid");
    let zero = Key::new(&Secret::new([0; 32]));
    refused(&door.push(&signing::sign(&zero, &body).unwrap()), 401, "signature-invalid");
    refused(
        &door.agent.wire.post_bytes("/api/v1/agents/A/heartbeat", flipped.as_bytes()),
        401,
        "signature-invalid",
    );
    assert!(!bad["detail"].as_str().unwrap().contains("A"), "says nothing of who: {bad}");

    // Sealed well, addressed wrongly.
    let mut body = door.sample();
    body["agentId"] = json!("B");
    refused(&door.agent.post("/api/v1/metrics", &body), 403, "agent-mismatch");
    body["metrics"] = json!("neither metrics");
    refused(&door.agent.post("/api/v1/metrics", &body), 403, "agent-mismatch");
    refused(&door.agent.post("/api/v1/agents/B/heartbeat", &door.sample()), 403, "agent-mismatch");
    door.nothing_stored();
}

#[test]
fn what_could_not_be_signed_for_an_agent_is_not_taken_from_an_operator() {
    let door = Door::open();
    let operator = door.hub.operator("operator");
    for (path, body) in [
        ("/api/v1/commands", &br#"{"agentId":"A","action":"custom","params":{"x":1e16}}"#[..]),
        ("/api/v1/config/A", br#"{"config":{"x":1e16}}"#),
    ] {
        refused(&operator.post_bytes(path, body), 422, "number-out-of-range");
    }
    assert_eq!(door.agent.pending("")["commands"], json!([]));
    assert_eq!(door.agent.get_signed("/api/v1/config/A?nonce=a")["version"], 0);
}

#[test]
fn moments_that_cannot_be_written_again_are_not_taken() {
    let door = Door::open();
    for moment in ["0000-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"] {
        let beat = json!({"agentId": "A", "timestamp": moment, "status": "online", "metrics": {"cpu": 3}});
        refused(&door.agent.post("/api/v1/agents/A/heartbeat", &beat), 422, "schema-invalid");
    }
    let old = json!({"agentId": "A", "timestamp": "0000-01-01T00:00:00Z", "status": "online", "metrics": {"cpu": 3}});
    door.agent.post("/api/v1/agents/A/heartbeat", &old).expect(200);
    let seen = door.hub.operator("viewer").get("/api/v1/agents").expect(200);
    assert_eq!(seen["items"][0]["latest"]["timestamp"], "0000-01-01T00:00:00Z");
}

#[test]
fn bodies_of_another_kind() {
    let door = Door::open();
    let beat = json!({"agentId": "A", "timestamp": now(), "status": "online"});
    for (path, body) in [
        ("/api/v1/metrics", json!({"agentId": "A"})),
        ("/api/v1/metrics", beat.clone()),
        ("/api/v1/discovery", door.sample()),
        ("/api/v1/agents/A/heartbeat", json!({"agentId": "A", "timestamp": now(), "status": "asleep"})),
        ("/api/v1/commands/CMD-1/result", beat),
    ] {
        let problem = refused(&door.agent.post(path, &body), 422, "schema-invalid");
        assert!(problem["errors"][0]["detail"].is_string(), "{problem}");
    }
    door.nothing_stored();
}

#[test]
fn strangers_bodies_silence_nobody_else() {
    let door = Door::open();
    // Half-sent enrolments, more than all bodies of everyone else may take together.
    let head = "POST /api/v1/agents HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\ncontent-length: 262144\r\n\r\n";
    let half: Vec<u8> = [head.as_bytes(), &[b' '; 262_000]].concat();
    let held = BODIES_BYTES_MAX / half.len() + 8;
    let _held: Vec<_> = (0..held).map(|_| door.hub.wire.half_sent(&half)).collect();
    // On connections of their own: one whose body was refused halfway is closed by the hub.
    let wire = Wire::new(door.hub.wire.address);
    door.agent.at(&wire).post("/api/v1/metrics", &door.sample()).expect(200);
    let order = json!({"agentId": "A", "action": "ping"});
    wire.with_token(&door.hub.token("operator")).post("/api/v1/commands", &order).expect(201);
}

/// A client that sends all of a body before it reads must still hear why it was refused.
#[test]
fn who_sends_a_body_that_is_refused_to_its_end_hears_why() {
    let hub = Hub::start();
    let agent = hub.register("A");
    for bytes in [BATCH_BODY_BYTES_MAX + 1, 4 * BATCH_BODY_BYTES_MAX] {
        refused(&agent.wire.post_bytes("/api/v1/metrics", &vec![b'x'; bytes]), 413, "payload-too-large");
    }
    refused(&hub.wire.post_bytes("/api/v1/metrics", &vec![b'x'; BATCH_BODY_BYTES_MAX]), 401, "token-missing");
}
