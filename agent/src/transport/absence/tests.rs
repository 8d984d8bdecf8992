//! Who waits, who looks, and what is told of it; by a clock of the tests' own.

use super::*;
use std::{rc::Rc, time::Duration};
use tokio::time::Instant as Moment;

fn gone() -> Failure {
    Failure::Unreachable { hub: "http://127.0.0.1:1".into(), reason: "refused".into() }
}

/// How long after it was lost the caller's turn came, with the clock of the test.
async fn turn_after(absence: &Absence) -> Duration {
    let (lost, turn) = (Moment::now(), absence.turn().await);
    assert!(turn.is_some());
    std::mem::forget(turn);
    lost.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_is_there_keeps_nobody_waiting_and_one_that_is_away_does() {
    let absence = Absence::new();
    assert!(absence.turn().await.is_none());
    absence.lost(&gone());
    let first = turn_after(&absence).await;
    assert!((2..=10).contains(&first.as_secs()), "{first:?}");
    for _ in 0..20 {
        absence.lost(&gone());
        let later = turn_after(&absence).await;
        assert!((4..=20).contains(&later.as_secs()), "{later:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_looks_and_the_others_follow_once_it_was_found() {
    let absence = Rc::new(Absence::new());
    absence.lost(&gone());
    let search = absence.turn().await.expect("the first that waits looks");
    let follows = absence.turn();
    tokio::pin!(follows);
    let early = tokio::time::timeout(Duration::from_secs(600), &mut follows).await;
    assert!(early.is_err(), "nobody looks beside it");
    absence.found();
    drop(search);
    assert!(follows.await.is_none());
}

#[tokio::test(start_paused = true)]
async fn who_is_not_trusted_is_told_of_until_the_hub_answers() {
    let absence = Absence::new();
    let other = Failure::Untrusted { hub: "https://h".into(), reason: "its key is another".into() };
    for failure in [gone(), other, gone()] {
        absence.lost(&failure);
        let told = absence.distrust().is_some_and(|why| why.contains("its key is another"));
        assert_eq!(told, matches!(failure, Failure::Untrusted { .. }));
    }
    absence.news().await;
    absence.lost(&Failure::Untrusted { hub: "https://h".into(), reason: "x".into() });
    absence.answered(Instant::now());
    assert_eq!(absence.distrust(), None);
    absence.news().await;
}

#[tokio::test(start_paused = true)]
async fn a_search_that_is_given_up_is_taken_over_at_once() {
    let absence = Absence::new();
    absence.lost(&gone());
    drop(absence.turn().await);
    let began = Moment::now();
    assert!(absence.turn().await.is_some());
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn who_is_in_a_hurry_does_not_wait() {
    let absence = Absence::new();
    absence.lost(&gone());
    let hurry = async { absence.hurry() };
    let (turn, ()) = tokio::join!(absence.turn(), hurry);
    assert!(turn.is_none());
}

#[tokio::test(start_paused = true)]
async fn only_an_answer_begins_the_waits_anew() {
    let absence = Absence::new();
    let asked_before = Instant::now();
    for _ in 0..2 {
        absence.lost(&gone());
        turn_after(&absence).await;
        absence.found();
    }
    absence.answered(asked_before);
    absence.lost(&gone());
    assert!(turn_after(&absence).await >= Duration::from_secs(4), "it was asked before the hub went");
    absence.found();
    absence.answered(Instant::now());
    absence.lost(&gone());
    assert!(turn_after(&absence).await <= Duration::from_secs(11));
}
