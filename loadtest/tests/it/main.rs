//! The load generator as a program, against a hub of ours: what it counts, what it retries, how it ends.

#![allow(clippy::unwrap_used, reason = "a test ends where something goes wrong")]

mod fake_hub;
mod scenarios;

use fake_hub::{FakeHub, Fault};
use serde_json::Value;
use std::process::{Command, Output};

/// A run of the program: how it ended, and what it wrote with `--json`.
struct Run {
    output: Output,
    json: Value,
}

impl Run {
    fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    fn stdout(&self) -> String {
        String::from_utf8(self.output.stdout.clone()).unwrap()
    }

    fn rows(&self, fate: &str) -> u64 {
        self.json["rows"][fate].as_u64().unwrap_or_else(|| panic!("no {fate} in {}", self.json))
    }

    fn answers(&self) -> Vec<(u64, Option<&str>)> {
        let answers = self.json["answers"].as_array().unwrap();
        answers.iter().map(|a| (a["status"].as_u64().unwrap(), a["problem"].as_str())).collect()
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pingup-loadtest"));
    // Whatever the tester's own shell says must not leak in.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PINGUP_")) {
        command.env_remove(name);
    }
    command
}

/// Runs `ingest` for a second against `hub`, with three connections for seven agents.
fn ingest(hub: &FakeHub, more: &[&str]) -> Run {
    play(hub, &[&["ingest", "--agents", "7", "--connections", "3", "--seconds", "1"], more].concat())
}

/// Runs a scenario against `hub`.
fn play(hub: &FakeHub, line: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let output = program()
        .args(line)
        .args(["--hub", &hub.url, "--token", "operator", "--json"])
        .arg(&file)
        .output()
        .unwrap();
    let json = serde_json::from_slice(&std::fs::read(&file).unwrap())
        .unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&output.stderr)));
    Run { output, json }
}

#[test]
fn every_row_is_stored_once_and_counted_once() {
    let hub = FakeHub::start(Fault::None);
    let run = ingest(&hub, &[]);
    assert_eq!(run.code(), Some(0), "{}", run.stdout());
    assert_eq!(hub.agents(), 7);
    assert!(hub.stored() > 0);
    assert_eq!(run.rows("accepted"), hub.stored());
    assert_eq!(run.rows("lost"), 0);
    assert_eq!(run.answers(), [(200, None)]);
    assert_eq!(hub.faults_of_caller(), Vec::<String>::new());
    for word in ["rows/s", "p50", "p99.9", "every row that was sent is stored"] {
        assert!(run.stdout().contains(word), "{word} in {}", run.stdout());
    }
    assert!(run.output.stderr.is_empty(), "no bar without a terminal");
}

#[test]
fn batches_carry_many_rows() {
    let hub = FakeHub::start(Fault::None);
    let run = ingest(&hub, &["--batch", "50"]);
    assert_eq!(run.code(), Some(0), "{}", run.stdout());
    assert_eq!(run.rows("accepted"), hub.stored());
    assert_eq!(hub.stored() % 50, 0);
    assert_eq!(hub.faults_of_caller(), Vec::<String>::new());
}

#[test]
fn a_rate_is_a_schedule() {
    let hub = FakeHub::start(Fault::None);
    let run = ingest(&hub, &["--rate", "200", "--batch", "2"]);
    assert_eq!(run.code(), Some(0), "{}", run.stdout());
    assert_eq!(run.rows("accepted") + run.rows("unsent"), 200);
    assert_eq!(hub.stored(), run.rows("accepted"));
}

#[test]
fn a_stall_shows_in_every_push_it_delayed() {
    // Two thirds of the pushes come by the other connections: these are as many as fall due in two fifths of a second.
    let hub = FakeHub::start(Fault::HoldsFirst(80));
    let run = ingest(&hub, &["--rate", "300"]);
    assert_eq!(run.code(), Some(0), "{}", run.stdout());
    let p90 = run.json["latencyMilliseconds"]["p90"].as_f64().unwrap();
    // A third of the pushes share the stalled connection, two fifths of those fell due during the stall.
    assert!(p90 > 20.0, "p90 is {p90} ms: only the stalled request was counted as slow");
}

#[test]
fn an_overloaded_hub_is_asked_again() {
    let hub = FakeHub::start(Fault::OverloadedOnce);
    let run = ingest(&hub, &[]);
    assert_eq!(run.code(), Some(0), "{}", run.stdout());
    assert_eq!(run.json["retries"], 7);
    assert_eq!(run.answers(), [(200, None), (503, Some("overloaded"))]);
    assert_eq!(run.rows("accepted"), hub.stored());
    assert_eq!(hub.faults_of_caller(), Vec::<String>::new());
}

