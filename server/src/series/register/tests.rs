//! Numbers and limits, with the records beneath, also over restarts and commits that fail.

mod deleted;

use super::{tidy::DELETED_MAX, *};
use crate::{
    series::Point,
    tsdb::{
        record::OwnedRows,
        rows::PointRow,
        testing::{Bench, NOW},
    },
};
use tokio::runtime::Runtime;

const NOW_MS: i64 = NOW.as_micros() / 1_000;
const WIDE: Bounds = Bounds { of_sender: 1_000, of_all: 2_000, bytes: usize::MAX };

fn series(names: &[&str]) -> Vec<Incoming> {
    let points = vec![Point { at_ms: NOW_MS, value: 1.0 }];
    let labels = |name: &&str| Labels::new(vec![("__name__".to_owned(), (*name).to_owned())]).unwrap();
    names.iter().map(|name| Incoming { labels: labels(name), points: points.clone() }).collect()
}

fn open(bench: &Bench, bounds: Bounds) -> Register {
    Register::within(bench.sqlite.clone(), &bench.tsdb, bounds).unwrap()
}

/// Resolves and stores; the numbers that are given.
fn give(register: &Register, sender: &str, names: &[&str]) -> Result<Vec<u32>, Whose> {
    let mut resolved = register.resolve(sender, &series(names), None);
    Runtime::new().unwrap().block_on(register.store(&mut resolved)).unwrap();
    match resolved.limit {
        Some(limit) => Err(limit.whose),
        None => Ok(resolved.ids.iter().map(|id| id.unwrap().number()).collect()),
    }
}

fn tidy(register: &Register) {
    Runtime::new().unwrap().block_on(register.tidy()).unwrap();
}

fn stored(bench: &Bench) -> Vec<store::Row> {
    let all = |connection: &rusqlite::Connection| {
        let mut rows = Vec::new();
        store::each(connection, |row| rows.push(row))?;
        Ok::<_, StorageError>(rows)
    };
    bench.sqlite.reclaim_blocking(all).unwrap()
}

#[test]
fn a_label_set_keeps_its_number_over_restarts() {
    let bench = Bench::new();
    let register = open(&bench, WIDE);
    assert_eq!(give(&register, "s", &["a", "b", "a"]), Ok(vec![1, 2, 1]));
    assert_eq!(stored(&bench).len(), 2);
    let register = open(&bench, WIDE);
    assert_eq!(give(&register, "other", &["c", "b", "a"]), Ok(vec![3, 2, 1]));
    let rows = stored(&bench);
    assert_eq!(
        (rows[2].sender.as_str(), &rows[2].labels[..]),
        ("other", &["__name__", "c"].map(str::to_owned)[..])
    );
    assert_eq!(rows[0].times, (NOW_MS, NOW_MS));
}

#[test]
fn each_limit_keeps_all_new_ones_out_and_no_known_one() {
    let bench = Bench::new();
    let register = open(&bench, Bounds { of_sender: 2, of_all: 3, ..WIDE });
    assert_eq!(give(&register, "s", &["a"]), Ok(vec![1]));
    assert_eq!(give(&register, "s", &["b", "c"]), Err(Whose::Sender));
    assert_eq!(register.size().0, 1, "none of them");
    let resolved = register.resolve("s", &series(&["b", "a", "c"]), None);
    assert_eq!(resolved.ids.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false]);
    let limit = resolved.limit.unwrap();
    assert_eq!((limit.max, limit.new), (2, 2));
    assert_eq!(give(&register, "s", &["b", "b", "b"]), Ok(vec![2, 2, 2]), "one, however often it comes");
    assert_eq!(give(&register, "s", &["c"]), Err(Whose::Sender));
    assert_eq!(give(&register, "t", &["c", "d"]), Err(Whose::Everyone));
    assert_eq!(give(&register, "t", &["c"]), Ok(vec![3]));
    assert_eq!(give(&register, "t", &["a", "b", "c"]), Ok(vec![1, 2, 3]));
    assert_eq!(stored(&bench).len(), 3);
    // Those of before count after a restart.
    assert_eq!(give(&open(&bench, Bounds { of_sender: 2, ..WIDE }), "s", &["z"]), Err(Whose::Sender));
}

#[test]
fn labels_in_memory_have_their_bound() {
    let bench = Bench::new();
    let bytes = 3 * index::bytes_of(&series(&["name00"])[0].labels);
    let register = open(&bench, Bounds { bytes, ..WIDE });
    let mut given = 0;
    while give(&register, "s", &[&format!("name{given:02}")]).is_ok() {
        given += 1;
        assert!(register.size().1 <= bytes);
    }
    assert!((2..10).contains(&given), "{given}");
    assert_eq!(give(&register, "s", &["another"]), Err(Whose::Memory));
    assert_eq!(give(&register, "s", &["name00"]), Ok(vec![1]));
}

