//! The other scenarios as stories, where no hub of their own is needed: what they push, and what they find.

use crate::{
    fake_hub::{FakeHub, Fault},
    play, program,
};
use serde_json::json;

const FEW: [&str; 4] = ["--agents", "7", "--connections", "3"];

fn line<'a>(name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&[name], &FEW[..], more].concat()
}

#[test]
fn singles_take_turns_with_the_bare_handler() {
    let hub = FakeHub::start(Fault::None);
    let run = play(
        &hub,
        &["ingest-single", "--agents", "7", "--connections", "2,3", "--seconds", "1", "--rounds", "1"],
    );
    assert_eq!(run.code(), Some(0), "{}", run.stdout());
    let compared = run.json["compared"].as_array().unwrap();
    assert_eq!(compared.iter().map(|one| &one["connections"]).collect::<Vec<_>>(), [&json!(2), &json!(3)]);
    assert!(compared.iter().all(|one| one["ratio"].as_f64().unwrap() > 0.0), "{}", run.json);
    let told = compared.iter().map(|one| one["rounds"][0]["hub"]["rows"]["accepted"].as_u64().unwrap());
    assert_eq!(told.sum::<u64>(), hub.stored());
    assert_eq!(hub.faults_of_caller(), Vec::<String>::new());
}

#[test]
fn a_steady_load_keeps_its_schedule() {
    let hub = FakeHub::start(Fault::None);
    let run = play(&hub, &line("steady", &["--rate", "300", "--seconds", "2"]));
    assert_eq!(run.code(), Some(0), "{}", run.stdout());
    assert_eq!(run.rows("accepted") + run.rows("unsent"), 600);
    assert_eq!(run.rows("accepted"), hub.stored());
    assert_eq!(run.json["verdicts"], json!([]), "the table says nothing of that rate");
}

#[test]
fn a_steady_load_at_a_rate_of_the_table_is_judged() {
    let hub = FakeHub::start(Fault::None);
    let run = play(&hub, &line("steady", &["--rate", "1000", "--seconds", "1"]));
    let judged: Vec<_> = run.json["verdicts"].as_array().unwrap().iter().map(|v| &v["what"]).collect();
    assert_eq!(judged, ["1 000 rows/s, p50", "1 000 rows/s, p99"]);
    assert_eq!(run.code(), Some(if run.json["passed"] == true { 0 } else { 1 }), "{}", run.stdout());
}

#[test]
fn batches_that_are_not_the_tables_are_only_counted() {
    let hub = FakeHub::start(Fault::None);
    let run = play(&hub, &line("ingest-batch", &["--seconds", "1", "--batch", "20"]));
    assert_eq!(run.code(), Some(0), "{}", run.stdout());
    assert_eq!((run.rows("accepted"), hub.stored() % 20), (hub.stored(), 0));
}

#[test]
fn a_fill_pushes_exactly_what_fits_the_days() {
    let hub = FakeHub::start(Fault::None);
    let fill = ["--days", "2", "--interval", "3600", "--batch", "20", "--discovery-agents", "2"];
    let run = play(&hub, &line("fill", &[&fill[..], &["--discovery-days", "1"]].concat()));
    assert_eq!(run.code(), Some(0), "{}", run.stdout());
    // Two days less the margin of two hours, by the hour; then a day of scans.
    let (samples, scans) = (7 * 46, 2 * 288);
    assert_eq!(run.json["rows"], samples);
    assert_eq!(run.json["scans"]["rows"]["accepted"], scans);
    assert_eq!(hub.stored(), samples + scans);
    assert_eq!(hub.faults_of_caller(), Vec::<String>::new());
}

#[test]
fn questions_that_a_hub_does_not_offer_are_told_and_do_not_hold() {
    let hub = FakeHub::start(Fault::None);
    assert_eq!(play(&hub, &line("ingest-batch", &["--seconds", "1"])).code(), Some(0));
    let run = play(&hub, &["query-mix", "--queries", "3"]);
    let asked = run.json["asked"].as_array().unwrap();
    let answers: Vec<_> = asked.iter().map(|kind| kind["answers"].as_u64().unwrap()).collect();
    assert_eq!(answers, [3, 3, 0, 0, 0, 0], "{}", run.json);
    let judged = run.json["verdicts"].as_array().unwrap();
    let unknown = judged.iter().filter(|verdict| verdict["verdict"] == "not shown").count();
    assert_eq!((judged.len(), unknown), (5, 3), "{}", run.stdout());
    let missed = judged.iter().any(|verdict| verdict["verdict"] == "missed");
    assert_eq!(
        run.code(),
        Some(if missed { 1 } else { 2 }),
        "what is not shown does not hold: {}",
        run.stdout()
    );
    assert_eq!(run.json["passed"], false);
    assert!(run.stdout().contains("on purpose"), "the hub's own words: {}", run.stdout());
}

#[test]
fn the_ceiling_needs_no_hub() {
    let output = program().args(line("ceiling", &["--seconds", "1"])).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("a bare handler on http://127.0.0.1:") && told.contains("200 -"), "{told}");
}

#[test]
fn a_hub_of_its_own_that_is_not_there_is_one_plain_line() {
    let output = program().args(["crash", "--kills", "1", "--server", "/nowhere/at/all"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("/nowhere/at/all"), "{said}");
}
