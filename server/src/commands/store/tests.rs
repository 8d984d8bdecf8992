//! The SQL against a real SQLite with the real tables.

mod batches;
mod running;

use super::*;
use crate::{
    commands::{
        CommandsError, Counts, DELIVERY_BYTES_MAX, DELIVERY_MAX, OPEN_COMMANDS_MAX, Order, Outcome,
        PARAMS_BYTES_MAX, Task,
    },
    selector::Selector,
    storage::migrate,
};
use pingup_protocol::command::ResultStatus;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn records() -> Connection {
    let records = Connection::open_in_memory().unwrap();
    migrate::SQLITE.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
    records.execute_batch("INSERT INTO agents (id, created_at) VALUES ('a', 0), ('b', 0)").unwrap();
    records
}

fn agent(name: &str) -> AgentId {
    AgentId::parse(name).unwrap()
}

fn order(agent_id: &str) -> Order {
    Order {
        agent_id: agent(agent_id),
        task: Task {
            action: "ping".to_owned(),
            params: "{}".to_owned(),
            ttl_seconds: 60,
            timeout_seconds: None,
        },
        idempotency_key: None,
        signed: None,
    }
}

fn queue_one(records: &Connection, order: &Order, now: Timestamp) -> CommandView {
    queue(records, order, now).unwrap().0
}

/// What `filter` shows, by id, a page of `limit` at a time.
fn pages(records: &Connection, filter: &Filter, limit: u64, now: Timestamp) -> Vec<Vec<String>> {
    let (mut pages, mut filter) = (Vec::new(), filter.clone());
    loop {
        let page = list(records, filter.clone(), limit, now).unwrap();
        let Some(last) = page.items.last() else { return pages };
        filter.after = Some((last.created_at.as_micros(), last.command_id.clone()));
        pages.push(page.items.into_iter().map(|view| view.command_id).collect());
    }
}

#[test]
fn ids_count_by_year_and_places_by_agent() {
    let records = records();
    let next_year = Timestamp::parse("2028-01-01T00:00:00Z").unwrap();
    let made: Vec<_> = [("a", NOW), ("b", NOW), ("a", NOW), ("a", next_year)]
        .map(|(agent_id, now)| queue_one(&records, &order(agent_id), now))
        .into_iter()
        .map(|view| (view.command_id, view.command_seq))
        .collect();
    let expected = [("CMD-2027-001", 1), ("CMD-2027-002", 1), ("CMD-2027-003", 2), ("CMD-2028-001", 3)];
    assert_eq!(made, expected.map(|(id, seq)| (id.to_owned(), seq)));
}

#[test]
fn open_commands_are_bounded_and_time_makes_room() {
    let records = records();
    for _ in 0..OPEN_COMMANDS_MAX {
        queue(&records, &order("a"), NOW).unwrap();
    }
    assert!(matches!(queue(&records, &order("a"), NOW), Err(CommandsError::TooManyOpen(_))));
    assert!(queue(&records, &order("b"), NOW).is_ok(), "others are not held up");
    assert!(queue(&records, &order("a"), NOW.plus_seconds(60)).is_ok());
}

#[test]
fn deliveries_are_bounded_by_count_and_come_in_order() {
    let records = records();
    for _ in 0..DELIVERY_MAX + 3 {
        queue(&records, &order("a"), NOW).unwrap();
    }
    let places = |after| -> Vec<u64> {
        let due = due(&records, &agent("a"), after, NOW).unwrap();
        due.commands.into_iter().map(|due| due.command.command_seq).collect()
    };
    assert_eq!(places(0), Vec::from_iter(1..=DELIVERY_MAX as u64));
    assert_eq!(places(DELIVERY_MAX as u64), Vec::from_iter((1..=3).map(|n| DELIVERY_MAX as u64 + n)));
    assert_eq!(count_pending(&records, "a", NOW).unwrap(), DELIVERY_MAX as u64 + 3);
    assert_eq!(count_pending(&records, "a", NOW.plus_seconds(60)).unwrap(), 0);
}

