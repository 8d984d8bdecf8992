//! Questions about labels.

use super::*;
use crate::{prometheus::INDEX_BYTES_MAX, tsdb::lanes::LAYOUTS_BYTES_MAX};

fn selectors(texts: &[&str]) -> Vec<Vec<pingup_promql::Matcher>> {
    texts.iter().map(|text| parse_selector(text).unwrap()).collect()
}

fn told(texts: Vec<Arc<str>>) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// `a` measured for an hour, `b` from the sixth hour on, `gone` was removed in between and sent another measurement.
fn house() -> House {
    let gone = Agent { removed_at: Some(at(3 * 3_600)), ..agent("gone", Some("Gone")) };
    let known = vec![agent("a", Some("web")), Agent { created_at: at(5 * 3_600), ..agent("b", None) }, gone];
    let mut house = House::new(Bench::new(), known);
    let load = Measurements { further: vec![("load1".to_owned(), 1.0)], ..Measurements::default() };
    house.append(vec![
        sample("a", 1, at(60), cpu(1.0)),
        sample("gone", 1, at(2 * 3_600), load),
        sample("b", 1, at(6 * 3_600), cpu(1.0)),
        sample("b", 2, at(7 * 3_600), cpu(1.0)),
    ]);
    house.now_ms = 8 * 3_600_000;
    house
}

#[test]
fn values_are_those_of_the_time_that_is_asked_for() {
    let mut house = house();
    let hour = |hour: i64| hour * 3_600_000;
    for place in ["in memory", "on disk"] {
        let source = house.source();
        let ids = |selector: &[&str], from, to| {
            told(source.label_values("agent_id", &selectors(selector), hour(from), hour(to) - 1).unwrap())
        };
        assert_eq!(ids(&["{job!=\"\",__name__!~\".*info\"}"], 0, 1), ["a"], "{place}");
        assert_eq!(ids(&["{job!=\"\",__name__!~\".*info\"}"], 1, 3), ["gone"], "a removed agent, {place}");
        assert_eq!(ids(&["pingup_agent_up"], 3, 6), [""; 0], "{place}");
        assert_eq!(ids(&["pingup_agent_up"], 6, 7), ["b"], "{place}");
        assert_eq!(ids(&[], 0, 8), ["a", "b", "gone"], "{place}");
        assert_eq!(ids(&["pingup_load1"], 0, 8), ["gone"], "{place}");
        assert_eq!(ids(&["pingup_load1", "pingup_cpu_percent{instance=\"web\"}"], 0, 8), ["a", "gone"]);
        assert_eq!(ids(&["{instance=~\"w.b|Gone\"}"], 0, 8), ["a", "gone"], "{place}");
        assert_eq!(ids(&["pingup_agent_info"], 3, 4), ["a", "gone"], "removed in this hour, {place}");
        assert_eq!(ids(&["pingup_agent_info"], 4, 5), ["a"], "{place}");
        house.bench.seal_all();
    }
}

#[test]
fn names_of_metrics_and_labels_are_those_of_the_series_that_are_meant() {
    let house = house();
    let source = house.source();
    let names = |selector: &[&str]| {
        told(source.label_values(METRIC_NAME, &selectors(selector), 0, house.now_ms).unwrap())
    };
    let of_all = ["pingup_agent_info", "pingup_agent_up", "pingup_cpu_percent", "pingup_load1"];
    assert_eq!(names(&[]), of_all);
    assert_eq!(names(&["{agent_id=\"gone\",__name__=~\".+\",}"]), [of_all[0], of_all[1], of_all[3]]);
    let labels = |selector: &[&str]| told(source.label_names(&selectors(selector), 0, house.now_ms).unwrap());
    assert_eq!(labels(&["pingup_cpu_percent"]), ["__name__", "agent_id", "instance", "job"]);
    assert_eq!(labels(&[]), ["__name__", "agent_id", "instance", "job", "os"]);
    assert_eq!(labels(&["nosuch"]), [""; 0]);
    let series = source.series(&selectors(&["{agent_id=\"a\"}"]), 0, house.now_ms, 9).unwrap();
    let expected = [
        r#"{__name__="pingup_agent_info", agent_id="a", instance="web", job="pingup", os="os of a"}"#,
        r#"{__name__="pingup_agent_up", agent_id="a", instance="web", job="pingup"}"#,
        r#"{__name__="pingup_cpu_percent", agent_id="a", instance="web", job="pingup"}"#,
    ];
    assert_eq!(series.in_order().map(|labels| labels.to_string()).collect::<Vec<_>>(), expected);
    assert_eq!(source.series(&[], 0, house.now_ms, 4).unwrap().in_order().count(), 4);
}

#[test]
fn what_there_is_is_counted() {
    let house = house();
    let source = house.source();
    let heads = source.heads().unwrap();
    assert_eq!(heads.series, 3 + 3 + 2 + 1);
    assert_eq!(heads.metrics[0], ("pingup_agent_info".to_owned(), 3));
    assert!(heads.labels.contains(&("agent_id".to_owned(), 3)));
    assert_eq!(heads.times, Some((0, 8 * 3_600_000 - 1)));
    let metadata = source.metadata().unwrap();
    assert!(metadata.iter().any(|metric| metric.name == "pingup_load1" && metric.kind == "gauge"));
    assert!(metadata.is_sorted_by(|a, b| a.name < b.name));
}

/// Ten thousand agents with a month of days: what is remembered of them fits twice.
#[test]
fn ten_thousand_agents_fit_into_what_may_be_remembered() {
    let ids: Vec<_> = (0..10_000).map(|n| format!("agent-{n:05}")).collect();
    let mut house = House::new(Bench::new(), ids.iter().map(|id| agent(id, None)).collect());
    let days = 3;
    for day in 0..days {
        let metrics = Measurements {
            cpu: Some(1.0),
            ram: Some(2.0),
            disk: Some(3.0),
            latency: Some(4.0),
            further: ["load1", "load5", "load15"].map(|name| (name.to_owned(), 1.0)).into(),
        };
        let seq = u64::try_from(day).unwrap() + 1;
        let samples = ids.iter().map(|id| sample(id, seq, at(day * 86_400 + 60), metrics.clone()));
        house.append(samples.collect());
        house.bench.seal_all();
    }
    house.now_ms = days * 86_400_000;
    let source = house.source();
    assert_eq!(source.label_values("agent_id", &[], 0, house.now_ms).unwrap().len(), 10_000);
    assert_eq!(source.series(&[], 0, house.now_ms, usize::MAX).unwrap().how_many(), 90_000);
    assert!(
        instant(&source, "count(max_over_time(pingup_cpu_percent[3d]))", days * 86_400).contains("10000")
    );
    // Days of samples, and a month of hours which the test has in three files.
    let month = 30 / usize::try_from(days).unwrap();
    let (presences, layouts) = (house.index.bytes(), house.bench.tsdb.view().layouts.bytes());
    assert!(presences * month < INDEX_BYTES_MAX, "{presences} bytes for {days} days");
    assert!(layouts * month < LAYOUTS_BYTES_MAX, "{layouts} bytes for {days} days");
}
