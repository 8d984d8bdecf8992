//! Each part of a query, evaluated at all of its steps.

use super::{
    Evaluator, Grid,
    frame::{ABSENT, Evaluated, Track, map_present, points, present, refuse_clashes, solid, unify},
    functions::{date, label, math},
    load::Loaded,
    quantile::nan_first,
};
use crate::{
    error::Error,
    labels::Labels,
    plan::{Clamp, Node},
};

impl Evaluator<'_> {
    pub(super) fn node(&mut self, node: &Node, grid: Grid) -> Result<Evaluated, Error> {
        self.meter.check()?;
        let before = self.meter.held();
        let evaluated = self.computed(node, grid)?;
        self.meter.settle(before, evaluated.points());
        Ok(evaluated)
    }

    fn computed(&mut self, node: &Node, grid: Grid) -> Result<Evaluated, Error> {
        Ok(match node {
            Node::Number(number) => self.constant(*number, grid)?,
            Node::Text(text) => Evaluated::Text(text.clone()),
            Node::Time => {
                self.meter.points(grid.count)?;
                Evaluated::Scalar((0..grid.count).map(|at| grid.seconds(at)).collect())
            }
            Node::Newest { selector, timestamps } => {
                let tracks = self.taken(*selector)?;
                Evaluated::Vector(if *timestamps { self.unified(tracks)? } else { tracks })
            }
            Node::Range(range) => self.range(range, grid)?,
            Node::Window(call) => Evaluated::Vector(self.window(call, grid)?),
            Node::Negate(of) => self.negate(of, grid)?,
            Node::Map(function, of) => self.mapped(of, grid, |_, value| math::map(*function, value))?,
            Node::Date(function, Some(of)) => self.mapped(of, grid, |_, value| date::of(*function, value))?,
            Node::Date(function, None) => {
                self.meter.points(grid.count)?;
                let moment = |at| date::of(*function, grid.moment(at).div_euclid(1000) as f64);
                unnamed((0..grid.count).map(moment).collect())
            }
            Node::Round(of, nearest) => {
                let nearest = match nearest {
                    Some(nearest) => self.scalar(nearest, grid)?,
                    None => vec![1.0; grid.count],
                };
                self.mapped(of, grid, |at, value| math::round(value, nearest[at]))?
            }
            Node::Clamp(clamp) => self.clamp(clamp, grid)?,
            Node::Absent(of, labels) => {
                let tracks = self.vector(of, grid)?;
                self.absent(&tracks, labels, grid)?
            }
            Node::Scalar(of) => {
                let tracks = self.vector(of, grid)?;
                self.meter.points(grid.count)?;
                Evaluated::Scalar((0..grid.count).map(|at| only_value(&tracks, at)).collect())
            }
            Node::Vector(of) => unnamed(self.scalar(of, grid)?),
            Node::Timestamp(of) => self.mapped(of, grid, |at, _| grid.seconds(at))?,
            Node::Sort { of, descending } => Evaluated::Vector(sorted(self.vector(of, grid)?, *descending)),
            Node::Native(of, function) => {
                if !self.vector(of, grid)?.is_empty() {
                    self.notes.no_native_histograms(function);
                }
                Evaluated::Vector(Vec::new())
            }
            Node::Histogram(histogram) => Evaluated::Vector(self.histogram(histogram, grid)?),
            Node::LabelReplace(replace) => {
                let tracks = label::replace(replace, self.vector(&replace.of, grid)?);
                refuse_clashes(&tracks)?;
                Evaluated::Vector(tracks)
            }
            Node::LabelJoin(join) => {
                let tracks = label::join(join, self.vector(&join.of, grid)?);
                refuse_clashes(&tracks)?;
                Evaluated::Vector(tracks)
            }
            Node::Binary(binary) => self.binary(binary, grid)?,
            Node::Aggregate(aggregate) => Evaluated::Vector(self.aggregate(aggregate, grid)?),
        })
    }

    /// A part that is a vector; its tracks have values.
    pub(super) fn vector(&mut self, node: &Node, grid: Grid) -> Result<Vec<Track>, Error> {
        match self.node(node, grid)? {
            Evaluated::Vector(tracks) => Ok(tracks),
            _ => Err(Error::internal("expected an instant vector")),
        }
    }

    /// A part that is a scalar: one value a step.
    pub(super) fn scalar(&mut self, node: &Node, grid: Grid) -> Result<Vec<f64>, Error> {
        match self.node(node, grid)? {
            Evaluated::Scalar(values) => Ok(values),
            _ => Err(Error::internal("expected a scalar")),
        }
    }

    pub(super) fn unified(&self, tracks: Vec<Track>) -> Result<Vec<Track>, Error> {
        unify(tracks, &self.meter, Error::same_labels)
    }

    fn constant(&mut self, number: f64, grid: Grid) -> Result<Evaluated, Error> {
        self.meter.points(grid.count)?;
        Ok(Evaluated::Scalar(vec![number; grid.count]))
    }

    pub(super) fn taken(&mut self, selector: usize) -> Result<Vec<Track>, Error> {
        match self.loaded[selector].take() {
            Some(Loaded::Tracks(tracks)) => {
                self.meter.take(points(&tracks));
                Ok(tracks)
            }
            _ => Err(Error::internal("a selector was not read")),
        }
    }

    fn negate(&mut self, of: &Node, grid: Grid) -> Result<Evaluated, Error> {
        Ok(match self.node(of, grid)? {
            Evaluated::Scalar(mut values) => {
                values.iter_mut().for_each(|value| *value = -*value);
                Evaluated::Scalar(values)
            }
            Evaluated::Vector(mut tracks) => {
                for track in &mut tracks {
                    map_present(&mut track.values, |value| -value);
                    track.labels = track.labels.without_name();
                }
                refuse_clashes(&tracks)?;
                Evaluated::Vector(tracks)
            }
            other => other,
        })
    }

    /// A function of each value, which is told the step too. The result is no longer called by the metric's name.
    fn mapped(
        &mut self,
        of: &Node,
        grid: Grid,
        function: impl Fn(usize, f64) -> f64,
    ) -> Result<Evaluated, Error> {
        let mut tracks = self.vector(of, grid)?;
        for track in &mut tracks {
            for (at, value) in track.values.iter_mut().enumerate().filter(|(_, value)| present(**value)) {
                *value = solid(function(at, *value));
            }
            track.labels = track.labels.without_name();
        }
        Ok(Evaluated::Vector(self.unified(tracks)?))
    }

    fn clamp(&mut self, clamp: &Clamp, grid: Grid) -> Result<Evaluated, Error> {
        let mut bound = |node: &Option<Node>, open: f64| match node {
            Some(node) => self.scalar(node, grid),
            None => Ok(vec![open; grid.count]),
        };
        let least = bound(&clamp.least, f64::NEG_INFINITY)?;
        let most = bound(&clamp.most, f64::INFINITY)?;
        let mut tracks = self.vector(&clamp.of, grid)?;
        for track in &mut tracks {
            for (at, value) in track.values.iter_mut().enumerate().filter(|(_, value)| present(**value)) {
                // Bounds that exclude everything leave nothing, also no two of one name.
                let (least, most) = (least[at], most[at]);
                *value = if most < least { ABSENT } else { solid(math::clamp(*value, least, most)) };
            }
            track.labels = track.labels.without_name();
        }
        tracks.retain(Track::has_values);
        Ok(Evaluated::Vector(self.unified(tracks)?))
    }
}

fn unnamed(values: Vec<f64>) -> Evaluated {
    if values.is_empty() {
        return Evaluated::Vector(Vec::new());
    }
    Evaluated::Vector(vec![Track { labels: Labels::default(), values }])
}

/// The value of a step if just one series has one, else NaN.
fn only_value(tracks: &[Track], at: usize) -> f64 {
    let mut there = tracks.iter().map(|track| track.values[at]).filter(|&value| present(value));
    match (there.next(), there.next()) {
        (Some(value), None) => value,
        _ => f64::NAN,
    }
}

/// In order of the first step's values, NaN last. A query of many steps is ordered by labels in the end anyway.
fn sorted(mut tracks: Vec<Track>, descending: bool) -> Vec<Track> {
    let value = |track: &Track| track.values.first().copied().unwrap_or(f64::NAN);
    tracks.sort_by(|a, b| {
        let (a, b) = (value(a), value(b));
        match (a.is_nan() || b.is_nan(), descending) {
            (true, _) => nan_first(b, a),
            (false, true) => nan_first(b, a),
            (false, false) => nan_first(a, b),
        }
    });
    tracks
}
