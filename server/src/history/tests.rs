//! Questions to a real DuckDB, against what a plain walk over the same rows says.

use super::{
    plan::{Plan, Question},
    store::{self, HistoryError},
    *,
};
use crate::storage::scratch::Scratch;
use duckdb::Connection;
use std::time::Duration;

mod answers;

const SECOND: i64 = 1_000_000;

/// A row every second from `first` on, every third without cpu, with `load1` and, on even seconds, `swap`.
fn insert(connection: &Connection, first: i64, rows: i64) {
    connection
        .execute_batch(&format!(
            "INSERT INTO metrics SELECT 'a', make_timestamp((n + {first}) * {SECOND}),
                CASE WHEN n % 3 > 0 THEN n END, 50, NULL, NULL, 'online', 1, n + 1,
                MAP {{'load1': n / 2.0}}::MAP(VARCHAR, DOUBLE) FROM range({rows}) AS t(n) WHERE n % 2 = 1
             UNION ALL SELECT 'a', make_timestamp((n + {first}) * {SECOND}),
                CASE WHEN n % 3 > 0 THEN n END, 50, NULL, NULL, 'online', 1, n + 1,
                MAP {{'load1': n / 2.0, 'swap': 7}}::MAP(VARCHAR, DOUBLE) FROM range({rows}) AS t(n) WHERE n % 2 = 0"
        ))
        .unwrap();
}

fn with_rows(first: i64, rows: i64, check: impl FnOnce(&Connection)) {
    let scratch = Scratch::new();
    scratch
        .duck()
        .write_blocking(|connection| {
            insert(connection, first, rows);
            check(connection);
            Ok(())
        })
        .unwrap();
}

/// The whole answer, page by page.
fn ask<T>(question: &Question<'_>, page: impl Fn(Plan) -> Result<Listing<T>, HistoryError>) -> Vec<T> {
    let (mut all, mut question) = (Vec::new(), question.clone());
    loop {
        let plan = Plan::new(question.clone(), Timestamp::from_micros(0)).unwrap();
        let listing = page(plan).unwrap();
        all.extend(listing.items);
        match listing.next {
            Some(next) => question.after = Some(next),
            None => return all,
        }
    }
}

fn ask_rows(connection: &Connection, question: &Question<'_>) -> Vec<Row> {
    ask(question, |plan| match plan {
        Plan::Rows(plan) => store::rows(connection, "a", &plan),
        Plan::Buckets(plan) => panic!("{plan:?}"),
    })
}

fn ask_buckets(connection: &Connection, question: &Question<'_>) -> Vec<Bucket> {
    ask(question, |plan| match plan {
        Plan::Buckets(plan) => store::buckets(connection, "a", &plan),
        Plan::Rows(plan) => panic!("{plan:?}"),
    })
}

fn range(from: i64, to: i64) -> Question<'static> {
    let at = |seconds| Some(Timestamp::from_micros(seconds * SECOND));
    Question { from: at(from), to: at(to), limit: 1_000, ..Question::default() }
}

#[test]
fn rows_come_in_order_and_every_page_size_tells_each_once() {
    with_rows(0, 60, |connection| {
        // Several rows of one moment: without numbers, of an older boot, of a newer.
        connection
            .execute_batch(
                "INSERT INTO metrics (agent_id, timestamp, status, boot, seq) VALUES
                 ('a', make_timestamp(5000000), 'old', 0, 3), ('a', make_timestamp(5000000), 'new', 2, 1),
                 ('a', make_timestamp(5000000), 'none', NULL, NULL), ('a', make_timestamp(5000000), 'old2', 0, 4),
                 ('b', make_timestamp(5000000), 'another', 1, 1)",
            )
            .unwrap();
        let all = ask_rows(connection, &range(2, 9));
        let statuses: Vec<_> = all.iter().map(|row| row.status.as_str()).collect();
        assert_eq!(
            statuses,
            [
                "online", "online", "online", "none", "old", "old2", "online", "new", "online", "online",
                "online"
            ]
        );
        assert!(all.is_sorted_by_key(|row| row.timestamp));
        for limit in [1, 2, 3, 7] {
            assert_eq!(ask_rows(connection, &Question { limit, ..range(2, 9) }), all, "{limit} a page");
        }
    });
}

#[test]
fn what_was_not_measured_is_left_out_and_fields_choose() {
    with_rows(0, 4, |connection| {
        let json = |fields| {
            let rows = ask_rows(connection, &Question { fields, ..range(0, 2) });
            serde_json::to_string(&rows).unwrap()
        };
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
    });
}

