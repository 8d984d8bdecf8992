//! Questions to a real store, against what a plain walk over the same samples says.

use super::{
    plan::{Plan, Question},
    *,
};
use crate::tsdb::{
    record::{OwnedRows, OwnedSample},
    testing::{Bench, agent_id},
};
use std::{sync::LazyLock, time::Duration};
use tokio::runtime::Runtime;

mod answers;
mod arrangements;
mod behind;
mod extremes;
mod fleet;

const SECOND: i64 = 1_000_000;

/// Answers come on a runtime; a bench's own work blocks, and so does not.
fn wait<T>(answer: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    RUNTIME.block_on(answer)
}

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * SECOND)
}

/// A sample of `a` every second from `first` on, every third without cpu, with `load1` and, on even seconds,
/// `swap`.
fn samples(first: i64, count: i64) -> Vec<OwnedSample> {
    let one = |n: i64| {
        let mut further = vec![("load1".to_owned(), n as f64 / 2.0)];
        further.extend((n % 2 == 0).then(|| ("swap".to_owned(), 7.0)));
        let cpu = (n % 3 > 0).then_some(n as f64);
        let metrics = Measurements { cpu, ram: Some(50.0), further, ..Measurements::default() };
        sample("a", Some((1, n.cast_unsigned() + 1)), at(first + n), "online", metrics)
    };
    (0..count).map(one).collect()
}

fn sample(
    agent: &str,
    stream: Option<(u64, u64)>,
    timestamp: Timestamp,
    status: &str,
    metrics: Measurements,
) -> OwnedSample {
    OwnedSample { agent_id: agent_id(agent), stream, timestamp, status: status.to_owned(), metrics }
}

fn append(bench: &mut Bench, samples: Vec<OwnedSample>) {
    bench.append(&OwnedRows { samples, ..OwnedRows::default() }).unwrap();
}

/// Agents that begin with `a` are known, one of them removed.
fn standing(_: &rusqlite::Connection, agent_id: &str) -> rusqlite::Result<Standing> {
    Ok(match agent_id {
        "a-removed" => Standing::Removed,
        known if known.starts_with('a') => Standing::Living,
        _ => Standing::Unknown,
    })
}

fn room(bench: &Bench, now: Timestamp) -> Arc<History> {
    let (tsdb, readers, sqlite) = (bench.tsdb.clone(), bench.engine.readers().clone(), bench.sqlite.clone());
    Arc::new(History::new(tsdb, readers, sqlite, Clock::fixed(now), Arc::default(), standing))
}

fn range(from: i64, to: i64) -> Question<'static> {
    Question { from: Some(at(from)), to: Some(at(to)), limit: 1_000, ..Question::default() }
}

fn plan_of(room: &History, question: &Question<'_>) -> Plan {
    Plan::new(question.clone(), room.clock.now(), &room.tsdb.retention()).unwrap()
}

fn rows_page(room: &History, question: &Question<'_>) -> Listing<Row> {
    let Plan::Rows(plan) = plan_of(room, question) else { panic!("buckets") };
    wait(room.rows(agent_id("a"), plan, |page, _| Ok::<_, HistoryError>(page))).unwrap()
}

fn buckets_page(
    room: &History,
    agent: &str,
    question: &Question<'_>,
) -> Result<Listing<Bucket>, HistoryError> {
    let Plan::Buckets(plan) = plan_of(room, question) else { panic!("rows") };
    wait(room.buckets(Some(agent_id(agent)), plan, |page, _| Ok(page)))
}

/// The whole answer, page by page.
fn rows(room: &History, question: &Question<'_>) -> Vec<Row> {
    let (mut all, mut question) = (Vec::new(), question.clone());
    loop {
        let page = rows_page(room, &question);
        all.extend(page.items);
        match page.next {
            Some(next) => question.after = Some(next),
            None => return all,
        }
    }
}

/// The whole answer, page by page, and the tiers of all pages.
fn buckets(room: &History, agent: &str, question: &Question<'_>) -> (Vec<Bucket>, String) {
    let (mut all, mut tiers, mut question) = (Vec::new(), Tiers::default(), question.clone());
    loop {
        let page = buckets_page(room, agent, &question).unwrap();
        all.extend(page.items);
        tiers.0.extend(page.tiers.0);
        match page.next {
            Some(next) => question.after = Some(next),
            None => return (all, tiers.joined()),
        }
    }
}

