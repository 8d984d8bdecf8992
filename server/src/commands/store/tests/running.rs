//! Commands that run, are watched, and are to be ended: which word counts, in whatever order they come.

use super::*;
use crate::commands::{CANCEL_MAX, LAPSE_MAX};
use pingup_protocol::limits::INTEGER_MAX;

const A: &str = "CMD-2027-001";

/// A command of agent `a`, handed out.
fn delivered(records: &Connection) -> CommandView {
    let view = queue_one(records, &order("a"), NOW);
    let delivery = Delivery { command_id: view.command_id.clone(), signature: "s".to_owned() };
    mark_delivered(records, &[delivery], NOW).unwrap();
    view
}

fn piece(offset: u64, output: &str) -> Piece {
    Piece { started_at: NOW.plus_seconds(-5), offset, output: output.to_owned() }
}

fn say(records: &Connection, piece: &Piece) -> Result<Placed, CommandsError> {
    keep_progress(records, &agent("a"), (A, 1), piece, NOW)
}

fn report(records: &Connection, status: ResultStatus) -> Result<(CommandStatus, bool), CommandsError> {
    let outcome = Outcome {
        status,
        exit_code: None,
        output: Some("all of it".to_owned()),
        started_at: NOW.plus_seconds(-5),
        finished_at: NOW,
    };
    keep_result(records, &agent("a"), (A, 1), &outcome, NOW).map(|kept| (kept.status, kept.is_new))
}

fn seen(records: &Connection) -> CommandView {
    find(records, A, NOW).unwrap().unwrap()
}

#[test]
fn output_grows_by_what_is_new_whatever_comes_twice_late_or_too_early() {
    let records = records();
    delivered(&records);
    let placed = |piece: &Piece| {
        let Placed { status, new, output_bytes } = say(&records, piece).unwrap();
        assert_eq!(status, CommandStatus::Running);
        (new, output_bytes)
    };
    assert_eq!(placed(&piece(0, "")), (true, 0), "that it runs can be said without output");
    let view = seen(&records);
    assert_eq!((view.status, view.started_at), (CommandStatus::Running, Some(NOW.plus_seconds(-5))));
    assert_eq!(placed(&piece(0, "one ")), (false, 4));
    assert_eq!(placed(&piece(0, "one ")), (false, 4), "twice");
    assert_eq!(placed(&piece(4, "two ")), (false, 8));
    assert_eq!(placed(&piece(0, "one two three")), (false, 13), "the rest of it");
    assert_eq!(placed(&piece(20, "gap")), (false, 13));
    assert_eq!(seen(&records).output_so_far.as_deref(), Some("one two three"));
}

#[test]
fn of_a_command_that_is_over_nothing_more_is_heard() {
    let records = records();
    delivered(&records);
    say(&records, &piece(0, "so far")).unwrap();
    assert_eq!(report(&records, ResultStatus::Succeeded).unwrap(), (CommandStatus::Succeeded, true));
    let placed = say(&records, &piece(0, "so far, and more")).unwrap();
    assert_eq!((placed.status, placed.new), (CommandStatus::Succeeded, false));
    let view = seen(&records);
    assert_eq!((view.status, view.output_so_far), (CommandStatus::Succeeded, None), "the result has it all");
}

#[test]
fn what_an_agent_printed_before_it_died_is_kept() {
    let records = records();
    delivered(&records);
    say(&records, &piece(0, "so far")).unwrap();
    report(&records, ResultStatus::Unknown).unwrap();
    assert_eq!(seen(&records).output_so_far.as_deref(), Some("so far"));
}

#[test]
fn only_who_was_given_it_can_say_that_it_runs() {
    let records = records();
    let view = queue_one(&records, &order("a"), NOW);
    assert!(matches!(say(&records, &piece(0, "x")), Err(CommandsError::NotIssued)), "not handed out");
    let delivery = Delivery { command_id: view.command_id, signature: "s".to_owned() };
    mark_delivered(&records, &[delivery], NOW).unwrap();
    for (agent_id, seq) in [("b", 1), ("a", 2)] {
        let said = keep_progress(&records, &agent(agent_id), (A, seq), &piece(0, "x"), NOW);
        assert!(matches!(said, Err(CommandsError::NotIssued)));
    }
    assert_eq!(seen(&records).status, CommandStatus::Delivered);
}

