//! export: what the API tells, in a file.

use super::{BATCH_ROWS, failed, succeeded};
use crate::harness::{Hub, agent::now, program, signal};
use pingup_protocol::time::Timestamp;
use serde_json::{Value, json};
use std::{
    fs,
    io::Read,
    path::Path,
    process::{Output, Stdio},
};

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
