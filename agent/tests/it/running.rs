//! Commands that run long: watched, ended by an operator or by the clock, and the queue goes on behind them.

use crate::harness::{Agent, Hub, Reply};
use pingup_protocol::{
    command::ResultStatus,
    limits::{OUTPUT_BYTES_MAX, PROGRESS_BYTES_MAX},
    problem::ProblemType,
    signing,
};
use serde_json::{Value, json};
use std::path::Path;

fn with_exec(hub: &Hub, state: &Path) -> Agent {
    Agent::start_with(hub, state, &["--allow", "ping,exec,run_discovery"])
}

/// A program of this script, which finds `file` in `$0`, and may run for an hour.
fn script(script: &str, file: &Path) -> Value {
    json!({"argv": ["sh", "-c", script, file], "timeoutSeconds": 3_600})
}

/// Runs on until `$0` is there.
const UNTIL_TOLD: &str = "echo begun; until [ -e \"$0\" ]; do sleep 0.05; done; echo done";

#[test]
fn a_command_that_runs_long_is_seen_to_run_with_what_it_printed_so_far() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let go = home.path().join("go");
    hub.state.change(|hub| hub.offer(1, "exec", script(UNTIL_TOLD, &go)));
    let agent = with_exec(&hub, home.path());
    hub.until("its output so far", |hub| hub.outputs.get(&1).is_some_and(|output| output == "begun\n"));
    assert!(hub.state.lock().results.is_empty());
    std::fs::write(&go, "").unwrap();
    hub.until("its result", |hub| hub.result(1).is_some());
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    let result = hub.result(1).unwrap();
    assert_eq!((result.status, result.output.as_deref()), (ResultStatus::Succeeded, Some("begun\ndone\n")));
    assert!(hub.progress.iter().all(|said| said.started_at == result.started_at && said.command_seq == 1));
}

#[test]
fn long_output_comes_in_pieces_and_a_lost_answer_doubles_none() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let go = home.path().join("go");
    let print = format!("head -c 300000 /dev/zero | tr '\\0' x; {UNTIL_TOLD}");
    hub.state.change(|hub| {
        hub.reply("progress", Reply::problem(ProblemType::Overloaded));
        hub.reply("progress", Reply::Body(200, b"no answer of a hub".to_vec()));
        hub.offer(1, "exec", script(&print, &go));
    });
    let agent = with_exec(&hub, home.path());
    hub.until("all that is kept", |hub| {
        hub.outputs.get(&1).is_some_and(|output| output.ends_with("is not kept]"))
    });
    std::fs::write(&go, "").unwrap();
    hub.until("its result", |hub| hub.result(1).is_some());
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    assert!(hub.progress.iter().all(|said| said.output.len() <= PROGRESS_BYTES_MAX));
    assert_eq!(hub.outputs[&1].len(), OUTPUT_BYTES_MAX);
    assert_eq!(Some(&hub.outputs[&1]), hub.result(1).unwrap().output.as_ref());
}

#[test]
fn a_command_that_is_cancelled_ends_with_all_it_started_and_the_queue_goes_on() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let (begun, held) = (home.path().join("begun"), home.path().join("held"));
    let tidy = "trap 'echo tidied; exit 0' TERM; sleep 600 & echo so far; echo $! > \"$0.tmp\"; mv \"$0.tmp\" \"$0\"; wait";
    hub.state.change(|hub| {
        hub.offer(1, "exec", script(tidy, &begun));
        hub.offer(2, "exec", script("echo > \"$0\"", &held));
        hub.offer(3, "ping", json!({}));
    });
    let agent = with_exec(&hub, home.path());
    hub.until("it to run", |hub| hub.outputs.get(&1).is_some_and(|output| output == "so far\n"));
    hub.state.change(|hub| {
        hub.cancel(1);
        hub.cancel(2);
    });
    hub.until("the result of the last", |hub| hub.result(3).is_some());
    let child = std::fs::read_to_string(&begun).unwrap();
    let stat = format!("/proc/{}/stat", child.trim());
    let is_gone = std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
    assert!(is_gone, "what it started is gone before its end is told");
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    let result = hub.result(1).unwrap();
    assert_eq!(result.status, ResultStatus::Cancelled);
    let output = result.output.as_deref().unwrap();
    assert!(
        output.contains("cancelled") && output.contains("so far") && output.contains("tidied"),
        "{output}"
    );
    assert_eq!(hub.result(2).unwrap().status, ResultStatus::Cancelled, "it had not begun");
    assert!(!held.exists());
    assert_eq!(hub.result(3).unwrap().status, ResultStatus::Succeeded);
}

