//! A writer that stands still: what does not fit the queue is refused at once and says when to come back, memory
//! stays bounded, and in the end everything is there, once.

use crate::harness::{
    Hub,
    agent::{Agent, now},
    eventually, refused,
    wire::Wire,
};
use serde_json::Value;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

const AGENTS: usize = 12;
/// From the first group on, and long enough for a few of the hub's looks at itself, one a second.
const STALL: &str = "after=0s,for=5s";

/// Sends until it is taken; a refusal must be one of a full queue, with a time to come again.
fn push(agent: &Agent, body: &[u8], refusals: &AtomicUsize) -> Value {
    eventually("it is taken", || {
        let answer = agent.wire.post_bytes("/api/v1/metrics", body);
        if answer.status == 200 {
            return Some(answer.json());
        }
        let problem = refused(&answer, 503, "overloaded");
        assert_eq!(problem["retryable"], true);
        assert!(problem["detail"].as_str().unwrap().contains("too much waits"), "{problem}");
        assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
        refusals.fetch_add(1, Ordering::SeqCst);
        None
    })
}

/// Counts one more when it is dropped, also by a panic: nobody waits for who will never be done.
struct Over<'a>(&'a AtomicUsize);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn figure(viewer: &Wire, name: &str) -> u64 {
    let figures = viewer.get("/metrics");
    let value = figures.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap().parse().unwrap()
}

fn says_full(hub: &Hub) -> bool {
    let health = hub.wire.get("/health");
    let queue = &health.json()["checks"]["queue"];
    health.status == 503 && queue["status"] == "failed" && queue["detail"].to_string().contains("full")
}

/// Twelve agents push a batch of `rows` each, of which the queue, bounded by `bound`, takes only some.
fn tell(rows: u64, bound: (&str, &str), depth_max: u64, bytes_max: u64) {
    let mut hub = Hub::start_with(&[("PINGUP_INJECT_WRITER_STALL", STALL), bound]);
    let (viewer, start) = (hub.operator("viewer"), now().plus_seconds(-86_400));
    let agents: Vec<_> = (0..AGENTS).map(|i| hub.register(&format!("A-{i}"))).collect();
    let bodies = agents.iter().map(|agent| agent.sign(&agent.batch(1, 1..=rows, start))).collect::<Vec<_>>();
    let (refusals, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for (agent, body) in agents.iter().zip(&bodies) {
            let (refusals, answered) = (&refusals, &answered);
            scope.spawn(move || {
                let _over = Over(answered);
                let answer = push(agent, body, refusals);
                assert_eq!(answer["accepted"], rows, "nothing of what was refused was kept: {answer}");
            });
        }
        eventually("health says that the queue is full", || says_full(&hub).then_some(()));
        let refused = refusals.load(Ordering::SeqCst);
        let waited = answered.load(Ordering::SeqCst) == 0;
        assert!(refused > 0 && waited, "a refusal does not wait for the stall's end: {refused}");
        while answered.load(Ordering::SeqCst) < AGENTS {
            let held = figure(&viewer, "pingup_ingest_queue_depth");
            assert!(held <= depth_max, "{held} requests of {depth_max}");
            let held = figure(&viewer, "pingup_ingest_queue_bytes");
            assert!(held <= bytes_max, "{held} bytes of {bytes_max}");
        }
    });
    eventually("health is good again", || (hub.wire.get("/health").status == 200).then_some(()));
    expect_rows(&hub, &agents, rows);
    hub.kill();
    hub.restart();
    expect_rows(&hub, &agents, rows);
}

fn expect_rows(hub: &Hub, agents: &[Agent], rows: u64) {
    let viewer = hub.operator("viewer");
    for agent in agents {
        let from = now().plus_seconds(-2 * 86_400);
        let buckets = viewer.get(&format!("/api/v1/metrics/{}?from={from}&step=1d", agent.id)).expect(200);
        let buckets = buckets["items"].as_array().unwrap().iter();
        let stored = buckets.map(|bucket| bucket["count"].as_u64().unwrap()).sum::<u64>();
        assert_eq!(stored, rows, "{}", agent.id);
    }
}

#[test]
fn full_by_count_is_said_at_once_and_everything_comes_in_later() {
    tell(3, ("PINGUP_QUEUE_JOBS", "4"), 4, 16 << 20);
}

#[test]
fn full_by_bytes_is_said_at_once_and_everything_comes_in_later() {
    // All bodies together fit what bodies may take; what is made of them does not fit the queue.
    tell(5_000, ("PINGUP_QUEUE_BYTES", "4MiB"), AGENTS as u64, 4 << 20);
}

#[test]
fn a_stall_in_words_nobody_understands_is_refused_with_an_example() {
    let mut hub = Hub::prepare(&[("PINGUP_INJECT_WRITER_STALL", "soon")]);
    let command = hub.serve_command();
    let said = hub.try_start(command).unwrap_err();
    assert!(said.contains("PINGUP_INJECT_WRITER_STALL") && said.contains("after=3s,for=30s"), "{said}");
}
