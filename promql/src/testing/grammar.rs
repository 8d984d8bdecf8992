//! What random queries are made of.

use super::{
    Random,
    expression::{Expression, Kind},
    words::*,
};

/// The words of random queries: which metrics and labels there are, and how far a query may go.
#[derive(Clone, Debug)]
pub struct Grammar {
    /// Metrics whose values rise and fall.
    pub gauges: Vec<String>,
    /// Metrics whose values rise.
    pub counters: Vec<String>,
    /// Metrics that are classic histograms' buckets.
    pub buckets: Vec<String>,
    /// Labels and some of their values.
    pub labels: Vec<(String, Vec<String>)>,
    /// A label that is all that one-to-many matches go by.
    pub key: String,
    /// How deep queries are nested at most.
    pub depth: usize,
    /// Whether `@ start()` and `@ end()` are used, which mean other moments in a query of one step.
    pub bounds: bool,
}

impl Grammar {
    /// The words that fit [`counters_and_gauges`](super::counters_and_gauges).
    pub fn of_random_series() -> Self {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        Self {
            gauges: owned(&["g", "i"]),
            counters: owned(&["c_total"]),
            buckets: owned(&["h_bucket"]),
            labels: vec![
                ("job".to_owned(), owned(&["api", "web", "db", "none"])),
                ("zone".to_owned(), owned(&["a", "b"])),
            ],
            key: "job".to_owned(),
            depth: 3,
            bounds: false,
        }
    }

    /// A random query that evaluates to an instant vector.
    pub fn query(&self, random: &mut Random) -> Expression {
        let vector = Expression::new(Kind::Vector);
        let depth = self.depth;
        // What depends on the order of series stands at the root only.
        match random.below(12) {
            0 => {
                let head = format!(
                    "{}{}({}, ",
                    random.pick(&["topk", "bottomk"]),
                    self.by(random),
                    1 + random.below(4)
                );
                vector.text(head).part(self.vector(random, depth)).text(")")
            }
            1 => {
                let head = format!("count_values{}(\"v\", ", self.by(random));
                vector.text(head).part(self.selector(random)).text(")")
            }
            2 => {
                let sort = random.pick(&["sort(", "sort_desc("]);
                vector.text(sort).part(self.vector(random, depth)).text(")")
            }
            _ => self.vector(random, depth),
        }
    }

    pub(super) fn vector(&self, random: &mut Random, depth: usize) -> Expression {
        let vector = Expression::new(Kind::Vector);
        if depth == 0 {
            return self.selector(random);
        }
        let less = depth - 1;
        match random.below(20) {
            0..=3 => self.window(random, less),
            4..=7 => self.aggregation(random, less),
            8..=10 => self.between_vectors(random, less),
            11 | 12 => self.with_number(random, less),
            13 => self.set(random, less),
            14 => {
                let function = random.pick(&MAPS);
                let of =
                    if JUMPS.contains(&function) { self.exact(random) } else { self.vector(random, less) };
                vector.text(format!("{function}(")).part(of).text(")")
            }
            15 => match random.below(4) {
                0 => {
                    // What is no moment has no parts, and what a machine makes of it is its own affair.
                    let moments = " < 1e12) > -1e12)";
                    vector
                        .text(format!("{}(((", random.pick(&DATES)))
                        .part(self.vector(random, less))
                        .text(format!("){moments}"))
                }
                1 => vector.text("-").part(self.vector(random, less)),
                2 => vector.text("absent(").part(self.vector(random, less)).text(")"),
                _ => {
                    let bounds = format!(", {}, {})", random.pick(&NUMBERS), random.pick(&NUMBERS));
                    vector.text("clamp(").part(self.vector(random, less)).text(bounds)
                }
            },
            16 => self.histogram(random),
            17 => self.relabelled(random, less),
            18 => vector.text("vector(").part(self.scalar(random, less)).text(")"),
            _ => self.selector(random),
        }
    }

