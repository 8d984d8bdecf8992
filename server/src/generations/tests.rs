//! Generations in real records: how they follow each other, and what is never given twice.

use super::*;
use crate::storage::migrate::SQLITE;
use pingup_protocol::keys::Secret;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const DAY: i64 = 24 * 3_600;

fn master(seed: u8) -> MasterId {
    MasterId::of(&Secret::new([seed; 32]))
}

fn first() -> KeyRow {
    KeyRow {
        generation: 1,
        salt: [1; SALT_BYTES],
        master: Some(master(1)),
        made_at: NOW,
        used_at: Some(NOW),
        ends_at: None,
    }
}

/// Records with agents of a first generation each.
fn records(agents: &[&str]) -> Connection {
    let records = Connection::open_in_memory().unwrap();
    SQLITE.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
    for id in agents {
        records.execute("INSERT INTO agents (id, created_at) VALUES (?1, 0)", [id]).unwrap();
        insert(&records, id, &first()).unwrap();
    }
    records
}

fn offer_at(records: &Connection, seed: u8, now: Timestamp) -> Offer {
    offer(records, "a", ([seed; SALT_BYTES], master(1)), now).unwrap().unwrap()
}

fn living(records: &Connection, now: Timestamp) -> Vec<u32> {
    (1..9).filter(|&generation| look(records, "a", generation, now).unwrap().is_some()).collect()
}

#[test]
fn the_same_next_one_is_offered_until_it_is_used() {
    let records = records(&["a"]);
    let made = offer_at(&records, 2, NOW);
    assert!(made.is_new && made.row.generation == 2);
    let again = offer_at(&records, 3, NOW.plus_seconds(5));
    assert_eq!(again, Offer { row: made.row.clone(), is_new: false }, "asked for twice, it is made once");
    let offered = |generation| look(&records, "a", generation, NOW).unwrap().unwrap().offered();
    assert_eq!((offered(1), offered(2)), (Some(made.row), None));
    note_use(&records, "a", 2, NOW).unwrap();
    assert_eq!(offered(1), None, "who has the old keys only gets no new ones any more");
}

#[test]
fn the_first_message_under_the_next_begins_the_end_of_the_one_before() {
    let records = records(&["a"]);
    offer_at(&records, 2, NOW);
    assert_eq!(living(&records, NOW.plus_seconds(1_000 * DAY)), [1, 2], "unused, it ends nothing");
    note_use(&records, "a", 2, NOW.plus_seconds(10)).unwrap();
    note_use(&records, "a", 2, NOW.plus_seconds(20)).unwrap();
    note_use(&records, "a", 1, NOW.plus_seconds(20)).unwrap();
    let end = NOW.plus_seconds(10 + ENDING_SECONDS);
    assert_eq!(living(&records, end.plus_seconds(-1)), [1, 2]);
    assert_eq!(living(&records, end), [2]);
    assert_eq!(find(&records, "a", 1).unwrap().unwrap().unwrap().ends_at, Some(end), "by the first one");
    assert_eq!(remove_ended(&records, end.plus_seconds(-1)).unwrap().len(), 0);
    assert_eq!(remove_ended(&records, end).unwrap(), ["a"]);
    assert_eq!((find(&records, "a", 1).unwrap(), find(&records, "b", 1).unwrap()), (Some(None), None));
}

#[test]
fn there_are_never_more_than_two() {
    let records = records(&["a"]);
    for generation in 2..7 {
        assert_eq!(offer_at(&records, 9, NOW).row.generation, generation);
        assert_eq!(living(&records, NOW), [generation - 1, generation]);
        note_use(&records, "a", generation, NOW).unwrap();
        assert_eq!(living(&records, NOW), [generation - 1, generation]);
    }
}

