//! While segments are sealed: every query sees each row once, and a hub that ends at any storage call has every
//! row that it answered, once.

use crate::harness::{
    Hub,
    agent::{Agent, now},
    eventually,
    wire::Wire,
};
use pingup_protocol::time::Timestamp;
use serde_json::json;
use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

const BATCH: u64 = 10_000;
/// More than a segment takes.
const BATCHES: u64 = 8;

/// A batch of samples that are small on the wire, a second apart.
fn batch(agent: &Agent, start: Timestamp, number: u64) -> Vec<u8> {
    let seqs = number * BATCH + 1..=(number + 1) * BATCH;
    let sample = |seq: u64| {
        let at = start.plus_seconds(seq.cast_signed());
        json!({"seq": seq, "timestamp": at, "status": "online", "metrics": {"cpu": seq % 100}})
    };
    let samples: Vec<_> = seqs.map(sample).collect();
    agent.sign(&json!({"agentId": agent.id, "boot": 1, "samples": samples}))
}

/// How many samples of the agent there are.
fn count(viewer: &Wire, start: Timestamp) -> u64 {
    let path =
        format!("/api/v1/metrics/A?from={start}&to={}&step=1h&fields=cpu", start.plus_seconds(100_000));
    let buckets = viewer.get(&path).expect(200);
    assert_eq!(buckets["nextCursor"], json!(null));
    buckets["items"].as_array().unwrap().iter().map(|bucket| bucket["count"].as_u64().unwrap()).sum()
}

fn a_day_ago() -> Timestamp {
    now().plus_seconds(-100_000)
}

/// Whether nothing waits to be sealed and something was.
pub fn is_sealed(hub: &Hub) -> bool {
    let entries = |name: &str| fs::read_dir(hub.folder().join(name)).map_or(0, Iterator::count);
    entries("history/hour") > 0 && entries("journal") == 1
}

#[test]
fn queries_see_every_row_once_while_segments_are_sealed() {
    every_row_is_seen_once_while_segments_are_sealed(&Hub::start(), count);
}

/// Fills more than a segment at `hub` and asks how many rows there are as long as it is sealed: never fewer than were
/// answered, never more than were sent.
pub fn every_row_is_seen_once_while_segments_are_sealed(hub: &Hub, count: fn(&Wire, Timestamp) -> u64) {
    let (agent, viewer, start) = (hub.register("A"), hub.operator("viewer"), a_day_ago());
    let (sent, answered, ended) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..BATCHES {
                let body = batch(&agent, start, number);
                sent.fetch_add(BATCH, Ordering::SeqCst);
                let answer = agent.wire.post_bytes("/api/v1/metrics", &body).expect(200);
                assert_eq!(answer["accepted"], BATCH);
                answered.fetch_add(BATCH, Ordering::SeqCst);
            }
            eventually("the first segment is sealed", || is_sealed(hub).then_some(()));
            ended.store(true, Ordering::SeqCst);
        });
        loop {
            let last_look = ended.load(Ordering::SeqCst);
            let at_least = answered.load(Ordering::SeqCst);
            let found = count(&viewer, start);
            let at_most = sent.load(Ordering::SeqCst);
            assert!((at_least..=at_most).contains(&found), "{found} rows of {at_least} to {at_most}");
            if last_look {
                assert_eq!(found, BATCHES * BATCH);
                break;
            }
        }
    });
}

/// A hub that ends by itself at its N-th storage call, for some of the calls of opening, of groups, of beginning
/// a segment and of sealing one.
#[test]
fn ended_at_any_storage_call_nothing_answered_is_lost_and_nothing_is_doubled() {
    let mut ended_while_serving = 0;
    for call in [1, 3, 6, 7, 8, 15, 20, 22, 23, 24, 25, 26, 27, 28, 30, 32, 34] {
        ended_while_serving += u32::from(ends_at(call));
    }
    assert!(ended_while_serving >= 8, "only {ended_while_serving} hubs ended while they served");
}

/// Whether the hub ended at that call while it served.
fn ends_at(call: u64) -> bool {
    // The agent is registered first: its storage is another.
    let mut hub = Hub::start();
    let (mut agent, start) = (hub.register("A"), a_day_ago());
    hub.stop();
    let mut command = hub.serve_command();
    command.env("PINGUP_INJECT_ABORT_NTH", call.to_string());
    let bodies: Vec<_> = (0..BATCHES).map(|number| batch(&agent, start, number)).collect();
    let (mut answered, mut ended) = (0, false);
    if hub.try_start(command).is_ok() {
        agent = agent.at(&hub.wire);
        for body in &bodies {
            match agent.wire.try_send(
                "POST",
                "/api/v1/metrics",
                &[("content-type", "application/json")],
                Some(body),
            ) {
                Ok(answer) if answer.status == 200 => answered += BATCH,
                Ok(answer) => panic!("call {call}: {answer:?}"),
                Err(_) => break,
            }
        }
        ended = eventually("the hub ends, or seals", || {
            let ended = hub.has_ended();
            (ended || is_sealed(&hub)).then_some(ended)
        });
        if !ended {
            hub.kill();
        }
    }
    hub.restart();
    agent = agent.at(&hub.wire);
    let viewer = hub.operator("viewer");
    let found = count(&viewer, start);
    assert!(found == answered || found == answered + BATCH, "call {call}: {found} rows, {answered} answered");
    for body in &bodies {
        agent.wire.post_bytes("/api/v1/metrics", body).expect(200);
    }
    assert_eq!(count(&viewer, start), BATCHES * BATCH, "call {call}: all once");
    ended
}
