//! What random queries are made of: their kinds, and how deep they are nested.

use super::{
    Random,
    expression::{Expression, Kind},
    words::*,
};

/// The words of random queries: which metrics and labels there are, and how far a query may go.
#[derive(Clone, Debug)]
pub struct Grammar {
    /// Metrics whose values rise and fall, and whose sums are exact in whatever order.
    pub gauges: Vec<String>,
    /// Metrics whose values rise, and whose sums are exact.
    pub counters: Vec<String>,
    /// Metrics whose sums depend on the order in their last digit.
    pub fractions: Vec<String>,
    /// Metrics that are classic histograms' buckets.
    pub buckets: Vec<String>,
    /// The label that tells buckets' bounds and the pattern that takes them out of it, where there is no `le`.
    pub bound: Option<(String, String)>,
    /// Labels and some of their values.
    pub labels: Vec<(String, Vec<String>)>,
    /// A label that is all that one-to-many matches go by.
    pub key: String,
    /// A metric of 1s with one series for each value of `key`.
    pub info: Option<Info>,
    /// How deep queries are nested at most.
    pub depth: usize,
    /// Whether `@ start()` and `@ end()` are used, which mean other moments in a query of one step.
    pub bounds: bool,
    /// The first moment that `@` names, in whole seconds, and what part of a second is written behind it.
    pub held: (i64, String),
    /// Whether steps of subqueries may lie on the edges of their windows, where versions of Prometheus differ.
    pub edges: bool,
}

/// A metric that is only there for its labels.
#[derive(Clone, Debug)]
pub struct Info {
    /// Its name.
    pub metric: String,
    /// Labels that only it has.
    pub labels: Vec<String>,
}

impl Grammar {
    /// The words that fit [`counters_and_gauges`](super::counters_and_gauges).
    pub fn of_random_series() -> Self {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        Self {
            gauges: owned(&["g", "i"]),
            counters: owned(&["c_total"]),
            fractions: Vec::new(),
            buckets: owned(&["h_bucket"]),
            bound: None,
            labels: vec![
                ("job".to_owned(), owned(&["api", "web", "db", "none"])),
                ("zone".to_owned(), owned(&["a", "b"])),
            ],
            key: "job".to_owned(),
            info: None,
            depth: 3,
            bounds: false,
            held: (600, String::new()),
            edges: true,
        }
    }

    /// A random query that evaluates to an instant vector.
    pub fn query(&self, random: &mut Random) -> Expression {
        let vector = Expression::new(Kind::Vector);
        let depth = self.depth;
        // What depends on the order of series stands at the root only.
        match random.below(12) {
            0 => self.top(random, depth),
            1 => {
                let head = "count_values";
                let vector = vector.text(head).loose(self.by(random)).text("(\"v\", ");
                vector.part(self.selector(random)).text(")")
            }
            2 => {
                let sort = random.pick(&["sort(", "sort_desc("]);
                vector.text(sort).part(self.vector(random, depth)).text(")")
            }
            _ => self.vector(random, depth),
        }
    }

    /// A random query that evaluates to an instant vector or, less often, to a scalar.
    pub fn any(&self, random: &mut Random) -> Expression {
        match random.below(16) {
            0 => self.scalar(random, self.depth),
            _ => self.query(random),
        }
    }

    pub(super) fn vector(&self, random: &mut Random, depth: usize) -> Expression {
        let vector = Expression::new(Kind::Vector);
        if depth == 0 {
            return self.leaf(random);
        }
        let less = depth - 1;
        match random.below(24) {
            0..=4 => self.window(random, less),
            5..=8 => self.aggregation(random, less),
            9..=12 => self.between_vectors(random, less),
            13 | 14 => self.with_number(random, less),
            15 => self.set(random, less),
            16 => self.map(random, less),
            17 => self.by_number(random, less),
            18 => match random.below(4) {
                0 => self.date(random),
                1 => vector.text("-").part(self.vector(random, less)),
                2 => vector.text("absent(").part(self.vector(random, less)).text(")"),
                _ => vector.text("(timestamp(").part(self.unheld(random)).text(") % 1000)"),
            },
            19 => self.histogram(random),
            20 => self.relabelled(random, less),
            21 => vector.text("vector(").part(self.scalar(random, less)).text(")"),
            22 if self.info.is_some() => self.described(random, less),
            _ => self.leaf(random),
        }
    }

    pub(super) fn scalar(&self, random: &mut Random, depth: usize) -> Expression {
        let scalar = Expression::new(Kind::Scalar);
        match random.below(7) {
            // Of the whole number, most digits are gone when two of its roots or powers are subtracted.
            0 => scalar.text("(time() % 1000)"),
            1 if depth > 0 => scalar.text("scalar(").part(self.vector(random, depth - 1)).text(")"),
            2 if depth > 0 => {
                let operator = random.pick(&["+", "-", "*", "/", "^"]);
                let (left, right) = (self.scalar(random, depth - 1), self.scalar(random, depth - 1));
                scalar.text("(").part(left).text(format!(" {operator} ")).part(right).text(")")
            }
            3 if depth > 0 => {
                // Of numbers that are written down, not of what was computed: it jumps.
                let operator = random.pick(&COMPARISONS);
                let (left, right) = (self.scalar(random, 0), self.scalar(random, 0));
                scalar.text("(").part(left).text(format!(" {operator} bool ")).part(right).text(")")
            }
            4 if depth > 0 => scalar.text("(-").part(self.scalar(random, depth - 1)).text(")"),
            _ => scalar.word(random.pick(&NUMBERS), &NUMBERS),
        }
    }
}
