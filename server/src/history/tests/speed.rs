//! How long questions take, on a history of some size; run by hand, in a release build.

use super::*;
use crate::tsdb::testing::NOW;
use std::time::Instant;

const AGENTS: i64 = 200;
const DAYS: i64 = 30;
/// A sample every five minutes but on the last day, which has one every 30 seconds.
const STEP_SECONDS: i64 = 300;
const LAST_DAY_STEP_SECONDS: i64 = 30;

fn filled() -> Bench {
    let mut bench = Bench::new();
    let now = NOW.as_micros() / SECOND;
    for day in (0..DAYS).rev() {
        let step = if day == 0 { LAST_DAY_STEP_SECONDS } else { STEP_SECONDS };
        for first in (0..86_400).step_by(3_600) {
            let one = |agent: i64, second: i64| {
                let moment = now - (day + 1) * 86_400 + second;
                let value = ((moment / 30 + agent * 7_919) % 1_009) as f64 / 10.09;
                let own = Some(value);
                let further = vec![("load1".to_owned(), value / 7.0), ("swap".to_owned(), value)];
                let metrics = Measurements { cpu: own, ram: own, disk: own, latency: own, further };
                let stream = Some((1, moment.unsigned_abs()));
                sample(&format!("a{agent:05}"), stream, at(moment), "online", metrics)
            };
            let moments = (first..first + 3_600).step_by(usize::try_from(step).unwrap());
            let all = moments.flat_map(|second| (0..AGENTS).map(move |agent| (agent, second)));
            append(&mut bench, all.map(|(agent, second)| one(agent, second)).collect());
            while bench.tsdb.has_to_seal() {
                bench.tsdb.seal_oldest().unwrap();
            }
        }
    }
    // Periods that are over are finished after a while.
    bench.clock.advance(3_600);
    bench.compact_all();
    bench
}

fn time<T>(what: &str, mut ask: impl FnMut() -> T) {
    let mut all = Vec::new();
    for _ in 0..101 {
        let begun = Instant::now();
        ask();
        all.push(begun.elapsed());
    }
    all.sort();
    println!("{what}: p50 {:?}, p99 {:?}", all[50], all[100]);
}

#[test]
#[ignore = "takes a minute; run by hand in a release build"]
fn questions_take() {
    let begun = Instant::now();
    let bench = filled();
    let view = bench.tsdb.view();
    println!("filled in {:?}: {} parts, {} segments", begun.elapsed(), view.parts.len(), view.segments.len());
    let room = room(&bench, NOW);
    let now = NOW.as_micros() / SECOND;
    let hour = Some(Duration::from_secs(3_600));
    let month = Question { step: hour, ..range(now - DAYS * 86_400, now) };
    time("one agent, 30 days by the hour", || buckets(&room, "a00077", &month));
    let cpu = Question { fields: Some("cpu"), ..month.clone() };
    time("… cpu alone", || buckets(&room, "a00077", &cpu));
    let day = Question { limit: 10_000, ..range(now - 86_400, now) };
    let Plan::Rows(plan) = Plan::new(day.clone(), NOW).unwrap() else { panic!("buckets") };
    time("one agent, one day raw", || wait(room.rows(agent_id("a00077"), plan.clone())).unwrap());
    let minutes = Question { step: Some(Duration::from_secs(60)), limit: 10_000, ..day };
    time("one agent, one day by the minute", || buckets(&room, "a00077", &minutes));
    let plan = Plan::fleet(Question { fields: None, ..month }, NOW).unwrap();
    time("fleet, cpu, 30 days by the hour", || wait(room.buckets(None, plan.clone())).unwrap());
    let question = plan::TopQuestion { field: "cpu", limit: 10, ..plan::TopQuestion::default() };
    let plan = TopPlan::new(question, NOW).unwrap();
    time("top ten of the last hour", || wait(room.top(plan.clone())).unwrap());
}
