//! Rules about expressions.

use crate::grafana::{
    dashboards::expressions,
    macros::{RATE_INTERVAL_SECONDS, filled, with_ranges},
};
use pingup_promql::Query;
use promql_parser::{
    label::MatchOp,
    parser::{self, Expr, VectorSelector},
};
use serde_json::Value;
use std::time::Duration;

/// What makes of a counter how much it grew.
const GROWTH: [&str; 3] = ["rate", "irate", "increase"];

/// Every expression can be asked.
pub fn promql(board: &Value) -> Vec<String> {
    let asked = expressions(board).into_iter();
    let refused = asked.filter_map(|(expression, _)| {
        let error = Query::parse(&filled(expression)).err()?;
        Some(format!("{expression}: {error}"))
    });
    refused.collect()
}

/// A rate is over `$__rate_interval`, which always has two samples in it.
pub fn rate_interval(board: &Value) -> Vec<String> {
    wrong(board, |selector| {
        let range = selector.range?;
        let is_rate = matches!(selector.function, Some("rate" | "irate"));
        (is_rate && range != Duration::from_secs(RATE_INTERVAL_SECONDS))
            .then(|| format!("a rate over {range:?}"))
    })
}

/// Every selector holds to the jobs that were chosen.
pub fn job(board: &Value) -> Vec<String> {
    wrong(board, |selector| selector.lacks("job"))
}

/// And to the instances.
pub fn instance(board: &Value) -> Vec<String> {
    wrong(board, |selector| selector.lacks("instance"))
}

/// What only grows is shown as how fast it grows.
pub fn counters(board: &Value) -> Vec<String> {
    wrong(board, |selector| {
        let name = selector.selector.name.as_deref().unwrap_or_default();
        let is_grown = selector.function.is_some_and(|function| GROWTH.contains(&function));
        let is_counter = name.ends_with("_total") || name.ends_with("_bucket");
        (is_counter && !(is_grown && selector.range.is_some())).then(|| format!("{name} as it is"))
    })
}

/// A selector where it stands.
struct Place<'a> {
    selector: &'a VectorSelector,
    /// The range behind it.
    range: Option<Duration>,
    /// The function that it is an argument of, itself.
    function: Option<&'a str>,
}

impl Place<'_> {
    fn lacks(&self, label: &str) -> Option<String> {
        let is_there = self.selector.matchers.matchers.iter().any(|matcher| {
            let wanted = format!("${label}");
            matcher.name == label && matches!(matcher.op, MatchOp::Re(_)) && matcher.value == wanted
        });
        (!is_there).then(|| format!("a selector without {label}=~\"${label}\""))
    }
}

/// Judges every selector of every expression; what cannot be read is another rule's.
fn wrong(board: &Value, judge: impl Fn(&Place<'_>) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for (expression, _) in expressions(board) {
        let Ok(read) = parser::parse(&with_ranges(expression)) else { continue };
        walk(&read, None, &mut |place| {
            found.extend(judge(place).map(|what| format!("{expression}: {what}")));
        });
    }
    found
}

fn walk(expr: &Expr, function: Option<&str>, look: &mut impl FnMut(&Place<'_>)) {
    match expr {
        Expr::VectorSelector(selector) => look(&Place { selector, range: None, function }),
        Expr::MatrixSelector(matrix) => {
            look(&Place { selector: &matrix.vs, range: Some(matrix.range), function });
        }
        Expr::Call(call) => {
            call.args.args.iter().for_each(|argument| walk(argument, Some(call.func.name), look));
        }
        Expr::Aggregate(aggregate) => {
            aggregate.param.iter().for_each(|param| walk(param, None, look));
            walk(&aggregate.expr, None, look);
        }
        Expr::Binary(binary) => {
            walk(&binary.lhs, None, look);
            walk(&binary.rhs, None, look);
        }
        Expr::Unary(unary) => walk(&unary.expr, None, look),
        Expr::Paren(paren) => walk(&paren.expr, function, look),
        Expr::Subquery(subquery) => walk(&subquery.expr, None, look),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}
