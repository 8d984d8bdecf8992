//! Random calls of functions.

use super::{
    Grammar, Random,
    expression::{Expression, Kind},
    words::*,
};

/// What is no moment has no parts, and what a machine makes of it is its own affair.
const MOMENTS: &str = " < 1e12) > -1e12)";

impl Grammar {
    /// A function of a window.
    pub(super) fn window(&self, random: &mut Random, depth: usize) -> Expression {
        let vector = Expression::new(Kind::Vector);
        let mut held = true;
        let mut jumps = false;
        let mut tail = ")".to_owned();
        let head = match random.below(10) {
            // Prometheus 2 loses samples of a window that is held while its function still looks at the step.
            0 => {
                held = random.percent(50);
                let which = if held { self.written_quantile(random) } else { self.quantile(random, 1) };
                vector.text("quantile_over_time(").part(which).text(", ")
            }
            1 => {
                held = false;
                tail = format!(", {})", random.pick(&["0", "60", "-600"]));
                vector.text("predict_linear(")
            }
            2..=5 => {
                let function = random.pick(&CHANGES);
                jumps = JUMPS.contains(&function);
                vector.word(function, &CHANGES).text("(")
            }
            _ => vector.word(random.pick(&OVER_TIME), &OVER_TIME).text("("),
        };
        let range = random.pick(&RANGES);
        if depth > 0 && random.percent(25) {
            let inner = if jumps { self.exact(random) } else { self.vector(random, depth - 1) };
            let window = head.text("(").part(inner).text(")[").word(range, &RANGES).text(":");
            let window = window.word(random.pick(&STEPS), &STEPS).text("]");
            return self.steps_shifted(random, held, window).text(tail);
        }
        let (metric, matchers) = match jumps || self.fractions.is_empty() || random.percent(60) {
            true => self.matched(random, &[&self.gauges, &self.counters]),
            false => self.matched(random, &[&self.fractions]),
        };
        let window = head.text(metric).loose(matchers).text("[").word(range, &RANGES).text("]");
        window.loose(self.shifted(random, held)).text(tail)
    }

    /// Which quantile; made of series only if there is some depth.
    pub(super) fn quantile(&self, random: &mut Random, depth: usize) -> Expression {
        match random.below(8) {
            0 => self.scalar(random, depth),
            _ => self.written_quantile(random),
        }
    }

    /// Which quantile, the same at each step.
    fn written_quantile(&self, random: &mut Random) -> Expression {
        Expression::new(Kind::Scalar).word(random.pick(&QUANTILES), &QUANTILES)
    }

    /// A function of one value.
    pub(super) fn map(&self, random: &mut Random, depth: usize) -> Expression {
        let function = random.pick(&MAPS);
        let (of, tail) = match () {
            () if SATURATES.contains(&function) => (self.exact(random), " % 2)"),
            () if JUMPS.contains(&function) => (self.exact(random), ")"),
            () => (self.vector(random, depth), ")"),
        };
        Expression::new(Kind::Vector).word(function, &MAPS).text("(").part(of).text(tail)
    }

    /// A function of a value and of numbers.
    pub(super) fn by_number(&self, random: &mut Random, depth: usize) -> Expression {
        let vector = Expression::new(Kind::Vector);
        if random.percent(20) {
            let nearest = format!(", {})", random.pick(&["0.1", "0.5", "7", "-2"]));
            return vector.text("round(").part(self.exact(random)).text(nearest);
        }
        let function = random.pick(&["clamp", "clamp_min", "clamp_max"]);
        let vector = vector.text(format!("{function}(")).part(self.vector(random, depth)).text(", ");
        let vector = vector.part(self.scalar(random, depth.min(1)));
        match function {
            "clamp" => vector.text(", ").part(self.scalar(random, 0)).text(")"),
            _ => vector.text(")"),
        }
    }

    /// A part of a moment: of one that a sample tells, or of the step's.
    pub(super) fn date(&self, random: &mut Random) -> Expression {
        let vector = Expression::new(Kind::Vector).word(random.pick(&DATES), &DATES).text("(");
        match random.below(3) {
            0 => vector.text(")"),
            1 => vector.text("timestamp(").part(self.unheld(random)).text("))"),
            _ => vector.text("((").part(self.exact(random)).text(MOMENTS).text(")"),
        }
    }

    /// A quantile of a histogram.
    pub(super) fn histogram(&self, random: &mut Random) -> Expression {
        let (metric, matchers) = self.matched(random, &[&self.buckets]);
        let vector = Expression::new(Kind::Vector).text("histogram_quantile(");
        let vector = vector.part(self.quantile(random, 1)).text(", ");
        let (before, behind) = if random.percent(50) { ("rate(", "[5m])") } else { ("", "") };
        let Some((label, pattern)) = &self.bound else {
            let (before, behind) = match random.below(3) {
                0 => ("sum by (le) (", ")"),
                _ => (before, behind),
            };
            return vector.text(before).text(metric).loose(matchers).text(behind).text(")");
        };
        let by = match random.below(3) {
            0 => String::new(),
            _ => format!(", {}", self.labels[random.below(self.labels.len())].0),
        };
        let vector = vector.text("sum by (le").loose(by).text(") (label_replace(").text(before);
        let vector = vector.text(metric).loose(matchers).text(behind);
        vector.text(format!(", \"le\", \"$1\", \"{label}\", \"{pattern}\")))"))
    }

    /// Other labels.
    pub(super) fn relabelled(&self, random: &mut Random, depth: usize) -> Expression {
        let key = &self.key;
        let vector = Expression::new(Kind::Vector);
        let inner = self.vector(random, depth);
        if random.percent(60) {
            let replacement = random.pick(&["$1-x", "${2}$1", "", "$3", "x"]);
            let pattern = random.pick(&["(.).*", "(.)(.*)", ".*-(.*)", "nosuch", ""]);
            let target: &str = match random.below(10) {
                0 | 1 => key,
                // A label that is there already, and perhaps all that tells two series apart.
                2 => &self.labels[random.below(self.labels.len())].0,
                _ => "n",
            };
            return vector
                .text("label_replace(")
                .part(inner)
                .text(format!(", \"{target}\", \"{replacement}\", \"{key}\", \"{pattern}\")"));
        }
        let sources = random.pick(&["", ", \"le\"", ", \"nosuch\", \"job\""]);
        vector
            .text("label_join(")
            .part(inner)
            .text(format!(", \"n\", \"/\", \"{key}\""))
            .loose(sources)
            .text(")")
    }
}
