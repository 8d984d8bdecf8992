//! What a spool sends next, and which of the rows that are read back are its own.

use super::*;
use crate::api::RowMetrics;

fn spool(acked: u64, sent: u64) -> Spool {
    let hub = Arc::new(Hub::read("http://127.0.0.1:9", false).unwrap());
    let begin = (Timestamp::from_micros(1_000_000), Duration::from_millis(10));
    let fresh = Spool::new(FleetAgent::made_up(1, 1), begin, hub, Duration::from_secs(1));
    Spool { acked, sent, ..fresh }
}

#[tokio::test]
async fn what_was_sent_comes_first_and_whole() {
    assert_eq!(spool(0, 0).next(0, 10), None);
    assert_eq!(spool(0, 0).next(3, 10), Some(1..=3));
    assert_eq!(spool(5, 9).next(7, 10), Some(6..=9));
    assert_eq!(spool(5, 9).next(100, 10), Some(6..=15));
    assert!(spool(9, 9).is_empty() && !spool(8, 9).is_empty());
}

#[tokio::test]
async fn what_is_read_back_has_a_length_even_where_nothing_was_sent() {
    for (sent, end) in [(0, 1_010_000), (1, 1_010_000), (3, 1_030_000)] {
        assert_eq!(spool(0, sent).end(), Timestamp::from_micros(end));
    }
}

#[tokio::test]
async fn rows_are_known_again() {
    let spool = spool(2, 3);
    let row = |micros, cpu| Row { timestamp: Timestamp::from_micros(micros), metrics: RowMetrics { cpu } };
    let cpu = |seq| f64::from(Measured::new(spool.seed(), seq).cpu) / 10.0;
    assert_eq!(spool.number_of(&row(1_000_000, cpu(1))), Some(0));
    assert_eq!(spool.number_of(&row(1_020_000, cpu(3))), Some(2));
    for strange in
        [row(1_030_000, cpu(4)), row(1_005_000, cpu(1)), row(990_000, cpu(1)), row(1_000_000, -1.0)]
    {
        assert_eq!(spool.number_of(&strange), None, "{strange:?}");
    }
    assert_eq!(spool.moment(3), Timestamp::from_micros(1_020_000));
}
