//! While parts are merged and let go: a hub that ends at any storage call of it has every row, once. And one that lost
//! the list of its parts keeps them.

use super::sealing::is_sealed;
use crate::harness::{Hub, agent::Agent, agent::now, eventually};
use pingup_protocol::time::Timestamp;
use serde_json::json;
use std::{fs, path::Path};

const BATCH: u64 = 10_000;
/// Two segments, each a little more than full.
const BATCHES: u64 = 14;
/// More storage calls than starting and merging make.
const CALLS_MAX: u64 = 40;
const DAY_SECONDS: i64 = 86_400;

/// A midnight ten days ago.
fn then() -> Timestamp {
    let day = now().as_micros() / 1_000_000 / DAY_SECONDS - 10;
    Timestamp::from_micros(day * DAY_SECONDS * 1_000_000)
}

/// Samples of one day: those of both segments lie beside each other.
fn batch(agent: &Agent, number: u64) -> Vec<u8> {
    let sample = |seq: u64| {
        let at = then().plus_seconds((seq % 80_000).cast_signed());
        json!({"seq": seq, "timestamp": at, "status": "online", "metrics": {"cpu": seq % 100}})
    };
    let samples: Vec<_> = (number * BATCH + 1..=(number + 1) * BATCH).map(sample).collect();
    agent.sign(&json!({"agentId": agent.id, "boot": 1, "samples": samples}))
}

/// A stopped hub with two parts of a day that is over, which nothing was added to for an hour; and a sample of now,
/// which bears its clock out.
fn prepared() -> Hub {
    let mut hub = Hub::start();
    let agent = hub.register("A");
    for number in 0..BATCHES {
        agent.wire.post_bytes("/api/v1/metrics", &batch(&agent, number)).expect(200);
    }
    eventually("both segments are sealed", || (is_sealed(&hub) && files(&hub, "raw") == 2).then_some(()));
    agent.post("/api/v1/metrics", &agent.sample(now(), 1.0)).expect(200);
    hub.stop();
    let records = rusqlite::Connection::open(hub.folder().join("pingup.db")).unwrap();
    records.execute("UPDATE parts SET created_at = created_at - 3600000000", []).unwrap();
    hub
}

fn files(hub: &Hub, tier: &str) -> usize {
    fs::read_dir(hub.folder().join("history").join(tier)).map_or(0, Iterator::count)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { fs::copy(&path, &target).map(drop).unwrap() }
    }
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
}

/// How many samples there are by the bucket of `step`.
fn count(hub: &Hub, step: &str) -> u64 {
    let to = then().plus_seconds(DAY_SECONDS);
    let path = format!("/api/v1/metrics/A?from={}&to={to}&step={step}&fields=cpu&limit=10000", then());
    let buckets = hub.operator("viewer").get(&path).expect(200);
    buckets["items"].as_array().unwrap().iter().map(|bucket| bucket["count"].as_u64().unwrap()).sum()
}

/// Ends hubs on copies of `prepared` at one call after the other, until one comes to its end, which `is_done` tells;
/// by each of `steps` all samples are there once, before and after.
fn end_at_every_call(
    prepared: &Hub,
    environment: &[(&str, &str)],
    is_done: impl Fn(&Hub) -> bool,
    steps: &[&str],
) -> u64 {
    for call in 1..CALLS_MAX {
        let mut hub = Hub::prepare(environment);
        copy(&prepared.folder(), &hub.folder());
        let mut command = hub.serve_command();
        command.env("PINGUP_INJECT_ABORT_NTH", call.to_string());
        let mut ended = true;
        if hub.try_start(command).is_ok() {
            ended = eventually("the hub ends, or is done", || {
                let ended = hub.has_ended();
                (ended || is_done(&hub)).then_some(ended)
            });
            if !ended {
                hub.kill();
            }
        }
        hub.restart();
        for step in steps {
            assert_eq!(count(&hub, step), BATCHES * BATCH, "call {call}, by {step}");
        }
        eventually("it is done after all", || is_done(&hub).then_some(()));
        for step in steps {
            assert_eq!(count(&hub, step), BATCHES * BATCH, "call {call}, by {step}, done");
        }
        let checked = hub.run(&["check"]);
        assert!(checked.status.success(), "call {call}: {}", String::from_utf8_lossy(&checked.stdout));
        if !ended {
            return call;
        }
    }
    panic!("no hub came to its end within {CALLS_MAX} calls");
}

/// Without its `pingup.db` a hub deletes nothing and does not start; with it, it goes on.
fn refuses_to_start_without_its_records(prepared: &Hub) {
    let mut hub = Hub::prepare(&[]);
    copy(&prepared.folder(), &hub.folder());
    let records = hub.folder().join("pingup.db");
    let remove =
        || ["", "-wal", "-shm"].map(|end| fs::remove_file(format!("{}{end}", records.display())).is_ok());
    assert!(remove()[0]);
    let command = hub.serve_command();
    let said = hub.try_start(command).unwrap_err();
    assert!(said.contains("put the pingup.db back"), "{said}");
    let checked = hub.run(&["check"]);
    let found = String::from_utf8(checked.stdout).unwrap();
    assert!(found.contains("trouble  history: pingup.db knows nothing of"), "{found}");
    assert_eq!((checked.status.code(), files(&hub, "raw")), (Some(1), 2));
    remove();
    fs::copy(prepared.folder().join("pingup.db"), &records).unwrap();
    hub.restart();
    assert_eq!(count(&hub, "1h"), BATCHES * BATCH);
}

#[test]
fn ended_at_any_storage_call_of_merging_and_letting_go_every_row_is_there_once() {
    let prepared = prepared();
    refuses_to_start_without_its_records(&prepared);
    let merged = |hub: &Hub| files(hub, "raw") == 1;
    let calls = end_at_every_call(&prepared, &[], merged, &["30s", "1h"]);
    assert!(calls > 5, "{calls} calls of starting and merging");
    // Kept for two days: the samples leave rollups by the minute behind.
    let let_go = |hub: &Hub| files(hub, "raw") == 0 && files(hub, "minute") == 1;
    let kept = [("PINGUP_RETENTION_RAW", "2d")];
    let calls = end_at_every_call(&prepared, &kept, let_go, &["1m", "1h"]);
    assert!(calls > 5, "{calls} calls of starting and letting go");
}
