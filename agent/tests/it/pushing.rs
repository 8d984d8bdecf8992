//! Samples on their way to the hub, whatever happens in between.

mod refusals;

use crate::harness::{Agent, Hub, HubState, Reply, spooled_bytes};
use pingup_agent::{
    clock::machine_time,
    spool::{Bounds, Kind, Lane, Spool},
};
use pingup_protocol::{
    metrics::Sample,
    problem::{Problem, ProblemType},
};
use serde_json::json;
use std::{path::Path, time::Duration};

/// Every sample once, none missing, within each boot.
fn assert_numbered(hub: &HubState) {
    for boot in hub.marks.keys() {
        let seqs: Vec<u64> =
            hub.samples.iter().filter(|(of, _)| of == boot).map(|(_, sample)| sample.seq).collect();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "boot {boot}");
    }
}

/// And in order.
fn assert_unbroken(hub: &HubState) {
    assert_numbered(hub);
    let times: Vec<_> = hub.samples.iter().map(|(_, sample)| sample.timestamp).collect();
    assert!(times.is_sorted_by(|earlier, later| earlier < later), "{times:?}");
}

#[test]
fn samples_arrive_in_order_and_leave_the_spool() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let agent = Agent::start(&hub, home.path());
    hub.until("three samples", |hub| hub.samples.len() >= 3);
    assert!(agent.terminate().0.success());
    {
        let hub = hub.state.lock();
        assert_unbroken(&hub);
        assert!(hub.batches.iter().all(|&size| size == 1), "nothing was sent twice: {:?}", hub.batches);
        let (_, sample) = &hub.samples[2];
        assert!(sample.metrics.cpu.is_some() && sample.metrics.ram.is_some());
        assert!(sample.metrics.latency.is_some_and(|latency| latency > 0.0), "{sample:?}");
    }
    let before = hub.state.lock().samples.len() as u64;
    let agent = Agent::start(&hub, home.path());
    hub.until("a sample of the second start", |hub| hub.samples.len() as u64 > before);
    assert_unbroken(&hub.state.lock());
    drop(agent);
}

/// Bytes in the spool that are some samples, whatever a machine has to measure.
const SEVERAL_SAMPLES: u64 = 3 * 1024;

#[test]
fn what_piles_up_while_the_hub_is_away_arrives_in_a_batch_with_its_own_times() {
    let mut hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let agent = Agent::start(&hub, home.path());
    hub.until("a first sample", |hub| !hub.samples.is_empty());
    hub.go_away();
    // There may be nothing in it yet, or no more.
    let before = spooled_bytes(home.path());
    agent.until("more samples in the spool", || spooled_bytes(home.path()) >= before + SEVERAL_SAMPLES);
    hub.come_back();
    hub.until("what piled up", |hub| hub.batches.iter().any(|&size| size >= 3));
    hub.until("the next one", |hub| hub.batches.last() == Some(&1));
    assert_unbroken(&hub.state.lock());
    let (_, log) = agent.terminate();
    assert_eq!((log.matches("cannot reach").count(), log.matches("answers again").count()), (1, 1), "{log}");
}

/// The spool of an agent that is not at work.
fn spool_of(state: &Path) -> Spool {
    let bounds = Bounds { bytes_max: 1 << 30, age_max: Duration::from_secs(30 * 86_400) };
    Spool::open(&state.join("spool"), bounds, machine_time()).unwrap()
}

/// A day at an interval of thirty seconds, as a machine without its hub keeps it.
#[test]
fn what_piled_up_in_a_day_goes_in_full_batches_and_what_is_new_goes_beside_it() {
    const DAY: u64 = 2_880;
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let agent = Agent::start(&hub, home.path());
    hub.until("a first sample", |hub| !hub.samples.is_empty());
    assert!(agent.terminate().0.success());
    let first = hub.state.lock().samples.len();
    let mut spool = spool_of(home.path());
    let now = machine_time();
    for number in 1..=DAY {
        let at = now.plus_seconds((number.cast_signed() - DAY.cast_signed()) * 30);
        let sample = br#"{"metrics":{"cpu":1.5},"status":"online"}"#.to_vec();
        spool.append(Kind::Sample, at, sample).unwrap();
    }
    let old = spool.boot(Lane::Live);
    drop(spool);
    let agent = Agent::start(&hub, home.path());
    hub.until("the day, and new ones", |hub| {
        let of_old = hub.samples.iter().filter(|(boot, _)| *boot == old).count();
        of_old >= first + DAY as usize && hub.marks.len() == 2
    });
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    assert_numbered(&hub);
    assert_eq!(hub.batches.iter().filter(|&&size| size == 500).count(), 5, "{:?}", hub.batches);
    assert!(hub.batches.iter().filter(|&&size| size > 100).count() == 6, "{:?}", hub.batches);
}

