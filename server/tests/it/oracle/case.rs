//! A query and when it is asked for: what can differ, and be made smaller.

use pingup_promql::{
    Steps,
    testing::{Expression, Shrink},
};
use std::fmt;

/// When a query is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// At a moment, milliseconds.
    At(i64),
    /// At steps.
    Over(Steps),
}

impl Asked {
    /// The path and the parameters of the request behind `/api/v1/`; `query` is encoded.
    pub fn path(self, query: &str) -> String {
        let seconds = |ms: i64| format!("{}.{:03}", ms.div_euclid(1_000), ms.rem_euclid(1_000));
        match self {
            Self::At(moment) => format!("query?query={query}&time={}", seconds(moment)),
            Self::Over(Steps { start_ms, end_ms, step_ms }) => format!(
                "query_range?query={query}&start={}&end={}&step={}",
                seconds(start_ms),
                seconds(end_ms),
                seconds(step_ms)
            ),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(moment) => write!(f, "at {moment}"),
            Self::Over(Steps { start_ms, end_ms, step_ms }) => {
                write!(f, "from {start_ms} to {end_ms} by {step_ms}")
            }
        }
    }
}

impl Shrink for Asked {
    /// One of the moments at the ends, then one half of the steps or the other.
    fn smaller(&self) -> Vec<Self> {
        let Self::Over(Steps { start_ms, end_ms, step_ms }) = *self else { return Vec::new() };
        let last = (end_ms - start_ms) / step_ms;
        let at = |step: i64| start_ms + step * step_ms;
        let over = |from: i64, to: i64| Self::Over(Steps { start_ms: at(from), end_ms: at(to), step_ms });
        let mut found = vec![Self::At(at(0)), Self::At(at(last))];
        if last > 0 {
            let half = last / 2;
            found.extend([over(0, half), over(half + 1, last)]);
        }
        found.extend((last > 2).then(|| over(last / 4, last - 1)));
        found
    }
}

/// A random query, and when it is asked for.
#[derive(Clone, Debug)]
pub struct Case {
    /// The query.
    pub query: Expression,
    /// When.
    pub asked: Asked,
}

impl Shrink for Case {
    fn smaller(&self) -> Vec<Self> {
        let asked = self.asked.smaller().into_iter().map(|asked| Self { asked, query: self.query.clone() });
        let queries = self.query.smaller().into_iter().map(|query| Self { query, asked: self.asked });
        asked.chain(queries).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_promql::testing::{Grammar, Random, shrink};

    const STEPS: Asked = Asked::Over(Steps { start_ms: 1_250, end_ms: 31_250, step_ms: 3_000 });

    /// Whether a case still asks at this moment.
    fn asks(asked: &Asked, moment: i64) -> bool {
        match *asked {
            Asked::At(at) => at == moment,
            Asked::Over(Steps { start_ms, end_ms, step_ms }) => {
                (start_ms..=end_ms).contains(&moment) && (moment - start_ms) % step_ms == 0
            }
        }
    }

    #[test]
    fn moments_are_written_with_their_milliseconds() {
        assert_eq!(Asked::At(1_000_000_250).path("1"), "query?query=1&time=1000000.250");
        assert_eq!(STEPS.path("x"), "query_range?query=x&start=1.250&end=31.250&step=3.000");
    }

    #[test]
    fn steps_become_the_one_that_counts() {
        for step in 0..=10 {
            let moment = 1_250 + step * 3_000;
            assert_eq!(shrink(STEPS, |asked| asks(asked, moment)), Asked::At(moment), "step {step}");
        }
        let only_steps = shrink(STEPS, |asked| matches!(asked, Asked::Over(_)));
        assert_eq!(only_steps, Asked::Over(Steps { start_ms: 1_250, end_ms: 1_250, step_ms: 3_000 }));
    }

    /// A difference that a part of a query brings about is found in that part alone, at its moment.
    #[test]
    fn a_case_is_made_small_in_both_ways() {
        let grammar = Grammar::of_random_series();
        let mut found = 0;
        for seed in 0..400 {
            let query = grammar.query(&mut Random::new(seed));
            let case = Case { query, asked: STEPS };
            let fails = |case: &Case| {
                case.query.to_string().contains("stddev_over_time(") && asks(&case.asked, 10_250)
            };
            if !fails(&case) {
                continue;
            }
            found += 1;
            let Case { query, asked } = shrink(case, fails);
            assert_eq!(asked, Asked::At(10_250));
            let query = query.to_string();
            assert!(query.starts_with("stddev_over_time(") && query.len() < 70, "seed {seed}: {query}");
        }
        assert!(found > 5, "{found} cases");
    }
}
