//! A writer that stands still: what does not fit the queue is told to come back, and in the end everything is there, once.

use super::{line, now_ms, of_shop, otlp, request, samples, series, write};
use crate::harness::{Hub, eventually, wire::Wire};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

const SENDERS: usize = 12;

/// Sends until it is taken; whoever is refused is told when to come again.
fn push(at: usize, sender: &Wire, now: i64, refusals: &AtomicUsize) {
    let name = format!("of_{at}");
    let body = request(&[series(&[("__name__", &name)], &[(1.0, now)])]);
    let metrics = of_shop(&json!([super::gauge(&name, now, 1.0)]));
    let by_write = at.is_multiple_of(2);
    eventually("it is taken", || {
        let answer = if by_write { write(sender, &body) } else { otlp(sender, &metrics) };
        if answer.status != 503 {
            assert!(matches!(answer.status, 200 | 204), "{answer:?}");
            return Some(());
        }
        assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
        let said = match by_write {
            true => line(&answer, 503),
            false => {
                let status: Value = answer.json();
                assert_eq!(status["code"], 14, "UNAVAILABLE");
                status["message"].to_string()
            }
        };
        assert!(said.contains("again"), "{said}");
        refusals.fetch_add(1, Ordering::SeqCst);
        None
    });
}

#[test]
fn a_full_queue_is_said_at_once_and_everything_comes_in_later() {
    let stall = [("PINGUP_INJECT_WRITER_STALL", "after=0s,for=3s"), ("PINGUP_QUEUE_JOBS", "4")];
    let hub = Hub::start_with(&stall);
    let (sender, now, refusals) = (hub.operator("writer"), now_ms(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for at in 0..SENDERS {
            let (sender, refusals) = (&sender, &refusals);
            scope.spawn(move || push(at, sender, now, refusals));
        }
    });
    assert!(refusals.load(Ordering::SeqCst) > 0, "twelve do not fit a queue of four");
    for at in 0..SENDERS {
        let found = samples(&hub, &format!("of_{at}"), now);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1, json!([[super::moment(now), "1"]]));
    }
}