#[test]
fn no_number_is_given_twice() {
    let mut bench = Bench::new();
    let register = open(&bench, WIDE);
    assert_eq!(give(&register, "s", &["a", "b"]), Ok(vec![1, 2]));
    assert_eq!(register.forget(NOW_MS + 1), 2);
    assert_eq!(give(&register, "s", &["a"]), Ok(vec![3]), "who is forgotten comes anew");
    tidy(&register);
    assert_eq!(stored(&bench).iter().map(|row| row.id.number()).collect::<Vec<_>>(), [3]);
    assert_eq!(give(&open(&bench, WIDE), "s", &["b", "a"]), Ok(vec![4, 3]));
    // Of what the history has and the records do not know: a copy of the journal may be newer than that of the records.
    let point = |number| PointRow { series: SeriesId::new(number), at_ms: NOW_MS, value: 1.0 };
    bench.append(&OwnedRows { points: vec![point(70)], ..OwnedRows::default() }).unwrap();
    assert_eq!(give(&open(&bench, WIDE), "s", &["c"]), Ok(vec![71]));
    bench.seal_all();
    bench.append(&OwnedRows { points: vec![point(5)], ..OwnedRows::default() }).unwrap();
    assert_eq!(give(&open(&bench, WIDE), "s", &["d"]), Ok(vec![72]));
    assert_eq!(open(&bench, WIDE).labels(SeriesId::new(70)), None);
}

/// Between forgetting and deleting a label set may be in the records twice: the later number counts.
#[test]
fn what_is_forgotten_and_not_deleted_yet_does_not_come_back_in_the_way() {
    let bench = Bench::new();
    let register = open(&bench, WIDE);
    give(&register, "s", &["a"]).unwrap();
    register.forget(NOW_MS + 1);
    assert_eq!(give(&register, "s", &["a"]), Ok(vec![2]));
    assert_eq!(stored(&bench).len(), 2);
    assert_eq!(give(&open(&bench, WIDE), "s", &["a"]), Ok(vec![2]));
}

#[test]
fn a_series_whose_commit_failed_is_written_by_whoever_sends_it_next() {
    let bench = Bench::new();
    let register = open(&bench, WIDE);
    // The future is dropped before it began: nothing was written.
    drop(register.resolve("s", &series(&["a"]), None));
    assert_eq!(stored(&bench), []);
    assert_eq!(give(&register, "t", &["a"]), Ok(vec![1]));
    assert_eq!(stored(&bench).len(), 1);
    let again = register.resolve("s", &series(&["a"]), None);
    assert_eq!(again.unstored, [], "once is enough");
}

/// Whatever was answered is found after a crash, at whatever time it was measured.
#[test]
fn the_records_are_never_further_behind_than_is_reckoned_with() {
    let bench = Bench::new();
    let register = open(&bench, WIDE);
    give(&register, "s", &["a", "b"]).unwrap();
    let write = |register: &Register, hours: i64| {
        let mut incoming = series(&["b"]);
        incoming[0].points[0].at_ms += hours * 3_600_000;
        let mut resolved = register.resolve("s", &incoming, None);
        Runtime::new().unwrap().block_on(register.store(&mut resolved)).unwrap();
    };
    let hour = |hour: i64| NOW_MS + hour * 3_600_000;
    write(&register, 6);
    assert_eq!(stored(&bench)[1].times, (NOW_MS, NOW_MS), "not far enough behind");
    let there = |register: &Register, at: i64| register.select(&[], hour(at), hour(at)).len();
    let after = open(&bench, WIDE);
    assert_eq!([-7, -6, 0, 6, 7].map(|hour| there(&after, hour)), [0, 2, 2, 2, 0]);
    write(&after, 6);
    assert_eq!(stored(&bench)[1].times, (NOW_MS, NOW_MS));
    write(&after, 7);
    assert_eq!(stored(&bench)[1].times, (NOW_MS, hour(7)));
    write(&after, -9);
    assert_eq!(stored(&bench)[1].times, (hour(-9), hour(7)), "what is known about is not taken for exact");
    assert_eq!(stored(&bench)[0].times, (NOW_MS, NOW_MS));
    assert_eq!([-16, -15, 13, 14].map(|hour| there(&open(&bench, WIDE), hour)), [0, 1, 1, 0]);
}

#[test]
fn what_was_forgotten_is_deleted_some_by_some() {
    let bench = Bench::new();
    let register = open(&bench, Bounds { of_sender: 5_000, of_all: 5_000, ..WIDE });
    let names: Vec<_> = (0..2 * DELETED_MAX + 10).map(|n| format!("m{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    give(&register, "s", &names).unwrap();
    register.forget(i64::MAX);
    for left in [DELETED_MAX + 10, 10, 0, 0] {
        tidy(&register);
        assert_eq!(stored(&bench).len(), left);
    }
}

#[test]
fn series_are_sorted_in_runs_as_they_are_at_once() {
    let bench = Bench::new();
    let register = open(&bench, Bounds { of_sender: 20_000, of_all: 20_000, ..WIDE });
    let count = 10_000_u32;
    let names: Vec<_> = (0..count).map(|n| format!("m{}", n.wrapping_mul(2_654_435_761) % count)).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    give(&register, "s", &names).unwrap();
    for most in [0, 1, 4_096, 4_097, 9_000, 10_000] {
        let mut ids = register.select(&[], i64::MIN, i64::MAX);
        ids.truncate(most);
        register.sort(&mut ids);
        let labels: Vec<_> = ids.iter().map(|id| register.labels(*id).unwrap()).collect();
        assert!(labels.is_sorted_by(|a, b| a < b), "{most}");
        assert_eq!(labels.len(), most.min(register.size().0));
    }
}
