//! Clocks that are wrong, and what becomes of what they stamped.

use crate::harness::{Agent, Hub, Reply};
use pingup_protocol::{metrics::Sample, problem::ProblemType};

const DAY: i64 = 86_400;

#[test]
fn a_clock_that_runs_ahead_costs_no_sample() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| {
        hub.clock_ahead_seconds = -3_600;
        // Only the push tells: a heartbeat would have told before there was anything to push.
        (0..4).for_each(|_| hub.reply("heartbeat", Reply::problem(ProblemType::Overloaded)));
    });
    let agent = Agent::start(&hub, home.path());
    hub.until("samples at the hub's time", |hub| hub.samples.len() >= 2);
    assert!(agent.terminate().1.contains("clock is ahead"));
    let hub = hub.state.lock();
    assert!(hub.samples.iter().all(|(_, sample)| sample.timestamp < hub.now().plus_seconds(300)));
    assert_eq!(hub.samples[0].1.seq, 2, "number 1 was consumed, what was measured was not");
}

#[test]
fn a_clock_that_is_behind_by_more_than_the_hub_keeps_costs_no_sample() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| (hub.clock_ahead_seconds, hub.keeps_seconds) = (60 * DAY, 30 * DAY));
    let agent = Agent::start(&hub, home.path());
    hub.until("samples at the hub's time", |hub| hub.samples.len() >= 3);
    let (status, log) = agent.terminate();
    assert!(status.success() && log.contains("further behind the hub's"), "{log}");
    assert!(!log.contains("counted as dropped"), "{log}");
    let hub = hub.state.lock();
    assert!(hub.samples.iter().all(|(_, sample)| sample.timestamp > hub.now().plus_seconds(-DAY)));
    assert!(hub.samples[0].1.seq > 1, "number 1 was consumed, what was measured was not");
}

#[test]
fn how_far_the_clock_is_off_is_measured() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| hub.clock_ahead_seconds = 100);
    let agent = Agent::start(&hub, home.path());
    let offset = |sample: &Sample| {
        let found = sample.metrics.further.iter().find(|(name, _)| name == "clock_offset_seconds");
        found.map(|&(_, seconds)| seconds)
    };
    hub.until("a sample that tells", |hub| hub.samples.iter().any(|(_, sample)| offset(sample).is_some()));
    agent.terminate();
    let hub = hub.state.lock();
    let told: Vec<f64> = hub.samples.iter().filter_map(|(_, sample)| offset(sample)).collect();
    assert!(told.iter().all(|seconds| (-110.0..-90.0).contains(seconds)), "behind the hub's: {told:?}");
}