#[test]
fn buckets_are_aligned_before_1970_too_and_hold_what_a_walk_finds() {
    with_rows(-30, 100, |connection| {
        let step = Some(Duration::from_secs(7));
        let question = Question { step, ..range(-25, 61) };
        let buckets = ask_buckets(connection, &question);
        let rows = ask_rows(connection, &range(-25, 61));
        let start = |row: &Row| row.timestamp.as_micros().div_euclid(7 * SECOND) * 7 * SECOND;
        let mut counted = 0;
        for bucket in &buckets {
            let inside: Vec<_> = rows.iter().filter(|row| start(row) == bucket.start.as_micros()).collect();
            assert_eq!(bucket.count, inside.len() as u64);
            counted += inside.len();
            let names: Vec<_> = bucket.metrics.0.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["cpu", "ram", "load1", "swap"]);
            let walk = |value: &dyn Fn(&Row) -> Option<f64>| {
                let values: Vec<f64> = inside.iter().filter_map(|row| value(row)).collect();
                Aggregate {
                    min: values.iter().copied().fold(f64::INFINITY, f64::min),
                    max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                    avg: values.iter().sum::<f64>() / values.len() as f64,
                    last: *values.last().unwrap(),
                }
            };
            assert_eq!(bucket.metrics.0[0].1, walk(&|row| row.metrics.cpu));
            assert_eq!(
                bucket.metrics.0[2].1,
                walk(&|row| row.metrics.further.first().map(|(_, value)| *value))
            );
        }
        assert_eq!(counted, rows.len());
        for limit in [1, 4] {
            assert_eq!(ask_buckets(connection, &Question { limit, ..question.clone() }), buckets);
        }
        let named = ask_buckets(connection, &Question { fields: Some("swap,disk"), ..question });
        assert!(named.iter().all(|bucket| bucket.metrics.0.len() == 1 && bucket.metrics.0[0].0 == "swap"));
    });
}

#[test]
fn a_page_ends_early_when_it_would_hold_too_many_measurements() {
    let scratch = Scratch::new();
    scratch
        .duck()
        .write_blocking(|connection| {
            // Each row names 64 of its own: 4 000 rows are more than a page may tell.
            connection.execute_batch(&format!(
                "INSERT INTO metrics SELECT 'a', make_timestamp(n * {SECOND}), 1, 1, 1, 1, 'x', 1, n + 1,
                    map_from_entries(list_transform(range(64), lambda i: (printf('m%d', n * 64 + i), i::DOUBLE)))
                 FROM range(4000) AS t(n)"
            ))?;
            let question = Question { limit: 10_000, ..range(0, 4_000) };
            let Plan::Rows(plan) = Plan::new(question.clone(), Timestamp::default()).unwrap() else { panic!("rows") };
            let page = store::rows(connection, "a", &plan).unwrap();
            assert_eq!(page.items.len(), PAGE_MEASUREMENTS_MAX.div_ceil(68));
            assert!(page.next.is_some());
            assert_eq!(ask_rows(connection, &question).len(), 4_000);

            let by_minute = Question { step: Some(Duration::from_secs(60)), ..question.clone() };
            let buckets = ask_buckets(connection, &by_minute);
            assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 4_000);
            assert_eq!(buckets.iter().map(|bucket| bucket.metrics.0.len() as u64 - 4).sum::<u64>(), 64 * 4_000);

            let in_one = Question { step: Some(Duration::from_secs(4_000)), ..question };
            let Plan::Buckets(plan) = Plan::new(in_one, Timestamp::default()).unwrap() else { panic!("buckets") };
            let refused = store::buckets(connection, "a", &plan).unwrap_err();
            assert!(matches!(&refused, HistoryError::Plan(error) if error.parameter == "fields"), "{refused}");
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_newest_row_is_the_newest_by_time_then_by_number() {
    with_rows(0, 5, |connection| {
        let newest = |from: i64| store::newest(connection, "a", Timestamp::from_micros(from)).unwrap();
        assert_eq!(newest(-i64::MAX).unwrap().timestamp.as_micros(), 4 * SECOND);
        assert_eq!(newest(4 * SECOND + 1), None);
        connection
            .execute_batch("INSERT INTO metrics (agent_id, timestamp, status, boot, seq) VALUES ('a', make_timestamp(4000000), 'later', 2, 1)")
            .unwrap();
        assert_eq!(newest(0).unwrap().status, "later");
    });
}