/// None of them takes a second, and so none is attended by itself.
#[test]
fn of_many_short_commands_that_wait_those_that_are_cancelled_are_not_begun() {
    const MANY: u64 = 32;
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let file = |seq: u64| home.path().join(format!("ran-{seq}"));
    hub.state.change(|hub| {
        for seq in 1..=MANY {
            hub.offer(seq, "exec", script("echo > \"$0\"; sleep 0.15", &file(seq)));
        }
    });
    let agent = with_exec(&hub, &home.path().join("state"));
    hub.until("the first to be done", |hub| hub.result(1).is_some());
    hub.state.change(|hub| (MANY / 2..=MANY).for_each(|seq| hub.cancel(seq)));
    hub.until("all results", |hub| hub.results.len() as u64 == MANY);
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    for seq in 1..=MANY {
        let status = hub.result(seq).unwrap().status;
        let expected = if seq < MANY / 2 { ResultStatus::Succeeded } else { ResultStatus::Cancelled };
        // What was under way when the word came may have been done.
        assert!(status == expected || seq == MANY / 2, "{seq}: {status:?}");
        assert!(file(seq).exists() == (status == ResultStatus::Succeeded) || seq == MANY / 2, "{seq}");
    }
}

#[test]
fn what_is_cancelled_in_the_answer_that_hands_it_out_is_not_begun() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("ran");
    hub.state.change(|hub| {
        hub.offer(1, "exec", script("echo > \"$0\"", &file));
        hub.offer(2, "ping", json!({}));
        hub.cancel(1);
    });
    let agent = with_exec(&hub, &home.path().join("state"));
    hub.until("both results", |hub| hub.results.len() == 2);
    assert!(agent.terminate().0.success() && !file.exists());
    assert_eq!(hub.state.lock().result(1).unwrap().status, ResultStatus::Cancelled);
}

#[test]
fn a_wish_that_is_not_the_hubs_to_this_question_ends_nothing() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let go = home.path().join("go");
    hub.state.change(|hub| hub.offer(1, "exec", script(UNTIL_TOLD, &go)));
    let agent = with_exec(&hub, home.path());
    hub.until("it to run", |hub| !hub.progress.is_empty());
    hub.state.change(|hub| {
        let answer = json!({
            "agentId": "AGENT-1", "nonce": "recorded", "serverTime": hub.now(), "configVersion": 0,
            "commands": [], "cancel": ["CMD-2027-001"]
        });
        let replayed = signing::sign(&hub.down_key(), &answer).unwrap();
        hub.reply("pending", Reply::Body(200, answer.to_string().into_bytes()));
        hub.reply("pending", Reply::Body(200, replayed));
        // What it may still be told: of another.
        hub.cancel(7);
    });
    agent.until_it_says("it answers another request");
    agent.until_it_says("an answer was thrown away: ");
    std::fs::write(&go, "").unwrap();
    hub.until("its result", |hub| hub.result(1).is_some());
    assert!(agent.terminate().0.success());
    assert_eq!(hub.state.lock().result(1).unwrap().status, ResultStatus::Succeeded);
}

#[test]
fn a_hub_that_knows_nothing_of_this_gets_its_results_all_the_same() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let go = home.path().join("go");
    hub.state.change(|hub| {
        hub.reply("progress", Reply::problem(ProblemType::NotFound));
        hub.offer(1, "exec", script(&format!("{UNTIL_TOLD}; sleep 2.5"), &go));
        hub.offer(2, "ping", json!({}));
    });
    let agent = with_exec(&hub, home.path());
    hub.until("the attempt", |hub| hub.replies["progress"].is_empty());
    std::fs::write(&go, "").unwrap();
    hub.until("the results", |hub| hub.result(2).is_some());
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    assert_eq!(hub.result(1).unwrap().status, ResultStatus::Succeeded);
    assert!(hub.progress.is_empty(), "it was asked once for this command");
}

#[test]
fn every_action_ends_when_its_command_says_so() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    hub.state.change(|hub| {
        hub.offer_for(1, 1, "exec", json!({"argv": ["sh", "-c", "echo so far; sleep 600 & wait"]}));
        hub.offer_for(2, 1, "exec", json!({"argv": ["sleep", "600"], "timeoutSeconds": 600}));
        hub.offer_for(3, 600, "exec", json!({"argv": ["sleep", "600"], "timeoutSeconds": 1}));
        // Addresses that are kept for documents: nobody answers there.
        hub.offer_for(4, 1, "run_discovery", json!({"cidr": "192.0.2.0/24", "ports": [9, 10, 11, 12]}));
        hub.offer(5, "ping", json!({}));
    });
    let agent = with_exec(&hub, home.path());
    hub.until("all results", |hub| hub.result(5).is_some());
    assert!(agent.terminate().0.success());
    let hub = hub.state.lock();
    for seq in 1..=3 {
        let result = hub.result(seq).unwrap();
        assert_eq!((result.status, result.exit_code), (ResultStatus::Failed, None), "{result:?}");
        assert!(result.output.as_deref().unwrap().contains("it was ended after 1 s"), "{result:?}");
    }
    assert!(hub.result(1).unwrap().output.as_deref().unwrap().contains("so far"));
    let scan = hub.result(4).unwrap();
    assert!(
        scan.status != ResultStatus::Unknown && scan.output.is_some(),
        "ended, or refused by the network"
    );
}
