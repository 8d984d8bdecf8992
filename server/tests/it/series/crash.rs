//! 204 means on disk: killed at any moment under remote write, every sample that was answered is there, once.

use super::{WRITE, WRITTEN, now_ms, request, series};
use crate::{
    crash::kill_under_load,
    harness::{Hub, agent::now, wire::Wire},
};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const ROUNDS: u64 = 8;
const SENDERS: usize = 4;
/// Series of a sender; each request has one sample of each.
const SERIES: usize = 3;

/// What a sender knows: its samples are numbered, a millisecond apart.
struct Sender {
    at: usize,
    wire: Wire,
    start: i64,
    answered: i64,
    sent: i64,
}

impl Sender {
    /// Sends until the hub is gone; what was not answered is sent again, with more behind it.
    fn push_until(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let from = self.answered + 1;
            let to = self.sent.max(from + from % 5);
            let samples: Vec<_> = (from..=to).map(|n| (n as f64, self.start + n)).collect();
            let all = (0..SERIES).map(|n| {
                let (sender, n) = (self.at.to_string(), n.to_string());
                series(&[("__name__", "counted"), ("sender", &sender), ("n", &n)], &samples)
            });
            let body = request(&all.collect::<Vec<_>>());
            self.sent = to;
            match self.wire.try_send("POST", WRITE, &WRITTEN, Some(&body)) {
                Ok(answer) if answer.status == 204 => self.answered = to,
                Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                Err(_) => return,
            }
        }
    }
}

#[test]
fn killed_under_load_nothing_answered_is_lost_and_nothing_is_doubled() {
    let mut hub = Hub::start();
    let (token, start) = (hub.token("writer"), now_ms() - 600_000);
    let senders: Vec<_> = (0..SENDERS)
        .map(|at| Sender { at, wire: hub.wire.with_token(&token), start, answered: 0, sent: 0 })
        .map(Mutex::new)
        .collect();
    let seed = now().as_micros().unsigned_abs();
    println!("seed {seed}");
    for round in 0..ROUNDS {
        // The moment of death is the point here: anywhere from the first request on.
        let after = Duration::from_micros(seed.wrapping_mul(round + 1) % 150_000);
        kill_under_load(&mut hub, &senders, Sender::push_until, after);
        let stored = stored(&hub, start);
        for sender in &senders {
            let mut sender = sender.lock().unwrap();
            sender.wire = hub.wire.with_token(&token);
            check(&sender, &stored, round);
        }
    }
    let total: i64 = senders.iter().map(|sender| sender.lock().unwrap().answered).sum();
    assert!(total > 0, "something was answered");
    let checked = hub.run(&["check"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

/// The numbers that each series has, by sender and series, in order.
fn stored(hub: &Hub, start: i64) -> BTreeMap<(String, String), Vec<i64>> {
    let mut found = BTreeMap::new();
    for (metric, values) in super::samples(hub, "counted", start + 3_000_000) {
        let label = |name: &str| metric[name].as_str().unwrap().to_owned();
        let numbers = values.as_array().unwrap().iter().map(|point| {
            let number = point[1].as_str().unwrap().parse().unwrap();
            assert_eq!(point[0], super::moment(start + number), "each at its moment");
            number
        });
        let before = found.insert((label("sender"), label("n")), numbers.collect());
        assert_eq!(before, None, "no series is there twice");
    }
    found
}

fn check(sender: &Sender, stored: &BTreeMap<(String, String), Vec<i64>>, round: u64) {
    for n in 0..SERIES {
        let numbers = stored.get(&(sender.at.to_string(), n.to_string())).cloned().unwrap_or_default();
        let last = numbers.last().copied().unwrap_or_default();
        assert!(
            (sender.answered..=sender.sent).contains(&last),
            "round {round}: {last}, of which {} were answered and {} sent",
            sender.answered,
            sender.sent
        );
        assert!(numbers.iter().copied().eq(1..=last), "round {round}: each once, none missing: {numbers:?}");
    }
}
