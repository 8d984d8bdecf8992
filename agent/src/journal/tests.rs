//! What a crash leaves, and what waits.

use super::*;
use pingup_protocol::{
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
    order::{Asked, Order, PrivateKey},
};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn command(seq: u64) -> Command {
    Command {
        command_id: format!("CMD-2027-{seq:03}"),
        agent_id: AgentId::parse("a").unwrap(),
        command_seq: seq,
        action: "ping".into(),
        params: serde_json::Map::new(),
        issued_at: NOW,
        expires_at: NOW,
        timeout_seconds: None,
        order: None,
    }
}

fn finished(seq: u64) -> Finished {
    Finished {
        command_id: command(seq).command_id,
        command_seq: seq,
        status: ResultStatus::Succeeded,
        exit_code: None,
        output: Some("pong".into()),
        started_at: NOW,
        finished_at: NOW,
    }
}

/// A state directory whose lock is let go again, as a crash does.
fn reopened(home: &tempfile::TempDir) -> (StateDir, Journal) {
    let state = StateDir::open(home.path()).unwrap();
    let journal = Journal::open(&state, NOW).unwrap();
    (state, journal)
}

#[test]
fn what_ran_when_the_agent_died_is_unknown_and_stays_taken_down() {
    let home = tempfile::tempdir().unwrap();
    {
        let (_state, mut journal) = reopened(&home);
        journal.begin(&command(5), None, NOW).unwrap();
    }
    let (_state, mut journal) = reopened(&home);
    assert_eq!(journal.last_seq(), 5);
    let result = journal.oldest().unwrap().unwrap();
    assert_eq!((result.command_seq, result.status), (5, ResultStatus::Unknown));
    journal.remove(5).unwrap();
    assert_eq!(journal.oldest().unwrap(), None);
}

#[test]
fn a_signed_order_is_used_as_soon_as_its_command_is_begun_and_stays_so() {
    let home = tempfile::tempdir().unwrap();
    let mark = |nonce: &str| {
        let key = PrivateKey::new(&Secret::new([1; KEY_BYTES]));
        let Command { agent_id, action, params, .. } = command(1);
        let asked = Asked { agent_id: &agent_id, action: &action, params: &params, timeout_seconds: None };
        Mark::of(&Order::sign(&key, &asked, nonce, NOW).unwrap())
    };
    {
        let (_state, mut journal) = reopened(&home);
        journal.begin(&command(1), Some(mark("begun")), NOW).unwrap();
        // As a kill leaves it: nothing was finished.
    }
    let (_state, mut journal) = reopened(&home);
    assert!(journal.spent().holds(&mark("begun")) && !journal.spent().holds(&mark("rejected")));
    journal.spend(mark("rejected")).unwrap();
    journal.keep_sure(NOW).unwrap();
    journal.finish(finished(2)).unwrap();
    journal.begin(&command(3), None, NOW).unwrap();
    drop((_state, journal));
    let (_state, journal) = reopened(&home);
    assert!(journal.spent().holds(&mark("begun")) && journal.spent().holds(&mark("rejected")));
    assert_eq!(journal.sure(), Some(NOW));
}

/// A state of before has neither.
#[test]
fn a_journal_of_before_is_read() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("journal.json"), r#"{"lastSeq":7,"running":null}"#).unwrap();
    let (_state, journal) = reopened(&home);
    assert_eq!((journal.last_seq(), journal.sure()), (7, None));
    assert!(journal.spent().is_empty());
}

#[test]
fn a_result_waits_across_restarts_until_it_is_taken() {
    let home = tempfile::tempdir().unwrap();
    {
        let (_state, mut journal) = reopened(&home);
        journal.begin(&command(1), None, NOW).unwrap();
        journal.finish(finished(1)).unwrap();
        journal.finish(finished(2)).unwrap();
    }
    let (_state, mut journal) = reopened(&home);
    assert_eq!(journal.last_seq(), 2, "a rejected command is taken down as well");
    assert_eq!(journal.oldest().unwrap(), Some(finished(1)));
    journal.remove(1).unwrap();
    assert_eq!(journal.oldest().unwrap(), Some(finished(2)));
}

