//! Random windows, aggregations and operators.

use super::{
    Grammar, Random,
    expression::{Expression, Kind},
    words::*,
};

impl Grammar {
    pub(super) fn window(&self, random: &mut Random, depth: usize) -> Expression {
        let vector = Expression::new(Kind::Vector);
        let mut held = true;
        let mut jumps = false;
        let (head, tail) = match random.below(10) {
            0 => (format!("quantile_over_time({}, ", random.pick(&["0", "0.3", "0.5", "1"])), ")".to_owned()),
            1 => {
                // Prometheus 2 loses samples of a window that is held while its function still looks at the step.
                held = false;
                ("predict_linear(".to_owned(), format!(", {})", random.pick(&["0", "60", "-600"])))
            }
            2..=5 => {
                let function = random.pick(&CHANGES);
                jumps = JUMPS.contains(&function);
                (format!("{function}("), ")".to_owned())
            }
            _ => (format!("{}(", random.pick(&OVER_TIME)), ")".to_owned()),
        };
        let range = random.pick(&RANGES);
        if depth > 0 && random.percent(25) {
            let inner = if jumps { self.exact(random) } else { self.vector(random, depth - 1) };
            let shape = format!(")[{range}:{}]{}{tail}", random.pick(&STEPS), self.shifted(random, held));
            return vector.text(format!("{head}(")).part(inner).text(shape);
        }
        let metric = self.matched(random, &[&self.gauges, &self.counters]);
        vector.text(format!("{head}{metric}[{range}]{}{tail}", self.shifted(random, held)))
    }

    pub(super) fn aggregation(&self, random: &mut Random, depth: usize) -> Expression {
        let by = self.by(random);
        if random.percent(15) {
            // Of infinities, versions of Prometheus make different spreads.
            let head = format!("{}{by}(abs(", random.pick(&["stddev", "stdvar"]));
            return Expression::new(Kind::Vector)
                .text(head)
                .part(self.vector(random, depth))
                .text(") < 1e300)");
        }
        let head = if random.percent(10) {
            format!("quantile{by}({}, ", random.pick(&["0", "0.25", "0.5", "1"]))
        } else {
            format!("{}{by}(", random.pick(&AGGREGATIONS))
        };
        Expression::new(Kind::Vector).text(head).part(self.vector(random, depth)).text(")")
    }

    pub(super) fn operator(&self, random: &mut Random) -> String {
        match random.below(3) {
            0 => format!("{}{}", random.pick(&COMPARISONS), random.pick(&["", " bool"])),
            _ => random.pick(&ARITHMETIC).to_owned(),
        }
    }

    pub(super) fn between_vectors(&self, random: &mut Random, depth: usize) -> Expression {
        let key = &self.key;
        let mut operator = self.operator(random);
        let side = |random: &mut Random| match jumps(&operator) {
            true => self.exact(random),
            false => self.vector(random, depth),
        };
        let (mut left, mut right) = (side(random), side(random));
        let vector = Expression::new(Kind::Vector);
        match random.below(4) {
            0 => {
                // Many on the left, and one on the right for each key.
                operator.push_str(&format!(" on({key}) group_left"));
                right = aggregated("max", key, right);
            }
            1 => {
                operator.push_str(&format!(" on({key})"));
                (left, right) = (aggregated("sum", key, left), aggregated("sum", key, right));
            }
            _ => {}
        }
        vector.text("(").part(left).text(format!(" {operator} ")).part(right).text(")")
    }

    pub(super) fn with_number(&self, random: &mut Random, depth: usize) -> Expression {
        let operator = self.operator(random);
        let (vector, scalar) = match jumps(&operator) {
            true => (self.exact(random), self.scalar(random, 0)),
            false => (self.vector(random, depth), self.scalar(random, depth)),
        };
        let (left, right) = if random.percent(50) { (vector, scalar) } else { (scalar, vector) };
        let all = Expression::new(Kind::Vector).text("(").part(left);
        all.text(format!(" {operator} ")).part(right).text(")")
    }

    pub(super) fn set(&self, random: &mut Random, depth: usize) -> Expression {
        let matching = match random.below(3) {
            0 => format!(" on({})", self.key),
            1 => format!(" ignoring({})", self.key),
            _ => String::new(),
        };
        let operator = format!(" {}{matching} ", random.pick(&["and", "or", "unless"]));
        let (left, right) = (self.vector(random, depth), self.vector(random, depth));
        Expression::new(Kind::Vector).text("(").part(left).text(operator).part(right).text(")")
    }
}

/// Whether an operator's result jumps where its operands hardly move.
fn jumps(operator: &str) -> bool {
    operator == "%" || COMPARISONS.iter().any(|comparison| operator.starts_with(comparison))
}

fn aggregated(operator: &str, key: &str, of: Expression) -> Expression {
    Expression::new(Kind::Vector).text(format!("{operator} by ({key}) (")).part(of).text(")")
}
