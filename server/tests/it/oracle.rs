//! The hub beside a real Prometheus, which reads the hub's series (`remote_read`) and evaluates queries itself. What it
//! answers, the hub must answer too, to the twelfth digit.
//!
//! Asked are a query for each thing that the language has (`list`, whose `coverage` is a test of its own), everything that
//! dashboards and alert rules ask (`boards`), and `random` queries; a difference is made as small as it goes. Debian's
//! Prometheus is of version 2.42: `scene` keeps samples off the edges of windows, and what else changed since has a name
//! (`judge`, `coverage`) or is not asked for (the library's own generator says what).

mod answer;
mod boards;
mod case;
mod coverage;
mod judge;
mod list;
mod model;
mod random;
mod scene;
mod tally;
mod witness;

use crate::prometheus::clients::installed;
use case::Asked;
use judge::{Excuse, Judge, Verdict};
use pingup_promql::Steps;
use tally::Tally;

/// Moments of the hour that queries are asked at, in seconds after its beginning.
const MOMENTS: [i64; 4] = [600, 1_202, 2_350, 3_700];

/// Queries of the list, at least, that have another answer in version 2 where samples lie on the edges of windows.
const EDGES_MIN: u64 = 10;

/// A moment now and then, and the whole hour with what lies before it and behind.
fn asked(judge: &Judge) -> Vec<Asked> {
    let moments = MOMENTS.iter().map(|seconds| Asked::At(judge.scene.at(*seconds)));
    let hour = Steps { start_ms: judge.scene.at(-60), end_ms: judge.scene.at(scene::SPAN), step_ms: 47_000 };
    moments.chain([Asked::Over(hour)]).collect()
}

#[test]
fn prometheus_answers_the_same_over_the_same_series() {
    if !installed("prometheus") {
        return;
    }
    let judge = Judge::called();
    let moments = asked(&judge);

    let mut tally = Tally::new("what the language has");
    for query in list::QUERIES {
        moments.iter().for_each(|asked| tally.count(judge.judge(query, *asked)));
    }
    for query in list::OF_A_MOMENT {
        moments[..MOMENTS.len()].iter().for_each(|asked| tally.count(judge.judge(query, *asked)));
        assert_eq!(judge.judge(query, moments[MOMENTS.len()]), Verdict::Refused, "{query}");
    }
    tally.close();
    tally.check(90, 0);

    for query in list::REFUSED {
        assert_eq!(judge.judge(query, moments[1]), Verdict::Refused, "{query}");
    }
    for (name, query) in coverage::EXCEPTED {
        let verdict = judge.judge(query, moments[1]);
        assert!(matches!(verdict, Verdict::Different(_)), "{name} is no exception any more: {verdict:?}");
    }

    let mut tally = Tally::new("dashboards and alert rules");
    for query in boards::expressions() {
        moments.iter().for_each(|asked| tally.count(judge.judge(&query, *asked)));
    }
    tally.close();
    // Means that are nearly zero.
    tally.check(80, 10);

    // Where windows begin at a sample, versions differ; as the library's switch has it, and in nothing else.
    let mut tally = Tally::new("the edges of windows");
    let (start_ms, end_ms) = (judge.scene.on_edge(0), judge.scene.on_edge(3_600));
    for query in list::QUERIES {
        tally.count(judge.judge(query, Asked::Over(Steps { start_ms, end_ms, step_ms: 45_000 })));
    }
    tally.close();
    assert!(tally.excused_by(Excuse::Editions) >= EDGES_MIN, "edges were not met: {tally}");
    assert_eq!(tally.excused_by(Excuse::Ties) + tally.excused_by(Excuse::Rounding), 0, "{tally}");

    random::ask(&judge);
}
