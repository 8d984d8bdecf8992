//! Batches against a real SQLite: queued in one write, counted, listed and taken back.

use super::*;
use crate::commands::{
    Asked, BATCH_AGENTS_MAX, BATCH_PARAMS_BYTES_MAX, BatchOrder, GIVE_UP_SECONDS, LeftOut, LeftOutReason,
};

fn ids(names: &[&str]) -> Vec<AgentId> {
    names.iter().map(|name| agent(name)).collect()
}

fn batch_of(agents: Vec<AgentId>) -> BatchOrder {
    BatchOrder { asked: Asked::Agents(agents), task: order("a").task, idempotency_key: None, signed: None }
}

fn count(records: &Connection, table: &str) -> u64 {
    records.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn each_agent_gets_a_command_in_its_own_order_and_numbers_go_on() {
    let records = records();
    queue_one(&records, &order("b"), NOW);
    let agents = ids(&["a", "b"]);
    let (id, queued) = queue_batch(&records, &batch_of(agents.clone()), &agents, NOW).unwrap();
    assert_eq!(
        queued.iter().map(|one| one.command_id.as_str()).collect::<Vec<_>>(),
        ["CMD-2027-002", "CMD-2027-003"]
    );
    assert_eq!(id, "BATCH-2027-002", "the number of its first command");
    assert_eq!(queue_one(&records, &order("a"), NOW).command_id, "CMD-2027-004");
    let of_batch = Filter { batch_id: Some(id.clone()), ..Filter::default() };
    let found = list(&records, of_batch, 9, NOW).unwrap().items;
    let found: Vec<_> = found.iter().map(|view| (view.agent_id.as_str(), view.command_seq)).collect();
    assert_eq!(found, [("b", 2), ("a", 1)]);
    let batch = find_batch(&records, &id, NOW).unwrap();
    assert_eq!((batch.agents, batch.counts.pending, batch.expires_at), (2, 2, NOW.plus_seconds(60)));
    assert_eq!(due(&records, &agents[0], 0, NOW).unwrap().commands.len(), 2, "handed out like any other");
}

#[test]
fn who_is_missing_is_listed_by_pages_until_it_reports() {
    let records = records();
    records.execute_batch("INSERT INTO agents (id, created_at) VALUES ('c', 0), ('d', 0)").unwrap();
    let agents = ids(&["a", "b", "c", "d"]);
    let (id, _) = queue_batch(&records, &batch_of(agents.clone()), &agents, NOW).unwrap();
    let commands: Vec<_> = (1..=4).map(|number| pingup_protocol::ids::command_id(2027, number)).collect();
    let delivery = |id: &String| Delivery { command_id: id.clone(), signature: "s".to_owned() };
    mark_delivered(&records, &[delivery(&commands[0]), delivery(&commands[1])], NOW).unwrap();
    let outcome = Outcome {
        status: ResultStatus::Failed,
        exit_code: None,
        output: None,
        started_at: NOW,
        finished_at: NOW,
    };
    assert!(keep_result(&records, &agents[0], (&commands[0], 1), &outcome, NOW).unwrap().is_of_batch);
    cancel(&records, &commands[2], NOW).unwrap();

    let batch = find_batch(&records, &id, NOW).unwrap();
    let Counts { pending, delivered, failed, cancelled, .. } = batch.counts;
    assert_eq!((pending, delivered, failed, cancelled, batch.agents), (1, 1, 1, 1, 4));
    let page = |after: &str, now| {
        let found = missing(&records, &batch, after, 1, now).unwrap();
        (
            found.items.into_iter().map(|one| (one.agent_id.to_string(), one.status)).collect::<Vec<_>>(),
            found.more,
        )
    };
    assert_eq!(page("", NOW), (vec![("b".to_owned(), CommandStatus::Delivered)], true));
    assert_eq!(page("b", NOW), (vec![("d".to_owned(), CommandStatus::Pending)], false));
    let later = NOW.plus_seconds(60);
    assert_eq!(page("b", later), (vec![("d".to_owned(), CommandStatus::Expired)], false), "nobody spared it");
    assert_eq!(find_batch(&records, &id, later).unwrap().counts.expired, 1);
}

#[test]
fn who_was_never_heard_of_again_stays_missing_and_who_does_not_know_reported() {
    let records = records();
    let agents = ids(&["a", "b"]);
    let bounded = Task { timeout_seconds: Some(60), ..order("a").task };
    let (id, _) =
        queue_batch(&records, &BatchOrder { task: bounded, ..batch_of(agents.clone()) }, &agents, NOW)
            .unwrap();
    let commands = ["CMD-2027-001", "CMD-2027-002"];
    let delivery = |id: &str| Delivery { command_id: id.to_owned(), signature: "s".to_owned() };
    mark_delivered(&records, &commands.map(delivery), NOW).unwrap();
    let later = NOW.plus_seconds(60 + 60 + GIVE_UP_SECONDS as i64);
    assert_eq!(lapse(&records, later).unwrap().len(), 2);
    let who = || -> Vec<_> {
        let batch = find_batch(&records, &id, later).unwrap();
        assert_eq!(batch.counts.unknown, 2);
        let found = missing(&records, &batch, "", 9, later).unwrap().items;
        found.into_iter().map(|one| (one.agent_id, one.status)).collect()
    };
    let unknown = |id: &AgentId| (id.clone(), CommandStatus::Unknown);
    assert_eq!(who(), [unknown(&agents[0]), unknown(&agents[1])]);
    let outcome = Outcome {
        status: ResultStatus::Unknown,
        exit_code: None,
        output: None,
        started_at: NOW,
        finished_at: NOW,
    };
    keep_result(&records, &agents[0], (commands[0], 1), &outcome, later).unwrap();
    assert_eq!(who(), [unknown(&agents[1])]);
}

#[test]
fn a_batch_that_is_taken_back_has_ended_what_was_seen() {
    let records = records();
    let agents = ids(&["a", "b"]);
    let (id, _) = queue_batch(&records, &batch_of(agents.clone()), &agents, NOW).unwrap();
    let alone = queue_one(&records, &order("b"), NOW).command_id;
    let delivery = Delivery { command_id: "CMD-2027-001".to_owned(), signature: "s".to_owned() };
    mark_delivered(&records, &[delivery], NOW).unwrap();
    for told in [1, 0] {
        let Taken { batch, cancelled, asked } = cancel_batch(&records, &id, NOW).unwrap();
        assert_eq!((cancelled.len(), asked.len()), (told, told), "told once");
        let Counts { delivered, cancelled, .. } = batch.counts;
        assert_eq!((delivered, cancelled), (1, 1));
    }
    assert_eq!(find(&records, &alone, NOW).unwrap().unwrap().status, CommandStatus::Pending);
    let unknown = cancel_batch(&records, "BATCH-2027-999", NOW);
    assert!(matches!(unknown, Err(CommandsError::UnknownBatch(_))));
}

#[test]
fn one_key_makes_one_batch_of_one_content() {
    let records = records();
    let agents = ids(&["a", "b"]);
    let order = BatchOrder { idempotency_key: Some("k".to_owned()), ..batch_of(agents.clone()) };
    assert_eq!(batch_made_before(&records, &order).unwrap(), None);
    let (id, _) = queue_batch(&records, &order, &agents, NOW).unwrap();
    assert_eq!(batch_made_before(&records, &order).unwrap(), Some(id));
    let fewer = BatchOrder { asked: Asked::Agents(ids(&["a"])), ..order.clone() };
    let longer = BatchOrder { task: Task { ttl_seconds: 61, ..order.task.clone() }, ..order.clone() };
    let bounded =
        BatchOrder { task: Task { timeout_seconds: Some(9), ..order.task.clone() }, ..order.clone() };
    let others = BatchOrder { asked: Asked::Fitting(Selector::default()), ..order };
    for other in [fewer, longer, bounded, others] {
        assert!(matches!(batch_made_before(&records, &other), Err(CommandsError::KeyReused)));
    }
}

#[test]
fn a_batch_has_its_bounds_and_leaves_out_whoever_has_too_much_to_do() {
    let records = records();
    let queued = |task: Task, agents: &[AgentId]| {
        // As the writer does it: what fails leaves nothing.
        records.execute_batch("SAVEPOINT work").unwrap();
        let queued = queue_batch(&records, &BatchOrder { task, ..batch_of(Vec::new()) }, agents, NOW);
        records
            .execute_batch(if queued.is_ok() { "RELEASE work" } else { "ROLLBACK TO work; RELEASE work" })
            .unwrap();
        queued
    };
    let task = || order("a").task;
    assert!(matches!(queued(task(), &[]), Err(CommandsError::NobodyFits)));
    let many = vec![agent("a"); BATCH_AGENTS_MAX + 1];
    assert!(matches!(queued(task(), &many), Err(CommandsError::TooManyFit)));
    let params = "x".repeat(BATCH_PARAMS_BYTES_MAX / 256 + 1);
    assert!(matches!(queued(Task { params, ..task() }, &many[..256]), Err(CommandsError::BatchTooLarge)));
    for _ in 0..OPEN_COMMANDS_MAX {
        queue(&records, &order("b"), NOW).unwrap();
    }
    assert!(matches!(queued(task(), &ids(&["b"])), Err(CommandsError::NobodyHasRoom)));
    assert_eq!((count(&records, "commands"), count(&records, "command_batches")), (OPEN_COMMANDS_MAX, 0));
    let (id, made) = queued(task(), &ids(&["a", "b"])).unwrap();
    assert_eq!(made.iter().map(|one| one.agent_id.as_str()).collect::<Vec<_>>(), ["a"]);
    let batch = find_batch(&records, &id, NOW).unwrap();
    let left_out = LeftOut { agent_id: agent("b"), reason: LeftOutReason::TooManyOpenCommands };
    assert_eq!((batch.agents, batch.left_out_count, batch.left_out), (1, 1, vec![left_out]));
    let next = queue_one(&records, &order("a"), NOW).command_id;
    assert_eq!(next, pingup_protocol::ids::command_id(2027, OPEN_COMMANDS_MAX + 2), "no number is lost");
}

#[test]
fn a_batch_is_read_by_its_own_index() {
    let records = records();
    for sql in [
        "SELECT status, count(*) FROM commands WHERE batch_id = ?1 GROUP BY 1",
        "SELECT id FROM commands WHERE batch_id = ?1 AND agent_id > '' AND (+status IN ('pending', 'expired') OR +status = 'unknown' AND result IS NULL) ORDER BY agent_id",
        "UPDATE commands SET status = 'cancelled' WHERE batch_id = ?1 AND +status = 'pending' AND +expires_at > 0",
    ] {
        let mut statement = records.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let found: String = statement.query_row(["b"], |row| row.get(3)).unwrap();
        assert!(found.contains("commands_by_batch"), "{found}");
    }
}