#[test]
fn deliveries_are_bounded_by_bytes_but_never_empty() {
    let records = records();
    let params = format!(r#"{{"a":"{}"}}"#, "x".repeat(PARAMS_BYTES_MAX - r#"{"a":""}"#.len()));
    for _ in 0..4 {
        let task = Task { params: params.clone(), ..order("a").task };
        queue(&records, &Order { task, ..order("a") }, NOW).unwrap();
    }
    let due = due(&records, &agent("a"), 0, NOW).unwrap();
    assert_eq!(due.commands.len(), DELIVERY_BYTES_MAX / PARAMS_BYTES_MAX);
}

#[test]
fn what_was_cancelled_in_between_is_not_marked() {
    let records = records();
    let ids = [(); 2].map(|()| queue_one(&records, &order("a"), NOW).command_id);
    cancel(&records, &ids[0], NOW).unwrap();
    let delivery = |id: &String| Delivery { command_id: id.clone(), signature: "s".to_owned() };
    let marked = mark_delivered(&records, &ids.each_ref().map(delivery), NOW).unwrap();
    assert_eq!(marked, [(ids[1].clone(), true)]);
    let marked = mark_delivered(&records, &[delivery(&ids[1])], NOW.plus_seconds(1)).unwrap();
    assert_eq!(marked, [(ids[1].clone(), false)]);
    let view = find(&records, &ids[1], NOW).unwrap().unwrap();
    assert_eq!(view.delivered_at, Some(NOW), "the first time counts");
    assert_eq!(view.status, CommandStatus::Delivered);
}

#[test]
fn lists_are_filtered_and_paged_the_newest_first() {
    let records = records();
    for number in 0..12 {
        let order = if number % 3 == 0 { order("b") } else { order("a") };
        queue_one(&records, &order, NOW.plus_seconds(number / 6 * 30));
    }
    let id = |number: u64| pingup_protocol::ids::command_id(2027, number);
    let all = pages(&records, &Filter::default(), 5, NOW);
    assert_eq!(all.concat(), Vec::from_iter((1..=12).rev().map(id)));
    assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 2]);

    let of_b = Filter { agent_id: Some("b".to_owned()), ..Filter::default() };
    assert_eq!(pages(&records, &of_b, 100, NOW).concat(), [id(10), id(7), id(4), id(1)]);
    let late = Filter { since: Some(NOW.plus_seconds(30)), ..Filter::default() };
    assert_eq!(pages(&records, &late, 100, NOW).concat().len(), 6);
    let other = Filter { action: Some("exec".to_owned()), ..Filter::default() };
    assert!(pages(&records, &other, 100, NOW).is_empty());
    let with = |status| Filter { status: Some(status), ..Filter::default() };
    let later = NOW.plus_seconds(60);
    for (status, count) in
        [(CommandStatus::Pending, 6), (CommandStatus::Expired, 6), (CommandStatus::Failed, 0)]
    {
        assert_eq!(pages(&records, &with(status), 100, later).concat().len(), count, "{status:?}");
    }
}

#[test]
fn a_page_goes_on_where_ids_grow_longer() {
    let records = records();
    records.execute_batch("INSERT INTO command_numbers VALUES (2027, 997)").unwrap();
    for _ in 0..4 {
        queue_one(&records, &order("a"), NOW);
    }
    let ids = ["CMD-2027-1001", "CMD-2027-1000", "CMD-2027-999", "CMD-2027-998"];
    assert_eq!(pages(&records, &Filter::default(), 1, NOW).concat(), ids);
}

#[test]
fn an_agent_that_goes_takes_what_is_open_with_it() {
    let records = records();
    let late = Order { task: Task { ttl_seconds: 1, ..order("a").task }, ..order("a") };
    let ids = [order("a"), order("a"), late, order("a"), order("b")]
        .map(|order| queue_one(&records, &order, NOW).command_id);
    let outcome = Outcome {
        status: ResultStatus::Failed,
        exit_code: None,
        output: None,
        started_at: NOW,
        finished_at: NOW,
    };
    let delivery = |id: &String| Delivery { command_id: id.clone(), signature: "s".to_owned() };
    mark_delivered(&records, &[delivery(&ids[1]), delivery(&ids[3])], NOW).unwrap();
    assert!(!keep_result(&records, &agent("a"), (&ids[3], 4), &outcome, NOW).unwrap().is_of_batch);
    let now = NOW.plus_seconds(1);
    let ended = cancel_open(&records, &agent("a"), now).unwrap();
    assert_eq!(ended.len(), 3);
    assert!(ended.iter().all(|change| change.agent_id == agent("a") && change.at == now));
    let statuses = ids.each_ref().map(|id| find(&records, id, now).unwrap().unwrap().status);
    use CommandStatus::{Cancelled, Expired, Failed, Pending};
    assert_eq!(statuses, [Cancelled, Cancelled, Expired, Failed, Pending]);
    let counted = count_by_status(&records).unwrap();
    assert!(counted.contains(&("cancelled".to_owned(), 2)) && counted.contains(&("pending".to_owned(), 1)));
}

#[test]
fn what_concerns_an_agent_now_is_found_without_reading_what_was() {
    let records = records();
    let plan = |sql: &str| -> String {
        let mut statement = records.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map(["a"], |row| row.get::<_, String>(3)).unwrap();
        steps.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("; ")
    };
    for tail in
        ["", "AND seq > 5 AND +expires_at > 0 ORDER BY seq", "AND +status = 'pending' AND +expires_at > 0"]
    {
        let found = plan(&format!("SELECT count(*) FROM commands WHERE {OPEN} {tail}"));
        assert!(found.contains("commands_open"), "{found}");
    }
}
