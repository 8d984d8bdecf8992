//! Random selectors, and where they look.

use super::{
    Grammar, Random,
    expression::{Expression, Kind},
    words::*,
};

impl Grammar {
    /// The newest samples of some metric.
    pub(super) fn leaf(&self, random: &mut Random) -> Expression {
        if self.fractions.is_empty() || random.percent(60) {
            return self.selector(random);
        }
        self.newest(random, &[&self.fractions], true)
    }

    /// The newest samples of some metric whose sums are exact.
    pub(super) fn selector(&self, random: &mut Random) -> Expression {
        self.newest(random, &[&self.gauges, &self.counters, &self.buckets], true)
    }

    /// The same, at the moment of the step. Of one that `@` holds, Prometheus 2 forgets the samples after some steps if
    /// their function asks when they are of.
    pub(super) fn unheld(&self, random: &mut Random) -> Expression {
        self.newest(random, &[&self.gauges, &self.counters, &self.buckets], false)
    }

    fn newest(&self, random: &mut Random, of: &[&Vec<String>], held: bool) -> Expression {
        let (metric, matchers) = self.matched(random, of);
        let shift = self.shifted(random, held);
        Expression::new(Kind::Vector).text(metric).loose(matchers).loose(shift)
    }

    /// A vector whose values are the same however they are computed. Only such are given to what jumps: of two evaluators
    /// that differ in a last digit, one would round up and the other down.
    pub(super) fn exact(&self, random: &mut Random) -> Expression {
        let vector = Expression::new(Kind::Vector);
        match random.below(4) {
            0 => {
                let vector = vector.word(random.pick(&EXACT), &EXACT).loose(self.by(random)).text("(");
                vector.part(self.selector(random)).text(")")
            }
            1 => {
                let (metric, matchers) = self.matched(random, &[&self.gauges, &self.counters]);
                let vector = vector.text(format!("{}({metric}", random.pick(&EXACT_OVER_TIME)));
                vector.loose(matchers).text("[").word(random.pick(&RANGES), &RANGES).text("])")
            }
            _ => self.selector(random),
        }
    }

    /// A metric, and perhaps some matchers. A name that ends with a brace has its own.
    pub(super) fn matched(&self, random: &mut Random, of: &[&Vec<String>]) -> (String, String) {
        let metrics: Vec<&String> = of.iter().flat_map(|metrics| metrics.iter()).collect();
        let metric = metrics[random.below(metrics.len())].clone();
        if metric.ends_with('}') || !random.percent(30) {
            return (metric, String::new());
        }
        let (label, values) = &self.labels[random.below(self.labels.len())];
        let first = &values[random.below(values.len())];
        let second = &values[random.below(values.len())];
        let matchers = match random.below(8) {
            0 => format!("{{{label}=\"{first}\"}}"),
            1 => format!("{{{label}!=\"{first}\"}}"),
            2 => format!("{{{label}=~\"{first}|{second}\"}}"),
            3 => format!("{{{label}=~\"(?i:.*{second}.?)\",{label}!=\"{first}\"}}"),
            // Who has the label, and who does not have one that nobody has.
            4 => format!("{{{label}!=\"\"}}"),
            5 => format!("{{{label}=~\".+\",nosuch=\"\"}}"),
            6 => format!("{{{label}!~\"|{first}\",nosuch=~\"|x\"}}"),
            _ => format!("{{{label}!~\".*{first}\"}}"),
        };
        (metric, matchers)
    }

    /// Where a selector looks.
    pub(super) fn shifted(&self, random: &mut Random, held: bool) -> String {
        let offset = |random: &mut Random| format!(" offset {}", random.pick(&OFFSETS));
        match random.below(20) {
            0 | 1 => offset(random),
            2..=4 if held => {
                self.at(random) + &if random.percent(30) { offset(random) } else { String::new() }
            }
            _ => String::new(),
        }
    }

    /// A subquery, and where it looks: where steps on edges would matter, a millisecond beside where a selector would.
    pub(super) fn steps_shifted(&self, random: &mut Random, held: bool, subquery: Expression) -> Expression {
        if self.edges {
            return subquery.loose(self.shifted(random, held));
        }
        let at = if held && random.percent(15) { self.at(random) } else { String::new() };
        let offset = random.pick(&["1ms", "17s1ms", "1m1ms", "-29s999ms"]);
        subquery.loose(at).text(" offset ").word(offset, &["1ms"])
    }

    fn at(&self, random: &mut Random) -> String {
        if self.bounds && random.percent(40) {
            return random.pick(&[" @ start()", " @ end()"]).to_owned();
        }
        let (first, part) = &self.held;
        let seconds = first.saturating_add(random.below(1200) as i64);
        format!(" @ {seconds}{part}")
    }

    /// How an aggregation groups.
    pub(super) fn by(&self, random: &mut Random) -> String {
        let label = &self.labels[random.below(self.labels.len())].0;
        let other = &self.labels[random.below(self.labels.len())].0;
        match random.below(12) {
            0 | 1 => format!(" by ({label}) "),
            2 | 3 => format!(" without ({label}) "),
            4 if other != label => format!(" by ({label}, {other}) "),
            5 if other != label => format!(" without ({label}, {other}) "),
            6 => format!(" by (nosuch, {label}) "),
            7 => " by () ".to_owned(),
            8 => " without (le, nosuch) ".to_owned(),
            _ => String::new(),
        }
    }
}