#[test]
fn one_that_runs_is_not_handed_out_again() {
    let records = records();
    delivered(&records);
    assert_eq!(due(&records, &agent("a"), 0, NOW).unwrap().commands.len(), 1);
    say(&records, &piece(0, "")).unwrap();
    assert!(due(&records, &agent("a"), 0, NOW).unwrap().commands.is_empty(), "whatever its agent forgot");
}

#[test]
fn a_wish_to_end_is_said_to_who_has_it_and_ends_what_was_not_begun() {
    let records = records();
    for _ in 0..2 {
        delivered(&records);
    }
    say(&records, &piece(0, "")).unwrap();
    for _ in 0..2 {
        for id in [A, "CMD-2027-002"] {
            let view = cancel(&records, id, NOW).unwrap();
            assert_eq!((view.status.is_final(), view.cancel_asked_at), (false, Some(NOW)));
        }
    }
    let told = |after| {
        let due = due(&records, &agent("a"), after, NOW).unwrap();
        (due.commands.len(), due.cancel, due.forgone)
    };
    assert_eq!(told(1), (0, vec![A.to_owned()], true));
    assert_eq!(told(2), (0, vec![A.to_owned(), "CMD-2027-002".to_owned()], false));
    let ended = conclude(&records, &agent("a"), 1, NOW).unwrap();
    let ended: Vec<_> = ended.iter().map(|change| (change.command_id.as_str(), change.status)).collect();
    assert_eq!(ended, [("CMD-2027-002", CommandStatus::Cancelled)], "by the agent's word it is not begun");
    assert!(find(&records, "CMD-2027-002", NOW).unwrap().unwrap().reason.is_some());
    assert_eq!(told(1), (0, vec![A.to_owned()], false));
    assert_eq!(report(&records, ResultStatus::Cancelled).unwrap(), (CommandStatus::Cancelled, true));
    assert_eq!(told(1), (0, vec![], false));
    assert!(matches!(cancel(&records, A, NOW), Err(CommandsError::Ended(CommandStatus::Cancelled))));
}

#[test]
fn what_the_agent_had_before_these_records_were_restored_may_have_run() {
    let records = records();
    for _ in 0..2 {
        queue_one(&records, &order("a"), NOW);
    }
    records.execute("UPDATE command_seqs SET restored = last", []).unwrap();
    assert!(!due(&records, &agent("a"), 0, NOW).unwrap().forgone);
    assert!(due(&records, &agent("a"), 1, NOW).unwrap().forgone);
    let ended = conclude(&records, &agent("a"), 1, NOW).unwrap();
    let ended: Vec<_> = ended.iter().map(|change| (change.command_id.as_str(), change.status)).collect();
    assert_eq!(ended, [(A, CommandStatus::Unknown)]);
    let reason = find(&records, A, NOW).unwrap().unwrap().reason.unwrap();
    assert!(reason.contains("restored"), "{reason}");
    assert_eq!(due(&records, &agent("a"), 1, NOW).unwrap().commands.len(), 1, "the next is due");
    assert_eq!(report(&records, ResultStatus::Succeeded).unwrap(), (CommandStatus::Succeeded, true));
}

/// A question is not signed: a token from a log is enough to ask it.
#[test]
fn whatever_number_is_asked_beyond_what_was_queued_since_then_waits() {
    let records = records();
    queue_one(&records, &order("a"), NOW);
    records.execute("UPDATE command_seqs SET restored = last", []).unwrap();
    for _ in 0..2 {
        queue_one(&records, &order("a"), NOW);
    }
    queue_one(&records, &order("b"), NOW);
    for (name, ended) in [("a", 1), ("a", 0), ("b", 0)] {
        assert_eq!(due(&records, &agent(name), INTEGER_MAX - 1, NOW).unwrap().forgone, ended > 0);
        assert_eq!(conclude(&records, &agent(name), INTEGER_MAX - 1, NOW).unwrap().len(), ended, "of {name}");
    }
    assert_eq!(due(&records, &agent("a"), 0, NOW).unwrap().commands.len(), 2, "its agent gets them");
    assert_eq!(due(&records, &agent("b"), 0, NOW).unwrap().commands.len(), 1);
}

#[test]
fn a_result_that_was_faster_than_the_wish_is_what_counts() {
    let records = records();
    delivered(&records);
    cancel(&records, A, NOW).unwrap();
    assert_eq!(report(&records, ResultStatus::Succeeded).unwrap(), (CommandStatus::Succeeded, true));
    assert!(due(&records, &agent("a"), 1, NOW).unwrap().cancel.is_empty());
}

