//! 200 means on disk: killed at any moment, every row that was answered is there, once.

mod damage;
mod merging;
pub mod sealing;

use crate::harness::{Hub, PATIENCE, agent::Agent, agent::now, eventually};
use pingup_protocol::time::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

const ROUNDS: u64 = 12;
const AGENTS: usize = 4;

/// What an agent knows of its own stream.
struct Sender {
    agent: Agent,
    boot: u64,
    start: Timestamp,
    /// The last number that a 200 covered, and the last that was ever sent.
    answered: u64,
    sent: u64,
}

impl Sender {
    /// Sends until the hub is gone; what was not answered is sent again next time, as a spool does.
    fn push_until(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let from = self.answered + 1;
            let to = self.sent.max(from + from % 5);
            let body = self.agent.sign(&self.agent.batch(self.boot, from..=to, self.start));
            self.sent = to;
            let headers = [("content-type", "application/json")];
            match self.agent.wire.try_send("POST", "/api/v1/metrics", &headers, Some(&body)) {
                Ok(answer) if answer.status == 200 => {
                    let answer = answer.json();
                    assert_eq!(answer["highWater"], json!(to));
                    assert_eq!(
                        answer["accepted"].as_u64().unwrap() + answer["duplicates"].as_u64().unwrap(),
                        to - from + 1
                    );
                    self.answered = to;
                }
                Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                Err(_) => return,
            }
        }
    }
}

#[test]
fn killed_under_load_nothing_answered_is_lost_and_nothing_is_doubled() {
    let mut hub = Hub::start();
    let start = now().plus_seconds(-86_400);
    let senders: Vec<_> = (0..AGENTS)
        .map(|i| {
            Mutex::new(Sender {
                agent: hub.register(&format!("A-{i}")),
                boot: 1,
                start,
                answered: 0,
                sent: 0,
            })
        })
        .collect();
    let seed = now().as_micros().unsigned_abs();
    println!("seed {seed}");
    for round in 0..ROUNDS {
        // The moment of death is the point here: anywhere from the first request on.
        let after = Duration::from_micros(seed.wrapping_mul(round + 1) % 150_000);
        kill_under_load(&mut hub, &senders, Sender::push_until, after);
        for sender in &senders {
            let mut sender = sender.lock().unwrap();
            sender.agent = sender.agent.at(&hub.wire);
            let stored = stored(&hub, &sender);
            let expected: BTreeMap<_, _> = (1..=sender.answered).map(|seq| (seq, 1)).collect();
            for (seq, count) in &expected {
                assert_eq!(stored.get(seq), Some(count), "round {round}, {}: number {seq}", sender.agent.id);
            }
            assert!(stored.values().all(|count| *count == 1), "nothing twice: {stored:?}");
            assert!(stored.keys().all(|seq| *seq <= sender.sent), "nothing from nowhere");
        }
    }
    let total: u64 = senders.iter().map(|sender| sender.lock().unwrap().answered).sum();
    assert!(total > 0, "something was answered");
    let checked = hub.run(&["check"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

/// Kills the hub so long after all of `senders` began to push, and starts it anew.
pub fn kill_under_load<S: Send>(
    hub: &mut Hub,
    senders: &[Mutex<S>],
    push: fn(&mut S, &AtomicBool),
    after: Duration,
) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for sender in senders {
            scope.spawn(|| push(&mut sender.lock().unwrap(), &stop));
        }
        thread::park_timeout(after);
        hub.kill();
        stop.store(true, Ordering::Relaxed);
    });
    hub.restart();
}