#[test]
fn a_lost_answer_is_asked_for_again_and_no_row_counts_twice() {
    let hub = FakeHub::start(Fault::LosesFirstAnswer);
    let run = ingest(&hub, &["--batch", "3"]);
    assert_eq!(run.code(), Some(0), "{}", run.stdout());
    assert_eq!(run.json["broken"], 7);
    assert_eq!(run.rows("duplicates"), 21);
    assert_eq!(run.rows("accepted") + 21, hub.stored());
}

#[test]
fn refused_rows_fail_the_run() {
    let hub = FakeHub::start(Fault::RefusesAll);
    let run = ingest(&hub, &["--rate", "50"]);
    assert_eq!(run.code(), Some(1));
    assert_eq!(run.answers(), [(422, Some("schema-invalid"))]);
    assert_eq!(run.rows("refused"), run.rows("lost"));
    assert_eq!((run.rows("accepted"), hub.stored()), (0, 0));
    assert!(run.stdout().contains("rows were not stored"));
}

#[test]
fn a_rejected_sample_fails_the_run_and_the_others_count() {
    let hub = FakeHub::start(Fault::RejectsFirstSample);
    let run = ingest(&hub, &["--rate", "50", "--batch", "5"]);
    assert_eq!(run.code(), Some(1));
    assert_eq!(run.rows("accepted"), hub.stored());
    assert_eq!(run.rows("rejected") * 4, run.rows("accepted"));
}

#[test]
fn duplicates_of_what_was_sent_once_fail_the_run() {
    let hub = FakeHub::start(Fault::CallsAllDuplicates);
    let run = ingest(&hub, &["--rate", "50"]);
    assert_eq!(run.code(), Some(1));
    assert_eq!(run.rows("neverStored"), run.rows("lost"));
}

#[test]
fn a_token_that_may_not_register_is_one_plain_line() {
    let hub = FakeHub::start(Fault::None);
    let output = program()
        .args(["ingest", "--hub", &hub.url, "--token", "viewer"])
        .args(["--agents", "1", "--connections", "1", "--seconds", "1"])
        .output()
        .unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), line.lines().count()), (Some(1), 1), "{line}");
    assert!(line.contains("401") && line.contains("on purpose") && !line.contains("viewer"), "{line}");
}

#[test]
fn no_hub_is_one_plain_line() {
    let output = program()
        .env("PINGUP_HUB", "http://127.0.0.1:1")
        .env("PINGUP_TOKEN", "t")
        .env("PINGUP_AGENTS", "1")
        .env("PINGUP_CONNECTIONS", "1")
        .env("PINGUP_SECONDS", "1")
        .arg("ingest")
        .output()
        .unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), line.lines().count()), (Some(1), 1), "{line}");
    assert!(line.contains("http://127.0.0.1:1"), "{line}");
}

#[test]
fn no_agent_to_scan_with_is_one_plain_line() {
    let output = program().args(["scan", "--agent", "/nowhere/at-all"]).output().unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), line.lines().count()), (Some(1), 1), "{line}");
    assert!(line.contains("/nowhere/at-all"), "{line}");
}

#[test]
fn bad_settings_are_one_plain_line_and_64() {
    let whole = ["--token", "t", "--agents", "2", "--connections", "1", "--seconds", "1"];
    let with = |more: &[&'static str]| [&["ingest"], &whole[..], more].concat();
    for line in [
        vec![],
        vec!["ingest"],
        with(&["--hub", "https://hub.example"]),
        with(&["--hub", "http://127.0.0.1:1", "--batch", "0"]),
        with(&["--hub", "http://127.0.0.1:1", "--json", "/nowhere/at/all.json"]),
        vec!["scan", "--hosts", "241"],
    ] {
        let output = program().args(&line).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(64), 1), "{line:?}: {said}");
    }
}

#[test]
fn help_lists_every_flag_with_its_variable() {
    let output = program().args(["ingest", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for name in ["HUB", "TOKEN", "AGENTS", "CONNECTIONS", "SECONDS", "BATCH", "RATE", "JSON", "INSECURE_HTTP"]
    {
        let flag = format!("--{}", name.to_lowercase().replace('_', "-"));
        assert!(help.contains(&flag) && help.contains(&format!("PINGUP_{name}")), "{flag} in {help}");
    }
}
