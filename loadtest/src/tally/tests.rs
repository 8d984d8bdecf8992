//! Every row has one fate, and the quick look at an answer is the slow one.

use super::{counts::all_accepted, *};
use pingup_protocol::{
    metrics::{PushAnswer, Rejected},
    time::Timestamp,
};

fn answer(accepted: u64, duplicates: u64, expired: u64, rejected: usize) -> PushAnswer {
    let bad = Rejected { seq: 1, problem: "schema-invalid".to_owned(), detail: String::new() };
    PushAnswer {
        accepted,
        duplicates,
        duplicates_expired: 0,
        expired,
        rejected: vec![bad; rejected],
        high_water: Some(9),
        server_time: Timestamp::from_micros(0),
    }
}

fn counts(answer: &PushAnswer) -> Counts {
    let body = serde_json::to_vec(answer).unwrap();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    let input = [head, body].concat();
    Counts::read(&crate::answer::Head::parse(&input).unwrap().unwrap().over(&input)).unwrap()
}

fn rows_after(sent: u64, first_try: bool, answer: &PushAnswer) -> Rows {
    let mut tally = Tally::new(Instant::now());
    tally.stored(sent, first_try, counts(answer), Duration::from_millis(1));
    tally.rows
}

#[test]
fn the_quick_look_and_the_slow_one_agree() {
    assert_eq!(all_accepted(&serde_json::to_vec(&answer(500, 0, 0, 0)).unwrap()), Some(500));
    for (accepted, duplicates, expired, rejected) in
        [(0, 0, 0, 0), (500, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0), (2, 0, 0, 1), (u64::MAX, 0, 0, 0)]
    {
        let told = counts(&answer(accepted, duplicates, expired, rejected));
        assert_eq!(told, Counts { accepted, duplicates, not_stored: expired + rejected as u64 });
    }
}

#[test]
fn every_row_has_one_fate() {
    let rows = rows_after(10, false, &answer(4, 3, 1, 2));
    assert_eq!(rows, Rows { accepted: 4, duplicates: 3, rejected: 3, ..Rows::default() });
    assert_eq!(rows.lost(), 3);
}

#[test]
fn a_duplicate_of_something_sent_once_is_a_loss() {
    assert_eq!(rows_after(2, true, &answer(1, 1, 0, 0)).lost(), 1);
    assert_eq!(rows_after(2, false, &answer(1, 1, 0, 0)).lost(), 0);
}

#[test]
fn rows_that_no_count_covers_are_missed() {
    assert_eq!(rows_after(5, true, &answer(3, 0, 0, 0)).lost(), 2);
}

#[test]
fn latencies_beyond_the_last_are_kept_as_the_last() {
    let mut tally = Tally::new(Instant::now());
    tally.stored(1, true, counts(&answer(1, 0, 0, 0)), Duration::from_secs(1_000_000));
    assert!(tally.latency.max() >= LATENCY_MICROS_MAX);
}

#[test]
fn parts_add_up() {
    let started = Instant::now();
    let mut whole = Tally::new(started);
    for millis in [3, 9] {
        let mut part = Tally::new(started);
        part.stored(2, true, counts(&answer(2, 0, 0, 0)), Duration::from_millis(millis));
        part.answered(503, Some(ProblemType::Overloaded));
        whole.merge(part);
    }
    assert_eq!((whole.rows.accepted, whole.requests(), whole.latency.len()), (4, 4, 2));
    assert_eq!(whole.answers()[&(OK, None)], 2);
    assert_eq!(whole.worst_by_second, [9_000]);
}
