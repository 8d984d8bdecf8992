//! The tree that a query becomes. Its types have been checked: what stands for a scalar is one.

use super::Shift;
use super::function::{DateFunction, MapFunction, WindowFunction};
use crate::{labels::Labels, pattern::Pattern};

/// A part of a query.
#[derive(Debug)]
pub(crate) enum Node {
    Number(f64),
    Text(String),
    /// The step's own moment, in seconds.
    Time,
    /// The newest samples of a selector; with `timestamps`, the moments that they are of.
    Newest {
        selector: usize,
        timestamps: bool,
    },
    /// A range by itself, which only a whole query can be.
    Range(Range),
    Window(Box<WindowCall>),
    Negate(Box<Node>),
    Map(MapFunction, Box<Node>),
    /// Of the argument's values, or of the step's own moment if there is none.
    Date(DateFunction, Option<Box<Node>>),
    Round(Box<Node>, Option<Box<Node>>),
    Clamp(Box<Clamp>),
    Absent(Box<Node>, Labels),
    /// A vector's only value.
    Scalar(Box<Node>),
    /// A scalar as a vector.
    Vector(Box<Node>),
    /// The step's moment, wherever there is a value.
    Timestamp(Box<Node>),
    Sort {
        of: Box<Node>,
        descending: bool,
    },
    /// Nothing, and a hint that says why.
    Native(Box<Node>, &'static str),
    Histogram(Box<Histogram>),
    LabelReplace(Box<LabelReplace>),
    LabelJoin(Box<LabelJoin>),
    Binary(Box<Binary>),
    Aggregate(Box<Aggregate>),
}

/// Samples of a stretch of time.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) of: RangeOf,
    pub(crate) range_ms: i64,
}

#[derive(Debug)]
pub(crate) enum RangeOf {
    /// A selector's samples.
    Selector(usize),
    /// The values of a query that is evaluated step by step.
    Subquery { node: Box<Node>, step_ms: Option<i64>, shift: Shift },
}

/// A function of a window.
#[derive(Debug)]
pub(crate) struct WindowCall {
    pub(crate) function: WindowFunction,
    pub(crate) name: &'static str,
    pub(crate) range: Range,
    /// The quantile, or how far to predict.
    pub(crate) parameter: Option<Node>,
    /// What `absent_over_time` calls its result.
    pub(crate) absent: Labels,
}

#[derive(Debug)]
pub(crate) struct Clamp {
    pub(crate) of: Node,
    pub(crate) least: Option<Node>,
    pub(crate) most: Option<Node>,
}

/// A function of classic buckets.
#[derive(Debug)]
pub(crate) struct Histogram {
    pub(crate) of: Node,
    pub(crate) asks: HistogramAsks,
}

#[derive(Debug)]
pub(crate) enum HistogramAsks {
    Quantile(Node),
    Fraction(Node, Node),
}

#[derive(Debug)]
pub(crate) struct LabelReplace {
    pub(crate) of: Node,
    pub(crate) target: String,
    pub(crate) replacement: String,
    pub(crate) source: String,
    pub(crate) pattern: Pattern,
}

#[derive(Debug)]
pub(crate) struct LabelJoin {
    pub(crate) of: Node,
    pub(crate) target: String,
    pub(crate) separator: String,
    pub(crate) sources: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Binary {
    pub(crate) left: Node,
    pub(crate) right: Node,
    pub(crate) operation: Operation,
    pub(crate) matching: Matching,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    Arithmetic(Arithmetic),
    Comparison { which: Comparison, as_bool: bool },
    Set(SetOperation),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Atan2,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum SetOperation {
    And,
    Or,
    Unless,
}

/// Which series of two sides belong together.
#[derive(Debug)]
pub(crate) struct Matching {
    pub(crate) by: Grouping,
    pub(crate) group: Group,
}

/// Whether one series of a side may meet many of the other.
#[derive(Debug)]
pub(crate) enum Group {
    OneToOne,
    /// `group_left`: many on the left; these labels are taken from the right.
    ManyLeft(Vec<String>),
    /// `group_right`: many on the right; these labels are taken from the left.
    ManyRight(Vec<String>),
}

/// Which labels count.
#[derive(Clone, Debug)]
pub(crate) enum Grouping {
    /// `by`, `on`: these.
    Only(Vec<String>),
    /// `without`, `ignoring`: all others, but for the metric's name.
    Without(Vec<String>),
}

impl Grouping {
    /// A series' labels that count.
    pub(crate) fn of(&self, labels: &Labels) -> Labels {
        match self {
            Self::Only(names) => labels.only(names),
            Self::Without(names) => labels.without_name().without(names),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Aggregate {
    pub(crate) of: Node,
    pub(crate) by: Grouping,
    pub(crate) operation: Aggregation,
}

#[derive(Debug)]
pub(crate) enum Aggregation {
    Avg,
    Count,
    Group,
    Max,
    Min,
    Stddev,
    Stdvar,
    Sum,
    Quantile(Node),
    Top { count: Node, largest: bool },
    CountValues { label: String },
}
