//! What a refusal costs: time, the boot, or the agent; never a sample that another answer could save.

use super::*;

#[test]
fn a_refusal_that_passes_is_waited_out() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| {
        hub.reply("metrics", Reply::RetryAfter(Problem::new(ProblemType::Overloaded, "full"), 1));
        hub.reply("metrics", Reply::problem(ProblemType::InternalError));
    });
    let agent = Agent::start(&hub, home.path());
    hub.until("samples after all", |hub| hub.samples.len() >= 3);
    assert_unbroken(&hub.state.lock());
    assert!(agent.terminate().0.success());
}

#[test]
fn a_refusal_that_is_not_the_hubs_costs_no_sample() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| {
        for status in [400, 413, 422] {
            hub.reply("metrics", Reply::Body(status, b"<html>a proxy's word".to_vec()));
        }
    });
    let agent = Agent::start(&hub, home.path());
    hub.until("samples after all", |hub| hub.samples.len() >= 3);
    assert_unbroken(&hub.state.lock());
    assert!(!agent.terminate().1.contains("dropped"));
}

#[test]
fn a_copied_identity_stops_pushing_and_goes_on_beating() {
    for conflict in [None, Some(Reply::problem(ProblemType::SequenceConflict))] {
        let hub = Hub::start();
        let home = tempfile::tempdir().unwrap();
        let agent = Agent::start(&hub, home.path());
        hub.until("a sample", |hub| !hub.samples.is_empty());
        hub.state.change(|hub| match conflict {
            Some(reply) => hub.reply("metrics", reply),
            // The other one was faster: its samples are committed under numbers never given out here.
            None => hub.marks.values_mut().for_each(|mark| *mark += 1_000),
        });
        let batches = hub.wait("the next batch", |hub| {
            let refused = hub.replies.get("metrics").is_some_and(|replies| replies.is_empty());
            (refused || hub.batches.len() > hub.samples.len()).then_some(hub.batches.len())
        });
        let before = spooled_bytes(home.path());
        agent
            .until("more samples in the spool", || spooled_bytes(home.path()) > before + SEVERAL_SAMPLES / 4);
        assert_eq!(hub.state.lock().batches.len(), batches, "nothing is pushed any more");
        hub.state.change(|hub| hub.offer(1, "ping", json!({})));
        let before = spooled_bytes(home.path());
        agent.until("one more sample", || spooled_bytes(home.path()) > before);
        assert!(hub.state.lock().results.is_empty(), "no command is run any more");
        let (status, log) = agent.terminate();
        assert!(status.success() && log.contains("another machine uses this agent's identity"), "{log}");
        assert!(hub.state.lock().beats.len() > 1, "it says goodbye");
    }
}

#[test]
fn a_retired_boot_is_left_behind_and_nothing_with_it() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let later = u64::try_from(hub.state.lock().now().as_micros() / 1_000).unwrap() + 3_600_000;
    hub.state.change(|hub| {
        for min_boot in [u64::MAX, later] {
            let mut problem = Problem::new(ProblemType::BootRetired, "a later one is known");
            problem.min_boot = Some(min_boot);
            hub.reply("metrics", Reply::Problem(problem));
        }
    });
    let agent = Agent::start(&hub, home.path());
    hub.until("samples of the new boot", |hub| hub.samples.len() >= 2);
    assert!(agent.terminate().1.contains("cannot be one"));
    let hub = hub.state.lock();
    assert_eq!(hub.marks.keys().copied().collect::<Vec<_>>(), [later]);
    assert_unbroken(&hub);
}

#[test]
fn a_revoked_agent_ends() {
    for route in ["metrics", "heartbeat", "pending"] {
        let hub = Hub::start();
        let home = tempfile::tempdir().unwrap();
        hub.state.change(|hub| hub.reply(route, Reply::problem(ProblemType::AgentRevoked)));
        let (status, log) = Agent::start(&hub, home.path()).ended();
        assert_eq!(status.code(), Some(77), "{route}: {log}");
        assert!(log.lines().last().unwrap().contains("revoked"), "{log}");
    }
}