    pub(super) fn scalar(&self, random: &mut Random, depth: usize) -> Expression {
        let scalar = Expression::new(Kind::Scalar);
        match random.below(5) {
            0 => scalar.text("time()"),
            1 if depth > 0 => scalar.text("scalar(").part(self.vector(random, depth - 1)).text(")"),
            2 if depth > 0 => {
                let operator = random.pick(&["+", "-", "*", "/", "^"]);
                let (left, right) = (self.scalar(random, depth - 1), self.scalar(random, depth - 1));
                scalar.text("(").part(left).text(format!(" {operator} ")).part(right).text(")")
            }
            _ => scalar.text(random.pick(&NUMBERS)),
        }
    }

    fn selector(&self, random: &mut Random) -> Expression {
        let mut text = self.matched(random, &[&self.gauges, &self.counters, &self.buckets]);
        text.push_str(&self.shifted(random, true));
        Expression::new(Kind::Vector).text(text)
    }

    /// A vector whose values are the same however they are computed. Only such are given to what jumps: of two evaluators
    /// that differ in a last digit, one would round up and the other down.
    pub(super) fn exact(&self, random: &mut Random) -> Expression {
        let vector = Expression::new(Kind::Vector);
        match random.below(4) {
            0 => {
                let head = format!("{}{}(", random.pick(&EXACT), self.by(random));
                vector.text(head).part(self.selector(random)).text(")")
            }
            1 => {
                let metric = self.matched(random, &[&self.gauges, &self.counters]);
                let function = random.pick(&EXACT_OVER_TIME);
                vector.text(format!("{function}({metric}[{}])", random.pick(&RANGES)))
            }
            _ => self.selector(random),
        }
    }

    /// A metric and some matchers.
    pub(super) fn matched(&self, random: &mut Random, of: &[&Vec<String>]) -> String {
        let metrics: Vec<&String> = of.iter().flat_map(|metrics| metrics.iter()).collect();
        let mut text = metrics[random.below(metrics.len())].clone();
        if random.percent(30) {
            let (label, values) = &self.labels[random.below(self.labels.len())];
            let first = &values[random.below(values.len())];
            let second = &values[random.below(values.len())];
            text.push_str(&match random.below(4) {
                0 => format!("{{{label}=\"{first}\"}}"),
                1 => format!("{{{label}!=\"{first}\"}}"),
                2 => format!("{{{label}=~\"{first}|{second}\"}}"),
                _ => format!("{{{label}!~\".*{first}\"}}"),
            });
        }
        text
    }

    pub(super) fn shifted(&self, random: &mut Random, held: bool) -> String {
        match random.below(20) {
            0 | 1 => format!(" offset {}", random.pick(&OFFSETS)),
            2 if held => format!(" @ {}", 600 + random.below(1200)),
            3 if held && self.bounds => random.pick(&[" @ start()", " @ end()"]).to_owned(),
            4 if held => format!(" @ {} offset {}", 600 + random.below(1200), random.pick(&OFFSETS)),
            _ => String::new(),
        }
    }

    pub(super) fn by(&self, random: &mut Random) -> String {
        let label = &self.labels[random.below(self.labels.len())].0;
        match random.below(3) {
            0 => format!(" by ({label}) "),
            1 => format!(" without ({label}) "),
            _ => String::new(),
        }
    }

    fn histogram(&self, random: &mut Random) -> Expression {
        let metric = self.matched(random, &[&self.buckets]);
        let quantile = random.pick(&["0", "0.5", "0.9", "1"]);
        let of = match random.below(3) {
            0 => metric,
            1 => format!("rate({metric}[5m])"),
            _ => format!("sum by (le) ({metric})"),
        };
        Expression::new(Kind::Vector).text(format!("histogram_quantile({quantile}, {of})"))
    }

    fn relabelled(&self, random: &mut Random, depth: usize) -> Expression {
        let key = &self.key;
        let vector = Expression::new(Kind::Vector);
        let inner = self.vector(random, depth);
        if random.percent(50) {
            vector
                .text("label_replace(")
                .part(inner)
                .text(format!(", \"n\", \"$1-x\", \"{key}\", \"(.).*\")"))
        } else {
            vector.text("label_join(").part(inner).text(format!(", \"n\", \"/\", \"{key}\", \"le\")"))
        }
    }
}
