//! Selectors, ranges and their times: durations become milliseconds, patterns are compiled.

use super::{
    At, Kind, Range, RangeOf, Selector, Shift,
    compile::{Compiler, refused},
    guard,
};
use crate::{
    error::Error,
    labels::METRIC_NAME,
    matcher::{Matcher, Test},
    pattern::Pattern,
};
use promql_parser::{
    label::MatchOp,
    parser::{AtModifier, Expr, Offset, SubqueryExpr, VectorSelector},
};
use std::time::{Duration, SystemTime};

/// Characters that are shown of a pattern that is none.
const PATTERN_SHOWN_MAX: usize = 80;

impl Compiler<'_> {
    pub(super) fn selector(&mut self, selector: &VectorSelector, round: usize) -> Result<usize, Error> {
        if !selector.matchers.or_matchers.is_empty() {
            return Err(refused("`or` between label matchers is not PromQL"));
        }
        let mut matchers = Vec::new();
        matchers.extend(selector.name.iter().map(Matcher::named));
        for matcher in &selector.matchers.matchers {
            let test = match &matcher.op {
                MatchOp::Equal => Test::Equal(matcher.value.clone()),
                MatchOp::NotEqual => Test::NotEqual(matcher.value.clone()),
                MatchOp::Re(_) => Test::Matches(self.pattern(&matcher.value)?),
                MatchOp::NotRe(_) => Test::MatchesNot(self.pattern(&matcher.value)?),
            };
            matchers.push(Matcher { name: matcher.name.clone(), test });
        }
        let names =
            |matcher: &&Matcher| matcher.name == METRIC_NAME && matches!(matcher.test, Test::Equal(_));
        if matchers.iter().filter(names).count() > 1 {
            return Err(refused("metric name must not be set twice"));
        }
        if matchers.iter().all(|matcher| matcher.accepts("")) {
            return Err(refused("vector selector must contain at least one non-empty matcher"));
        }
        let shift = shift(selector.offset.as_ref(), selector.at.as_ref())?;
        self.selectors.push(Selector { matchers, shift, round });
        Ok(self.selectors.len() - 1)
    }

    /// The pattern that a word stands for.
    fn pattern(&self, word: &str) -> Result<Pattern, Error> {
        let Some(text) = self.hidden.pattern(word) else {
            return Err(Error::internal("a pattern was not hidden"));
        };
        Pattern::new(text).map_err(|reason| {
            let shown: String = text.chars().take(PATTERN_SHOWN_MAX).collect();
            let more = if shown.len() < text.len() { "…" } else { "" };
            refused(format_args!("illegal regex {shown:?}{more}: {reason}"))
        })
    }

    /// A range, which is read no earlier than in `round`; and after how many rounds it is there.
    pub(super) fn range(&mut self, expr: &Expr, round: usize) -> Result<(Range, usize), Error> {
        match expr {
            Expr::Paren(inner) => self.range(&inner.expr, round),
            Expr::MatrixSelector(matrix) => {
                let of = RangeOf::Selector(self.selector(&matrix.vs, round)?);
                Ok((Range { of, range_ms: positive(matrix.range)? }, round + 1))
            }
            Expr::Subquery(subquery) => self.subquery(subquery),
            _ => {
                let kind = self.node(expr)?.kind;
                Err(refused(format_args!("expected type range vector, got {kind}")))
            }
        }
    }

    fn subquery(&mut self, subquery: &SubqueryExpr) -> Result<(Range, usize), Error> {
        let inner = self.node(&subquery.expr)?;
        if inner.kind != Kind::Vector {
            return Err(refused(format_args!(
                "subquery is only allowed on instant vector, got {} instead",
                inner.kind
            )));
        }
        let of = RangeOf::Subquery {
            node: Box::new(inner.node),
            step_ms: subquery.step.map(positive).transpose()?,
            shift: shift(subquery.offset.as_ref(), subquery.at.as_ref())?,
        };
        Ok((Range { of, range_ms: positive(subquery.range)? }, inner.rounds))
    }
}

fn shift(offset: Option<&Offset>, at: Option<&AtModifier>) -> Result<Shift, Error> {
    let offset_ms = match offset {
        None => 0,
        Some(Offset::Pos(duration)) => milliseconds(*duration)?,
        Some(Offset::Neg(duration)) => -milliseconds(*duration)?,
    };
    let at = match at {
        None => None,
        Some(AtModifier::Start) => Some(At::Start),
        Some(AtModifier::End) => Some(At::End),
        Some(AtModifier::At(moment)) => {
            Some(At::Moment(match moment.duration_since(SystemTime::UNIX_EPOCH) {
                Ok(since) => milliseconds(since)?,
                Err(before) => -milliseconds(before.duration())?,
            }))
        }
    };
    Ok(Shift { offset_ms, at })
}

fn positive(duration: Duration) -> Result<i64, Error> {
    match milliseconds(duration)? {
        0 => Err(refused("duration must be greater than 0")),
        some => Ok(some),
    }
}

fn milliseconds(duration: Duration) -> Result<i64, Error> {
    if duration.as_secs_f64() > guard::DURATION_SECONDS_MAX {
        return Err(refused("duration out of range"));
    }
    i64::try_from(duration.as_millis()).map_err(|_| refused("duration out of range"))
}
