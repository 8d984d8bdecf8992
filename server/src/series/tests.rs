//! What a push comes to: what is left out, what is kept, and what it hears.

use super::*;
use crate::tsdb::{
    record::OwnedRows,
    rows::SeriesId,
    testing::{Bench, NOW},
};
use std::{
    future::ready,
    sync::{Mutex, PoisonError},
};
use tokio::runtime::Runtime;

pub(super) const NOW_MS: i64 = NOW.as_micros() / 1_000;
const DAY_MS: i64 = 86_400_000;

/// The room on a history that points go into at once, unless the next commit is to fail.
pub(super) struct House {
    pub(super) bench: Arc<Mutex<Bench>>,
    fails: Arc<Mutex<Option<PushError>>>,
    pub(super) series: Series,
}

impl House {
    pub(super) fn new(of_sender: usize) -> Self {
        let bench = Bench::new();
        let register =
            Arc::new(Register::open(bench.sqlite.clone(), &bench.tsdb, of_sender, usize::MAX).unwrap());
        let tsdb = bench.tsdb.clone();
        let (bench, fails) = (Arc::new(Mutex::new(bench)), Arc::<Mutex<Option<PushError>>>::default());
        let (of_bench, of_fails) = (Arc::clone(&bench), Arc::clone(&fails));
        let commit = move |points| -> Committing {
            let failed = of_fails.lock().unwrap().take();
            let done = failed.map_or(Ok(()), Err).inspect(|()| {
                let rows = OwnedRows { points, ..OwnedRows::default() };
                of_bench.lock().unwrap_or_else(PoisonError::into_inner).append(&rows).unwrap();
            });
            Box::pin(ready(done))
        };
        Self { bench, fails, series: Series::new(register, tsdb, Arc::new(commit), |_, _| Ok(())) }
    }

    fn push(&self, series: Vec<Incoming>) -> Result<Taken, PushError> {
        let push = Push { sender: "s".to_owned(), series, described: Vec::new() };
        Runtime::new().unwrap().block_on(self.series.push(push))
    }

    fn points(&self) -> Vec<PointRow> {
        self.bench.lock().unwrap().points()
    }
}

fn incoming(name: &str, points: &[(i64, f64)]) -> Incoming {
    let labels = Labels::new(vec![("__name__".to_owned(), name.to_owned())]).unwrap();
    Incoming { labels, points: points.iter().map(|&(at_ms, value)| Point { at_ms, value }).collect() }
}

fn row(series: u32, at_ms: i64, value: f64) -> PointRow {
    PointRow { series: SeriesId::new(series), at_ms, value }
}

#[test]
fn good_samples_are_stored_and_those_beside_the_window_counted() {
    let house = House::new(10);
    let oldest = NOW_MS - 30 * DAY_MS;
    let newest = NOW_MS + AHEAD_MS_MAX;
    let taken = house.push(vec![
        incoming("a", &[(oldest, 1.0), (oldest - 1, 2.0), (newest, 3.0), (newest + 1, 4.0)]),
        incoming("b", &[(-1, 1.0), (i64::MIN, 1.0), (i64::MAX, 1.0)]),
        incoming("c", &[]),
        incoming("d", &[(NOW_MS, f64::from_bits(0x7ff0_0000_0000_0002))]),
    ]);
    assert_eq!(taken.unwrap(), Taken { stored: 3, too_old: 3, ahead: 2 });
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    assert_eq!(house.points(), [row(1, oldest, 1.0), row(1, newest, 3.0), row(2, NOW_MS, stale)]);
    assert_eq!(house.series.register.size().0, 2, "a series without samples is none");
}

/// A hub whose clock went on by years would take all that is sent for too old, and senders drop that.
#[test]
fn by_a_clock_that_is_not_believed_nothing_is_too_old() {
    let house = House::new(10);
    house.push(vec![incoming("a", &[(NOW_MS, 1.0)])]).unwrap();
    house.bench.lock().unwrap().clock.set_on(400 * 86_400);
    let taken = house.push(vec![incoming("a", &[(NOW_MS + 1, 1.0), (-1, 1.0)])]).unwrap();
    assert_eq!(taken, Taken { stored: 1, too_old: 1, ahead: 0 });
    house.series.forget();
    assert_eq!(house.series.register.size().0, 1, "and nothing is forgotten");
}

