//! What agents write verifies, and goes on where it ended; what they read is their hub's.

use super::*;
use pingup_protocol::{enrol::KeyPair, ids::AgentId, metrics::MetricsBody, signing};

#[test]
fn pushes_verify_and_continue_one_stream() {
    let secret = Secret::new([5; 32]);
    let keys = KeyPair { up: secret.to_base64(), down: secret.to_base64() };
    let agent_id = AgentId::parse("A").unwrap();
    let credentials = Credentials { agent_id, generation: 1, keys, token: "t".to_owned() };
    let mut agent = FleetAgent::new(&credentials, 7, 0).unwrap();
    let head = agent.head(&Hub::read("http://127.0.0.1:9", false).unwrap(), METRICS);
    let (mut seen, mut moments, mut out) = (Vec::new(), Vec::new(), Vec::new());
    for rows in [1, 3, 1] {
        agent.push(&mut out, &head, rows, Moments::Now);
        let body = &out[head.len()..];
        assert!(signing::scan(body).unwrap().verify(&Key::new(&secret)));
        match MetricsBody::read(body).unwrap() {
            MetricsBody::Single(body) => {
                seen.push((body.boot, body.seq.unwrap()));
                moments.push(body.timestamp);
            }
            MetricsBody::Batch(body) => {
                seen.extend(body.entries.iter().map(|entry| (Some(body.boot), entry.seq())));
            }
        }
    }
    assert_eq!(seen, (1..=5).map(|seq| (Some(7), seq)).collect::<Vec<_>>());
    assert!(moments[1].as_micros() >= moments[0].as_micros() + 4, "each moment is its own");
}

#[test]
fn only_the_hubs_word_is_read() {
    let agent = FleetAgent::made_up(1, 1);
    let word = serde_json::json!({"a": 1});
    let signed = |secret: u8| signing::sign(&Key::new(&Secret::new([secret; 32])), &word).unwrap();
    assert_eq!(agent.verified::<serde_json::Value>(&signed(7)).unwrap()["a"], 1);
    assert!(agent.verified::<serde_json::Value>(&signed(8)).is_none());
    assert!(agent.verified::<serde_json::Value>(b"{}").is_none());
}

#[test]
fn what_is_written_again_is_the_same() {
    let hub = Hub::read("http://127.0.0.1:9", false).unwrap();
    let mut agent = FleetAgent::made_up(3, 1);
    let head = agent.head(&hub, METRICS);
    let moments = Moments::Spaced { first: Timestamp::from_micros(5_000_000), step_micros: 250_000 };
    let (mut once, mut again) = (Vec::new(), Vec::new());
    for rows in [4, 1] {
        agent.push(&mut once, &head, rows, moments);
        let range = agent.last_seq() - rows as u64 + 1..=agent.last_seq();
        agent.write_again(&mut again, &head, range, moments);
        assert_eq!(once, again);
    }
}