#[test]
fn a_number_is_never_given_twice() {
    let records = records(&["a"]);
    offer_at(&records, 2, NOW);
    assert_eq!(end_all(&records, "a").unwrap(), 2);
    assert_eq!(
        offer(&records, "a", ([0; SALT_BYTES], master(1)), NOW).unwrap(),
        None,
        "nothing to go on from"
    );
    assert_eq!(number_next(&records, "a").unwrap(), 3);
    assert_eq!(living(&records, NOW), [0_u32; 0]);
}

#[test]
fn those_whose_keys_are_old_are_due_the_oldest_first_and_a_few_at_a_time() {
    let records = records(&["a", "b", "c", "d"]);
    let made = |id: &str, at: Timestamp| {
        records
            .execute("UPDATE agent_keys SET created_at = ?2 WHERE agent_id = ?1", (id, at.as_micros()))
            .unwrap();
    };
    for (id, seconds) in [("a", 3), ("b", 1), ("c", 2), ("d", 9)] {
        made(id, NOW.plus_seconds(seconds));
    }
    let due = |limit| {
        due(&records, NOW.plus_seconds(9), limit).unwrap().iter().map(AgentId::to_string).collect::<Vec<_>>()
    };
    assert_eq!((due(9), due(2)), (vec!["b".into(), "c".into(), "a".into()], vec!["b".into(), "c".into()]));
    offer(&records, "b", ([0; SALT_BYTES], master(1)), NOW).unwrap();
    assert_eq!(due(9), ["c", "a"], "what is offered waits to be used");
}

#[test]
fn keys_are_told_apart_by_their_master_key() {
    let records = records(&["a", "b"]);
    records.execute("UPDATE agent_keys SET master = NULL WHERE agent_id = 'b'", []).unwrap();
    let others = |seed, has_former| count_of_others(&records, master(seed), has_former).unwrap();
    assert_eq!((others(1, true), others(2, true)), (1, 2), "one of before comes from another");
    assert_eq!((others(1, false), others(2, false)), (0, 1), "where there is another");
    let strangers = |one, other| count_of_strangers(&records, [master(one), master(other)]).unwrap();
    assert_eq!((strangers(1, 2), strangers(2, 3)), (0, 1), "of one of before nobody knows");
    assert_eq!(end_others(&records, master(1), false).unwrap(), 0);
    assert_eq!(end_others(&records, master(1), true).unwrap(), 1);
    assert_eq!(others(1, true), 0);
}

#[test]
fn figures_count_what_there_is() {
    let records = records(&["a", "b", "c"]);
    let later = NOW.plus_seconds(100);
    offer_at(&records, 2, later);
    note_use(&records, "a", 2, later).unwrap();
    offer(&records, "b", ([0; SALT_BYTES], master(2)), later).unwrap();
    let found = figures(&records, None, later.plus_seconds(1)).unwrap();
    let expected = KeyFigures { in_use: 3, offered: 1, ending: 1, former_master: 0, oldest_seconds: 101 };
    assert_eq!(found, expected);
    assert_eq!(figures(&records, Some(master(2)), later).unwrap().former_master, 4);
    assert_eq!(
        figures(&records, None, NOW.plus_seconds(-9)).unwrap().oldest_seconds,
        0,
        "a clock that was set back"
    );
}

#[test]
fn keys_of_before_are_in_use_and_count_on() {
    let records = Connection::open_in_memory().unwrap();
    let at = SQLITE.iter().position(|step| step.name == "generations").unwrap();
    let (before, since) = SQLITE.split_at(at);
    before.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
    records
        .execute_batch(
            "INSERT INTO agents (id, created_at) VALUES ('a', 0), ('gone', 0);
             INSERT INTO agent_keys (agent_id, generation, salt, created_at) VALUES ('a', 1, zeroblob(16), 7);",
        )
        .unwrap();
    since.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
    let row = find(&records, "a", 1).unwrap().unwrap().unwrap();
    assert_eq!((row.used_at, row.ends_at, row.master), (Some(Timestamp::from_micros(7)), None, None));
    assert_eq!((number_next(&records, "a").unwrap(), number_next(&records, "gone").unwrap()), (2, 2));
}
