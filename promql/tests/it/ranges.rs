//! Queries of a range of time: their steps, and how the answer is ordered.

use super::script::run;
use pingup_promql::{Error, MemorySource, Options, Query, Steps};

#[test]
fn a_range_has_its_steps_and_series_in_order() {
    run(r#"
every 1m
m{a="2"} 1 2 3
m{a="1"} 4 5 6
from 0s to 110s by 50s in order: m
  {__name__="m", a="1"} 4@0 4@50 5@100
  {__name__="m", a="2"} 1@0 1@50 2@100
from 0s to 0s by 1m: sum(m)
  {} 5@0
from 0s to 2m by 1m: 1
  {} 1@0 1@60 1@120
from 0s to 2m by 1m: "text"
  fails invalid expression type "string" for range query
"#);
}

fn range(start_ms: i64, end_ms: i64, step_ms: i64) -> Result<(), Error> {
    let query = Query::parse("vector(1)").unwrap();
    let steps = Steps { start_ms, end_ms, step_ms };
    query.range(&MemorySource::default(), steps, &Options::default()).map(|_| ())
}

#[test]
fn times_that_make_no_sense_are_refused() {
    assert_eq!(range(0, 11_000, 1), Ok(()));
    for (start, end, step, words) in [
        (1, 0, 1, "end timestamp must not be before start time"),
        (0, 1, 0, "zero or negative query resolution step widths are not accepted"),
        (0, 1, -5, "zero or negative query resolution step widths are not accepted"),
        (0, 11_001, 1, "exceeded maximum resolution of 11,000 points per timeseries"),
        (i64::MIN, i64::MAX, 1, "moment out of range"),
        (0, i64::MAX, i64::MAX, "moment out of range"),
    ] {
        let refused = range(start, end, step).unwrap_err().to_string();
        assert!(refused.contains(words), "{start} {end} {step}: {refused}");
    }
    // Milliseconds taken for seconds, as data sources send them: far away, but a moment.
    assert_eq!(range(1_763_216_880_000_000, 1_763_216_880_000_000, 1), Ok(()));
}

#[test]
fn far_moments_and_long_durations_do_not_overflow() {
    let options = Options::default();
    for text in ["x offset 1000y", "x offset -1000y", "sum_over_time(x[1000y])", "x @ 1e10", "x[1000y:1000y]"]
    {
        let query = Query::parse(text).unwrap();
        for moment in [-pingup_promql::MOMENT_MS_MAX, 0, pingup_promql::MOMENT_MS_MAX] {
            assert!(query.instant(&MemorySource::default(), moment, &options).is_ok(), "{text}");
        }
    }
    for text in ["x[1001y]", "x offset 1001y", "x @ 1e11", "x[0x7fffffffffffffff]", "x[0]", "x[5m:0]"] {
        assert!(Query::parse(text).is_err(), "{text}");
    }
}