#[test]
fn a_crash_between_result_and_ledger_keeps_the_result() {
    let home = tempfile::tempdir().unwrap();
    {
        let (_state, mut journal) = reopened(&home);
        journal.begin(&command(1), None, NOW).unwrap();
        write_json(&journal.result_path(1), &finished(1)).unwrap();
    }
    let (_state, mut journal) = reopened(&home);
    assert_eq!(journal.oldest().unwrap(), Some(finished(1)));
    assert_eq!(journal.ledger.running, None);
}

/// Makes as if the disk were full to results, until it is told otherwise.
fn without_room<T>(home: &tempfile::TempDir, meanwhile: impl FnOnce() -> T) -> T {
    let (results, aside) = (home.path().join("results"), home.path().join("aside"));
    std::fs::rename(&results, &aside).unwrap();
    let done = meanwhile();
    std::fs::rename(&aside, &results).unwrap();
    done
}

#[test]
fn a_result_that_cannot_be_kept_is_told_and_kept_before_another_command_begins() {
    let home = tempfile::tempdir().unwrap();
    {
        let (_state, mut journal) = reopened(&home);
        journal.begin(&command(1), None, NOW).unwrap();
        without_room(&home, || {
            assert!(journal.finish(finished(1)).is_err());
            assert_eq!(journal.oldest().unwrap(), Some(finished(1)), "it is known all the same");
            assert_eq!(journal.waiting(), 1);
            assert!(journal.begin(&command(2), None, NOW).is_err(), "nothing else begins meanwhile");
            assert!(journal.finish(finished(2)).is_err(), "and none is rejected");
        });
        journal.begin(&command(2), None, NOW).unwrap();
        journal.finish(finished(2)).unwrap();
    }
    let (_state, mut journal) = reopened(&home);
    for seq in [1, 2] {
        assert_eq!(journal.oldest().unwrap(), Some(finished(seq)));
        journal.remove(seq).unwrap();
    }
    assert_eq!((journal.oldest().unwrap(), journal.last_seq()), (None, 2));
}

#[test]
fn a_result_that_the_hub_took_before_it_could_be_kept_is_not_told_again() {
    let home = tempfile::tempdir().unwrap();
    let (_state, mut journal) = reopened(&home);
    journal.begin(&command(1), None, NOW).unwrap();
    without_room(&home, || {
        assert!(journal.finish(finished(1)).is_err());
        journal.remove(1).unwrap();
        assert_eq!((journal.oldest().unwrap(), journal.waiting()), (None, 0));
    });
    journal.begin(&command(2), None, NOW).unwrap();
    assert_eq!(journal.oldest().unwrap(), None);
    journal.finish(finished(2)).unwrap();
    assert_eq!(journal.oldest().unwrap(), Some(finished(2)));
}

#[test]
fn results_are_bounded_and_damaged_ones_do_not_hold_up_others() {
    let home = tempfile::tempdir().unwrap();
    let (_state, mut journal) = reopened(&home);
    for seq in 1..=RESULTS_MAX as u64 + 2 {
        journal.finish(finished(seq)).unwrap();
    }
    assert_eq!(journal.waiting.len(), RESULTS_MAX);
    assert_eq!(std::fs::read_dir(home.path().join("results")).unwrap().count(), RESULTS_MAX);
    std::fs::write(journal.result_path(3), "{").unwrap();
    assert_eq!(journal.oldest().unwrap().unwrap().command_seq, 4);
    std::fs::copy(journal.result_path(9), journal.result_path(4)).unwrap();
    assert_eq!(journal.oldest().unwrap().unwrap().command_seq, 5, "its file held another's result");
}
