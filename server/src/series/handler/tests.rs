//! Requests that are more than one push, at a limit of series: what is kept of them, and what they are told.

use super::*;
use crate::{
    series::{
        Labels, Point,
        labels::VALUE_BYTES_MAX,
        tests::{House, NOW_MS},
    },
    tsdb::testing::Bench,
};
use std::sync::Mutex;
use tokio::runtime::Runtime;

/// Doors to a room where a sender may write so many series; the history that they lead to, and the room.
pub(super) fn doors(of_sender: usize) -> (Doors, Arc<Mutex<Bench>>, Arc<Series>) {
    let House { bench, series, .. } = House::new(of_sender);
    let series = Arc::new(series);
    (Doors::new(Arc::clone(&series), Budget::senders()), bench, series)
}

/// Four kilobytes of labels: some 250 of them are a push.
fn labels(n: usize) -> Labels {
    let long = "v".repeat(VALUE_BYTES_MAX - 100);
    let pairs = [("__name__", "big".to_owned()), ("a", format!("{n}")), ("b", long)];
    Labels::new(pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()).unwrap()
}

fn take(doors: &Doors, series: impl Iterator<Item = usize>) -> Outcome {
    let numbers: Vec<_> = series.collect();
    let read = move |brought: &mut Brought| {
        let point = Point { at_ms: NOW_MS, value: 1.0 };
        numbers.iter().try_for_each(|n| brought.keep(labels(*n), vec![point]))
    };
    let taken = Runtime::new().unwrap().block_on(doors.take("s".to_owned(), 0, read));
    let Ok(((), outcome)) = taken else { panic!("it is taken") };
    outcome
}

/// Else what is kept of a request would be whatever happened to come in a push that is small enough.
#[test]
fn what_is_new_behind_a_limit_is_left_out_also_where_it_would_fit() {
    let (doors, _bench, room) = doors(400);
    assert_eq!(take(&doors, 1_000..1_001).stored, 1);
    // A push that fits, two that do not, and one that would, with a series that is known.
    let outcome = take(&doors, (0..780).chain([1_000]));
    let stored = outcome.stored;
    let refused = outcome.refused();
    assert!((2..400).contains(&stored), "{stored}");
    assert_eq!(refused.count, 781 - stored);
    let series = room.register.size().0;
    assert_eq!(stored, series, "those that were new and are there, and the one that was known");
    let said = refused.why();
    assert!(said.contains("new series of this part of the request was stored"), "{said}");
    let kept: Vec<_> = (0..780).filter(|n| room.register.has("a", &n.to_string())).collect();
    assert!(kept.iter().copied().eq(0..series - 1), "the first of them: {kept:?}");
}
