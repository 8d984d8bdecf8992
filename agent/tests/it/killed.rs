//! Killed at any moment while commands flow: nothing runs twice, nothing stays open, and the queue goes on.
//!
//! Each round queues commands that leave a line in a file of their own, starts the agent, and kills it with SIGKILL after
//! a random while: as it starts, pulls, takes down, runs, keeps a result, or reports it. `PINGUP_KILLS` says how often;
//! `PINGUP_SEED` repeats a run's moments, as far as the machine does.

use crate::harness::{Agent, Hub};
use fastrand::Rng;
use pingup_protocol::command::{ResultBody, ResultStatus};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Kills unless the environment says otherwise.
const KILLS: u64 = 24;
/// Commands that are queued before each start.
const A_ROUND: u64 = 3;
/// One round of so many has a command that is attended, and the agent lives long enough for that.
const LONG_EVERY: u64 = 8;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn file(home: &Path, seq: u64) -> PathBuf {
    home.join(format!("ran-{seq}"))
}

/// Leaves a line in a file of its own, and then takes a while.
fn leaves_a_line(home: &Path, seq: u64, millis: u64) -> Value {
    let script = format!("echo ran >> \"$0\"; sleep {}.{:03}", millis / 1_000, millis % 1_000);
    json!({"argv": ["sh", "-c", script, file(home, seq)]})
}

/// How many commands have a result.
fn distinct(results: &[ResultBody]) -> u64 {
    results.iter().map(|result| result.command_seq).collect::<BTreeSet<_>>().len() as u64
}

/// By seq: the one result of each command. What was reported more than once was the same each time.
fn by_seq(results: &[ResultBody]) -> BTreeMap<u64, ResultBody> {
    let mut found = BTreeMap::new();
    for result in results {
        let told = ResultBody { timestamp: result.finished_at, ..result.clone() };
        let first = found.entry(result.command_seq).or_insert_with(|| told.clone());
        assert_eq!(*first, told, "another result for the same command");
    }
    found
}

#[test]
fn killed_at_random_moments_it_runs_nothing_twice_and_leaves_nothing_open() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = from_environment("PINGUP_SEED").unwrap_or(now.as_secs());
    let kills = from_environment("PINGUP_KILLS").unwrap_or(KILLS);
    println!("seed {seed}, {kills} kills");
    let (hub, home, mut random) = (Hub::start(), tempfile::tempdir().unwrap(), Rng::with_seed(seed));
    let (state, mut last) = (home.path().join("state"), 0);
    for round in 0..kills {
        let is_long = round % LONG_EVERY == LONG_EVERY - 1;
        hub.state.change(|hub| {
            for _ in 0..A_ROUND {
                last += 1;
                let millis = random.u64(..40) + if is_long { 1_500 } else { 0 };
                hub.offer(last, "exec", leaves_a_line(home.path(), last, millis));
            }
        });
        let agent = Agent::start_with(&hub, &state, &["--allow", "exec", "--interval", "1h"]);
        let millis = random.u64(..if is_long { 2_500 } else { 350 });
        // The moment of death is the point here: there is nothing to wait for.
        thread::park_timeout(Duration::from_millis(millis));
        agent.kill();
    }
    let agent = Agent::start_with(&hub, &state, &["--allow", "exec", "--interval", "1h"]);
    let mut over = 0;
    while over < last {
        // Patience for each: how long all take depends on how many were left.
        hub.until("a result of one more command", |hub| {
            let before = over;
            over = distinct(&hub.results);
            over > before
        });
    }
    assert!(agent.terminate().0.success());
    assert_eq!(fs::read_dir(state.join("results")).unwrap().count(), 0, "no result waits");

    let results = by_seq(&hub.state.lock().results);
    let mut counts = BTreeMap::new();
    for (seq, result) in &results {
        let runs = fs::read_to_string(file(home.path(), *seq)).unwrap_or_default().lines().count();
        match result.status {
            ResultStatus::Succeeded => assert_eq!(runs, 1, "{result:?}"),
            ResultStatus::Unknown => {
                assert!(runs <= 1 && result.output.is_some(), "{runs} runs of {result:?}");
            }
            _ => panic!("neither done nor cut short: {result:?}"),
        }
        *counts.entry(format!("{:?}", result.status)).or_insert(0) += 1;
    }
    println!("{counts:?}");
    let begun: Vec<_> = results.values().map(|result| result.started_at).collect();
    assert!(begun.is_sorted(), "in their order");
}
