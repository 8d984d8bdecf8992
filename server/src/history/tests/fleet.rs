//! Questions about all agents.

use super::*;
use crate::{
    history::handler,
    http::{problem::Refusal, query::Params, respond::Representation},
    storage::Wanted,
    tsdb::testing::RETENTION,
};
use axum::{body::to_bytes, extract::State, response::Response};
use pingup_protocol::problem::ProblemType;

/// Three agents with a cpu of their number, one more without; half of it on disk.
fn fleet_bench() -> Bench {
    let mut bench = Bench::new();
    for (round, base) in [(0_i64, 0), (1, 60)] {
        let mut all: Vec<_> = (1..=3)
            .map(|agent| {
                let cpu = Some((agent * 10 + round) as f64);
                let further = vec![("load1".to_owned(), agent as f64 / 4.0)];
                let metrics = Measurements { cpu, further, ..Measurements::default() };
                let stream = Some((1, round.unsigned_abs() + 1));
                sample(&format!("a{agent}"), stream, at(base + agent), "online", metrics)
            })
            .collect();
        let stream = Some((1, round.unsigned_abs() + 1));
        all.push(sample("a-idle", stream, at(base), "online", Measurements::default()));
        append(&mut bench, all);
        if round == 0 {
            bench.seal_all();
        }
    }
    bench
}

fn text(answer: Result<Response, Refusal>) -> String {
    let body = answer.unwrap().into_body();
    String::from_utf8(wait(to_bytes(body, 1 << 20)).unwrap().to_vec()).unwrap()
}

#[test]
fn buckets_of_the_fleet_add_all_agents_up() {
    let bench = fleet_bench();
    let room = room(&bench, at(100));
    let ask = |query: &str| {
        let params = Params::parse(&format!("from=1970-01-01T00:00:00Z&{query}"));
        text(wait(handler::fleet(State(Arc::clone(&room)), params, Representation::Json)))
    };
    let wanted = r#"{"items":[{"start":"1970-01-01T00:00:00Z","count":8,"metrics":{"cpu":{"min":10.0,"max":31.0,"avg":20.5,"last":31.0,"count":6}}}],"nextCursor":null,"tiers":["hour","raw"]}"#;
    assert_eq!(ask(""), wanted);
    assert_eq!(ask("to=1970-01-01T01:00:00Z"), wanted);
    let by_minute = ask("step=1m&fields=load1&limit=1");
    let first = r#"{"items":[{"start":"1970-01-01T00:00:00Z","count":4,"metrics":{"load1":{"min":0.25,"max":0.75,"avg":0.5,"last":0.75,"count":3}}}],"nextCursor":""#;
    assert!(by_minute.starts_with(first), "{by_minute}");
}

/// Agents may give names to more than a file adds up: then whoever asks does.
#[test]
fn a_file_without_the_fleets_rows_is_added_up_when_asked() {
    let mut bench = fleet_bench();
    let one = |n: i64| {
        let further = (0..64).map(|i| (format!("m{}", n * 64 + i), i as f64)).collect();
        let stream = Some((1, n.unsigned_abs() + 1));
        sample("a-many", stream, at(120 + n), "x", Measurements { further, ..Measurements::default() })
    };
    append(&mut bench, (0..1_200).map(one).collect());
    bench.seal_all();
    let has_fleet = |bench: &Bench| -> Vec<_> {
        let view = bench.tsdb.view();
        let hours = view.parts.iter().filter(|part| part.row().tier == Tier::Hour);
        hours.map(|part| part.row().has_fleet()).collect()
    };
    for parts in [&[true, false][..], &[false]] {
        assert_eq!(has_fleet(&bench), parts);
        let room = room(&bench, at(2_000));
        for _ in 0..2 {
            let question = Question { fields: Some("cpu,m77"), ..range(0, 3_600) };
            let plan = Plan::fleet(question, at(2_000), &RETENTION).unwrap();
            let page = wait(room.buckets(None, plan, |page, _| Ok::<_, HistoryError>(page))).unwrap();
            let [bucket] = &page.items[..] else { panic!("{page:?}") };
            let counts: Vec<_> = bucket.metrics.0.iter().map(|(name, sum)| (&**name, sum.count)).collect();
            assert_eq!((bucket.count, counts), (1_208, vec![("cpu", 6), ("m77", 1)]));
        }
        bench.clock.advance(3_600);
        bench.compact_all();
    }
}

