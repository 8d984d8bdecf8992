//! The engine over a real history, without a process of its own: what the views show, and how answers are written.

use super::{
    Form,
    engine::run,
    letters::{Ask, Given, Word, hear, say},
    rows::{Neighbours, Snapshot},
    views::View,
};
use crate::tsdb::{
    record::OwnedRows,
    testing::{Bench, NOW, sample},
};
use arrow::{array::AsArray, datatypes::Int64Type, ipc::reader::StreamReader};
use serde_json::{Value, json};
use std::{io::BufReader, sync::Arc, time::Duration};

mod cells;

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

/// What an engine says to `ask`, of which `views` are known to be named: its word, and its body.
fn told(bench: &Bench, ask: &Ask, views: &[View]) -> (Word, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let snapshot = Snapshot {
        view: bench.tsdb.view(),
        sqlite: bench.sqlite.clone(),
        neighbours: Neighbours { agents: Arc::new(|_| Ok(Vec::new())), commands: |_, _, _| Ok(()) },
        now: NOW,
        runtime: runtime.handle().clone(),
    };
    let mut said = Vec::new();
    say(&mut said, &snapshot.files(views)).unwrap();
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
fn the_limit_leaves_rows_out_and_says_so() {
    let bench = Bench::new();
    for (rows, limit, told_rows, is_more) in [(5, 5, 5, false), (6, 5, 5, true), (10_000, 3_000, 3_000, true)]
    {
        let query = format!("SELECT * FROM range({rows})");
        for form in [Form::Json, Form::NdJson, Form::Csv, Form::Arrow] {
            let mut ask = question(&bench, &query, form);
            ask.rows_max = limit;
            let (word, _) = told(&bench, &ask, &[]);
            let Word::Answer { rows, more, .. } = word else { panic!("{form:?}: {word:?}") };
            assert_eq!((rows, more), (told_rows, is_more), "{form:?}");
        }
    }
}

#[test]
fn an_answer_that_is_too_long_is_refused_in_every_form() {
    let bench = Bench::new();
    for form in [Form::Json, Form::NdJson, Form::Csv, Form::Arrow] {
        let (word, body) =
            told(&bench, &question(&bench, "SELECT repeat('x', 99_000) FROM range(2)", form), &[]);
        let Word::Refused(why) = word else { panic!("{form:?}: {word:?}") };
        assert!(why.contains("longer than 100000 bytes") && body.is_empty(), "{why}");
    }
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
fn every_form_says_the_same() {
    let bench = Bench::new();
    let query =
        "SELECT 1 AS n, '=x' AS t, NULL AS t, [1, 2] AS l, TIMESTAMP '2027-01-15 08:00:00' AS at, 1.5 AS d";
    let json: Value = serde_json::from_slice(&body(&bench, query, Form::Json, &[])).unwrap();
    let names: Vec<_> = json["columns"].as_array().unwrap().iter().map(|column| &column["name"]).collect();
    assert_eq!(names, ["n", "t", "t_1", "l", "at", "d"]);
    let types: Vec<_> = json["columns"].as_array().unwrap().iter().map(|column| &column["type"]).collect();
    assert_eq!(types, ["INTEGER", "VARCHAR", "INTEGER", "INTEGER[]", "TIMESTAMP", "DECIMAL(2,1)"]);
    assert_eq!(json["rows"], json!([[1, "=x", null, [1, 2], "2027-01-15T08:00:00Z", 1.5]]));
    assert_eq!(json["more"], json!(false));
    let csv = String::from_utf8(body(&bench, query, Form::Csv, &[])).unwrap();
    assert_eq!(csv, "n,t,t_1,l,at,d\r\n1,'=x,,\"[1,2]\",2027-01-15T08:00:00Z,1.5\r\n");
    let line: Value = serde_json::from_slice(&body(&bench, query, Form::NdJson, &[])).unwrap();
    let row = json!({"n": 1, "t": "=x", "t_1": null, "l": [1, 2], "at": "2027-01-15T08:00:00Z", "d": 1.5});
    assert_eq!(line, row);
    let arrow = body(&bench, "SELECT n FROM range(3) t(n)", Form::Arrow, &[]);
    let batches: Vec<_> = StreamReader::try_new(&arrow[..], None).unwrap().map(Result::unwrap).collect();
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().values().to_vec(), [0, 1, 2]);
}

/// Every type that DuckDB has is told somehow, or said to be none that can be.
#[test]
fn every_type_is_told_or_refused() {
    let bench = Bench::new();
    for value in [
        "NULL",
        "true",
        "1::TINYINT",
        "1::HUGEINT",
        "1::UHUGEINT",
        "1::UBIGINT",
        "1::FLOAT",
        "1::DECIMAL(38, 2)",
        "'x'::BLOB",
        "'101'::BIT",
        "uuid()",
        "DATE '2027-01-15'",
        "TIME '08:00:00'",
        "now()::TIMESTAMPTZ",
        "TIMETZ '08:00:00+00'",
        "TIMESTAMP_S '2027-01-15 08:00:00'",
        "TIMESTAMP_NS '2027-01-15 08:00:00'",
        "INTERVAL 1 MONTH",
        "[1, NULL]",
        "[1, 2]::INTEGER[2]",
        "{'a': [1]}",
        "MAP {'a': 1}",
        "MAP {1: 'a'}",
        "'a'::ENUM('a', 'b')",
        "1::UNION(n INTEGER, t VARCHAR)",
        "1::BIGNUM",
        "'{}'::JSON",
        "1::VARIANT",
        "'infinity'::TIMESTAMP",
        "'infinity'::DATE",
        "'nan'::DOUBLE",
    ] {
        for form in [Form::Json, Form::NdJson, Form::Csv, Form::Arrow] {
            let (word, _) = told(&bench, &question(&bench, &format!("SELECT {value} AS v"), form), &[]);
            assert!(
                matches!(word, Word::Answer { rows: 1, .. } | Word::Refused(_)),
                "{value}: {form:?}: {word:?}"
            );
        }
    }
}

#[test]
fn an_answer_without_rows_has_its_columns() {
    let bench = Bench::new();
    let query = "SELECT 1 AS n WHERE false";
    let json: Value = serde_json::from_slice(&body(&bench, query, Form::Json, &[])).unwrap();
    assert_eq!(json, json!({"columns": [{"name": "n", "type": "INTEGER"}], "rows": [], "more": false}));
    assert_eq!(body(&bench, query, Form::Csv, &[]), b"n\r\n");
    assert_eq!(body(&bench, query, Form::NdJson, &[]), b"");
    let arrow = body(&bench, query, Form::Arrow, &[]);
    assert_eq!(StreamReader::try_new(&arrow[..], None).unwrap().schema().field(0).name(), "n");
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
