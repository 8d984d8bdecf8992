//! What a query reads, and at which moments.

use super::{
    Evaluator, Grid, folding,
    grid::References,
    load::{Job, Purpose},
    window::WindowSpec,
};
use crate::{
    error::Error,
    plan::{Aggregate, Aggregation, HistogramAsks, Node, Range, RangeOf, WindowCall},
};

impl<'a> Evaluator<'a> {
    /// The jobs of a round. Parameters of windows have been read in earlier rounds, and are evaluated here.
    pub(super) fn gather(&mut self, grid: Grid, round: usize) -> Result<Vec<Job<'a>>, Error> {
        let plan = self.plan;
        let mut jobs = Vec::new();
        self.visit(&plan.root, grid, round, &mut jobs)?;
        Ok(jobs)
    }

    fn visit(
        &mut self,
        node: &'a Node,
        grid: Grid,
        round: usize,
        jobs: &mut Vec<Job<'a>>,
    ) -> Result<(), Error> {
        match node {
            Node::Newest { selector, timestamps } => {
                let lookback_ms = self.options.lookback_ms;
                let purpose = Purpose::Newest { lookback_ms, timestamps: *timestamps };
                self.push(*selector, grid, round, purpose, jobs);
                Ok(())
            }
            Node::Range(Range { of: RangeOf::Selector(selector), range_ms }) => {
                self.push(*selector, grid, round, Purpose::Samples { range_ms: *range_ms }, jobs);
                Ok(())
            }
            Node::Range(range) => self.visit_subquery(range, grid, round, jobs),
            Node::Window(call) => self.visit_window(call, grid, round, jobs),
            Node::Aggregate(aggregate) => self.visit_aggregate(node, aggregate, grid, round, jobs),
            _ => children(node).into_iter().try_for_each(|child| self.visit(child, grid, round, jobs)),
        }
    }

    /// An aggregation may be done while the series of its selector come.
    fn visit_aggregate(
        &mut self,
        node: &'a Node,
        aggregate: &'a Aggregate,
        grid: Grid,
        round: usize,
        jobs: &mut Vec<Job<'a>>,
    ) -> Result<(), Error> {
        children(node).into_iter().try_for_each(|child| self.visit(child, grid, round, jobs))?;
        let selector = folding::selector_of(aggregate);
        let job = jobs.iter_mut().find(|job| Some(job.selector) == selector);
        job.into_iter().for_each(|job| job.fold(aggregate));
        Ok(())
    }

    fn visit_window(
        &mut self,
        call: &'a WindowCall,
        grid: Grid,
        round: usize,
        jobs: &mut Vec<Job<'a>>,
    ) -> Result<(), Error> {
        match &call.range.of {
            RangeOf::Selector(selector) if self.plan.selectors[*selector].round == round => {
                let window = self.window_spec(call, grid)?;
                let function = call.name;
                self.push(*selector, grid, round, Purpose::Window { window, function }, jobs);
                Ok(())
            }
            RangeOf::Selector(selector) if self.plan.selectors[*selector].round < round => Ok(()),
            of => {
                if let Some(parameter) = &call.parameter {
                    self.visit(parameter, grid, round, jobs)?;
                }
                match of {
                    RangeOf::Selector(_) => Ok(()),
                    RangeOf::Subquery { .. } => self.visit_subquery(&call.range, grid, round, jobs),
                }
            }
        }
    }

    fn visit_subquery(
        &mut self,
        range: &'a Range,
        grid: Grid,
        round: usize,
        jobs: &mut Vec<Job<'a>>,
    ) -> Result<(), Error> {
        let RangeOf::Subquery { node, .. } = &range.of else { return Ok(()) };
        let inner = self.subquery_grid(range, grid)?;
        self.visit(node, inner, round, jobs)
    }

    /// Where a subquery is evaluated for the steps of a grid.
    pub(super) fn subquery_grid(&mut self, range: &Range, grid: Grid) -> Result<Grid, Error> {
        let RangeOf::Subquery { step_ms, shift, .. } = &range.of else { return Ok(grid) };
        let step = step_ms.unwrap_or(self.options.subquery_step_ms);
        let references = References::new(&grid, *shift, self.span);
        let inner = references.subquery(range.range_ms, step, self.options.edition);
        // Even if nothing is read, as in `vector(1)[1y:1ms]`.
        self.meter.points(inner.count)?;
        Ok(inner)
    }

    /// How a window's function is to be computed; its parameter is evaluated here.
    pub(super) fn window_spec(&mut self, call: &WindowCall, grid: Grid) -> Result<WindowSpec, Error> {
        let parameter = match &call.parameter {
            Some(node) => Some(self.scalar(node, grid)?),
            None => None,
        };
        Ok(WindowSpec { function: call.function, range_ms: call.range.range_ms, parameter, grid })
    }

    fn push(&self, selector: usize, grid: Grid, round: usize, purpose: Purpose, jobs: &mut Vec<Job<'a>>) {
        let wanted = &self.plan.selectors[selector];
        if wanted.round == round {
            let references = References::new(&grid, wanted.shift, self.span);
            let matchers = wanted.matchers.clone();
            jobs.push(Job::new(selector, matchers, references, purpose));
        }
    }
}

/// The parts that a part is made of and that have its own steps. Ranges and windows are looked at by themselves.
fn children(node: &Node) -> Vec<&Node> {
    match node {
        Node::Number(_) | Node::Text(_) | Node::Time | Node::Newest { .. } => Vec::new(),
        Node::Range(_) | Node::Window(_) => Vec::new(),
        Node::Negate(of)
        | Node::Map(_, of)
        | Node::Absent(of, _)
        | Node::Scalar(of)
        | Node::Vector(of)
        | Node::Timestamp(of)
        | Node::Sort { of, .. }
        | Node::Native(of, _) => vec![&**of],
        Node::Date(_, of) => of.iter().map(|of| &**of).collect(),
        Node::Round(of, nearest) => {
            std::iter::once(&**of).chain(nearest.iter().map(|nearest| &**nearest)).collect()
        }
        Node::Clamp(clamp) => std::iter::once(&clamp.of).chain(&clamp.least).chain(&clamp.most).collect(),
        Node::Histogram(histogram) => match &histogram.asks {
            HistogramAsks::Quantile(quantile) => vec![&histogram.of, quantile],
            HistogramAsks::Fraction(lower, upper) => vec![&histogram.of, lower, upper],
        },
        Node::LabelReplace(replace) => vec![&replace.of],
        Node::LabelJoin(join) => vec![&join.of],
        Node::Binary(binary) => vec![&binary.left, &binary.right],
        Node::Aggregate(aggregate) => match &aggregate.operation {
            Aggregation::Quantile(parameter) | Aggregation::Top { count: parameter, .. } => {
                vec![&aggregate.of, parameter]
            }
            _ => vec![&aggregate.of],
        },
    }
}
