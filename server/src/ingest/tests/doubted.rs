//! While the hub's clock is not believed: nothing has expired, and the days that take files have an end.

use super::*;
use crate::ingest::overdue::OVERDUE_DAYS_MAX;

const DAY: i64 = 86_400;

/// Its agent would drop it, and be right to.
#[tokio::test]
async fn while_the_clock_is_not_believed_nothing_has_expired() {
    let hub = hub().await;
    assert_eq!(hub.metrics(sample(-31 * DAY, &numbers(7, 1))).await.unwrap().expired, 1);
    assert_eq!(hub.metrics(sample(0, &numbers(7, 2))).await.unwrap().accepted, 1);
    hub.clock.set_on(40 * DAY);
    let answer = hub.metrics(sample(1, &numbers(7, 3))).await.unwrap();
    assert_eq!((answer.accepted, answer.expired), (1, 0), "what is new is told as 40 days old");
    assert_eq!(hub.discovery(scan(1, "")).await.unwrap().accepted, 1);
    hub.clock.set_on(-40 * DAY);
    assert_eq!(hub.metrics(sample(2, &numbers(7, 4))).await.unwrap().accepted, 1);
    let late = hub.metrics(sample(-31 * DAY, &numbers(7, 5))).await.unwrap();
    assert_eq!((late.accepted, late.expired), (1, 0), "letting go waits, so this does");
    hub.clock.advance(DAY);
    assert_eq!(hub.metrics(sample(-31 * DAY, &numbers(7, 6))).await.unwrap().expired, 1);
    assert_eq!((hub.samples().len(), hub.scans()), (4, 1));
}

/// One body could bring thousands of days, and each of them takes a file.
#[tokio::test]
async fn a_batch_of_thousands_of_days_waits_until_the_clock_is_believed() {
    let hub = hub().await;
    assert_eq!(hub.metrics(sample(0, &numbers(7, 1))).await.unwrap().accepted, 1);
    hub.clock.set_on(3 * DAY);
    assert_eq!(hub.metrics(sample(1, &numbers(7, 2))).await.unwrap().accepted, 1);
    hub.clock.set_on(-3 * DAY);
    let of_days = |days: std::ops::Range<i64>| {
        let samples: Vec<_> = (3..).zip(days).map(|(seq, days)| (seq, -days * DAY, "{}")).collect();
        batch(7, &samples)
    };
    let many = of_days(1..5_001);
    let refused = hub.metrics(many.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), ProblemType::Overloaded);
    assert!(refused.problem().detail.contains("too many days"), "{refused:?}");
    // An agent that was alone for long is heard: no number was consumed.
    let max = i64::try_from(OVERDUE_DAYS_MAX).unwrap();
    let answer = hub.metrics(of_days(1..31 + max)).await.unwrap();
    let taken = 30 + max.unsigned_abs();
    assert_eq!((answer.accepted, answer.expired, answer.duplicates), (taken, 0, 0));
    // Believed again, what is too old has expired.
    hub.clock.advance(DAY);
    let answer = hub.metrics(many).await.unwrap();
    assert_eq!((answer.accepted, answer.duplicates, answer.expired), (0, taken, 5_000 - taken));
    assert_eq!(answer.high_water, Some(5_002));
    assert_eq!(hub.samples().len() as u64, 2 + taken);
}
