//! Who asks too often: refused, slowly, as often as every other refusal is caused. Each waits two seconds, so many are asked
//! at once, on connections of their own, and read one after the other.

use super::every::times;
use crate::harness::{Hub, PATIENCE, agent::now, refused, wire::Wire};
use serde_json::json;
use std::net::TcpStream;

/// Requests that wait at once; the hub has room for 2 048 such answers, and neither of us runs out of files.
const AT_ONCE: usize = 250;
/// Rounds before it is said that nobody is refused: each begins with what a second or two of waiting brought back.
const ROUNDS_MAX: usize = 1_000;

/// A request that asks too often, sooner or later; and what it hears until then.
struct Cause {
    name: &'static str,
    request: Vec<u8>,
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\n");
    headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    head += &format!("content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Causes it until so many were refused for asking too often; how many of those there were.
fn refuse(hub: &Hub, cause: &Cause, wanted: usize) -> usize {
    let mut slow = 0;
    for _ in 0..ROUNDS_MAX {
        let asked: Vec<_> =
            (0..AT_ONCE.min(wanted - slow)).map(|_| hub.wire.half_sent(&cause.request)).collect();
        for mut stream in asked {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            slow += usize::from(is_slow(hub, cause, &mut stream));
        }
        if slow >= wanted {
            return slow;
        }
    }
    panic!("{slow} of {wanted} were refused for asking too often");
}

/// Whether that was too often; else it is refused for what it is.
fn is_slow(hub: &Hub, cause: &Cause, stream: &mut TcpStream) -> bool {
    let answer = Wire::read_answer(stream);
    hub.assert_no_secret(&format!("{answer:?} {}", String::from_utf8_lossy(&answer.body)));
    if answer.status == 401 {
        refused(&answer, 401, cause.name);
        return false;
    }
    assert_eq!(refused(&answer, 429, "rate-limited")["retryable"], true);
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    true
}

#[test]
fn who_asks_too_often_is_refused_slowly() {
    let mut hub = Hub::start_with(&[
        ("PINGUP_LOG", "debug"),
        ("PINGUP_AGENT_REFUSALS_PER_SECOND", "1"),
        ("PINGUP_STRANGER_REQUESTS_PER_SECOND", "1"),
    ]);
    let (agent, other) = (hub.register("A"), hub.register("B"));
    let bearer = format!("Bearer {}", agent.wire.token());
    let forged = other.sign(&agent.sample(now(), 1.0));
    let causes = [
        Cause {
            name: "signature-invalid",
            request: request("POST", "/api/v1/metrics", &[("authorization", &bearer)], &forged),
        },
        // Whoever it says it comes from, it comes from here.
        Cause {
            name: "token-invalid",
            request: request(
                "GET",
                "/api/v1/agents",
                &[
                    ("authorization", "Bearer rubbish"),
                    ("x-forwarded-for", "203.0.113.7"),
                    ("forwarded", "for=203.0.113.9"),
                ],
                b"",
            ),
        },
    ];
    let wanted = times().div_ceil(causes.len());
    let slow: usize = causes.iter().map(|cause| refuse(&hub, cause, wanted)).sum();
    assert!(slow >= times(), "{slow}");
    assert_eq!(hub.wire.get("/health").status, 200, "whoever looks is not told that the hub is ill");
    other.post("/api/v1/metrics", &other.sample(now(), 1.0)).expect(200);
    let seen = hub.operator("viewer").get("/api/v1/metrics/A?from=2000-01-01T00:00:00Z").expect(200);
    assert_eq!(seen["items"], json!([]));
    let log = hub.stop();
    hub.assert_no_secret(&log);
    let begins = log.lines().find(|line| line.contains("too much is asked of the hub")).unwrap();
    assert!(begins.contains("agent A: "), "{begins}");
}
