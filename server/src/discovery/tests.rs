//! Scans as the ingest stores them, read back from a real store: in memory, in files, and half and half.

use super::{page::Query, *};
use crate::{
    http::query::Params,
    storage::Wanted,
    tsdb::{
        record::{OwnedRows, OwnedScan},
        testing::{Bench, agent_id},
    },
};
use axum::{
    body::to_bytes,
    extract::{Path, State},
    response::Response,
};
use pingup_protocol::{discovery::Scan, network::Network, problem::ProblemType};
use std::sync::{Arc, LazyLock};
use tokio::runtime::Runtime;

mod behind;
mod pages;

/// Answers come on a runtime; a bench's own work blocks, and so does not.
fn wait<T>(answer: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    RUNTIME.block_on(answer)
}

fn scan(micros: i64, stream: Option<(u64, u64)>, hosts: &[&str]) -> OwnedScan {
    let host = |ip: &&str| Host {
        ip: ip.parse().unwrap(),
        latency: Some(0.25),
        ports: vec![22, 443],
        hostname: Some(format!("name of {ip}")),
        mac: None,
    };
    let scan = Scan { hosts: hosts.iter().map(host).collect(), duration: 1.5, ..Scan::default() };
    OwnedScan { agent_id: agent_id("a"), stream, timestamp: Timestamp::from_micros(micros), scan }
}

/// Five scans on two days, the first `sealed` of them in files.
fn bench(sealed: usize) -> Bench {
    let mut bench = Bench::new();
    let all = [
        scan(-10, None, &["::1", "10.0.0.9", "10.0.0.1"]),
        scan(30, Some((5, 3)), &["10.0.0.4"]),
        scan(20, Some((5, 1)), &["10.0.0.2"]),
        scan(20, None, &[]),
        scan(20, Some((5, 2)), &["10.0.0.3"]),
    ];
    for (place, scan) in all.into_iter().enumerate() {
        if place == sealed && sealed > 0 {
            bench.seal_all();
        }
        bench.append(&OwnedRows { scans: vec![scan], ..OwnedRows::default() }).unwrap();
    }
    if sealed == 5 {
        bench.seal_all();
    }
    bench
}

/// A page, as the room reads it.
fn page(bench: &Bench, agent: &str, range: Range, page_bytes_max: usize) -> Listing {
    Query::new(bench.tsdb.view(), agent_id(agent), range).run(page_bytes_max, &Wanted::default()).unwrap()
}

/// Each scan as its timestamp and its hosts.
fn told(listing: &Listing) -> Vec<(i64, String)> {
    let hosts = |scan: &FoundScan| {
        let hosts: Vec<Host> = serde_json::from_str(scan.hosts.as_ref().unwrap()).unwrap();
        hosts.iter().map(|host| host.ip.to_string()).collect::<Vec<_>>().join(" ")
    };
    listing.items.iter().map(|scan| (scan.timestamp.as_micros(), hosts(scan))).collect()
}

const MANY: Range = Range { limit: 100, ..Range::ALL };

#[test]
fn the_newest_comes_first_and_scans_of_one_moment_never_mix() {
    for sealed in [0, 2, 5] {
        let bench = bench(sealed);
        let all = page(&bench, "a", MANY, PAGE_BYTES_MAX);
        let wanted =
            [(30, "10.0.0.4"), (20, "10.0.0.3"), (20, "10.0.0.2"), (20, ""), (-10, "::1 10.0.0.9 10.0.0.1")];
        assert_eq!(told(&all), wanted.map(|(micros, hosts)| (micros, hosts.to_owned())), "{sealed}");
        assert_eq!(all.next, None);
        let hosts: Vec<Host> = serde_json::from_str(all.items[0].hosts.as_ref().unwrap()).unwrap();
        assert_eq!((hosts[0].latency, &hosts[0].ports[..]), (Some(0.25), &[22, 443][..]));
        assert_eq!(hosts[0].hostname.as_deref(), Some("name of 10.0.0.4"));
        assert!(page(&bench, "b", Range::ALL, PAGE_BYTES_MAX).items.is_empty());
    }
}

