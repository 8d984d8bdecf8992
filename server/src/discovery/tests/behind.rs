//! What is not read for a page, and what is not passed on.

use super::*;
use std::{fs, path::PathBuf};

const DAY_MICROS: i64 = 86_400_000_000;

/// Two scans a day for three days, each day in a file, the newest day's first.
fn days() -> (Bench, Vec<PathBuf>) {
    let mut bench = Bench::new();
    for day in 0..3 {
        let scans = [0, 1].map(|second| {
            scan(day * DAY_MICROS + second * 1_000_000, Some((1, (2 * day + second) as u64)), &["10.0.0.4"])
        });
        bench.append(&OwnedRows { scans: scans.into(), ..OwnedRows::default() }).unwrap();
        bench.seal_all();
    }
    let view = bench.tsdb.view();
    let mut files: Vec<_> =
        view.parts.iter().map(|part| (part.row().period, part.path().to_owned())).collect();
    files.sort();
    (bench, files.into_iter().rev().map(|(_, path)| path).collect())
}

#[test]
fn a_full_page_needs_no_older_days_file() {
    let (bench, files) = days();
    assert_eq!(files.len(), 3);
    fs::remove_file(&files[2]).unwrap();
    // By scans, and by what their hosts take: of the two older days the newer tells that there is more.
    for (limit, with_hosts, bytes, expected) in
        [(3, true, PAGE_BYTES_MAX, 3), (3, false, PAGE_BYTES_MAX, 3), (100, true, 1, 1), (100, true, 200, 3)]
    {
        let found = page(&bench, "a", Range { limit, with_hosts, ..Range::ALL }, bytes);
        assert_eq!((found.items.len(), found.next.is_some()), (expected, true), "{limit}, {bytes} bytes");
    }
    let whole = Query::new(bench.tsdb.view(), agent_id("a"), MANY).run(PAGE_BYTES_MAX, &Wanted::default());
    assert!(matches!(whole, Err(DiscoveryError::Storage(_))), "what is on the page has to be read");
}

#[test]
fn hosts_that_are_no_array_any_more_are_not_passed_on() {
    let (bench, files) = days();
    let mut bytes = fs::read(&files[0]).unwrap();
    let begun = bytes.windows(3).position(|three| three == b"[{\"").unwrap();
    bytes[begun] = b'x';
    fs::write(&files[0], bytes).unwrap();
    let read =
        |range| Query::new(bench.tsdb.view(), agent_id("a"), range).run(PAGE_BYTES_MAX, &Wanted::default());
    assert!(matches!(read(MANY), Err(DiscoveryError::Unlike)));
    let counted = read(Range { with_hosts: false, ..MANY }).unwrap();
    assert_eq!(counted.items.len(), 6, "their number is told by itself");
}
