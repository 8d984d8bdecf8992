//! Whoever comes in crowds: silent connections, half bodies, one address with too many.

use crate::harness::{Hub, agent::now, eventually, refused, wire::Wire};
use pingup_protocol::limits::BATCH_BODY_BYTES_MAX;
use serde_json::json;
use std::{
    io::{Read, Write},
    net::TcpStream,
};

#[test]
fn silent_connections_keep_no_agent_out() {
    let hub = Hub::start_with(&[("PINGUP_CONNECTIONS_MAX", "64")]);
    let agent = hub.register("A");
    // One that was there before, and has shown a token, keeps its place throughout.
    let head = format!(
        "GET /api/v1/events HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\n\r\n",
        hub.token("viewer")
    );
    let mut events = hub.wire.half_sent(head.as_bytes());
    read_until(&mut events, "ready");
    let parts: [&[u8]; 4] =
        [b"", b"GET / HT", b"GET /health HTTP/1.1\r\nhost: hub\r\n", b"POST /api/v1/agents HTTP/1.1\r\nx: "];
    let mut silent = Vec::new();
    for number in 0..300 {
        silent.push(hub.wire.half_sent(parts[number % parts.len()]));
        if number % 60 == 59 {
            let wire = Wire::new(hub.wire.address);
            agent.at(&wire).post("/api/v1/metrics", &agent.sample(now(), 1.0)).expect(200);
        }
    }
    agent
        .post(
            "/api/v1/discovery",
            &json!({"agentId": "A", "timestamp": now(), "discovery": {"hosts": [], "duration": 1}}),
        )
        .expect(200);
    read_until(&mut events, "event: scan");
    drop(silent);
    let admin = hub.operator("admin");
    eventually("all places are free again", || {
        let figures = admin.get("/metrics");
        let open = figure(figures.text(), "pingup_connections ");
        (open <= 3).then_some(())
    });
    assert!(figure(admin.get("/metrics").text(), "pingup_connections_evicted_total ") > 0);
}

fn figure(text: &str, name: &str) -> u64 {
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap()
}

fn read_until(stream: &mut TcpStream, wanted: &str) {
    stream.set_read_timeout(Some(crate::harness::PATIENCE)).unwrap();
    let (mut heard, mut chunk) = (String::new(), [0; 1024]);
    while !heard.contains(wanted) {
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "it ended before {wanted}: {heard}");
        heard += &String::from_utf8_lossy(&chunk[..read]);
    }
}

#[test]
fn an_address_with_too_many_connections_is_told_so() {
    let hub = Hub::start_with(&[("PINGUP_ADDRESS_CONNECTIONS_MAX", "4")]);
    let held: Vec<_> = (0..4).map(|_| hub.wire.half_sent(b"")).collect();
    // The hub takes connections in order: by then all four are there.
    let answer = hub.wire.raw(b"");
    let problem = refused_at_the_door(&answer);
    assert!(problem["detail"].as_str().unwrap().contains("connections"), "{problem}");
    drop(held);
    eventually("there is room again", || {
        hub.wire.try_send("GET", "/health", &[], None).ok().filter(|answer| answer.status == 200)
    });
}

/// There is no clock in what is said there.
fn refused_at_the_door(answer: &crate::harness::wire::Answer) -> serde_json::Value {
    let problem = answer.json();
    assert_eq!(
        (answer.status, &problem["type"]),
        (429, &json!("urn:pingup:problem:rate-limited")),
        "{answer:?}"
    );
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    problem
}

#[test]
fn an_address_that_opens_too_many_is_told_when_to_come_back() {
    let hub = Hub::start_with(&[("PINGUP_ADDRESS_CONNECTIONS_PER_SECOND", "1")]);
    eventually("it opened too many", || {
        let mut stream = hub.wire.half_sent(b"GET /health HTTP/1.1\r\nhost: hub\r\n\r\n");
        let mut begun = [0; b"HTTP/1.1 429".len()];
        // One that is closed at once may be torn down before it was read.
        stream.read_exact(&mut begun).is_ok_and(|()| &begun == b"HTTP/1.1 429").then_some(())
    });
}