#[test]
fn those_that_stand_out_come_first() {
    let bench = fleet_bench();
    let room = room(&bench, at(100));
    let ask = |query: &str| text(wait(handler::top(State(Arc::clone(&room)), Params::parse(query))));
    assert_eq!(
        ask("field=cpu&limit=2"),
        r#"{"items":[{"agentId":"a3","value":30.5,"count":2,"last":31.0,"lastAt":"1970-01-01T00:01:03Z"},"#
            .to_owned()
            + r#"{"agentId":"a2","value":20.5,"count":2,"last":21.0,"lastAt":"1970-01-01T00:01:02Z"}],"tiers":["raw"]}"#
    );
    let least = ask("field=load1&of=last&order=asc&limit=1&window=24h");
    assert!(least.starts_with(r#"{"items":[{"agentId":"a1","value":0.25,"count":2,"#), "{least}");
    assert_eq!(ask("field=cpu&of=max&limit=1").matches("\"value\":31.0").count(), 1);
    // The window leaves the first round out.
    assert!(ask("field=cpu&window=50s&limit=1").contains(r#""value":31.0,"count":1"#));
    assert_eq!(ask("field=none"), r#"{"items":[],"tiers":["raw"]}"#);
    for query in ["", "field=a'b", "field=cpu&limit=101", "field=cpu&window=25h", "field=cpu&of=min"] {
        let refused = wait(handler::top(State(Arc::clone(&room)), Params::parse(query))).unwrap_err();
        assert_eq!(refused.kind(), ProblemType::SchemaInvalid, "{query}");
    }
}

#[test]
fn more_agents_than_are_compared_are_refused() {
    let bench = fleet_bench();
    for (agents_max, is_refused) in [(3, false), (2, true)] {
        let question = plan::TopQuestion { field: "cpu", limit: 1, ..plan::TopQuestion::default() };
        let plan = TopPlan::new(question, at(100)).unwrap();
        let query = top::Query::new(bench.tsdb.view(), plan).among(agents_max);
        let found = query.run(&Wanted::default());
        assert_eq!(
            matches!(found, Err(HistoryError::Plan(error)) if error.parameter == "window"),
            is_refused
        );
    }
}

#[test]
fn what_was_added_up_is_kept_within_a_bound() {
    let mut bench = fleet_bench();
    bench.seal_all();
    let plan = |fields| {
        let step = Some(Duration::from_secs(3_600));
        Plan::fleet(Question { fields: Some(fields), step, ..range(0, 3_600) }, at(100), &RETENTION).unwrap()
    };
    // Two files, an hour of each name in each; a name that is nowhere counts, too.
    for (buckets_max, fields, kept) in
        [(100, "cpu", 4), (100, "cpu,none", 6), (4, "cpu", 4), (5, "cpu,none", 3), (2, "cpu,none", 0)]
    {
        let hours = Arc::new(FleetRollups::keeping(buckets_max));
        for _ in 0..2 {
            let plan = plan(fields);
            let reaches = plan::reaches(&plan, |_| false);
            let query = buckets::Query::new(bench.tsdb.view(), None, plan, &reaches, Arc::clone(&hours));
            let found = query.run(&Wanted::default()).unwrap();
            assert_eq!((found.items[0].count, found.items[0].metrics.0[0].1.count), (8, 6));
            assert_eq!(hours.kept(), kept, "{fields}, at most {buckets_max}");
        }
    }
}
