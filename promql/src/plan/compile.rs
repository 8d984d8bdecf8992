//! From the parser's tree to a plan: types are checked, parentheses go.

use super::{Kind, Node, Plan, QUERY_DEPTH_MAX, Selector, blame, hidden::Hidden};
use crate::error::Error;
use promql_parser::parser::{self, Expr};

/// What the parser makes of a text.
pub(super) fn parse(text: &str, hidden: &Hidden<'_>) -> Result<Expr, Error> {
    let reason = match attempt(&hidden.text) {
        Ok(expr) => return Ok(expr),
        Err(reason) => reason,
    };
    if reason != NO_QUERY {
        return Err(refused(reworded(&reason)));
    }
    // A complaint about types means that the words are in order.
    let parses = |text: &str| attempt(text).map_or_else(|reason| reason != NO_QUERY, |_| true);
    Err(blame::blame(text, parses).map_or_else(|| refused(reason), Error::query))
}

/// What the parser says of a text that is no query, whatever the cause.
const NO_QUERY: &str = "invalid promql query";

fn attempt(text: &str) -> Result<Expr, String> {
    // The text is from outside and the parser is not ours: if it panics, only this query is lost.
    std::panic::catch_unwind(|| parser::parse(text)).unwrap_or_else(|_| Err(NO_QUERY.to_owned()))
}

/// Types as Prometheus calls them, where the parser has words of its own.
fn reworded(reason: &str) -> String {
    if !["expected type ", "unary expression only "].iter().any(|start| reason.starts_with(start)) {
        return reason.to_owned();
    }
    let mut words = reason.replace('\'', "\"");
    for (theirs, ours) in [("vector", "instant vector"), ("matrix", "range vector")] {
        for before in ["type", "or", "got", "got:"] {
            words = words.replace(&format!("{before} {theirs}"), &format!("{before} {ours}"));
        }
    }
    words
}

pub(super) fn plan(expr: &Expr, hidden: &Hidden<'_>) -> Result<Plan, Error> {
    let mut compiler = Compiler { selectors: Vec::new(), hidden, depth: 0 };
    let root = compiler.node(expr)?;
    Ok(Plan { root: root.node, kind: root.kind, selectors: compiler.selectors, rounds: root.rounds })
}

pub(super) fn refused(reason: impl std::fmt::Display) -> Error {
    Error::query(format!("parse error: {reason}"))
}

/// A part that has been compiled.
pub(super) struct Part {
    pub(super) node: Node,
    pub(super) kind: Kind,
    /// After how many rounds of reading it can be evaluated.
    pub(super) rounds: usize,
}

impl Part {
    pub(super) fn new(node: Node, kind: Kind, rounds: usize) -> Self {
        Self { node, kind, rounds }
    }

    pub(super) fn expect(self, kind: Kind, place: &str) -> Result<Self, Error> {
        if self.kind == kind {
            return Ok(self);
        }
        Err(refused(format_args!("expected type {kind} in {place}, got {}", self.kind)))
    }
}

pub(super) struct Compiler<'a> {
    pub(super) selectors: Vec<Selector>,
    pub(super) hidden: &'a Hidden<'a>,
    depth: usize,
}

impl Compiler<'_> {
    pub(super) fn node(&mut self, expr: &Expr) -> Result<Part, Error> {
        self.depth += 1;
        if self.depth > QUERY_DEPTH_MAX {
            return Err(refused(format_args!("query is nested deeper than {QUERY_DEPTH_MAX}")));
        }
        let part = match expr {
            Expr::NumberLiteral(number) => Part::new(Node::Number(number.val), Kind::Scalar, 0),
            Expr::StringLiteral(text) => Part::new(Node::Text(text.val.clone()), Kind::Text, 0),
            Expr::Paren(inner) => self.node(&inner.expr)?,
            Expr::Unary(inner) => self.negate(&inner.expr)?,
            Expr::VectorSelector(selector) => {
                let selector = self.selector(selector, 0)?;
                Part::new(Node::Newest { selector, timestamps: false }, Kind::Vector, 1)
            }
            Expr::MatrixSelector(_) | Expr::Subquery(_) => {
                let (range, rounds) = self.range(expr, 0)?;
                Part::new(Node::Range(range), Kind::Range, rounds)
            }
            Expr::Binary(binary) => self.binary(binary)?,
            Expr::Aggregate(aggregate) => self.aggregate(aggregate)?,
            Expr::Call(call) => self.call(call)?,
            Expr::Extension(_) => return Err(refused("extensions are not evaluated here")),
        };
        self.depth -= 1;
        Ok(part)
    }

    pub(super) fn selected(&self, index: usize) -> &Selector {
        &self.selectors[index]
    }

    fn negate(&mut self, of: &Expr) -> Result<Part, Error> {
        let part = self.node(of)?;
        if !matches!(part.kind, Kind::Scalar | Kind::Vector) {
            return Err(refused(format_args!(
                "unary expression only allowed on expressions of type scalar or instant vector, got {:?}",
                part.kind.to_string()
            )));
        }
        Ok(Part { node: Node::Negate(Box::new(part.node)), ..part })
    }
}

/// An expression without its parentheses.
pub(super) fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(inner) => bare(&inner.expr),
        _ => expr,
    }
}
