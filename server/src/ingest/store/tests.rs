//! The store on a real DuckDB: marks, many rows, hostile text, a full disk.

use super::*;
use crate::{
    ingest::group::{Origin, SampleRow, ScanRow},
    storage::scratch::Scratch,
};
use pingup_protocol::{
    discovery::{Host, Scan},
    metrics::Measurements,
};

fn agent(name: &str) -> AgentId {
    AgentId::parse(name).unwrap()
}

fn mark(name: &str, boot: u64, seq: u64, micros: Option<i64>) -> MarkRow {
    let timestamp = micros.map(Timestamp::from_micros);
    MarkRow { agent_id: agent(name), boot, mark: Mark { seq, timestamp } }
}

fn count(duck: &Duck, sql: &str) -> i64 {
    duck.write_blocking(|connection| connection.query_row(sql, [], |row| row.get(0))).unwrap()
}

#[test]
fn the_newest_mark_of_a_stream_counts_also_one_without_a_timestamp() {
    let scratch = Scratch::new();
    let mut store = DuckStore::new(scratch.duck());
    assert_eq!(store.load_marks().unwrap(), MarkLog::default());
    for rows in [
        vec![mark("a", 1, 1, Some(10)), mark("b", 7, 3, Some(5))],
        vec![mark("a", 1, 2, None), mark("a", 4, (1 << 53) - 1, Some(-1))],
    ] {
        store.append(&Rows { marks: rows, ..Rows::default() }).unwrap();
    }
    let sorted = |mut log: MarkLog| {
        log.marks.sort_by_key(|row| (row.agent_id.clone(), row.boot));
        log
    };
    let newest = vec![mark("a", 1, 2, None), mark("a", 4, (1 << 53) - 1, Some(-1)), mark("b", 7, 3, Some(5))];
    let log = sorted(store.load_marks().unwrap());
    assert_eq!(log, MarkLog { marks: newest.clone(), rows: 4 });
    store.compact_marks(&newest).unwrap();
    assert_eq!(sorted(store.load_marks().unwrap()), MarkLog { marks: newest, rows: 3 });
}

#[test]
fn more_rows_than_one_batch_holds_keep_their_values() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    let mut store = DuckStore::new(duck.clone());
    let id = agent("a");
    let measured: Vec<_> = (0..2 * BATCH_ROWS_MAX + 5)
        .map(|number| {
            let further = (0..number % 4).map(|place| (format!("m{place}"), number as f64)).collect();
            Measurements {
                cpu: (number % 3 > 0).then_some(number as f64),
                further,
                ..Measurements::default()
            }
        })
        .collect();
    let samples = measured.iter().zip(0..).map(|(metrics, micros)| SampleRow {
        origin: Origin { agent_id: &id, stream: None, timestamp: Timestamp::from_micros(micros) },
        status: "online",
        metrics,
    });
    store.append(&Rows { samples: samples.collect(), ..Rows::default() }).unwrap();
    let wrong = "SELECT count(*) FROM metrics WHERE status <> 'online' OR seq IS NOT NULL OR ram IS NOT NULL
        OR coalesce(cpu <> epoch_us(timestamp), epoch_us(timestamp) % 3 <> 0)
        OR coalesce(cardinality(further), 0) <> epoch_us(timestamp) % 4
        OR (cardinality(further) > 0 AND further['m0'] <> epoch_us(timestamp))";
    assert_eq!(count(&duck, wrong), 0);
    assert_eq!(count(&duck, "SELECT count(*) FROM metrics"), measured.len() as i64);
    let at = |micros| Timestamp::from_micros(micros);
    let mut newest = |from, to| store.newest_unnumbered(Kind::Metrics, &id, at(from), at(to)).unwrap();
    assert_eq!(newest(0, i64::MAX), Some(at(measured.len() as i64 - 1)));
    assert_eq!((newest(7, 7), newest(-9, -1)), (Some(at(7)), None));
}

#[test]
fn hostile_text_comes_back_unbroken() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    let mut store = DuckStore::new(duck.clone());
    let id = agent("a");
    let texts = ["\0", "a\0b", "<script>'\"; DROP TABLE metrics; --", "😀\u{10FFFF}\u{202E}", "\r\n\t\u{7f}"];
    let metrics = Measurements::default();
    let origin =
        |micros| Origin { agent_id: &id, stream: Some((1, 1)), timestamp: Timestamp::from_micros(micros) };
    let samples = texts.iter().zip(0..).map(|(status, micros)| SampleRow {
        origin: origin(micros),
        status,
        metrics: &metrics,
    });
    let scan = Scan {
        hosts: texts
            .iter()
            .map(|text| Host {
                ip: "fe80::1".parse().unwrap(),
                latency: None,
                ports: vec![22, 65_535],
                hostname: Some((*text).to_owned()),
                mac: Some("x".repeat(64 * 1024)),
            })
            .collect(),
        duration: 1.5,
    };
    let scans = vec![ScanRow { origin: origin(1), scan: &scan }];
    store.append(&Rows { samples: samples.collect(), scans, marks: Vec::new() }).unwrap();
    let read = |sql: &str| -> Vec<String> {
        duck.write_blocking(|connection| {
            connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()
        })
        .unwrap()
    };
    assert_eq!(read("SELECT status FROM metrics ORDER BY timestamp"), texts);
    assert_eq!(read("SELECT hostname FROM discovery ORDER BY rowid"), texts);
    assert_eq!(
        count(&duck, "SELECT count(*) FROM discovery WHERE length(mac) = 65536 AND ports = '[22,65535]'"),
        5
    );
    assert_eq!(count(&duck, "SELECT hosts FROM scans WHERE scan_duration = 1.5 AND boot = 1"), 5);
}

#[test]
fn without_room_nothing_is_written_but_marks_are_read() {
    let scratch = Scratch::with_reserve(u64::MAX);
    let mut store = DuckStore::new(scratch.duck());
    let rows = Rows { marks: vec![mark("a", 1, 1, None)], ..Rows::default() };
    assert!(matches!(store.append(&rows), Err(StorageError::Full)));
    assert_eq!(store.load_marks().unwrap(), MarkLog::default());
}

#[test]
fn what_is_older_than_it_is_kept_for_goes_and_marks_stay() {
    let scratch = Scratch::new();
    let duck = scratch.duck();
    let mut store = DuckStore::new(duck.clone());
    let id = agent("a");
    let origin =
        |micros| Origin { agent_id: &id, stream: Some((1, 1)), timestamp: Timestamp::from_micros(micros) };
    let metrics = Measurements::default();
    let host = Host { ip: [10, 0, 0, 1].into(), latency: None, ports: Vec::new(), hostname: None, mac: None };
    let scan = Scan { hosts: vec![host], duration: 1.0 };
    let samples =
        (1..=5).map(|micros| SampleRow { origin: origin(micros), status: "online", metrics: &metrics });
    let scans = (1..=5).map(|micros| ScanRow { origin: origin(micros), scan: &scan });
    let marks = vec![mark("a", 1, 1, Some(1))];
    store.append(&Rows { samples: samples.collect(), scans: scans.collect(), marks }).unwrap();
    assert_eq!(store.delete_before(Timestamp::from_micros(4)).unwrap(), 9);
    assert_eq!(store.delete_before(Timestamp::from_micros(4)).unwrap(), 0);
    for table in ["metrics", "discovery", "scans"] {
        assert_eq!(count(&duck, &format!("SELECT count(*) FROM {table}")), 2, "{table}");
    }
    assert_eq!(store.load_marks().unwrap().rows, 1);
}
