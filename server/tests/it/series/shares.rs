//! A sender at its share of memory, beside another that has room: by bodies that are long in coming, and by what is made of them.

use super::{
    JSON, OTLP, WRITE, WRITTEN, gauge, now_ms, of_shop, otlp, packed, request, samples, series, write,
};
use crate::harness::{
    Hub, eventually,
    wire::{Answer, Wire},
};
use pingup_server::{
    http::{body::SENDER_BODIES_BYTES_MAX, protobuf::put_bytes},
    series::handler::{BODY_BYTES_MAX, WRITE_BODY_BYTES_MAX},
};
use serde_json::json;
use std::{
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// Another sender: a token of another name.
fn other(hub: &Hub) -> Wire {
    hub.wire.with_token(&hub.line(&["token", "create", "--role", "writer", "--name", "other"]))
}

/// Writes something by both doors: it is taken, at once or when there is room in the queue. Never is it told of its own share.
fn both_are_taken(sender: &Wire, name: &str) {
    let now = now_ms();
    let body = request(&[series(&[("__name__", name)], &[(1.0, now)])]);
    let metrics = of_shop(&json!([gauge(&format!("{name}_otlp"), now, 1.0)]));
    for by_write in [true, false] {
        eventually("it is taken", || {
            let answer = if by_write { write(sender, &body) } else { otlp(sender, &metrics) };
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(matches!(answer.status, 200 | 204 | 503) && !said.contains("of this sender"), "{said}");
            (answer.status != 503).then_some(())
        });
    }
}

/// Whether a refusal tells a sender that it has no more; it is one that says when to come back.
#[track_caller]
fn is_at_its_share(answer: &Answer) -> bool {
    if answer.status != 503 {
        return false;
    }
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    String::from_utf8_lossy(&answer.body).contains("of this sender")
}

/// A request of which all but the last byte comes.
fn begun(sender: &Wire, path: &str, headers: &[(&str, &str)], length: usize) -> TcpStream {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\n{headers}content-length: {length}\r\n\r\n",
        sender.token()
    );
    sender.half_sent(&[head.as_bytes(), &vec![b' '; length - 1]].concat())
}

#[test]
fn bodies_that_are_long_in_coming_take_a_senders_share_and_nobody_elses() {
    let hub = Hub::start();
    let (slow, other) = (hub.operator("writer"), other(&hub));
    // One after the other is on its way, by either door, until there is no room for this one beside them. Whichever was refused
    // meanwhile, there is none once three of them stay.
    let more = vec![b' '; BODY_BYTES_MAX];
    let ask = || slow.send("POST", WRITE, &WRITTEN, Some(&more));
    let mut held = Vec::new();
    let refused = eventually("the share is taken", || {
        held.push(match held.len() % 2 {
            0 => begun(&slow, WRITE, &WRITTEN, BODY_BYTES_MAX),
            _ => begun(&slow, OTLP, &JSON, BODY_BYTES_MAX),
        });
        Some(ask()).filter(is_at_its_share)
    });
    assert!(held.len() >= 3, "{} bodies took {SENDER_BODIES_BYTES_MAX} bytes", held.len());
    assert!(refused.text().contains("send them one after the other"), "{refused:?}");
    both_are_taken(&other, "other");
    // What nobody knows of a request is passed over.
    let mut large = Vec::new();
    let noise = |at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8;
    put_bytes(&mut large, 9, &(0..WRITE_BODY_BYTES_MAX as u32 / 2).map(noise).collect::<Vec<_>>());
    assert_eq!(write(&other, &packed(&large)).status, 204, "also a large one");
    drop(held);
    let again = eventually("its own is given back", || Some(ask()).filter(|answer| answer.status != 503));
    assert!(again.text().contains("no snappy block"), "it was read: {again:?}");
    assert_eq!(samples(&hub, "other", now_ms()).len(), 1);
}

/// So many requests at once of one sender, each far more in memory than on the wire.
const GREEDY: usize = 6;

/// Samples of two bytes: what is read of them takes some ten megabytes. They are from 1970, so none is stored.
fn much_to_write() -> Vec<u8> {
    let mut much = series(&[("__name__", "much")], &[]);
    much.extend_from_slice(&b"\x12\x00".repeat(300_000));
    request(&[much])
}

/// The same in JSON, as numbers that nobody knows: each may become one of a list.
fn much_of_otlp() -> Vec<u8> {
    format!("{{\"unknown\": [{}0]}}", "0,".repeat(600_000)).into_bytes()
}

fn greedy(hub: &Hub, other: &Wire, ask: impl Fn(&Wire) -> Answer + Sync) {
    let (sender, told) = (hub.operator("writer"), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..GREEDY {
            scope.spawn(|| {
                eventually("somebody is told of the share", || {
                    let answer = ask(&sender);
                    assert!(matches!(answer.status, 200 | 400 | 503), "{answer:?}");
                    if is_at_its_share(&answer) {
                        told.store(true, Ordering::SeqCst);
                    }
                    told.load(Ordering::SeqCst).then_some(())
                });
            });
        }
        both_are_taken(other, "beside");
    });
    let after = ask(&sender);
    assert!(matches!(after.status, 200 | 400), "nothing is kept of those that were refused: {after:?}");
    both_are_taken(&sender, "after");
}

#[test]
fn a_sender_at_its_share_of_what_is_read_leaves_another_its_own() {
    let hub = Hub::start();
    let other = other(&hub);
    let (written, told) = (much_to_write(), much_of_otlp());
    greedy(&hub, &other, |sender| write(sender, &written));
    greedy(&hub, &other, |sender| sender.send("POST", OTLP, &JSON, Some(&told)));
    assert_eq!(samples(&hub, "{__name__=~\"beside.*\"}", now_ms()).len(), 2);
}
