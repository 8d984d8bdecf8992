//! The chain against a real SQLite: what it is made of, and what it notices.

use super::{
    Entry, Head,
    store::{self, Filter},
    walk::{Broken, Walk},
};
use crate::{
    auth::Role,
    deed::{Act, By, Deed, Who},
    storage::migrate,
};
use pingup_protocol::{problem::ProblemType, time::Timestamp};
use rusqlite::Connection;
use sha2::{Digest, Sha256};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_123_456);

fn records() -> Connection {
    let records = Connection::open_in_memory().unwrap();
    migrate::SQLITE.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
    records
}

fn ada() -> By {
    let who = Who::Operator { name: "ada \u{202e}<b>".to_owned(), role: Role::Admin, token: None };
    By::over(who, "10.0.0.1".parse().unwrap())
}

/// So many rows, of which the third is a refusal.
fn chain(rows: u64) -> Connection {
    let (records, by) = (records(), ada());
    for number in 1..=rows {
        let deed = Deed::new(Act::ConfigSet, &by, NOW.plus_seconds(number as i64))
            .agent("a")
            .with("version", number);
        let deed = if number == 3 { deed.refused(ProblemType::ScopeDenied).times(7) } else { deed };
        store::record(&records, &deed).unwrap();
    }
    records
}

/// What somebody with a text editor for databases may do.
fn tamper(records: &Connection, sql: &str) {
    records
        .execute_batch(&format!(
            "DROP TRIGGER audit_goes_on; DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_deleted; {sql}"
        ))
        .unwrap();
}

fn walk(records: &Connection, expected: Option<Head>) -> Result<Head, Broken> {
    let mut walk = Walk::new(store::genesis(records).unwrap(), expected);
    let rows = store::behind(records, 0, 1_000).unwrap();
    for (place, entry) in rows.iter().enumerate() {
        walk.step(entry, &rows[place + 1..])?;
    }
    walk.end()
}

#[test]
fn each_row_has_the_hash_of_the_one_before_in_its_own() {
    let records = chain(3);
    let head = store::head(&records).unwrap();
    assert_eq!(walk(&records, None), Ok(head));
    assert_eq!(head.count, 3);
    // As somebody would who has nothing but what the API tells.
    let mut hash = store::genesis(&records).unwrap();
    for entry in store::behind(&records, 0, 10).unwrap() {
        let mut told = serde_json::to_value(&entry).unwrap();
        told.as_object_mut().unwrap().remove("hash");
        // Names sorted, no number but whole ones: that is its canonical form.
        let canonical = serde_json::to_vec(&told).unwrap();
        hash = Sha256::new().chain_update(hash).chain_update(canonical).finalize().into();
        assert_eq!(hash, entry.hash);
    }
    assert_eq!(hash, head.hash);
    assert_ne!(store::genesis(&records).unwrap(), store::genesis(&chain(1)).unwrap(), "each hub has its own");
}

#[test]
fn the_engine_itself_refuses_to_change_or_delete_rows() {
    let records = chain(2);
    for sql in [
        "UPDATE audit SET who = 'bob' WHERE seq = 1",
        "DELETE FROM audit WHERE seq = 2",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT 1, at, act, by_kind, who, role, came_from, agent_id, subject, detail, result,
             times, hash FROM audit WHERE seq = 2",
        "INSERT INTO audit SELECT 9, at, act, by_kind, who, role, came_from, agent_id, subject, detail, result, times,
             hash FROM audit WHERE seq = 2",
        "UPDATE audit_genesis SET hash = zeroblob(32)",
        "DELETE FROM audit_genesis",
    ] {
        assert!(records.execute_batch(sql).is_err(), "{sql}");
    }
    assert_eq!(walk(&records, None), Ok(store::head(&records).unwrap()));
}

#[test]
fn whatever_is_done_to_a_row_is_noticed_at_that_row() {
    for column in ["at", "times"] {
        let records = chain(5);
        tamper(&records, &format!("UPDATE audit SET {column} = {column} + 1 WHERE seq = 3"));
        assert_eq!(walk(&records, None), Err(Broken::Changed(3)), "{column}");
    }
    for column in ["act", "by_kind", "who", "role", "came_from", "agent_id", "subject", "detail", "result"] {
        for value in ["'x'", "'{}'", "'token.created'"] {
            let records = chain(5);
            tamper(&records, &format!("UPDATE audit SET {column} = {value} WHERE seq = 3"));
            assert_eq!(walk(&records, None), Err(Broken::Changed(3)), "{column}");
        }
    }
    let records = chain(5);
    tamper(&records, "UPDATE audit SET hash = zeroblob(32) WHERE seq = 3");
    assert_eq!(walk(&records, None), Err(Broken::Changed(3)));
    tamper(
        &chain(1),
        "DROP TRIGGER audit_genesis_is_not_changed; UPDATE audit_genesis SET hash = zeroblob(32)",
    );
}

