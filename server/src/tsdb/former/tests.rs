//! A data folder of the former version becomes one of this: all of it, once, whatever fails meanwhile.

use super::*;
use crate::{
    storage::Faults,
    tsdb::{
        fleet::FLEET,
        record::OwnedScan,
        rollup::day,
        rows::Mark,
        testing::{Bench, NOW, agent_id, double, number, on_disk, text},
    },
};
use duckdb::{Connection, types::Value};

/// As the former version made its tables.
const SCHEMA: &str = include_str!("schema.sql");

const ROWS: &str = "
    INSERT INTO metrics SELECT 'A', TIMESTAMP '2027-01-14 23:59:50' + to_seconds(i), i % 4, NULL, 2, 3.5, 'online', 7, i + 1,
        CASE WHEN i % 2 = 0 THEN MAP {'load1': i / 4.0} END FROM range(20) t(i);
    INSERT INTO metrics VALUES ('B', TIMESTAMP '2027-01-14 12:00:00', 1, 2, 3, 4, 'it''s', NULL, NULL, MAP {'a': 1.0, 'b': 2.0});
    INSERT INTO scans VALUES ('A', TIMESTAMP '2027-01-14 10:00:00', 125.5, 2, 7, 21), ('A', TIMESTAMP '2027-01-14 11:00:00', 3, 0, 7, 22),
        ('B', TIMESTAMP '2027-01-14 10:00:00', 1, 1, NULL, NULL);
    INSERT INTO discovery VALUES
        ('A', TIMESTAMP '2027-01-14 10:00:00', '10.0.0.9', 0.5, '[22,80]', 125.5, 'nine', 'aa:bb:cc:dd:ee:ff', 7, 21),
        ('A', TIMESTAMP '2027-01-14 10:00:00', '10.0.0.1', NULL, '[]', 125.5, NULL, NULL, 7, 21),
        ('B', TIMESTAMP '2027-01-14 10:00:00', '::1', 1, '[1]', 1, NULL, NULL, NULL, NULL);
    INSERT INTO marks VALUES ('A', 7, 5, TIMESTAMP '2027-01-14 23:59:54'), ('A', 7, 22, TIMESTAMP '2027-01-15 00:00:09'),
        ('A', 8, 3, TIMESTAMP '2027-01-15 00:00:11'), ('A', 8, 4, NULL);";

/// A bench whose folder holds a former history.
fn bench() -> Bench {
    let bench = Bench::new();
    let former = Connection::open(bench.scratch.folder.duckdb_path()).unwrap();
    former.execute_batch(SCHEMA).unwrap();
    former.execute_batch(ROWS).unwrap();
    bench
}

fn take_over(bench: &Bench) -> Result<Option<TakenOver>, TsdbError> {
    bench.tsdb.take_over_former(&bench.scratch.folder)
}

/// Everything is there, once, and the file is set aside.
fn check(bench: &Bench) {
    let rows = bench.rows();
    assert_eq!(rows.len(), 21);
    for (row, i) in rows.iter().zip(0_u32..20) {
        assert_eq!(
            (row.agent_id.as_str(), row.stream, row.status.as_str()),
            ("A", Some((7, u64::from(i) + 1)), "online")
        );
        let metrics = &row.metrics;
        assert_eq!(
            (metrics.cpu, metrics.ram, metrics.disk, metrics.latency),
            (Some(f64::from(i % 4)), None, Some(2.0), Some(3.5))
        );
        let load: Vec<_> =
            (i % 2 == 0).then(|| ("load1".to_owned(), f64::from(i) / 4.0)).into_iter().collect();
        assert_eq!(metrics.further, load);
    }
    assert_eq!(
        (rows[20].stream, rows[20].status.as_str(), rows[20].metrics.further.len()),
        (None, "it's", 2)
    );
    let view = bench.tsdb.view();
    let days: Vec<_> =
        view.parts.iter().map(|part| (part.row().tier, part.row().period, part.row().rows)).collect();
    let today = day(NOW.as_micros());
    assert_eq!(
        days.iter().filter(|(tier, ..)| *tier == Tier::Raw).collect::<Vec<_>>(),
        [&(Tier::Raw, today - 1, 11), &(Tier::Raw, today, 10)]
    );
    // Hours: every sample is counted once, and sums are those of the samples.
    let hour = |row: &[Value]| {
        (text(&row[0]) == FLEET, text(&row[1]), number(&row[3]).unwrap(), double(&row[6]).unwrap())
    };
    let hours = on_disk(&bench.engine, &view, Tier::Hour, hour);
    for fleet in [false, true] {
        let of = |name: &str| {
            hours.iter().filter(|row| (row.0, row.1.as_str()) == (fleet, name)).collect::<Vec<_>>()
        };
        assert_eq!(of("").iter().map(|(.., count, _)| count).sum::<u64>(), 21);
        assert_eq!(of("cpu").iter().map(|(.., sum)| sum).sum::<f64>(), 31.0);
        assert_eq!(of("ram").len(), 1);
    }
    check_scans(&bench.scans(&["A", "B"]));
    assert_eq!(bench.appender.marks().unwrap().len(), 2);
    let mark =
        |boot| bench.appender.marks().unwrap().into_iter().find(|mark| mark.boot == boot).unwrap().mark;
    assert_eq!((mark(7).seq, mark(8)), (22, Mark { seq: 4, timestamp: None }));
    assert!(!bench.scratch.folder.duckdb_path().exists());
    assert!(bench.scratch.folder.path().join("analytics.duckdb.taken-over").exists());
    assert!(take_over(bench).unwrap().is_none(), "nothing to do any more");
}