#[test]
fn beyond_a_limit_known_series_go_on() {
    let house = House::new(2);
    house.push(vec![incoming("a", &[(NOW_MS, 1.0)])]).unwrap();
    let at = |n: i64| NOW_MS + n;
    let refused = house.push(vec![
        incoming("b", &[(at(1), 1.0)]),
        incoming("a", &[(at(1), 2.0)]),
        incoming("c", &[(at(1), 1.0)]),
    ]);
    let error = refused.unwrap_err();
    let expected =
        "a sender may write 2 series; none of the 2 new series of this part of the request was stored";
    assert_eq!(error.to_string(), expected);
    let PushError::SeriesLimit { reached, taken } = error else { panic!("a limit is reached") };
    assert_eq!((reached.whose, taken), (Whose::Sender, Taken { stored: 1, ..Taken::default() }));
    assert_eq!(house.points(), [row(1, at(0), 1.0), row(1, at(1), 2.0)]);
}

#[test]
fn what_is_too_large_is_refused_as_a_whole() {
    let house = House::new(10);
    let many = incoming("a", &vec![(NOW_MS, 1.0); POINTS_PER_PUSH_MAX]);
    let refused = house.push(vec![many.clone(), incoming("b", &[(NOW_MS, 1.0)])]).unwrap_err();
    assert!(matches!(refused, PushError::TooLarge { series: 2, points: 100_001 }), "{refused}");
    let refused = house.push(vec![incoming("a", &[]); SERIES_PER_PUSH_MAX + 1]).unwrap_err();
    assert!(matches!(refused, PushError::TooLarge { series: 20_001, points: 0 }), "{refused}");
    assert_eq!(house.points(), []);
    assert_eq!(house.push(vec![many]).unwrap().stored, POINTS_PER_PUSH_MAX);
}

#[test]
fn many_series_at_once_are_looked_up_elsewhere_with_the_same_result() {
    let house = House::new(5_000);
    let names: Vec<_> = (0..2 * INLINE_SERIES_MAX).map(|n| format!("m{n}")).collect();
    let push = || names.iter().map(|name| incoming(name, &[(NOW_MS, 1.0)])).collect();
    for _ in 0..2 {
        assert_eq!(house.push(push()).unwrap().stored, names.len());
        assert_eq!(house.series.register.size().0, names.len());
    }
}

#[test]
fn what_is_not_committed_is_said_and_what_comes_again_is_stored() {
    let house = House::new(10);
    let push = || house.push(vec![incoming("a", &[(NOW_MS, 1.0)])]);
    *house.fails.lock().unwrap() = Some(PushError::Busy);
    assert!(matches!(push(), Err(PushError::Busy)));
    assert_eq!(house.points(), []);
    for _ in 0..2 {
        assert_eq!(push().unwrap(), Taken { stored: 1, ..Taken::default() });
    }
    assert_eq!(house.points(), [row(1, NOW_MS, 1.0), row(1, NOW_MS, 1.0)], "told when it is read");
}

#[test]
fn a_series_that_nobody_wrote_to_for_long_is_forgotten_and_may_come_again() {
    let house = House::new(10);
    house.push(vec![incoming("a", &[(NOW_MS, 1.0)]), incoming("b", &[(NOW_MS, 1.0)])]).unwrap();
    let size = || house.series.register.size().0;
    for (days, expected) in [(29, 2), (1, 2), (1, 1)] {
        let clock = house.bench.lock().unwrap().clock.clone();
        // A day at a time, with both clocks: it is believed.
        clock.advance(days * 86_400);
        house.push(vec![incoming("b", &[(clock.now().as_micros() / 1_000, 1.0)])]).unwrap();
        house.series.forget();
        assert_eq!(size(), expected, "{days} more");
    }
    house.push(vec![incoming("a", &[(NOW_MS + 31 * DAY_MS, 1.0)])]).unwrap();
    assert_eq!(size(), 2);
    assert_eq!(house.points().last().unwrap().series, SeriesId::new(3));
}
