//! The engine over a real history, without a process of its own: what the views show, and how answers are written.

use super::{
    Form,
    engine::run,
    letters::{Ask, Given, Word, hear, say},
    neighbours::Neighbours,
    rows::Snapshot,
    views::View,
};
use crate::tsdb::{
    record::OwnedRows,
    testing::{Bench, NOW, sample},
};
use serde_json::{Value, json};
use std::{io::BufReader, sync::Arc, time::Duration};

mod cells;
mod examples;
mod forms;

fn question(bench: &Bench, query: &str, form: Form) -> Ask {
    Ask {
        query: query.to_owned(),
        form,
        rows_max: 1_000,
        bytes_max: 100_000,
        now_micros: NOW.as_micros(),
        memory: "64MB".to_owned(),
        memory_bytes: 64_000_000,
        time_max: Duration::from_secs(60),
        folder: bench.scratch.folder.path().to_string_lossy().into_owned(),
    }
}

/// Neighbours of whom there is nothing to tell.
fn nobody() -> Neighbours {
    Neighbours { agents: Arc::new(|_| Ok(Vec::new())), commands: |_, _, _| Ok(()) }
}

/// What an engine says to `ask`, of which `views` are known to be named: its word, and its body.
fn told(bench: &Bench, ask: &Ask, views: &[View]) -> (Word, Vec<u8>) {
    told_beside(bench, ask, views, nobody(), &Given::default())
}

/// The same beside these neighbours, and over these files in place of the history's where there are some.
fn told_beside(
    bench: &Bench,
    ask: &Ask,
    views: &[View],
    neighbours: Neighbours,
    files: &Given,
) -> (Word, Vec<u8>) {
    // Commands are read beside whoever takes them.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let (view, sqlite) = (bench.tsdb.view(), bench.sqlite.clone());
    let snapshot = Snapshot { view, sqlite, neighbours, now: NOW, runtime: runtime.handle().clone() };
    let given = if files.metrics.is_empty() { snapshot.files(views) } else { files.clone() };
    let mut said = Vec::new();
    say(&mut said, &given).unwrap();
    snapshot.send(views, &mut said).unwrap();
    let mut output = Vec::new();
    run(ask, &mut BufReader::new(&said[..]), &mut output).unwrap();
    let mut output = &output[..];
    match hear(&mut output).unwrap() {
        Word::Wants(wanted) => assert_eq!(wanted, views, "{}", ask.query),
        other => return (other, Vec::new()),
    }
    (hear(&mut output).unwrap(), output.to_vec())
}

fn body(bench: &Bench, query: &str, form: Form, views: &[View]) -> Vec<u8> {
    let (word, body) = told(bench, &question(bench, query, form), views);
    let Word::Answer { bytes, .. } = word else { panic!("{query}: {word:?}") };
    assert_eq!(body.len(), bytes);
    body
}

fn rows(bench: &Bench, query: &str, views: &[View]) -> Value {
    let answer: Value = serde_json::from_slice(&body(bench, query, Form::Json, views)).unwrap();
    answer["rows"].clone()
}

fn put(bench: &mut Bench, agents: &[&str], seqs: std::ops::RangeInclusive<u64>) {
    for agent in agents {
        let at = |seq: u64| NOW.plus_seconds(seq.cast_signed() - 5_000);
        let samples = seqs.clone().map(|seq| sample(agent, (1, seq), at(seq)));
        bench.append(&OwnedRows { samples: samples.collect(), ..OwnedRows::default() }).unwrap();
    }
}