/// How often each number of a sender's stream is stored, by its second of the day.
fn stored(hub: &Hub, sender: &Sender) -> BTreeMap<u64, u32> {
    let viewer = hub.operator("viewer");
    let mut found = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/metrics/{}?from={}&limit=10000{cursor}", sender.agent.id, sender.start);
        let page = viewer.get(&path).expect(200);
        for row in page["items"].as_array().unwrap() {
            let at = Timestamp::parse(row["timestamp"].as_str().unwrap()).unwrap();
            let seq = (at.as_micros() - sender.start.as_micros()) / 1_000_000;
            assert_eq!(row["metrics"]["cpu"], json!((seq % 100) as f64));
            *found.entry(u64::try_from(seq).unwrap()).or_insert(0) += 1;
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[test]
fn a_hub_whose_disk_is_full_says_so_and_recovers_by_itself() {
    // A limit on the size of files stands in for a full disk: it needs no file system of its own. The hub sees
    // writes fail in the same place, and the limit can be lifted while it runs.
    let mut hub = Hub::prepare(&[("PINGUP_LOG", "error")]);
    let serve = hub.serve_command();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(serve.get_program()).args(serve.get_args());
    for (name, value) in serve.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    hub.restart_as(command);
    let agent = hub.register("A");
    let start = now().plus_seconds(-86_400);
    let push = |from: u64| agent.post("/api/v1/metrics", &agent.batch(1, from..=from + 999, start));
    assert_eq!(push(1).expect(200)["accepted"], 1000);

    let limit = |bytes: &str| {
        let set = std::process::Command::new("prlimit")
            .args(["--pid", &hub.pid().to_string(), &format!("--fsize={bytes}:unlimited")])
            .status();
        assert!(set.unwrap().success());
    };
    limit("0");
    let mut next = 1001;
    let full = eventually("a write fails", || {
        let answer = push(next);
        if answer.status == 200 {
            next += 1000;
        }
        (answer.status != 200).then_some(answer)
    });
    crate::harness::refused(&full, 503, "overloaded");
    assert!(full.header("retry-after").is_some());
    let health = eventually("health says so", || {
        let health = hub.wire.get("/health");
        (health.status == 503).then(|| health.json())
    });
    assert_eq!(
        (&health["status"], &health["checks"]["history"]["status"]),
        (&json!("degraded"), &json!("failed"))
    );

    limit("unlimited");
    let recovered = eventually("the hub takes the same again", || {
        let answer = push(next);
        (answer.status == 200).then(|| answer.json())
    });
    let sum = |name: &str| recovered[name].as_u64().unwrap();
    assert_eq!(sum("accepted") + sum("duplicates"), 1000);
    eventually("health is good again", || (hub.wire.get("/health").status == 200).then_some(()));
    let rows = |hub: &Hub| -> Vec<Value> {
        let viewer = hub.operator("viewer");
        let path = format!("/api/v1/metrics/A?from={start}&step=1d");
        viewer.get(&path).expect(200)["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|bucket| bucket["count"].clone())
            .collect()
    };
    let count = |hub: &Hub| rows(hub).iter().map(|count| count.as_u64().unwrap()).sum::<u64>();
    assert_eq!(count(&hub), next + 999);
    hub.kill();
    hub.restart();
    assert_eq!(count(&hub), next + 999, "what was answered survives");
}

#[test]
fn a_hub_under_its_reserve_refuses_before_anything_breaks() {
    let hub = Hub::start_with(&[("PINGUP_DISK_RESERVE_BYTES", "9000000000000000000")]);
    let agent_registered = hub.operator("operator").post("/api/v1/agents", &json!({"id": "A"}));
    crate::harness::refused(&agent_registered, 503, "overloaded");
    assert_eq!(hub.wire.get("/health").status, 503);
}

#[test]
fn a_stopping_hub_answers_what_it_took() {
    let mut hub = Hub::start();
    let agent = hub.register("A");
    let start = now().plus_seconds(-86_400);
    let sender = Mutex::new(Sender { agent: agent.clone(), boot: 1, start, answered: 0, sent: 0 });
    let stop = AtomicBool::new(false);
    let log = thread::scope(|scope| {
        let waiting = scope.spawn(|| agent.pending("&wait=60"));
        scope.spawn(|| sender.lock().unwrap().push_until(&stop));
        let viewer = hub.operator("viewer");
        eventually("samples arrive", || (viewer.get("/api/v1/metrics/A/latest").status == 200).then_some(()));
        let begun = std::time::Instant::now();
        let log = hub.stop();
        assert!(begun.elapsed() < PATIENCE / 2, "a stop waits for nobody's long poll");
        assert_eq!(waiting.join().unwrap()["commands"], json!([]), "the long poll was answered");
        stop.store(true, Ordering::Relaxed);
        log
    });
    assert!(!log.contains("ERROR"), "{log}");
    hub.restart();
    let sender = sender.into_inner().unwrap();
    assert!(sender.answered > 0);
    assert!(stored(&hub, &sender).len() as u64 >= sender.answered);
}
