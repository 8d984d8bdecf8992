//! What becomes of what was sent and not stored.

use super::*;
use crate::{
    push::{tests::pusher, verdict::Verdict},
    spool::{Kind, Lane},
};
use pingup_protocol::problem::ProblemType;

const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const DAY: i64 = 86_400;

/// An answer of a hub that says `now`, to a request whose last number was `high_water`.
fn answer(now: Timestamp, high_water: u64) -> PushAnswer {
    let rejected = Vec::new();
    let high_water = Some(high_water);
    PushAnswer {
        accepted: 0,
        duplicates: 0,
        duplicates_expired: 0,
        expired: 0,
        rejected,
        high_water,
        server_time: now,
    }
}

fn rejected(seq: u64, kind: ProblemType) -> Rejected {
    Rejected { seq, problem: kind.name().to_owned(), detail: "x".to_owned() }
}

fn records(seconds: &[i64]) -> Vec<Record> {
    let at = |(place, &second): (usize, &i64)| {
        let (number, timestamp) = (place as u64 + 11, NOON.plus_seconds(second));
        Record { number, kind: Kind::Sample, timestamp, json: b"{}".to_vec() }
    };
    seconds.iter().enumerate().map(at).collect()
}

fn numbers(records: &[&Record]) -> Vec<u64> {
    records.iter().map(|record| record.number).collect()
}

#[test]
fn the_oldest_are_those_that_expired_wherever_they_stand() {
    let records = records(&[-50, -900, 0, -700, 400, -10]);
    let mut answer = answer(NOON, 6);
    (answer.accepted, answer.expired) = (2, 2);
    answer.rejected =
        vec![rejected(5, ProblemType::TimestampInFuture), rejected(6, ProblemType::SchemaInvalid)];
    let unstored = Unstored::of(&answer, &records, 1);
    assert_eq!(numbers(&unstored.expired), [12, 14]);
    assert_eq!(numbers(&unstored.ahead), [15]);
    assert_eq!(unstored.rejected.iter().map(|rejected| rejected.seq).collect::<Vec<_>>(), [6]);
}

/// The hub rejected them, and used up their numbers; its answer did not arrive, and the next one calls them duplicates.
#[test]
fn what_no_hub_can_have_stored_is_sent_again() {
    let records = records(&[-50, FUTURE_SECONDS_MAX, FUTURE_SECONDS_MAX + 1, 3_600, 3_601]);
    let mut answer = answer(NOON, 5);
    (answer.duplicates, answer.accepted) = (4, 1);
    let unstored = Unstored::of(&answer, &records, 1);
    assert_eq!(
        numbers(&unstored.ahead),
        [13, 14],
        "the last was accepted just now, whatever the hub's clock says"
    );
}

#[test]
fn what_was_stored_before_is_not_taken_for_old() {
    let records = records(&[-900, -800, -700]);
    let mut answer = answer(NOON, 3);
    (answer.accepted, answer.duplicates, answer.expired) = (0, 2, 1);
    assert_eq!(numbers(&Unstored::of(&answer, &records, 1).expired), [13]);
}

/// The hub let them go, and its answer did not arrive; the next one calls them duplicates, and says how many it has none of.
#[test]
fn what_expired_in_an_answer_that_was_lost_is_known_by_the_next() {
    let records = records(&[-900, -10, -800, -950, 0]);
    let mut answer = answer(NOON, 5);
    (answer.duplicates, answer.duplicates_expired) = (3, 2);
    (answer.accepted, answer.expired) = (1, 1);
    assert_eq!(numbers(&Unstored::of(&answer, &records, 1).expired), [11, 13, 14]);
    answer.duplicates_expired = 0;
    assert_eq!(numbers(&Unstored::of(&answer, &records, 1).expired), [14], "a hub that does not say");
}

