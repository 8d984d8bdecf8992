//! Values at the end of what a double holds, and names that columns have: the same answers wherever samples lie, in
//! every form.

use super::*;
use crate::{
    history::handler,
    http::{query::Params, respond::Representation},
    tsdb::testing::{NOW, RETENTION},
};
use arrow::{array::RecordBatch, ipc::reader::StreamReader};
use axum::{
    body::{Bytes, to_bytes},
    extract::{Path, State},
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

const DAY_SECONDS: i64 = 86_400;
const LARGE: [f64; 6] = [1.5e308, 1.7e308, 1.6e308, -1.2e308, 1.75e308, f64::MAX];

/// Two agents' samples of half a minute, their `load1` so large that no double holds its sum.
fn large(first: i64) -> Vec<OwnedSample> {
    let one = |(n, value): (i64, f64)| {
        let further = vec![("load1".to_owned(), value)];
        let metrics = Measurements { further, ..Measurements::default() };
        let stream = Some((1, n.unsigned_abs() + 1));
        sample(["a", "b"][usize::from(n % 2 == 1)], stream, at(first + n * 5), "online", metrics)
    };
    (0..).zip(LARGE).map(one).collect()
}

/// Asks by the minute and by the hour, the agent and the fleet: one bucket each, its mean that of the samples.
fn check(room: &History, first: i64, when: &str) {
    for (agent, values) in [(Some("a"), [LARGE[0], LARGE[2], LARGE[4]].to_vec()), (None, LARGE.to_vec())] {
        let mean = values.iter().map(|value| value / values.len() as f64).sum::<f64>();
        for step in [60, 3_600] {
            let (fields, step) = (Some("load1"), Some(Duration::from_secs(step)));
            let question = Question { fields, step, ..range(first, first + 3_600) };
            let plan = Plan::fleet(question, NOW, &RETENTION).unwrap();
            let tell = |page: Listing<Bucket>, _: &_| Ok::<_, HistoryError>(page.items);
            let found = wait(room.buckets(agent.map(agent_id), plan, tell)).unwrap();
            assert_eq!(found.len(), 1, "{when}, {agent:?}, {step:?}");
            let [(name, sum)] = &found[0].metrics.0[..] else { panic!("{found:?}") };
            assert_eq!((&**name, sum.count), ("load1", values.len() as u64), "{when}, {agent:?}");
            assert!(
                (sum.avg / mean - 1.0).abs() < 1e-12,
                "{when}, {agent:?}, {step:?}: {sum:?} is not {mean}"
            );
            assert!(!serde_json::to_string(&found).unwrap().contains("null"), "{when}: {found:?}");
        }
    }
}

#[test]
fn means_of_the_largest_values_are_told_wherever_samples_lie() {
    let mut bench = Bench::new();
    let first = (NOW.as_micros() / SECOND).div_euclid(DAY_SECONDS) * DAY_SECONDS - 2 * DAY_SECONDS;
    let room = room(&bench, NOW);
    let (early, late) = large(first).into_iter().partition(|sample| sample.timestamp < at(first + 15));
    append(&mut bench, early);
    bench.seal_all();
    append(&mut bench, late);
    check(&room, first, "half of it in a file");
    bench.seal_all();
    check(&room, first, "in two files");
    bench.clock.advance(3_600);
    bench.compact_all();
    check(&room, first, "merged");
    bench.clock.advance(31 * DAY_SECONDS);
    bench.retain_all();
    check(&room, first, "rolled up by the minute");
    assert!(rows(&room, &range(first, first + 3_600)).is_empty(), "the samples are gone");
}

fn columns(room: &Arc<History>, query: &str, form: Representation) -> Vec<String> {
    let answer = handler::get(State(Arc::clone(room)), Path("a".to_owned()), Params::parse(query), form);
    let body: Bytes = wait(to_bytes(wait(answer).unwrap().into_body(), 1 << 20)).unwrap();
    let batches: Vec<RecordBatch> = match form {
        Representation::Arrow => {
            StreamReader::try_new(std::io::Cursor::new(body), None).unwrap().map(Result::unwrap).collect()
        }
        Representation::Parquet => {
            ParquetRecordBatchReader::try_new(body, 1_024).unwrap().map(Result::unwrap).collect()
        }
        _ => {
            let text = String::from_utf8(body.to_vec()).unwrap();
            return text.lines().next().unwrap().split(',').map(str::to_owned).collect();
        }
    };
    batches[0].schema().fields().iter().map(|field| field.name().clone()).collect()
}

/// Agents may measure what tables call their own columns.
#[test]
fn no_column_is_there_twice_in_any_form() {
    let mut bench = Bench::new();
    let further = ["count", "start", "status", "timestamp"].map(|name| (name.to_owned(), 1.0)).to_vec();
    let metrics = Measurements { further, ..Measurements::default() };
    append(&mut bench, vec![sample("a", Some((1, 1)), at(1), "online", metrics)]);
    let room = room(&bench, at(100));
    for form in [Representation::Csv, Representation::Arrow, Representation::Parquet] {
        assert_eq!(
            columns(&room, "fields=count,start,status,timestamp", form),
            ["timestamp", "status", "count", "start", "metrics.status", "metrics.timestamp"],
            "{form:?}"
        );
        let of_buckets = columns(&room, "step=1m&fields=count,status", form);
        let expected = "start count count_min count_max count_avg count_last count_count \
                        status_min status_max status_avg status_last status_count";
        assert_eq!(of_buckets.join(" "), expected, "{form:?}");
    }
}