#[test]
fn rows_come_in_order_and_every_page_size_tells_each_once() {
    let mut bench = Bench::new();
    append(&mut bench, samples(0, 30));
    // Several rows of one moment: without numbers, of an older boot, of a newer; some on disk, some not.
    let moment = |agent, stream, status| sample(agent, stream, at(5), status, Measurements::default());
    append(&mut bench, vec![moment("a", Some((0, 3)), "old"), moment("a", None, "none")]);
    bench.seal_all();
    append(&mut bench, vec![moment("a", Some((2, 1)), "new"), moment("a", Some((0, 4)), "old2")]);
    append(&mut bench, vec![moment("b", Some((1, 1)), "another")]);
    let room = room(&bench, at(100));
    let all = rows(&room, &range(2, 9));
    let statuses: Vec<_> = all.iter().map(|row| row.status.as_str()).collect();
    let wanted = "online online online none old old2 online new online online online";
    assert_eq!(statuses.join(" "), wanted);
    assert!(all.is_sorted_by_key(|row| row.timestamp));
    for limit in [1, 2, 3, 7] {
        assert_eq!(rows(&room, &Question { limit, ..range(2, 9) }), all, "{limit} a page");
    }
}

#[test]
fn what_was_not_measured_is_left_out_and_fields_choose() {
    for is_sealed in [false, true] {
        let mut bench = Bench::new();
        append(&mut bench, samples(0, 4));
        if is_sealed {
            bench.seal_all();
        }
        let room = room(&bench, at(100));
        let json = |fields| serde_json::to_string(&rows(&room, &Question { fields, ..range(0, 2) })).unwrap();
        assert_eq!(
            json(None),
            r#"[{"timestamp":"1970-01-01T00:00:00Z","status":"online","metrics":{"ram":50.0,"load1":0.0,"swap":7.0}},"#
                .to_owned()
                + r#"{"timestamp":"1970-01-01T00:00:01Z","status":"online","metrics":{"cpu":1.0,"ram":50.0,"load1":0.5}}]"#
        );
        assert_eq!(
            json(Some("cpu,load1,unknown")),
            r#"[{"timestamp":"1970-01-01T00:00:00Z","status":"online","metrics":{"load1":0.0}},"#.to_owned()
                + r#"{"timestamp":"1970-01-01T00:00:01Z","status":"online","metrics":{"cpu":1.0,"load1":0.5}}]"#
        );
    }
}

#[test]
fn a_page_ends_early_when_it_would_hold_too_many_measurements() {
    for is_sealed in [false, true] {
        let mut bench = Bench::new();
        // Each row names 64 of its own: 4 000 rows are more than a page may tell.
        let one = |n: i64| {
            let further = (0..64).map(|i| (format!("m{}", n * 64 + i), i as f64)).collect();
            let (cpu, ram, disk, latency) = (Some(1.0), Some(1.0), Some(1.0), Some(1.0));
            let stream = Some((1, n.cast_unsigned() + 1));
            sample("a", stream, at(n), "x", Measurements { cpu, ram, disk, latency, further })
        };
        (0..4).for_each(|part| append(&mut bench, (part * 1_000..(part + 1) * 1_000).map(one).collect()));
        if is_sealed {
            bench.seal_all();
        }
        let room = room(&bench, at(100));
        let question = Question { limit: 10_000, ..range(0, 4_000) };
        let page = rows_page(&room, &question);
        assert_eq!(page.items.len(), PAGE_MEASUREMENTS_MAX.div_ceil(68));
        assert!(page.next.is_some());
        assert_eq!(rows(&room, &question).len(), 4_000);

        let by_minute = Question { step: Some(Duration::from_secs(60)), ..question.clone() };
        assert!(buckets_page(&room, "a", &by_minute).unwrap().next.is_some());
        let (found, _) = buckets(&room, "a", &by_minute);
        assert_eq!(found.iter().map(|bucket| bucket.count).sum::<u64>(), 4_000);
        assert_eq!(found.iter().map(|bucket| bucket.metrics.0.len() as u64 - 4).sum::<u64>(), 64 * 4_000);

        for step in [Duration::from_secs(4_000), Duration::from_secs(7_200)] {
            let in_one = Question { step: Some(step), ..question.clone() };
            let refused = buckets_page(&room, "a", &in_one).unwrap_err();
            assert!(
                matches!(&refused, HistoryError::Plan(error) if error.parameter == "fields"),
                "{refused}"
            );
        }
    }
}
