//! backup, restore, export, and the history of the former version: what was answered goes with them, once.

mod export;
mod former;

use crate::harness::{Hub, agent::Agent, agent::now, eventually};
use pingup_protocol::time::Timestamp;
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    process::Output,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

const AGENTS: usize = 4;
const BATCH_ROWS: u64 = 1_000;
const BOOT: u64 = 1;

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn failed(output: &Output, words: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(words) && said.trim_end().lines().count() == 1, "{words:?} in {said:?}");
}

/// An agent that sends, and how far it was answered.
struct Sender {
    agent: Agent,
    answered: AtomicU64,
}

impl Sender {
    fn push(&self, start: Timestamp) -> bool {
        let from = self.answered.load(Ordering::SeqCst) + 1;
        let to = from + BATCH_ROWS - 1;
        let body = self.agent.sign(&self.agent.batch(BOOT, from..=to, start));
        let headers = [("content-type", "application/json")];
        let Ok(answer) = self.agent.wire.try_send("POST", "/api/v1/metrics", &headers, Some(&body)) else {
            return false;
        };
        if answer.status == 200 {
            self.answered.store(to, Ordering::SeqCst);
        }
        true
    }
}

/// How often each number is stored.
fn stored(hub: &Hub, id: &str, start: Timestamp) -> BTreeMap<u64, u32> {
    let viewer = hub.operator("viewer");
    let (mut found, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = viewer.get(&format!("/api/v1/metrics/{id}?from={start}&limit=10000{cursor}")).expect(200);
        for row in page["items"].as_array().unwrap() {
            let at = Timestamp::parse(row["timestamp"].as_str().unwrap()).unwrap();
            let seq = u64::try_from((at.as_micros() - start.as_micros()) / 1_000_000).unwrap();
            *found.entry(seq).or_insert(0) += 1;
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[test]
fn a_backup_under_load_has_all_that_was_answered_before_it_once() {
    let mut hub = Hub::start();
    let start = now().plus_seconds(-2 * 86_400);
    let register = |i| Sender { agent: hub.register(&format!("A-{i}")), answered: AtomicU64::new(0) };
    let senders: Vec<_> = (0..AGENTS).map(register).collect();
    let (stop, before, backup) =
        (AtomicBool::new(false), Mutex::new(Vec::new()), hub.beside().join("backup"));
    let raw = hub.folder().join("history/raw");
    thread::scope(|scope| {
        for sender in &senders {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) && sender.push(start) {
                    std::hint::spin_loop();
                }
            });
        }
        let sealed = || fs::read_dir(&raw).unwrap().next().map(drop);
        eventually("a segment is sealed", sealed);
        let answered =
            || senders.iter().map(|sender| sender.answered.load(Ordering::SeqCst)).collect::<Vec<_>>();
        *before.lock().unwrap() = answered();
        let made = hub.run(&["backup", backup.to_str().unwrap()]);
        assert!(succeeded(&made).contains("files"));
        let during = answered();
        eventually("more is answered", || (answered() > during).then_some(()));
        hub.kill();
        stop.store(true, Ordering::SeqCst);
    });

    let mut other = Hub::prepare(&[]);
    let restored = other.run(&["restore", backup.to_str().unwrap()]);
    assert!(succeeded(&restored).contains("as they were at"));
    assert!(other.run(&["check"]).status.success());
    other.restart();
    for (sender, before) in senders.iter().zip(before.lock().unwrap().iter()) {
        let found = stored(&other, &sender.agent.id, start);
        assert!(found.values().all(|count| *count == 1), "nothing twice");
        let last = found.len() as u64;
        assert!(found.keys().copied().eq(1..=last), "nothing is missing between");
        assert!(last >= *before, "{last} of {before} that were answered");
        // The same keys: what is there already is known, and the stream goes on.
        let agent = sender.agent.at(&other.wire);
        let again = agent.post("/api/v1/metrics", &agent.batch(BOOT, last - 9..=last + 5, start)).expect(200);
        assert_eq!((&again["duplicates"], &again["accepted"]), (&json!(10), &json!(5)), "{again}");
    }
    // The hub that was killed goes on too.
    hub.restart();
    for sender in &senders {
        let found = stored(&hub, &sender.agent.id, start);
        assert!(found.len() as u64 >= sender.answered.load(Ordering::SeqCst));
        assert!(found.values().all(|count| *count == 1), "nothing twice");
    }
}

#[test]
fn a_name_is_taken_once_and_a_damaged_backup_is_refused() {
    let mut hub = Hub::start();
    let agent = hub.register("A");
    agent.post("/api/v1/metrics", &agent.batch(1, 1..=10, now().plus_seconds(-100))).expect(200);
    let backup = hub.beside().join("backup");
    let name = backup.to_str().unwrap();
    succeeded(&hub.run(&["backup", name]));
    failed(&hub.run(&["backup", name]), "exists");
    failed(&hub.run(&["backup", hub.folder().join("backup").to_str().unwrap()]), "inside the data folder");
    failed(&hub.run(&["restore", name]), "not empty");
    failed(&hub.run(&["restore", hub.beside().to_str().unwrap()]), "not empty");
    hub.stop();
    // Without a running hub it works as well.
    succeeded(&hub.run(&["backup", hub.beside().join("second").to_str().unwrap()]));

    let journal = fs::read_dir(backup.join("journal")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&journal).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&journal, bytes).unwrap();
    let other = Hub::prepare(&[]);
    failed(&other.run(&["restore", name]), journal.file_name().unwrap().to_str().unwrap());
    assert_eq!(fs::read_dir(other.beside()).unwrap().count(), 0, "nothing was written");
}
