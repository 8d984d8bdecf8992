//! Random aggregations and operators.

use super::{
    Grammar, Random,
    expression::{Expression, Kind},
    words::*,
};

impl Grammar {
    /// The largest or the smallest.
    pub(super) fn top(&self, random: &mut Random, depth: usize) -> Expression {
        let head = random.pick(&["topk", "bottomk"]);
        let vector = Expression::new(Kind::Vector).text(head).loose(self.by(random)).text("(");
        let vector = vector.word(random.pick(&COUNTS), &COUNTS).text(", ");
        vector.part(self.vector(random, depth)).text(")")
    }

    pub(super) fn aggregation(&self, random: &mut Random, depth: usize) -> Expression {
        let by = self.by(random);
        let vector = Expression::new(Kind::Vector);
        match random.below(11) {
            // Of infinities, versions of Prometheus make different spreads.
            0 => {
                let head = random.pick(&["stddev", "stdvar"]);
                vector.text(head).loose(by).text("(abs(").part(self.vector(random, depth)).text(") < 1e300)")
            }
            1 => {
                // What `@` holds is not held in Prometheus 2 where it is an aggregation's parameter.
                let vector = vector.text("quantile").loose(by).text("(").part(self.quantile(random, 0));
                vector.text(", ").part(self.vector(random, depth)).text(")")
            }
            // How often each value is there.
            3 => {
                let head = random.pick(&["sum by (v) (", "max(", "count("]);
                let vector = vector.text(head).text("count_values").loose(by).text("(\"v\", ");
                vector.part(self.exact(random)).text("))")
            }
            // Whoever it is that has them, the largest are as large.
            2 => {
                let head = random.pick(&["max", "min", "count", "sum"]);
                vector.text(format!("{head}(")).part(self.top(random, depth)).text(")")
            }
            _ => {
                let vector = vector.word(random.pick(&AGGREGATIONS), &AGGREGATIONS).loose(by).text("(");
                vector.part(self.vector(random, depth)).text(")")
            }
        }
    }

    pub(super) fn operator(&self, random: &mut Random) -> (&'static str, bool) {
        match random.below(3) {
            0 => (COMPARISONS[random.below(COMPARISONS.len())], true),
            _ => (ARITHMETIC[random.below(ARITHMETIC.len())], false),
        }
    }

    /// An operator between two vectors, many of a side perhaps.
    pub(super) fn between_vectors(&self, random: &mut Random, depth: usize) -> Expression {
        let key = &self.key;
        let (operator, compares) = self.operator(random);
        let side = |random: &mut Random| match jumps(operator) {
            true => self.exact(random),
            false => self.vector(random, depth),
        };
        let (left, right) = (side(random), side(random));
        let modifier = if compares && random.percent(50) { " bool" } else { "" };
        let vector = Expression::new(Kind::Vector).text("(");
        let between = |left: Expression, matching: String, right: Expression| {
            let vector = vector.clone().part(left).text(format!(" {operator}")).loose(modifier);
            vector.text(format!("{matching} ")).part(right).text(")")
        };
        match random.below(10) {
            // One on the right for each key, and many on the left; then the other way about.
            0 => between(left, format!(" on({key}) group_left()"), aggregated("max", key, right)),
            1 => between(aggregated("min", key, left), format!(" on({key}) group_right()"), right),
            2 => between(aggregated("sum", key, left), format!(" on({key})"), aggregated("sum", key, right)),
            3 => between(
                aggregated("sum", key, left),
                " ignoring(nosuch)".to_owned(),
                aggregated("avg", key, right),
            ),
            // One for all of the other side: what is asked of a fleet as a whole.
            8 => between(left, " on() group_left()".to_owned(), whole("max", right)),
            9 => between(whole("min", left), " on() group_right()".to_owned(), right),
            // Prometheus 2 keeps the metric's name here, unless something else is computed with it.
            4 => {
                let (left, right) = (self.exact(random), self.vector(random, depth));
                let vector = vector.text("(").part(left).text(" % 2 atan2 ").part(right);
                vector.text(") * 1)")
            }
            _ => between(left, String::new(), right),
        }
    }

    pub(super) fn with_number(&self, random: &mut Random, depth: usize) -> Expression {
        let (operator, compares) = self.operator(random);
        let (vector, scalar) = match jumps(operator) {
            true => (self.exact(random), self.scalar(random, 0)),
            false => (self.vector(random, depth), self.scalar(random, depth)),
        };
        let (left, right) = if random.percent(50) { (vector, scalar) } else { (scalar, vector) };
        let modifier = if compares && random.percent(50) { " bool" } else { "" };
        let all = Expression::new(Kind::Vector).text("(").part(left).text(format!(" {operator}"));
        all.loose(modifier).text(" ").part(right).text(")")
    }

    pub(super) fn set(&self, random: &mut Random, depth: usize) -> Expression {
        let matching = match random.below(5) {
            0 => format!(" on({})", self.key),
            1 => format!(" ignoring({})", self.key),
            2 => " on()".to_owned(),
            3 => " ignoring(nosuch)".to_owned(),
            _ => String::new(),
        };
        let operator = format!(" {}", random.pick(&["and", "or", "unless"]));
        let (left, right) = (self.vector(random, depth), self.vector(random, depth));
        let vector = Expression::new(Kind::Vector).text("(").part(left).text(operator);
        vector.loose(matching).text(" ").part(right).text(")")
    }

    /// A vector with labels of the metric that has them; itself where there is none.
    pub(super) fn described(&self, random: &mut Random, depth: usize) -> Expression {
        let inner = self.vector(random, depth);
        let Some(info) = &self.info else { return inner };
        let taken = random.below(info.labels.len() + 1);
        let (key, taken) = (&self.key, info.labels[..taken].join(", "));
        let vector = Expression::new(Kind::Vector).text("(");
        if random.percent(50) {
            let matching = format!(" * on({key}) group_left({taken}) {})", info.metric);
            return vector.part(inner).text(matching);
        }
        let matching = format!("({} * on({key}) group_right({taken}) ", info.metric);
        Expression::new(Kind::Vector).text(matching).part(inner).text(")")
    }
}

/// Whether an operator's result jumps where its operands hardly move.
fn jumps(operator: &str) -> bool {
    operator == "%" || COMPARISONS.contains(&operator)
}

fn whole(operator: &str, of: Expression) -> Expression {
    Expression::new(Kind::Vector).text(format!("{operator}(")).part(of).text(")")
}

fn aggregated(operator: &str, key: &str, of: Expression) -> Expression {
    Expression::new(Kind::Vector).text(format!("{operator} by ({key}) (")).part(of).text(")")
}