#[test]
fn what_was_handed_out_and_not_begun_in_time_expires() {
    let records = records();
    delivered(&records);
    let late = NOW.plus_seconds(60);
    assert!(!due(&records, &agent("a"), 1, late).unwrap().forgone, "it was begun");
    assert!(due(&records, &agent("a"), 0, late).unwrap().forgone);
    let ended = conclude(&records, &agent("a"), 0, late).unwrap();
    assert_eq!(ended[0].status, CommandStatus::Expired);
}

#[test]
fn an_agents_word_counts_however_late_and_whatever_the_hub_made_of_its_silence() {
    let records = records();
    delivered(&records);
    let late = NOW.plus_seconds(60 * 60 * 24 * 2);
    assert_eq!(lapse(&records, late).unwrap()[0].status, CommandStatus::Unknown);
    let view = seen(&records);
    assert!(view.status == CommandStatus::Unknown && view.reason.is_some());
    let said = say(&records, &piece(0, "x")).unwrap();
    assert_eq!(said.status, CommandStatus::Unknown, "that it ran once says nothing of now");
    assert_eq!(report(&records, ResultStatus::Failed).unwrap(), (CommandStatus::Failed, true));
    assert_eq!(seen(&records).reason, None);
    assert!(matches!(report(&records, ResultStatus::Succeeded), Err(CommandsError::ResultConflict(_))));
}

#[test]
fn answers_and_sweeps_have_their_bounds() {
    let records = records();
    for number in 0..CANCEL_MAX + 1 {
        let view = delivered(&records);
        assert_eq!(view.command_seq, number as u64 + 1);
        cancel(&records, &view.command_id, NOW).unwrap();
    }
    let told = due(&records, &agent("a"), u64::from(u32::MAX), NOW).unwrap();
    assert_eq!(told.cancel.len(), CANCEL_MAX);
    let fill = "WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < ?1)
                INSERT INTO commands (id, agent_id, seq, action, params, created_at, expires_at)
                SELECT 'old-' || number, 'b', number, 'ping', '{}', 0, 1 FROM n";
    records.execute(fill, [LAPSE_MAX as u64 + 1]).unwrap();
    assert_eq!([(); 3].map(|()| lapse(&records, NOW).unwrap().len()), [LAPSE_MAX, 1, 0]);
}

#[test]
fn what_was_before_commands_ran_is_taken_over() {
    let records = Connection::open_in_memory().unwrap();
    migrate::SQLITE[..4].iter().for_each(|step| records.execute_batch(step.sql).unwrap());
    records
        .execute_batch(
            "PRAGMA foreign_keys = ON;
             INSERT INTO agents (id, created_at) VALUES ('a', 0);
             INSERT INTO command_batches VALUES ('BATCH-1', 'ping', '{}', zeroblob(32), NULL, 1, 2);
             INSERT INTO commands (id, agent_id, seq, action, params, signature, status, result, idempotency_key,
                 created_at, expires_at, delivered_at, started_at, finished_at, batch_id)
             VALUES ('CMD-2027-001', 'a', 7, 'ping', '{\"x\":1}', 's', 'delivered', NULL, 'k', 1, 9223372036854775807,
                 3, NULL, NULL, 'BATCH-1');",
        )
        .unwrap();
    records.execute_batch(&format!("BEGIN; {} COMMIT", migrate::SQLITE[4].sql)).unwrap();
    migrate::SQLITE[5..].iter().for_each(|step| records.execute_batch(step.sql).unwrap());
    let view = seen(&records);
    assert_eq!((view.command_seq, view.status, view.timeout_seconds), (7, CommandStatus::Delivered, None));
    assert_eq!((view.created_at.as_micros(), view.delivered_at.map(Timestamp::as_micros)), (1, Some(3)));
    assert_eq!((view.params["x"].as_u64(), view.reason, view.output_so_far), (Some(1), None, None));
    let handed_out = due(&records, &agent("a"), 0, NOW).unwrap().commands;
    assert_eq!(handed_out[0].handed_out_with.as_deref(), Some("s"));
    let batch = find_batch(&records, "BATCH-1", NOW).unwrap();
    assert_eq!((batch.counts.delivered, batch.left_out_count, batch.left_out), (1, 0, Vec::new()));
}