#[test]
fn what_was_dropped_is_told_as_a_measurement() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let agent = Agent::start(&hub, home.path());
    hub.until("a first sample", |hub| !hub.samples.is_empty());
    assert!(agent.terminate().0.success());
    let is_told = |sample: &Sample| sample.metrics.further.iter().any(|(name, _)| name == "spool_dropped");
    assert!(!hub.state.lock().samples.iter().any(|(_, sample)| is_told(sample)), "nothing was");
    let mut spool = spool_of(home.path());
    for _ in 0..3 {
        spool.append(Kind::Sample, machine_time(), b"{}".to_vec()).unwrap();
    }
    let last = spool.oldest(Lane::Live, 3, usize::MAX).unwrap().last().unwrap().number;
    spool.discard_through(last).unwrap();
    drop(spool);
    let _agent = Agent::start(&hub, home.path());
    let dropped = ("spool_dropped".to_owned(), 3.0);
    hub.until("what was dropped", |hub| {
        hub.samples.iter().any(|(_, sample)| sample.metrics.further.contains(&dropped))
    });
}

#[test]
fn an_agent_that_is_killed_loses_and_doubles_nothing() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        // Committed, and the agent never hears of it: it sends the same again, and the hub knows it.
        let batches = hub.state.change(|hub| {
            hub.reply("metrics", Reply::Swallow);
            hub.batches.len()
        });
        let agent = Agent::start(&hub, home.path());
        hub.until("a batch", |hub| hub.batches.len() > batches);
        agent.kill();
    }
    let agent = Agent::start(&hub, home.path());
    hub.until("the sample of the last start", |hub| hub.samples.len() > 3);
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    assert_eq!(hub.marks.len(), 1, "one boot, however often it is started");
    assert_unbroken(&hub);
}

#[test]
fn what_the_hub_keeps_no_more_is_counted_and_told_once() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| hub.keeps_seconds = 3_600);
    let agent = Agent::start(&hub, home.path());
    hub.until("a first sample", |hub| !hub.samples.is_empty());
    assert!(agent.terminate().0.success());
    let mut spool = spool_of(home.path());
    for number in 1..=1_200 {
        let sample = br#"{"metrics":{"cpu":1.5},"status":"online"}"#.to_vec();
        spool.append(Kind::Sample, machine_time().plus_seconds(number - 3 * 3_600), sample).unwrap();
    }
    drop(spool);
    let agent = Agent::start(&hub, home.path());
    let dropped = ("spool_dropped".to_owned(), 1_200.0);
    hub.until("that they were dropped", |hub| {
        hub.samples.iter().any(|(_, sample)| sample.metrics.further.contains(&dropped))
    });
    let (_, log) = agent.terminate();
    assert_eq!(
        log.matches("let go, and counted as dropped: the hub keeps nothing as old").count(),
        1,
        "{log}"
    );
}

#[test]
fn what_the_hub_keeps_no_more_is_counted_though_it_was_killed_before_it_heard_that() {
    const OLD: i64 = 30;
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| hub.keeps_seconds = 3_600);
    let agent = Agent::start(&hub, home.path());
    hub.until("a first sample", |hub| !hub.samples.is_empty());
    assert!(agent.terminate().0.success());
    let mut spool = spool_of(home.path());
    for number in 1..=OLD {
        let sample = br#"{"metrics":{"cpu":1.5},"status":"online"}"#.to_vec();
        spool.append(Kind::Sample, machine_time().plus_seconds(number - 3 * 3_600), sample).unwrap();
    }
    drop(spool);
    let batches = hub.state.change(|hub| {
        hub.reply("metrics", Reply::Swallow);
        hub.batches.len()
    });
    let agent = Agent::start(&hub, home.path());
    hub.until("what is old", |hub| hub.batches.len() > batches);
    agent.kill();
    let agent = Agent::start(&hub, home.path());
    let dropped = ("spool_dropped".to_owned(), OLD as f64);
    hub.until("that they were dropped", |hub| {
        hub.samples.iter().any(|(_, sample)| sample.metrics.further.contains(&dropped))
    });
    assert!(agent.terminate().0.success());
}
