//! Random queries, by a seed that is printed: `PINGUP_ORACLE_SEED`, and `PINGUP_ORACLE_QUERIES` for how many.

use super::{
    case::{Asked, Case},
    judge::{Judge, Verdict},
    scene::{AGENTS, SPAN},
    tally::Tally,
};
use pingup_promql::{
    Steps,
    testing::{Grammar, Info, Random, shrink},
};

/// Queries of a common run.
const QUERIES: u64 = 300;
/// The seed of a common run.
const SEED: u64 = 20_261_121;
/// Of a hundred queries, so many are about what others wrote.
const OF_WRITTEN_PERCENT: usize = 30;
/// After so many queries it is told how far it is.
const TOLD_EVERY: u64 = 500;
/// So many differences are enough.
const DIFFERENCES_MAX: usize = 8;
/// Of a hundred answers, at least so many must have something in them.
const ANSWERED_PERCENT_MIN: u64 = 55;
/// Of a thousand, at most so many may be excused.
const EXCUSED_PERMILLE_MAX: u64 = 20;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .map_or(otherwise, |text| text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// The words that fit what others wrote.
fn of_written(judge: &Judge) -> Grammar {
    Grammar { bounds: true, held: held(judge), edges: false, ..Grammar::of_random_series() }
}

/// The first moment that `@` names.
fn held(judge: &Judge) -> (i64, String) {
    (judge.scene.begin + 600, ".25".to_owned())
}

/// The words that fit what agents measured.
fn grammar(judge: &Judge) -> Grammar {
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let mut ids: Vec<String> = AGENTS.iter().map(|(id, _)| (*id).to_owned()).collect();
    ids.push("none".to_owned());
    Grammar {
        gauges: owned(&[
            "pingup_cpu_percent",
            "pingup_swap",
            "pingup_clock_offset_seconds",
            "pingup_agent_up",
            "pingup_discovery_hosts",
            "{__name__=~\"pingup_(cpu_percent|swap)\"}",
            // Both that agents measured and that others wrote.
            "{__name__=~\"g|pingup_swap\"}",
        ]),
        counters: owned(&["pingup_count_total", "pingup_bytes_total"]),
        fractions: owned(&[
            "pingup_ram_percent",
            "pingup_latency_seconds",
            "pingup_load1",
            "pingup_discovery_scan_seconds",
        ]),
        buckets: owned(&["pingup_hist_bucket"]),
        bound: Some(("agent_id".to_owned(), ".*-(.+)".to_owned())),
        labels: vec![
            ("agent_id".to_owned(), ids),
            ("instance".to_owned(), owned(&["web", "db"])),
            ("job".to_owned(), owned(&["pingup"])),
        ],
        key: "agent_id".to_owned(),
        info: Some(Info { metric: "pingup_agent_info".to_owned(), labels: owned(&["hostname", "os"]) }),
        depth: 3,
        bounds: true,
        held: held(judge),
        edges: false,
    }
}

/// A moment, or up to sixty steps.
fn asked(judge: &Judge, random: &mut Random) -> Asked {
    let seconds = |random: &mut Random, from: i64, to: i64| from + random.below((to - from) as usize) as i64;
    if random.percent(40) {
        return Asked::At(judge.scene.at(seconds(random, 0, SPAN)));
    }
    let step = [1, 7, 15, 20, 60, 300][random.below(6)];
    let start = seconds(random, -300, SPAN - 300);
    let count = (1 + random.below(60) as i64).min((SPAN - start) / step);
    let (start_ms, step_ms) = (judge.scene.at(start), step * 1_000);
    Asked::Over(Steps { start_ms, end_ms: start_ms + count * step_ms, step_ms })
}

/// Asks them all.
pub fn ask(judge: &Judge) {
    let (seed, queries) = (setting("PINGUP_ORACLE_SEED", SEED), setting("PINGUP_ORACLE_QUERIES", QUERIES));
    println!("PINGUP_ORACLE_SEED={seed} PINGUP_ORACLE_QUERIES={queries}");
    let mut tally = Tally::new("random queries");
    for number in 0..queries {
        // Each by a seed of its own: it does not depend on those before it.
        let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let depth = 1 + random.below(4);
        let words = if random.percent(OF_WRITTEN_PERCENT) { of_written(judge) } else { grammar(judge) };
        let query = Grammar { depth, ..words }.any(&mut random);
        let case = Case { query, asked: asked(judge, &mut random) };
        let verdict = |case: &Case| judge.judge(&case.query.to_string(), case.asked);
        let mut found = verdict(&case);
        if matches!(found, Verdict::Different(_)) {
            let whole = case.query.to_string();
            found = verdict(&shrink(case, |case| matches!(verdict(case), Verdict::Different(_))));
            if let Verdict::Different(told) = &mut found {
                *told = format!("seed {seed}, query {number}: {told}\n  at first: {whole}");
            }
        }
        tally.count(found);
        if (number + 1) % TOLD_EVERY == 0 {
            eprintln!("{} of {queries}: {tally}", number + 1);
        }
        if tally.differences().len() >= DIFFERENCES_MAX {
            break;
        }
    }
    tally.close();
    tally.check(ANSWERED_PERCENT_MIN, EXCUSED_PERMILLE_MAX);
}
