//! Scans as the ingest stores them, read back from a real DuckDB.

use super::{store, *};
use crate::{http::query::Params, storage::scratch::Scratch};
use axum::{
    body::to_bytes,
    extract::{Path, State},
    response::Response,
};
use duckdb::Connection;
use pingup_protocol::problem::ProblemType;
use std::sync::Arc;

const NONE: i64 = -1;

fn insert(connection: &Connection, micros: i64, (boot, seq): (i64, i64), hosts: &[&str]) {
    let number = |number: i64| if number == NONE { "NULL".to_owned() } else { number.to_string() };
    let stream = format!("{}, {}", number(boot), number(seq));
    let scan =
        format!("INSERT INTO scans VALUES ('a', make_timestamp({micros}), 1.5, {}, {stream})", hosts.len());
    connection.execute_batch(&scan).unwrap();
    for host in hosts {
        let host = format!(
            "INSERT INTO discovery VALUES
             ('a', make_timestamp({micros}), '{host}', 0.25, '[22,443]', 1.5, 'name of {host}', NULL, {stream})"
        );
        connection.execute_batch(&host).unwrap();
    }
}

/// Each scan as its timestamp and its hosts' last numbers.
fn told(listing: &Listing) -> Vec<(i64, String)> {
    let hosts =
        |scan: &FoundScan| scan.hosts.iter().map(|host| format!("{}", host.ip)).collect::<Vec<_>>().join(" ");
    listing.items.iter().map(|scan| (scan.timestamp.as_micros(), hosts(scan))).collect()
}

fn with_scans(check: impl FnOnce(&Connection)) {
    let scratch = Scratch::new();
    scratch
        .duck()
        .write_blocking(|connection| {
            insert(connection, 10, (NONE, NONE), &["::1", "10.0.0.9", "10.0.0.1"]);
            insert(connection, 20, (NONE, NONE), &[]);
            insert(connection, 20, (5, 1), &["10.0.0.2"]);
            insert(connection, 20, (5, 2), &["10.0.0.3"]);
            insert(connection, 30, (5, 3), &["10.0.0.4"]);
            check(connection);
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_newest_comes_first_and_scans_of_one_moment_never_mix() {
    with_scans(|connection| {
        let all = store::page(connection, "a", &Range { limit: 100, ..Range::ALL }).unwrap();
        let wanted =
            [(30, "10.0.0.4"), (20, "10.0.0.3"), (20, "10.0.0.2"), (20, ""), (10, "::1 10.0.0.9 10.0.0.1")];
        assert_eq!(told(&all), wanted.map(|(micros, hosts)| (micros, hosts.to_owned())));
        assert_eq!(all.next, None);
        let host = &all.items[0].hosts[0];
        assert_eq!((host.latency, &host.ports[..], host.mac.as_deref()), (Some(0.25), &[22, 443][..], None));
        assert_eq!(host.hostname.as_deref(), Some("name of 10.0.0.4"));
        assert!(store::page(connection, "b", &Range::ALL).unwrap().items.is_empty());
    });
}

#[test]
fn pages_of_any_size_tell_every_scan_once() {
    with_scans(|connection| {
        let all = told(&store::page(connection, "a", &Range { limit: 100, ..Range::ALL }).unwrap());
        for (limit, page_bytes_max) in
            [(1, usize::MAX), (2, usize::MAX), (5, usize::MAX), (100, 1), (100, 250)]
        {
            let (mut pages, mut range) = (Vec::new(), Range { limit, ..Range::ALL });
            loop {
                let page = store::scans(connection, "a", &range, page_bytes_max).unwrap();
                assert!(!page.items.is_empty());
                pages.extend(told(&page));
                match page.next {
                    Some(next) => range.before = next,
                    None => break,
                }
            }
            assert_eq!(pages, all, "{limit} scans, {page_bytes_max} bytes a page");
        }
    });
}

#[test]
fn a_range_is_half_open() {
    with_scans(|connection| {
        let at = Timestamp::from_micros;
        let range = Range { from: at(10), to: at(20), limit: 100, ..Range::ALL };
        assert_eq!(store::page(connection, "a", &range).unwrap().items.len(), 1);
        let range = Range { from: at(20), to: at(31), limit: 100, ..Range::ALL };
        assert_eq!(store::page(connection, "a", &range).unwrap().items.len(), 4);
    });
}

#[tokio::test]
async fn the_handlers_tell_pages_the_latest_and_what_is_not_there() {
    let scratch = Scratch::new();
    let standing: StandingOf = |_, agent_id| {
        Ok(match agent_id {
            "a" => Standing::Removed,
            "a-silent" => Standing::Living,
            _ => Standing::Unknown,
        })
    };
    let room = Arc::new(Discovery::new(scratch.duck(), scratch.sqlite(), standing));
    let fill = |connection: &Connection| {
        insert(connection, 10_000_000, (NONE, NONE), &["10.0.0.1"]);
        insert(connection, 20_000_000, (5, 1), &[]);
        Ok(())
    };
    room.duck.write_blocking(fill).unwrap();
    let get = |agent: &str, query: &str| {
        handler::get(State(Arc::clone(&room)), Path(agent.to_owned()), Params::parse(query))
    };
    let latest = |agent: &str| handler::latest(State(Arc::clone(&room)), Path(agent.to_owned()));
    let page = text(get("a", "limit=1").await.unwrap()).await;
    let (newest, cursor) = page.split_once(r#"],"nextCursor":""#).unwrap();
    let empty = r#"{"timestamp":"1970-01-01T00:00:20Z","duration":1.5,"hosts":[]}"#;
    assert_eq!(newest, format!(r#"{{"items":[{empty}"#));
    let rest = text(get("a", &format!("cursor={}", cursor.trim_end_matches("\"}"))).await.unwrap()).await;
    let wanted = r#"{"items":[{"timestamp":"1970-01-01T00:00:10Z","duration":1.5,"hosts":[{"ip":"10.0.0.1","latency":0.25,"ports":[22,443],"hostname":"name of 10.0.0.1"}]}],"nextCursor":null}"#;
    assert_eq!(rest, wanted);
    assert_eq!(text(latest("a").await.unwrap()).await, empty);
    for agent in ["a-silent", "nobody"] {
        assert_eq!(latest(agent).await.unwrap_err().kind(), ProblemType::NotFound, "{agent}");
    }
    assert_eq!(get("nobody", "").await.unwrap_err().kind(), ProblemType::NotFound);
    for query in ["limit=101", "cursor=x", "from=1970-01-01T00:00:10Z&to=1970-01-01T00:00:10Z"] {
        assert_eq!(get("a", query).await.unwrap_err().kind(), ProblemType::SchemaInvalid, "{query}");
    }
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}
