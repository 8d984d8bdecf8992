//! Queries that people get wrong, and what queries may cost.

use super::*;
use pingup_promql::{Error, ErrorKind, Intake};

#[test]
fn a_sample_on_the_edge_is_in_the_window_that_it_ends() {
    let mut house = House::new(Bench::new(), vec![agent("a", None)]);
    let samples = (0..=4).map(|n: u64| sample("a", n + 1, at(n.cast_signed() * 60), cpu(n as f64)));
    house.append(samples.collect());
    let asked = "sum_over_time(pingup_cpu_percent[2m])";
    let labels = r#"{agent_id="a", instance="a", job="pingup"}"#;
    for _ in ["in memory", "on disk"] {
        assert_eq!(instant(&house.source(), asked, 180), format!("{labels} 5"));
        assert_eq!(instant(&house.source(), asked, 179), format!("{labels} 3"));
        house.bench.seal_all();
    }
}

#[test]
fn who_is_renamed_is_renamed_in_the_past_and_who_is_removed_stays() {
    let mut house = House::new(Bench::new(), vec![agent("a", Some("old"))]);
    house.append(vec![sample("a", 1, at(60), cpu(7.0))]);
    let seen = |house: &House| instant(&house.source(), "pingup_cpu_percent", 61);
    assert!(seen(&house).contains(r#"instance="old""#));
    house.agents = vec![Agent { removed_at: Some(at(62)), ..agent("a", Some("new")) }];
    let renamed = r#"{__name__="pingup_cpu_percent", agent_id="a", instance="new", job="pingup"} 7"#;
    assert_eq!(seen(&house), renamed);
    let info = |seconds| instant(&house.source(), "count(pingup_agent_info)", seconds);
    assert_eq!((info(61), info(63)), ("{} 1".to_owned(), String::new()), "gone at once");
}

#[test]
fn who_comes_is_known_at_once_and_not_before() {
    let house = House::new(Bench::new(), vec![Agent { created_at: at(70), ..agent("a", None) }]);
    let source = house.source();
    let known = |seconds| instant(&source, "count(pingup_agent_info)", seconds);
    assert_eq!([known(69), known(70), known(71)], ["", "{} 1", "{} 1"], "before the next whole minute");
    for (window, seconds, count) in [("1m", 119, "1"), ("1m", 131, "1"), ("2m", 131, "2")] {
        let counted =
            instant(&source, &format!("sum(count_over_time(pingup_agent_info[{window}]))"), seconds);
        assert_eq!(counted, format!("{{}} {count}"), "{window} {seconds}");
    }
}

#[test]
fn a_farewell_ends_an_agents_series_at_once() {
    let mut house = House::new(
        Bench::new(),
        vec![Agent { farewells: vec![at(100)], ..agent("a", None) }, agent("b", None)],
    );
    house.append(vec![sample("a", 1, at(90), cpu(1.0)), sample("b", 1, at(90), cpu(2.0))]);
    let count = |seconds| instant(&house.source(), "count(pingup_cpu_percent)", seconds);
    assert_eq!([count(99), count(101)], ["{} 2", "{} 1"]);
    assert_eq!(count(90 + 300), "", "who is silent ends after five minutes");
}

struct Nobody;

impl Intake for Nobody {
    fn series(&mut self, _: usize, _: &Labels, _: &[i64], _: &[f64]) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn a_question_that_nobody_waits_for_ends() {
    let mut house = House::new(Bench::new(), vec![agent("a", None)]);
    house.append(vec![sample("a", 1, at(60), cpu(7.0))]);
    house.bench.seal_all();
    let source = house.source_wanted(Wanted::nobody());
    let query = Query::parse("pingup_cpu_percent").unwrap();
    let refused = query.instant(&source, 61_000, &Options::default()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Source);
    assert!(source.label_names(&[], 0, 61_000).is_err());
    assert!(source.select(&[], &mut Nobody).is_ok(), "nothing is asked");
}

#[test]
fn a_damaged_file_is_an_error_and_not_a_gap() {
    let mut house = House::new(Bench::new(), vec![agent("a", None)]);
    let samples = (1..500).map(|n: u64| sample("a", n, at(n.cast_signed()), cpu(n as f64 / 7.0)));
    house.append(samples.collect());
    house.bench.seal_all();
    let view = house.bench.tsdb.view();
    let path = view.parts.iter().find(|part| part.row().tier == crate::tsdb::Tier::Raw).unwrap().path();
    let whole = std::fs::read(path).unwrap();
    let refused = |house: &House| {
        let answered = answer(
            &house.source(),
            "count_over_time(pingup_cpu_percent[10m])",
            Steps { start_ms: 500_000, end_ms: 500_000, step_ms: 0 },
        );
        answered.starts_with("Source")
    };
    for length in [whole.len() / 3, 4] {
        std::fs::write(path, &whole[..length]).unwrap();
        house.index = Arc::default();
        assert!(refused(&house), "{length}");
    }
    std::fs::write(path, &whole).unwrap();
    assert!(!refused(&house));
}

/// What is read and not handed over yet counts: an agent's numbers, and pages of its files.
#[test]
fn what_a_query_reads_counts_with_what_it_keeps() {
    let mut house = House::new(Bench::new(), vec![agent("a", None)]);
    let samples = (1..20_000).map(|n: u64| sample("a", n, at(n.cast_signed()), cpu(n as f64)));
    house.append(samples.collect());
    let steps = Steps { start_ms: 20_000_000, end_ms: 20_000_000, step_ms: 0 };
    let ask = |house: &House, held: u64| {
        let limits = pingup_promql::Limits { held, ..pingup_promql::Limits::default() };
        let query = Query::parse("count_over_time(pingup_cpu_percent[6h])").unwrap();
        let options = Options { limits, ..Options::default() };
        query.instant(&house.source(), steps.start_ms, &options).map(drop).map_err(|error| error.kind())
    };
    for place in ["in memory", "on disk"] {
        assert_eq!(ask(&house, 30_000), Err(ErrorKind::Limit), "{place}");
        assert_eq!(ask(&house, 1_000_000), Ok(()), "{place}");
        house.bench.seal_all();
    }
}

/// An aggregation adds agents up as they come: far more of them than their columns would have room for.
#[test]
fn an_aggregation_of_many_agents_takes_no_more_than_its_groups() {
    let ids: Vec<_> = (0..300).map(|n| format!("agent-{n}")).collect();
    let mut house = House::new(Bench::new(), ids.iter().map(|id| agent(id, None)).collect());
    for round in 0..3_u64 {
        let moment = at(60 * (round.cast_signed() + 1));
        let samples =
            ids.iter().zip(1_u32..).map(|(id, n)| sample(id, round + 1, moment, cpu(f64::from(n) * 0.1)));
        house.append(samples.collect());
        if round == 1 {
            house.bench.seal_all();
        }
    }
    let steps = Steps { start_ms: 0, end_ms: 240_000, step_ms: 1_000 };
    let model = house.model();
    let limits = pingup_promql::Limits { points: 12 * 241, ..pingup_promql::Limits::default() };
    let narrow = Options { limits, ..Options::default() };
    for (text, fits) in [
        ("sum(pingup_cpu_percent)", true),
        ("avg(avg_over_time(pingup_cpu_percent[2m]))", true),
        ("stddev by (job) (pingup_cpu_percent)", true),
        ("topk(1, pingup_cpu_percent)", false),
        ("quantile(0.5, pingup_cpu_percent)", false),
    ] {
        assert_eq!(answer(&house.source(), text, steps), answer(&model, text, steps), "{text}");
        let query = Query::parse(text).unwrap();
        assert_eq!(query.range(&house.source(), steps, &narrow).is_ok(), fits, "{text}");
    }
}
