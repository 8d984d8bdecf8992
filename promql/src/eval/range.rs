//! Ranges, subqueries, and the functions of both.

use super::{
    Evaluator, Grid,
    frame::{ABSENT, Evaluated, Track, present, refuse_clashes},
    grid::References,
    load::Loaded,
    window::Samples,
};
use crate::{
    error::Error,
    labels::Labels,
    plan::{Range, RangeOf, WindowCall, function::WindowFunction},
    value::{Matrix, Series},
};

impl Evaluator<'_> {
    pub(super) fn range(&mut self, range: &Range, grid: Grid) -> Result<Evaluated, Error> {
        match &range.of {
            RangeOf::Selector(selector) => match self.loaded[*selector].take() {
                Some(Loaded::Samples(series)) => {
                    let matrix = Matrix::from(series);
                    self.meter.take(matrix.points());
                    Ok(Evaluated::Matrix(matrix))
                }
                _ => Err(Error::internal("a selector was not read")),
            },
            RangeOf::Subquery { .. } => Ok(Evaluated::Matrix(self.subquery(range, grid)?)),
        }
    }

    /// What a subquery comes to, as samples.
    fn subquery(&mut self, range: &Range, grid: Grid) -> Result<Matrix, Error> {
        let RangeOf::Subquery { node, .. } = &range.of else { return Ok(Matrix::from(Vec::new())) };
        let inner = self.subquery_grid(range, grid)?;
        let tracks = self.vector(node, inner)?;
        Ok(Matrix::of_steps(tracks, inner))
    }

    pub(super) fn window(&mut self, call: &WindowCall, grid: Grid) -> Result<Vec<Track>, Error> {
        let tracks = match &call.range.of {
            RangeOf::Selector(selector) => self.taken(*selector)?,
            RangeOf::Subquery { shift, .. } => {
                let spec = self.window_spec(call, grid)?;
                let references = References::new(&grid, *shift, self.span);
                let mut tracks = Vec::new();
                for series in self.subquery(&call.range, grid)? {
                    self.meter.points(grid.count)?;
                    let Series { labels, timestamps, values } = &series;
                    let samples = Samples { labels, timestamps, values };
                    let edition = self.options.edition;
                    tracks.extend(spec.track(&references, edition, samples, &self.meter, &mut self.notes)?);
                }
                tracks
            }
        };
        // Whether there is anything does not depend on what it is called.
        if call.function == WindowFunction::Absent {
            return match self.absent(&tracks, &call.absent, grid)? {
                Evaluated::Vector(tracks) => Ok(tracks),
                _ => Ok(Vec::new()),
            };
        }
        refuse_clashes(&tracks)?;
        Ok(tracks)
    }

    /// 1 wherever no track has a value.
    pub(super) fn absent(
        &mut self,
        tracks: &[Track],
        labels: &Labels,
        grid: Grid,
    ) -> Result<Evaluated, Error> {
        self.meter.points(grid.count)?;
        let mut values = vec![1.0; grid.count];
        for track in tracks {
            for (value, _) in values.iter_mut().zip(&track.values).filter(|(_, other)| present(**other)) {
                *value = ABSENT;
            }
        }
        let track = Track { labels: labels.clone(), values };
        Ok(Evaluated::Vector(Some(track).filter(Track::has_values).into_iter().collect()))
    }
}