#[test]
fn each_sample_is_seen_once_in_memory_in_files_and_in_both() {
    let mut bench = Bench::new();
    let count = "SELECT agent_id, count(*), count(DISTINCT timestamp), min(timestamp), max(timestamp)
                 FROM metrics GROUP BY agent_id ORDER BY agent_id";
    let expected = |last: i64| {
        let of = |agent: &str| {
            json!([agent, last, last, NOW.plus_seconds(1 - 5_000), NOW.plus_seconds(last - 5_000)])
        };
        json!([of("a"), of("b")])
    };
    assert_eq!(rows(&bench, count, &[View::Metrics]), json!([]));
    put(&mut bench, &["a", "b"], 1..=700);
    assert_eq!(rows(&bench, count, &[View::Metrics]), expected(700), "in memory");
    bench.seal_all();
    assert_eq!(rows(&bench, count, &[View::Metrics]), expected(700), "in files");
    put(&mut bench, &["a", "b"], 701..=1_000);
    assert_eq!(rows(&bench, count, &[View::Metrics]), expected(1_000), "in both");
    let twice = "SELECT count(*) FROM metrics a JOIN metrics b USING (agent_id, timestamp)";
    assert_eq!(rows(&bench, twice, &[View::Metrics]), json!([[2_000]]), "named twice");
}

#[test]
fn a_sample_is_the_same_in_memory_and_in_a_file() {
    let mut bench = Bench::new();
    put(&mut bench, &["a"], 1..=3);
    let query = "SELECT * FROM metrics ORDER BY timestamp";
    let before = rows(&bench, query, &[View::Metrics]);
    bench.seal_all();
    assert_eq!(rows(&bench, query, &[View::Metrics]), before);
    assert_eq!(before.as_array().unwrap().len(), 3);
    assert!(before[0][7]["load1"].is_number(), "{before}");
}

#[test]
fn the_clock_is_the_hubs() {
    let bench = Bench::new();
    let query = "SELECT now(), current_timestamp, today(), ago(INTERVAL 1 HOUR), typeof(now())";
    let now = NOW.to_string();
    let hour_ago = NOW.plus_seconds(-3_600).to_string();
    assert_eq!(rows(&bench, query, &[]), json!([[now, now, "2027-01-15", hour_ago, "TIMESTAMP"]]));
}

#[test]
fn what_takes_too_much_memory_is_told_so() {
    let bench = Bench::new();
    let query =
        "SELECT * FROM (SELECT random() r FROM range(20_000_000)) ORDER BY r LIMIT 1 OFFSET 10_000_000";
    assert_eq!(told(&bench, &question(&bench, query, Form::Json), &[]).0, Word::Exhausted);
}

#[test]
fn what_a_question_gets_wrong_is_told_in_duckdbs_words() {
    let bench = Bench::new();
    for (query, views, said) in [
        ("SELECT nothing FROM metrics", &[View::Metrics][..], "Referenced column \"nothing\" not found"),
        ("SELECT 'x'::INTEGER", &[], "Could not convert string 'x' to INT32"),
        ("SELECT sum('x')", &[], "No function matches"),
        ("SELECT error('by itself')", &[], "by itself"),
        ("SELECT 1 +", &[], "syntax error"),
    ] {
        let (word, _) = told(&bench, &question(&bench, query, Form::Json), views);
        let Word::Refused(why) = &word else { panic!("{query}: {word:?}") };
        assert!(why.contains(said), "{query}: {why}");
    }
}

#[test]
fn files_outside_the_history_cannot_be_read_even_if_they_are_named() {
    let bench = Bench::new();
    let ask = question(&bench, "SELECT count(*) FROM metrics", Form::Json);
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("x.parquet");
    std::fs::write(&file, "PAR1").unwrap();
    let mut said = Vec::new();
    let given = Given { metrics: vec![file.to_string_lossy().into_owned()], discovery: Vec::new() };
    say(&mut said, &given).unwrap();
    arrow::ipc::writer::StreamWriter::try_new(&mut said, &View::Metrics.schema()).unwrap().finish().unwrap();
    let mut output = Vec::new();
    run(&ask, &mut BufReader::new(&said[..]), &mut output).unwrap();
    let mut output = &output[..];
    let _wants: Word = hear(&mut output).unwrap();
    let word: Word = hear(&mut output).unwrap();
    let Word::Refused(why) = word else { panic!("{word:?}") };
    assert!(why.starts_with("Permission Error"), "{why}");
}
