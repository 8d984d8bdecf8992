//! Calls of functions: which function it is, whether its arguments fit, and the part of the plan it becomes.

use super::{
    Clamp, Histogram, HistogramAsks, Kind, LabelJoin, LabelReplace, Node, RangeOf, Selector, WindowCall,
    compile::{Compiler, Part, bare, refused},
    function::{self, Function, Signature, WindowFunction},
};
use crate::{error::Error, labels::Labels, matcher::Test, pattern::Pattern};
use promql_parser::parser::{Call, Expr};
use std::collections::BTreeSet;

impl Compiler<'_> {
    pub(super) fn call(&mut self, call: &Call) -> Result<Part, Error> {
        let name = call.func.name;
        let Some(signature) = function::find(name) else {
            return Err(refused(format_args!("function {name:?} is experimental, and not evaluated here")));
        };
        let given: Vec<&Expr> = call.args.args.iter().map(|argument| bare(argument)).collect();
        if !(signature.least..=signature.most).contains(&given.len()) {
            return Err(refused(format_args!(
                "expected {} argument(s) in call to {name:?}, got {}",
                signature.takes.len(),
                given.len()
            )));
        }
        match signature.function {
            Function::Window(function) => self.window(&signature, function, &given),
            Function::Timestamp => match given.as_slice() {
                [Expr::VectorSelector(selector)] => {
                    let selector = self.selector(selector, 0)?;
                    Ok(Part::new(Node::Newest { selector, timestamps: true }, Kind::Vector, 1))
                }
                _ => self.plain(&signature, &given),
            },
            Function::Absent => {
                let mut part = self.plain(&signature, &given)?;
                if let Node::Absent(of, labels) = &mut part.node
                    && let (Node::Newest { selector, .. }, [Expr::VectorSelector(_)]) = (&**of, &given[..])
                {
                    *labels = absent_labels(self.selected(*selector));
                }
                Ok(part)
            }
            Function::LabelReplace => self.label_replace(&signature, &given),
            Function::LabelJoin => self.label_join(&signature, &given),
            _ => self.plain(&signature, &given),
        }
    }

    /// A function whose arguments are vectors and scalars.
    fn plain(&mut self, signature: &Signature, given: &[&Expr]) -> Result<Part, Error> {
        let mut rounds = 0;
        let mut arguments = Vec::new();
        for (at, argument) in given.iter().enumerate() {
            let part = self.argument(signature, at, argument)?;
            rounds = rounds.max(part.rounds);
            arguments.push(part.node);
        }
        let node = assemble(signature, arguments)
            .ok_or_else(|| refused(format_args!("wrong arguments in call to {:?}", signature.name)))?;
        Ok(Part::new(node, signature.gives, rounds))
    }

    fn argument(&mut self, signature: &Signature, at: usize, expr: &Expr) -> Result<Part, Error> {
        let last = signature.takes.len().saturating_sub(1);
        let kind = signature.takes[at.min(last)];
        self.node(expr)?.expect(kind, &format!("call to function {:?}", signature.name))
    }

    fn window(
        &mut self,
        signature: &Signature,
        function: WindowFunction,
        given: &[&Expr],
    ) -> Result<Part, Error> {
        let mut parameter = None;
        let mut rounds = 0;
        for (at, argument) in given.iter().enumerate() {
            if signature.takes[at] == Kind::Scalar {
                let part = self.argument(signature, at, argument)?;
                rounds = part.rounds;
                parameter = Some(part.node);
            }
        }
        let ranges = signature.takes.iter().zip(given).filter(|(kind, _)| **kind == Kind::Range);
        let Some(argument) = ranges.map(|(_, argument)| *argument).next() else {
            return Err(refused(format_args!("no range in call to {:?}", signature.name)));
        };
        let (range, range_rounds) = self.range(argument, rounds)?;
        let absent = match range.of {
            RangeOf::Selector(selector) => absent_labels(self.selected(selector)),
            RangeOf::Subquery { .. } => Labels::default(),
        };
        let call = WindowCall { function, name: signature.name, range, parameter, absent };
        Ok(Part::new(Node::Window(Box::new(call)), Kind::Vector, rounds.max(range_rounds)))
    }

    fn label_replace(&mut self, signature: &Signature, given: &[&Expr]) -> Result<Part, Error> {
        let of = self.argument(signature, 0, given[0])?;
        let [target, replacement, source, pattern] = [1, 2, 3, 4].map(|at| text(signature, given[at]));
        let (target, text) = (target?, pattern?);
        let pattern = Pattern::compiled(&text).map_err(|_| {
            Error::execution(format!("invalid regular expression in label_replace(): {text}"))
        })?;
        if target.is_empty() {
            return Err(Error::execution("invalid destination label name in label_replace(): "));
        }
        let node = LabelReplace { of: of.node, target, replacement: replacement?, source: source?, pattern };
        Ok(Part::new(Node::LabelReplace(Box::new(node)), Kind::Vector, of.rounds))
    }

    fn label_join(&mut self, signature: &Signature, given: &[&Expr]) -> Result<Part, Error> {
        let of = self.argument(signature, 0, given[0])?;
        let (target, separator) = (text(signature, given[1])?, text(signature, given[2])?);
        let sources = given[3..].iter().map(|expr| text(signature, expr)).collect::<Result<Vec<_>, _>>()?;
        for (names, which) in [(std::slice::from_ref(&target), "destination"), (sources.as_slice(), "source")]
        {
            if names.iter().any(String::is_empty) {
                return Err(Error::execution(format!("invalid {which} label name in label_join(): ")));
            }
        }
        let node = LabelJoin { of: of.node, target, separator, sources };
        Ok(Part::new(Node::LabelJoin(Box::new(node)), Kind::Vector, of.rounds))
    }
}