/// A pusher, and what it sent: records of these moments, by the machine's clock, seconds from now.
fn sent(home: &tempfile::TempDir, seconds: &[i64]) -> (Pusher, Vec<Record>) {
    let pusher = pusher(home, 0);
    let now = machine_time();
    for second in seconds {
        pusher.spool.append(Kind::Sample, now.plus_seconds(*second), b"{}".to_vec()).unwrap();
    }
    let records = waiting(&pusher);
    (pusher, records)
}

fn waiting(pusher: &Pusher) -> Vec<Record> {
    pusher.spool.spool.borrow().oldest(Lane::Live, usize::MAX, usize::MAX).unwrap()
}

fn hear(pusher: &mut Pusher, records: &[Record], answer: &PushAnswer) {
    let high_water = answer.high_water.unwrap();
    let boot = pusher.spool.spool.borrow().boot(Lane::Live);
    pusher.carry_out(Verdict::Committed { high_water }, boot, records, Some(answer)).unwrap();
}

#[test]
fn what_is_let_go_is_counted_and_the_count_outlives_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let (mut pusher, records) = sent(&home, &[-90 * DAY, -80 * DAY, 0]);
    let mut answer = answer(machine_time(), 3);
    answer.expired = 2;
    answer.rejected = vec![rejected(3, ProblemType::SchemaInvalid)];
    hear(&mut pusher, &records, &answer);
    assert!(pusher.spool.spool.borrow().is_empty());
    let again = crate::spool::examine(home.path()).unwrap();
    assert_eq!((pusher.spool.spool.borrow().dropped(), again.dropped), (3, 3));
}

#[test]
fn what_a_slow_clock_made_look_old_is_sent_again_at_the_hubs_time() {
    let home = tempfile::tempdir().unwrap();
    let (mut pusher, records) = sent(&home, &[0, 0]);
    let hub = machine_time().plus_seconds(60 * DAY);
    let mut told = answer(hub, 1);
    told.expired = 1;
    // In two requests: the clock is known to be slow once the first was answered.
    hear(&mut pusher, &records[..1], &told);
    told.high_water = Some(2);
    hear(&mut pusher, &records[1..], &told);
    let moved = waiting(&pusher);
    assert_eq!(moved.len(), 2);
    assert!(moved.iter().all(|record| record.timestamp > hub.plus_seconds(-DAY) && record.timestamp <= hub));
    assert_eq!(pusher.spool.spool.borrow().dropped(), 0);
    let stamped = pusher.clock.now();
    assert!(stamped >= hub && stamped < hub.plus_seconds(DAY), "so is what is measured from now on");

    (told.expired, told.high_water) = (2, Some(4));
    hear(&mut pusher, &moved, &told);
    assert!(pusher.spool.spool.borrow().is_empty(), "what carries the hub's time is not moved once more");
    assert_eq!(pusher.spool.spool.borrow().dropped(), 2);
}

#[test]
fn what_was_measured_ahead_arrives_though_the_answer_was_lost() {
    let home = tempfile::tempdir().unwrap();
    let (mut pusher, records) = sent(&home, &[-2, -1, 0]);
    let hub = machine_time().plus_seconds(-3_600);
    let mut told = answer(hub, 3);
    told.duplicates = 3;
    hear(&mut pusher, &records, &told);
    let moved = waiting(&pusher);
    assert_eq!(moved.len(), 3);
    assert!(moved.iter().all(|record| record.timestamp <= hub));
    assert_eq!(moved[2].timestamp.as_micros() - moved[0].timestamp.as_micros(), 2_000_000);
    assert_eq!(pusher.spool.spool.borrow().dropped(), 0);
}

#[test]
fn what_was_measured_before_this_start_is_not_moved() {
    let home = tempfile::tempdir().unwrap();
    let (mut pusher, records) = sent(&home, &[0]);
    pusher.slow = Slow::since(pusher.spool.spool.borrow().last_number());
    let mut told = answer(machine_time().plus_seconds(60 * DAY), 1);
    told.expired = 1;
    hear(&mut pusher, &records, &told);
    assert!(pusher.spool.spool.borrow().is_empty(), "nobody knows what the clock was then");
    assert_eq!(pusher.spool.spool.borrow().dropped(), 1);
}
