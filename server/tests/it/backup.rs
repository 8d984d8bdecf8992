//! backup, restore, export, and the history of the former version: what was answered goes with them, once.

use crate::harness::{Hub, agent::Agent, agent::now, eventually, program, signal};
use pingup_protocol::time::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::Path,
    process::{Output, Stdio},
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

fn export(hub: &Hub, arguments: &[&str]) -> Output {
    hub.run(&[&["export", "--agent", "A"], arguments].concat())
}

/// Rows of a Parquet file as the API tells them.
fn rows_of(file: &Path) -> Vec<Value> {
    let connection = duckdb::Connection::open_in_memory().unwrap();
    let sql = format!(
        "SELECT epoch_us(timestamp), status, cpu, ram, map_keys(further), map_values(further) FROM read_parquet('{}')",
        file.display()
    );
    let mut statement = connection.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| {
        let mut metrics = serde_json::Map::new();
        for (name, value) in [("cpu", row.get(2)?), ("ram", row.get(3)?)] {
            metrics.extend(Option::<f64>::map(value, |value| (name.to_owned(), json!(value))));
        }
        let list = |column| match row.get::<_, duckdb::types::Value>(column) {
            Ok(duckdb::types::Value::List(values)) => values,
            _ => Vec::new(),
        };
        for pair in list(4).into_iter().zip(list(5)) {
            let (duckdb::types::Value::Text(name), duckdb::types::Value::Double(value)) = pair else {
                panic!("{pair:?}")
            };
            metrics.insert(name, json!(value));
        }
        let (timestamp, status) = (Timestamp::from_micros(row.get(0)?), row.get::<_, String>(1)?);
        Ok(json!({"timestamp": timestamp, "status": status, "metrics": metrics}))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn an_export_is_what_the_api_tells() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let start = now().plus_seconds(-3_600);
    let sample = |seq: u64| {
        let status = ["online", "=1+1", "'", "a,\"b\"\n", "-"][(seq % 5) as usize];
        let mut metrics = json!({"cpu": seq, "load1": 0.1 * seq as f64});
        if seq.is_multiple_of(3) {
            metrics["swap"] = json!(1e-7);
            metrics["ram"] = json!(33.3);
        }
        json!({"seq": seq, "timestamp": start.plus_seconds(seq as i64), "status": status, "metrics": metrics})
    };
    let samples: Vec<_> = (1..=100).map(sample).collect();
    agent.post("/api/v1/metrics", &json!({"agentId": "A", "boot": 1, "samples": samples})).expect(200);
    let viewer = hub.operator("viewer");
    let path = format!("/api/v1/metrics/A?from={start}&limit=10000");

    let csv = viewer.send("GET", &path, &[("accept", "text/csv")], None);
    assert_eq!(succeeded(&export(&hub, &["--format", "csv"])), csv.text());
    assert_eq!(
        succeeded(&export(&hub, &["--format", "csv", "--from", "2h", "--to", &now().to_string()])),
        csv.text()
    );
    let file = hub.beside().join("a.csv");
    let name = file.to_str().unwrap();
    succeeded(&export(&hub, &["--format", "csv", "--out", name]));
    assert_eq!(fs::read_to_string(&file).unwrap(), csv.text());
    failed(&export(&hub, &["--format", "csv", "--out", name]), "--force");
    succeeded(&export(&hub, &["--format", "csv", "--out", name, "--force", "--to", "1d"]));
    assert_eq!(fs::read_to_string(&file).unwrap(), "timestamp,status,cpu,ram,disk,latency\r\n");

    let partial = hub.beside().join("b.csv.partial");
    let unfinished = hub.beside().join("b.csv");
    fs::write(&partial, "another export's").unwrap();
    failed(&export(&hub, &["--format", "csv", "--out", unfinished.to_str().unwrap()]), "--force");
    assert_eq!(fs::read_to_string(&partial).unwrap(), "another export's");
    succeeded(&export(&hub, &["--format", "csv", "--out", unfinished.to_str().unwrap(), "--force"]));
    assert_eq!(fs::read_to_string(&unfinished).unwrap(), csv.text());

    let file = hub.beside().join("a.parquet");
    succeeded(&export(&hub, &["--format", "parquet", "--out", file.to_str().unwrap()]));
    let told = viewer.get(&path).expect(200);
    assert_eq!(&rows_of(&file), told["items"].as_array().unwrap());

    failed(&hub.run(&["export", "--agent", "B", "--format", "csv"]), "no agent \"B\"");
    let nowhere = hub.beside().join("no/where.csv");
    failed(&export(&hub, &["--format", "csv", "--out", nowhere.to_str().unwrap()]), "where.csv");
    let mut left: Vec<_> =
        fs::read_dir(hub.beside()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["a.csv", "a.parquet", "b.csv", "data"], "nothing half done stays");
}

#[test]
fn an_export_that_nobody_reads_can_be_stopped() {
    let hub = Hub::start();
    let agent = hub.register("A");
    let start = now().plus_seconds(-86_400);
    for batch in 0..20 {
        let from = batch * BATCH_ROWS + 1;
        agent.post("/api/v1/metrics", &agent.batch(1, from..=from + BATCH_ROWS - 1, start)).expect(200);
    }
    let mut command = program();
    command.args(["export", "--agent", "A", "--format", "csv", "--data-dir"]).arg(hub.folder());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It writes until the pipe is full; the first byte says that it does.
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    signal(child.id(), "INT");
    let output = child.wait_with_output().unwrap();
    failed(&output, "stopped");
}

/// Leaves a data folder as the former version did: fifty samples of agent A, a second apart, from an hour ago on.
fn former_folder(hub: &Hub) -> Timestamp {
    fs::create_dir(hub.folder()).unwrap();
    let at = now().plus_seconds(-3_600);
    let former = duckdb::Connection::open(hub.folder().join("analytics.duckdb")).unwrap();
    former.execute_batch(include_str!("../../src/tsdb/former/schema.sql")).unwrap();
    let rows = format!(
        "INSERT INTO metrics SELECT 'A', make_timestamp({}) + to_seconds(i), i, NULL, NULL, NULL, 'online', 1, i + 1, NULL
             FROM range(50) t(i);
         INSERT INTO marks VALUES ('A', 1, 50, make_timestamp({}))",
        at.as_micros(),
        at.plus_seconds(49).as_micros()
    );
    former.execute_batch(&rows).unwrap();
    at
}

#[test]
fn a_folder_of_the_former_version_is_migrated_and_goes_on() {
    let mut hub = Hub::prepare(&[]);
    let at = former_folder(&hub);
    let backup = hub.beside().join("backup");
    assert!(succeeded(&hub.run(&["migrate"])).contains("50 samples and 0 scans taken over"));
    assert!(!succeeded(&hub.run(&["migrate"])).contains("analytics.duckdb"));
    succeeded(&hub.run(&["backup", backup.to_str().unwrap()]));
    hub.restart();
    hub.register("A");
    assert_eq!(stored(&hub, "A", at), (0..50).map(|second| (second, 1)).collect());
    let aside = hub.folder().join("analytics.duckdb.taken-over");
    assert!(aside.is_file() && !hub.folder().join("analytics.duckdb").exists());
}

#[test]
fn a_hub_that_starts_on_a_folder_of_the_former_version_takes_it_over_once() {
    let mut hub = Hub::prepare(&[]);
    let at = former_folder(&hub);
    hub.restart();
    let agent = hub.register("A");
    let all: Vec<_> = (0..50).map(|second| (second, 1)).collect();
    assert_eq!(stored(&hub, "A", at), all.iter().copied().collect());
    // What was committed then is a duplicate now.
    let again = agent.post("/api/v1/metrics", &agent.batch(1, 50..=50, at.plus_seconds(-1))).expect(200);
    assert_eq!(again["duplicates"], 1, "{again}");
    hub.kill();
    hub.restart();
    assert_eq!(stored(&hub, "A", at), all.into_iter().collect());
}
