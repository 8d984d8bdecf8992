//! Random queries of random rows, wherever those lie.

use super::*;
use pingup_promql::testing::{Grammar, Random, shrink};

const AGENTS: [&str; 4] = ["a", "b-2", "c", STRANGER];
const MINUTES: i64 = 40;

fn measurements(random: &mut Random) -> Measurements {
    let mut own = || random.percent(80).then(|| random.below(400) as f64 / 4.0);
    let (cpu, ram, disk, latency) = (own(), own(), own(), own());
    let names = ["load1", "swap", "cpu_percent"];
    let further = names.iter().filter_map(|name| {
        let value = random.percent(60).then(|| random.below(100) as f64 / 2.0)?;
        Some(((*name).to_owned(), value))
    });
    Measurements { cpu, ram, disk, latency, further: further.collect() }
}

/// Some rows, most on whole seconds so that they lie on windows' edges; some side by side within a millisecond, some late.
fn rows(random: &mut Random, seq: &mut u64) -> OwnedRows {
    let mut rows = OwnedRows::default();
    for _ in 0..random.below(120) {
        *seq += 1;
        let agent = agent_id(random.pick(&AGENTS));
        let seconds = random.below(MINUTES as usize * 4) as i64 * 15 - 60;
        let beside = if random.percent(15) { random.below(2_500) as i64 } else { 0 };
        let timestamp = Timestamp::from_micros(seconds * SECOND + beside);
        let stream = random.percent(90).then_some((random.below(2) as u64, *seq));
        if random.percent(8) {
            let scan = Scanned { duration: random.below(90_000) as f64, ..Scanned::default() };
            rows.scans.push(OwnedScan { agent_id: agent, stream, timestamp, scan });
        } else {
            let status = random.pick(&["online", "error", "warm"]).to_owned();
            let metrics = measurements(random);
            rows.samples.push(OwnedSample { agent_id: agent, stream, timestamp, status, metrics });
        }
    }
    rows
}

fn grammar() -> Grammar {
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    Grammar {
        gauges: owned(&[
            "pingup_cpu_percent",
            "pingup_latency_seconds",
            "pingup_load1",
            "pingup_agent_up",
            "pingup_agent_info",
            "pingup_discovery_scan_seconds",
            "{__name__=~\"pingup_.*ram.*|pingup_swap\"}",
        ]),
        counters: owned(&["pingup_swap", "pingup_further_cpu_percent"]),
        buckets: owned(&["pingup_nosuch"]),
        labels: vec![
            ("agent_id".to_owned(), owned(&["a", "b-2", "stranger", "none"])),
            ("instance".to_owned(), owned(&["web", "b-2"])),
            ("job".to_owned(), owned(&["pingup"])),
        ],
        key: "agent_id".to_owned(),
        ..Grammar::of_random_series()
    }
}

fn house(random: &mut Random) -> House {
    let mut removed = agent("c", None);
    removed.removed_at = Some(at(1_234));
    let mut left = agent("a", Some("web"));
    left.farewells = vec![at(0), at(600), at(1_500)];
    let mut house = House::new(Bench::new(), vec![left, agent("b-2", None), removed]);
    let mut seq = 0;
    for _ in 0..12 {
        house.bench.append(&rows(random, &mut seq)).unwrap();
        match random.below(5) {
            0 => house.bench.seal_all(),
            1 => {
                house.bench.seal_all();
                house.bench.compact_all();
            }
            _ => {}
        }
    }
    house
}

/// Wherever rows lie, in memory, in one file or in many, late or in order, the answers are those of the same rows in the
/// library's own source, to the bit.
#[test]
fn random_queries_have_the_answers_of_the_same_rows_in_memory() {
    let mut answered = 0;
    for seed in 1..=8 {
        let mut random = Random::new(seed);
        let house = house(&mut random);
        let (model, source) = (house.model(), house.source());
        for number in 0..60 {
            let start_ms = random.below(40 * 60) as i64 * 1_000;
            let step_ms = [0, 15_000, 60_000, 7_000][random.below(4)];
            let steps = Steps { start_ms, end_ms: start_ms + 20 * step_ms, step_ms };
            let differ = |query: &str| answer(&source, query, steps) != answer(&model, query, steps);
            let query = grammar().query(&mut random);
            let told = query.to_string();
            if differ(&told) {
                let least = shrink(query, |query| differ(&query.to_string())).to_string();
                let (found, expected) = (answer(&source, &least, steps), answer(&model, &least, steps));
                panic!("seed {seed}, query {number}: {least} at {steps:?}\n{found}\nnot\n{expected}");
            }
            answered += usize::from(!answer(&model, &told, steps).contains("([])"));
        }
    }
    assert!(answered > 200, "only {answered} queries found anything");
}

/// Remembering nothing changes no answer.
#[test]
fn answers_are_the_same_when_nothing_can_be_remembered() {
    let mut random = Random::new(77);
    let mut house = house(&mut random);
    let query = "sum by (agent_id, __name__) (sum_over_time({agent_id!=\"\"}[10m]))";
    let steps = Steps { start_ms: 0, end_ms: 2_400_000, step_ms: 60_000 };
    let expected = answer(&house.source(), query, steps);
    assert!(house.index.bytes() > 0);
    house.index = Arc::new(Index::keeping(0));
    assert_eq!(answer(&house.source(), query, steps), expected);
    assert_eq!(house.index.bytes(), 0);
}