/// A captured agent, with all connections that it likes.
#[test]
fn half_bodies_of_one_agent_silence_no_other() {
    let hub = Hub::start();
    let (captured, agent) = (hub.register("C"), hub.register("A"));
    let head = format!(
        "POST /api/v1/metrics HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {BATCH_BODY_BYTES_MAX}\r\n\r\n",
        captured.wire.token()
    );
    let half: Vec<u8> = [head.as_bytes(), &vec![b' '; BATCH_BODY_BYTES_MAX / 2]].concat();
    let held: Vec<_> = (0..8).map(|_| hub.wire.half_sent(&half)).collect();
    agent.post("/api/v1/metrics", &agent.sample(now(), 1.0)).expect(200);
    agent.post("/api/v1/metrics", &agent.batch(1, 1..=2_000, now().plus_seconds(-3_600))).expect(200);
    drop(held);
    let seen = hub.operator("viewer").get("/api/v1/metrics/C?from=2000-01-01T00:00:00Z").expect(200);
    assert_eq!(seen["items"], json!([]));
}

/// A body that was read and scanned for nothing counts as many: so few of them are heard before the sender has to wait.
#[test]
fn large_rubbish_is_heard_less_often_than_small() {
    let hub = Hub::start_with(&[("PINGUP_AGENT_REFUSALS_PER_SECOND", "1")]);
    let (captured, stolen, agent) = (hub.register("C"), hub.register("D"), hub.register("A"));
    let rubbish = vec![b'['; BATCH_BODY_BYTES_MAX];
    // Ten of these are heard at once.
    for _ in 0..9 {
        refused(&captured.wire.post_bytes("/api/v1/metrics", b"["), 400, "malformed-json");
    }
    refused(&stolen.wire.post_bytes("/api/v1/metrics", &rubbish), 400, "nesting-too-deep");
    // For eleven seconds: ten are gone, and ten are owed.
    refused(&stolen.wire.post_bytes("/api/v1/metrics", b"["), 429, "rate-limited");
    agent.post("/api/v1/metrics", &agent.sample(now(), 1.0)).expect(200);
}

/// What an operator's token could fill is not the agents'.
#[test]
fn half_bodies_of_operators_silence_no_agent() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let head = format!(
        "POST /api/v1/sql HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 131072\r\n\r\n",
        hub.token("viewer")
    );
    let half: Vec<u8> = [head.as_bytes(), &[b' '; 131_000]].concat();
    let held: Vec<_> = (0..80).map(|_| hub.wire.half_sent(&half)).collect();
    agent.post("/api/v1/metrics", &agent.sample(now(), 1.0)).expect(200);
    drop(held);
}

#[test]
fn a_flood_that_is_not_read_and_one_that_is_half_closed_hurt_nobody() {
    // What strangers may ask a second is another story: here the flood takes all of it.
    let hub = Hub::start_with(&[("PINGUP_STRANGER_REQUESTS_PER_SECOND", "1000000")]);
    let agent = hub.register("A");
    let asks = "GET /health HTTP/1.1\r\nhost: hub\r\n\r\n".repeat(2_000);
    let mut floods: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = hub.wire.half_sent(b"");
            stream.set_nonblocking(true).unwrap();
            // As much as the system takes: nobody reads what comes back.
            let _ = stream.write_all(asks.as_bytes());
            stream
        })
        .collect();
    let half = hub.wire.half_sent(b"GET /health HTTP/1.1\r\n");
    half.shutdown(std::net::Shutdown::Write).unwrap();
    agent.post("/api/v1/metrics", &agent.sample(now(), 1.0)).expect(200);
    floods.push(half);
    drop(floods);
    refused(&hub.wire.get("/api/v1/agents"), 401, "token-missing");
}