/// The node of a function whose arguments have been checked; none if there are too few, which they are not.
fn assemble(signature: &Signature, arguments: Vec<Node>) -> Option<Node> {
    let mut rest = arguments.into_iter();
    let mut next = || rest.next();
    let boxed = Box::new;
    Some(match signature.function {
        Function::Map(function) => Node::Map(function, boxed(next()?)),
        Function::Date(function) => Node::Date(function, next().map(Box::new)),
        Function::Absent => Node::Absent(boxed(next()?), Labels::default()),
        Function::Clamp => {
            Node::Clamp(Box::new(Clamp { of: next()?, least: Some(next()?), most: Some(next()?) }))
        }
        Function::ClampMax => Node::Clamp(Box::new(Clamp { of: next()?, least: None, most: Some(next()?) })),
        Function::ClampMin => Node::Clamp(Box::new(Clamp { of: next()?, least: Some(next()?), most: None })),
        Function::HistogramQuantile => {
            let asks = HistogramAsks::Quantile(next()?);
            Node::Histogram(Box::new(Histogram { asks, of: next()? }))
        }
        Function::HistogramFraction => {
            let asks = HistogramAsks::Fraction(next()?, next()?);
            Node::Histogram(Box::new(Histogram { asks, of: next()? }))
        }
        Function::Native => Node::Native(boxed(next()?), signature.name),
        Function::Pi => Node::Number(std::f64::consts::PI),
        Function::Round => Node::Round(boxed(next()?), next().map(Box::new)),
        Function::Scalar => Node::Scalar(boxed(next()?)),
        Function::Sort => Node::Sort { of: boxed(next()?), descending: false },
        Function::SortDescending => Node::Sort { of: boxed(next()?), descending: true },
        Function::Time => Node::Time,
        Function::Timestamp => Node::Timestamp(boxed(next()?)),
        Function::Vector => Node::Vector(boxed(next()?)),
        Function::Window(_) | Function::LabelJoin | Function::LabelReplace => return None,
    })
}

fn text(signature: &Signature, expr: &Expr) -> Result<String, Error> {
    match expr {
        Expr::StringLiteral(text) => Ok(text.val.clone()),
        _ => Err(refused(format_args!("expected type string in call to function {:?}", signature.name))),
    }
}

/// What a series that is not there would be called: the labels that its selector asks for by value. One that is
/// asked for twice is left out.
fn absent_labels(selector: &Selector) -> Labels {
    let mut labels = Labels::default();
    let mut seen = BTreeSet::new();
    for matcher in &selector.matchers {
        let name = matcher.name.as_str();
        if name == crate::labels::METRIC_NAME {
            continue;
        }
        labels = match &matcher.test {
            Test::Equal(value) if seen.insert(name) => labels.with(name, value),
            _ => labels.with(name, ""),
        };
    }
    labels
}
