//! From a text to a plan: a tree whose types have been checked, and the list of what it reads.
//!
//! Nothing in a plan depends on times or series, so one can be kept and evaluated again. `guard` bounds the text,
//! `hidden` takes the patterns out, the parser reads it, `compile` and its kin make the `tree`, and refuse what is not evaluated here.

mod blame;
mod call;
mod compile;
pub(crate) mod function;
mod guard;
mod hidden;
mod operator;
mod selector;
mod tree;

use crate::{error::Error, matcher::Matcher};
pub use guard::{DURATION_SECONDS_MAX, QUERY_BYTES_MAX, QUERY_OPERATORS_MAX, QUERY_PATTERNS_MAX};
use hidden::Hidden;
use std::fmt;
pub(crate) use tree::*;

/// How deep a query may be nested. The evaluator calls itself as deep.
pub const QUERY_DEPTH_MAX: usize = 128;

/// What a part of a query evaluates to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar,
    Vector,
    Range,
    Text,
}

/// As Prometheus's errors call them.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            Self::Vector => "instant vector",
            Self::Range => "range vector",
            Self::Text => "string",
        })
    }
}

/// A query that can be evaluated.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) root: Node,
    pub(crate) kind: Kind,
    /// What is read, by the index that the tree's selectors have.
    pub(crate) selectors: Vec<Selector>,
    /// How often the source is asked: once, but for functions whose parameter is itself made of series.
    pub(crate) rounds: usize,
}

impl Plan {
    /// Reads a query.
    pub(crate) fn new(text: &str) -> Result<Self, Error> {
        guard::admit(text)?;
        let hidden = Hidden::new(text);
        compile::plan(&compile::parse(text, &hidden)?, &hidden)
    }

    /// A query as the parser would write it, on several lines if it is long.
    pub(crate) fn pretty(text: &str) -> Result<String, Error> {
        guard::admit(text)?;
        let hidden = Hidden::new(text);
        let expr = compile::parse(text, &hidden)?;
        // What is printed by recursion must not be nested deeper than what is evaluated.
        compile::plan(&expr, &hidden)?;
        Ok(hidden.restored(expr.prettify()))
    }
}

/// Series by their labels, and from when.
#[derive(Debug)]
pub(crate) struct Selector {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) shift: Shift,
    /// In which of the plan's rounds it is read.
    pub(crate) round: usize,
}

/// `offset` and `@`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shift {
    pub(crate) offset_ms: i64,
    pub(crate) at: Option<At>,
}

/// What `@` holds on to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    Start,
    End,
    Moment(i64),
}