#[test]
fn a_row_is_shown_on_one_line_whatever_stands_between_its_parts() {
    let records = chain(1);
    let detail = || store::behind(&records, 0, 1).unwrap().remove(0).detail;
    let before = detail();
    tamper(&records, "UPDATE audit SET detail = '{' || char(13, 10, 9) || substr(detail, 2)");
    assert_eq!(detail().get(), before.get());
    assert_eq!(walk(&records, None), Ok(store::head(&records).unwrap()), "it says what it said");
}

#[test]
fn missing_and_moved_rows_are_told_apart() {
    let records = chain(6);
    tamper(&records, "DELETE FROM audit WHERE seq IN (3, 4)");
    assert_eq!(walk(&records, None), Err(Broken::Missing { first: 3, next: 5 }));
    let records = chain(6);
    tamper(&records, "DELETE FROM audit WHERE seq = 1");
    assert_eq!(walk(&records, None), Err(Broken::Missing { first: 1, next: 2 }));
    for (one, other) in [(2, 3), (2, 5)] {
        let records = chain(6);
        let swap = format!(
            "UPDATE audit SET seq = 99 WHERE seq = {one}; UPDATE audit SET seq = {one} WHERE seq = {other};
             UPDATE audit SET seq = {other} WHERE seq = 99;"
        );
        tamper(&records, &swap);
        assert_eq!(walk(&records, None), Err(Broken::Moved { at: one, was: other }));
    }
}

#[test]
fn a_head_that_was_kept_tells_of_a_cut_end_and_of_another_chain() {
    let records = chain(6);
    let [fourth, sixth] = [4, 6].map(|count| {
        let Entry { seq, hash, .. } = store::behind(&records, count - 1, 1).unwrap().remove(0);
        Some(Head { count: seq, hash })
    });
    assert!(walk(&records, fourth).is_ok() && walk(&records, sixth).is_ok());
    tamper(&records, "DELETE FROM audit WHERE seq > 4");
    assert!(walk(&records, None).is_ok(), "by itself it is whole");
    assert!(walk(&records, fourth).is_ok());
    assert_eq!(walk(&records, sixth), Err(Broken::Cut { there: 4, expected: 6 }));
    let other = chain(6);
    assert!(matches!(walk(&other, fourth), Err(Broken::Other { count: 4, .. })));
    let nothing = self::records();
    let begun = Some(store::head(&nothing).unwrap());
    assert_eq!(walk(&nothing, begun), Ok(store::head(&nothing).unwrap()));
    for rows in [0, 3] {
        assert!(matches!(walk(&chain(rows), begun), Err(Broken::Other { count: 0, .. })));
    }
}

#[test]
fn rows_have_their_bounds() {
    let (records, by) = (records(), By { who: Who::CommandLine("é".repeat(1_000)), address: None });
    store::record(&records, &Deed::new(Act::TokenCreated, &by, NOW)).unwrap();
    let long = "x".repeat(super::DETAIL_BYTES_MAX);
    assert!(store::record(&records, &Deed::new(Act::TokenCreated, &by, NOW).with("a", long)).is_err());
    let row = store::behind(&records, 0, 10).unwrap().remove(0);
    assert_eq!(row.who.map(|who| who.len()), Some(super::NAME_BYTES_MAX));
    assert_eq!(store::head(&records).unwrap().count, 1);
}

#[test]
fn lists_are_filtered_and_paged_the_newest_first() {
    let (records, by) = (chain(5), By::HUB);
    store::record(&records, &Deed::new(Act::CommandsLapsed, &by, NOW.plus_seconds(6))).unwrap();
    let found = |filter: Filter, limit| {
        let found = store::list(&records, filter, limit).unwrap();
        (found.items.into_iter().map(|entry| entry.seq).collect::<Vec<_>>(), found.more)
    };
    assert_eq!(found(Filter::default(), 4), (vec![6, 5, 4, 3], true));
    assert_eq!(found(Filter { before: Some(3), ..Filter::default() }, 4), (vec![2, 1], false));
    let time = Filter { from: Some(NOW.plus_seconds(2)), to: Some(NOW.plus_seconds(4)), ..Filter::default() };
    assert_eq!(found(time, 9).0, [3, 2]);
    assert_eq!(found(Filter { act: Some(Act::CommandsLapsed), ..Filter::default() }, 9).0, [6]);
    assert_eq!(found(Filter { agent_id: Some("a".to_owned()), ..Filter::default() }, 9).0, [5, 4, 3, 2, 1]);
    assert!(found(Filter { who: Some("bob".to_owned()), ..Filter::default() }, 9).0.is_empty());
}