fn check_scans(scans: &[OwnedScan]) {
    let [with_hosts, empty, unnumbered] = scans else { panic!("{scans:?}") };
    assert_eq!((with_hosts.stream, with_hosts.scan.duration), (Some((7, 21)), 125.5));
    let [nine, one] = &with_hosts.scan.hosts[..] else { panic!("{with_hosts:?}") };
    assert_eq!(
        (nine.ip.to_string().as_str(), nine.latency, &nine.ports[..]),
        ("10.0.0.9", Some(0.5), &[22, 80][..])
    );
    assert_eq!((nine.hostname.as_deref(), nine.mac.as_deref()), (Some("nine"), Some("aa:bb:cc:dd:ee:ff")));
    assert_eq!(
        (one.ip.to_string().as_str(), one.latency, &one.hostname, &one.mac),
        ("10.0.0.1", None, &None, &None)
    );
    assert_eq!((empty.stream, empty.scan.hosts.len()), (Some((7, 22)), 0));
    assert_eq!(
        (unnumbered.agent_id.clone(), unnumbered.stream, unnumbered.scan.hosts.len()),
        (agent_id("B"), None, 1)
    );
}

#[test]
fn all_of_it_is_taken_over_once() {
    let mut bench = bench();
    assert_eq!(take_over(&bench).unwrap(), Some(TakenOver { samples: 21, scans: 3 }));
    check(&bench);
    bench.reopen();
    check(&bench);
    bench.compact_all();
    assert_eq!(bench.rows().len(), 21);
}

#[test]
fn what_a_hub_that_was_killed_left_in_the_log_is_taken_over_too() {
    let (killed, bench) = (bench(), Bench::new());
    let path = killed.scratch.folder.duckdb_path();
    let open = Connection::open(&path).unwrap();
    open.execute_batch("SET checkpoint_threshold = '1GB'; INSERT INTO metrics (agent_id, timestamp, status) VALUES ('C', '2027-01-01 00:00:00', 'x')").unwrap();
    // The files as they are while it is open are what a kill leaves.
    let log = crate::tsdb::backup::with_suffix(&path, ".wal");
    assert!(log.exists());
    fs::copy(&path, bench.scratch.folder.duckdb_path()).unwrap();
    let copied_log = crate::tsdb::backup::with_suffix(&bench.scratch.folder.duckdb_path(), ".wal");
    fs::copy(&log, &copied_log).unwrap();
    assert_eq!(take_over(&bench).unwrap(), Some(TakenOver { samples: 22, scans: 3 }));
    assert!(!copied_log.exists());
}

#[test]
fn any_call_may_fail_and_the_next_start_does_what_is_left() {
    for call in 1.. {
        let mut bench = bench();
        let faults = Faults::fail_nth(call);
        // Opening has calls of its own.
        let first = bench.reopen_with(faults.clone()).and_then(|()| take_over(&bench).map(drop));
        assert_eq!(first.is_err(), faults.has_fired(), "call {call}: {first:?}");
        bench.reopen();
        take_over(&bench).unwrap();
        check(&bench);
        bench.collect_garbage();
        let listed = bench.tsdb.view().parts.iter().map(|part| part.path().to_owned()).collect();
        assert_eq!(bench.files(), listed, "call {call}");
        if !faults.has_fired() {
            assert!(call > 10, "calls were counted");
            return;
        }
    }
}

#[test]
fn a_file_that_is_no_history_is_refused_and_left_as_it_is() {
    let bench = Bench::new();
    let file = bench.scratch.folder.duckdb_path();
    fs::write(&file, "no database").unwrap();
    assert!(take_over(&bench).is_err());
    assert_eq!(fs::read(&file).unwrap(), b"no database");
    assert!(bench.rows().is_empty());
}