#[test]
fn pages_of_any_size_tell_every_scan_once() {
    for sealed in [0, 1, 3, 5] {
        let bench = bench(sealed);
        let all = told(&page(&bench, "a", MANY, PAGE_BYTES_MAX));
        for (limit, page_bytes_max) in
            [(1, PAGE_BYTES_MAX), (2, PAGE_BYTES_MAX), (5, PAGE_BYTES_MAX), (100, 1), (100, 100)]
        {
            let (mut pages, mut range) = (Vec::new(), Range { limit, ..Range::ALL });
            loop {
                let page = page(&bench, "a", range, page_bytes_max);
                assert!(!page.items.is_empty());
                pages.extend(told(&page));
                match page.next {
                    Some(next) => range.before = next,
                    None => break,
                }
            }
            assert_eq!(pages, all, "{sealed} in files, {limit} scans, {page_bytes_max} bytes a page");
        }
    }
}

/// A scan whose hosts take much: they are copied a few scans at a time.
fn large(second: i64) -> OwnedScan {
    let hosts: Vec<_> = (0..2_000).map(|n| format!("10.{}.{}.{}", second % 256, n / 256, n % 256)).collect();
    scan(second * 1_000_000, None, &hosts.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_page_of_large_scans_in_memory_is_that_of_files() {
    let mut bench = Bench::new();
    // Out of order, and twice what a page takes.
    for second in (0..40).map(|n| (n * 7) % 40) {
        bench.append(&OwnedRows { scans: vec![large(second)], ..OwnedRows::default() }).unwrap();
    }
    let in_memory = page(&bench, "a", MANY, PAGE_BYTES_MAX);
    let bytes: usize = in_memory.items.iter().map(|scan| scan.hosts.as_ref().unwrap().len()).sum();
    let last = in_memory.items.last().unwrap().hosts.as_ref().unwrap().len();
    assert!(bytes >= PAGE_BYTES_MAX && bytes - last < PAGE_BYTES_MAX, "{bytes} bytes");
    bench.seal_all();
    let on_disk = page(&bench, "a", MANY, PAGE_BYTES_MAX);
    assert_eq!((told(&in_memory), in_memory.next), (told(&on_disk), on_disk.next));
}

#[test]
fn nothing_is_copied_for_nobody() {
    let bench = bench(0);
    let nobody = Query::new(bench.tsdb.view(), agent_id("a"), MANY).run(PAGE_BYTES_MAX, &Wanted::nobody());
    assert!(matches!(nobody, Err(DiscoveryError::Storage(StorageError::Timeout))));
}

#[test]
fn who_asks_only_how_many_hosts_is_told_so_page_by_page() {
    for sealed in [0, 3, 5] {
        let bench = bench(sealed);
        let mut range = Range { limit: 2, with_hosts: false, ..Range::ALL };
        let mut counts = Vec::new();
        loop {
            // What the hosts would take does not count.
            let page = page(&bench, "a", range, 1);
            assert!(page.items.len() <= 2 && page.items.iter().all(|scan| scan.hosts.is_none()));
            counts.extend(page.items.iter().map(|scan| (scan.timestamp.as_micros(), scan.host_count)));
            match page.next {
                Some(next) => range.before = next,
                None => break,
            }
        }
        assert_eq!(counts, [(30, 1), (20, 1), (20, 1), (20, 0), (-10, 3)], "{sealed} in files");
    }
}

#[test]
fn where_a_scan_looked_is_told_with_its_hosts() {
    for sealed in [false, true] {
        let mut bench = Bench::new();
        let mut knowing = scan(20, Some((5, 2)), &["10.0.0.1"]);
        knowing.scan.networks = ["10.0.0.0/24", "fe80::/64"].map(|text| Network::parse(text).unwrap()).into();
        for row in [scan(10, Some((5, 1)), &["10.0.0.1"]), knowing] {
            bench.append(&OwnedRows { scans: vec![row], ..OwnedRows::default() }).unwrap();
        }
        if sealed {
            bench.seal_all();
        }
        let networks = |range| {
            let items = page(&bench, "a", range, PAGE_BYTES_MAX).items.into_iter();
            items.map(|scan| scan.networks.map(String::from)).collect::<Vec<_>>()
        };
        let told = r#"["10.0.0.0/24","fe80::/64"]"#.to_owned();
        assert_eq!(networks(MANY), [Some(told), None], "{sealed}");
        assert_eq!(networks(Range { with_hosts: false, ..MANY }), [None, None], "{sealed}");
    }
}

#[test]
fn a_range_is_half_open() {
    for sealed in [0, 3, 5] {
        let bench = bench(sealed);
        let at = Timestamp::from_micros;
        let range = Range { from: at(-10), to: at(20), ..MANY };
        assert_eq!(page(&bench, "a", range, PAGE_BYTES_MAX).items.len(), 1);
        let range = Range { from: at(20), to: at(31), ..MANY };
        assert_eq!(page(&bench, "a", range, PAGE_BYTES_MAX).items.len(), 4);
    }
}

#[test]
fn the_handlers_tell_pages_the_latest_and_what_is_not_there() {
    let mut bench = Bench::new();
    let standing: StandingOf = |_, agent_id| {
        Ok(match agent_id {
            "a" => Standing::Removed,
            "a-silent" => Standing::Living,
            _ => Standing::Unknown,
        })
    };
    let room =
        Discovery::new(bench.tsdb.clone(), bench.engine.readers().clone(), bench.sqlite.clone(), standing);
    let room = Arc::new(room);
    for scan in [scan(10_000_000, None, &["10.0.0.1"]), scan(20_000_000, Some((5, 1)), &[])] {
        bench.append(&OwnedRows { scans: vec![scan], ..OwnedRows::default() }).unwrap();
        bench.seal_all();
    }
    let get = |agent: &str, query: &str| {
        wait(handler::get(State(Arc::clone(&room)), Path(agent.to_owned()), Params::parse(query)))
    };
    let latest = |agent: &str| wait(handler::latest(State(Arc::clone(&room)), Path(agent.to_owned())));
    let page = text(get("a", "limit=1").unwrap());
    let (newest, cursor) = page.split_once(r#"],"nextCursor":""#).unwrap();
    let empty = r#"{"timestamp":"1970-01-01T00:00:20Z","duration":1.5,"hostCount":0,"hosts":[]}"#;
    assert_eq!(newest, format!(r#"{{"items":[{empty}"#));
    let rest = text(get("a", &format!("cursor={}", cursor.trim_end_matches("\"}"))).unwrap());
    let wanted = r#"{"items":[{"timestamp":"1970-01-01T00:00:10Z","duration":1.5,"hostCount":1,"hosts":[{"ip":"10.0.0.1","latency":0.25,"ports":[22,443],"hostname":"name of 10.0.0.1"}]}],"nextCursor":null}"#;
    assert_eq!(rest, wanted);
    assert_eq!(text(latest("a").unwrap()), empty);
    for agent in ["a-silent", "nobody"] {
        assert_eq!(latest(agent).unwrap_err().kind(), ProblemType::NotFound, "{agent}");
    }
    assert_eq!(get("nobody", "").unwrap_err().kind(), ProblemType::NotFound);
    for query in
        ["limit=10001", "hosts=none", "cursor=x", "from=1970-01-01T00:00:10Z&to=1970-01-01T00:00:10Z"]
    {
        assert_eq!(get("a", query).unwrap_err().kind(), ProblemType::SchemaInvalid, "{query}");
    }
}

fn text(response: Response) -> String {
    String::from_utf8(wait(to_bytes(response.into_body(), 1 << 20)).unwrap().to_vec()).unwrap()
}
