//! What a question about series is asked of: the history at one moment, and who is in it.
//!
//! Samples are read by [`scan`], one reading of the history for all that a query selects; questions about [`labels`] read
//! none. What an agent is, is in the records, and a series too ([`info`]). Series that others write have a reading of
//! their own ([`points`]).

mod chosen;
mod files;
mod found;
mod gathered;
mod heads;
mod info;
mod labels;
mod meant;
mod points;
mod reader;
mod rows;
mod scan;
mod settled;
mod standin;
#[cfg(test)]
mod tests;
mod written;

pub use found::{Found, InOrder};
pub use heads::Heads;

use super::{Written, agents::People, index::Index};
use crate::{
    storage::Wanted,
    tsdb::{TsdbError, View},
};
use chosen::{Chosen, Table};
use pingup_promql::{Error, Intake, Selection, SeriesSource};
use scan::Scan;
use std::{cell::Cell, sync::Arc};

/// What a question about series is asked of: the history at one moment, and who is in it. Blocking; used inside a
/// question's turn.
#[derive(Debug)]
pub struct Source {
    view: Arc<View>,
    people: Arc<People>,
    index: Arc<Index>,
    written: Arc<dyn Written>,
    wanted: Wanted,
    now_ms: i64,
    /// Whether rollups stood in for samples that were let go.
    stood_in: Cell<bool>,
    /// Whether windows were asked for there that most of them fall between.
    fell_between: Cell<bool>,
}

impl Source {
    /// For a question that has not given way yet.
    pub(super) fn new(
        view: Arc<View>,
        people: Arc<People>,
        index: Arc<Index>,
        written: Arc<dyn Written>,
        wanted: Wanted,
        now_ms: i64,
    ) -> Self {
        let (stood_in, fell_between) = (Cell::new(false), Cell::new(false));
        Self { view, people, index, written, wanted, now_ms, stood_in, fell_between }
    }

    /// What to tell with the answer of the queries that were asked so far, for people: whether rollups stood in for
    /// samples that were let go, and whether windows were too short to find them.
    pub fn infos(&self) -> Vec<String> {
        let told = [(&self.stood_in, standin::TOLD), (&self.fell_between, standin::TOO_SHORT)];
        told.iter().filter(|(is_told, _)| is_told.get()).map(|(_, words)| (*words).to_owned()).collect()
    }
}

impl SeriesSource for Source {
    fn is_in_order(&self, selection: &Selection) -> bool {
        chosen::is_one_metric(selection)
    }

    fn select(&self, selections: &[Selection], intake: &mut dyn Intake) -> Result<(), Error> {
        let metrics = || {
            let first = selections.iter().map(|selection| selection.first_ms).min().unwrap_or_default();
            let last = selections.iter().map(|selection| selection.last_ms).max().unwrap_or_default();
            // Whose names are met while they are looked at.
            self.index.in_memory(&self.view);
            self.presences(first, last).map(|_| self.index.metrics())
        };
        let chosen: Vec<_> = selections
            .iter()
            .map(|selection| Chosen::new(selection, metrics))
            .collect::<Result<_, _>>()
            .map_err(|error| failed(&error))?;
        // What is in memory is looked at before anything gives way.
        let points = points::Scan::new(self, selections)?;
        for table in [Table::Samples, Table::Scans] {
            if let Some(scan) = Scan::new(self, table, &chosen) {
                scan.run(intake)?;
            }
        }
        info::hand_over(&self.people, self.now_ms, &chosen, intake)?;
        match points {
            Some(points) => points.run(intake),
            None => Ok(()),
        }
    }
}

/// What whoever asked hears of it; the whole of it is for the log.
fn failed(error: &TsdbError) -> Error {
    match error {
        TsdbError::Storage(error) => Error::source(error.outward()),
        error => {
            tracing::error!(%error, "a file of the history could not be read");
            Error::source("the history cannot be read now")
        }
    }
}
