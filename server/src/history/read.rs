//! What reads a question's rows, and where it may block.

use super::HistoryError;
use crate::storage::{Duck, Wanted};
use duckdb::Connection;

/// What it takes to answer a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// Nothing but what is in memory, and files that are read straight.
    Straight,
    /// Files, read by the engine.
    Engine,
}

/// What a question is answered with.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    /// Whether anyone still waits for it.
    pub(super) wanted: &'a Wanted,
    connection: Option<&'a Connection>,
}

impl<'a> Reader<'a> {
    /// With the engine.
    pub(super) const fn of_engine(connection: &'a Connection, wanted: &'a Wanted) -> Self {
        Self { wanted, connection: Some(connection) }
    }

    /// The engine, for those who said that they need it.
    pub(super) fn engine(self) -> Result<&'a Connection, HistoryError> {
        self.connection.ok_or(HistoryError::Engine)
    }
}

/// Works where it may block, by the means that it takes.
pub(super) async fn run<T: Send + 'static>(
    engine: &Duck,
    means: Means,
    work: impl FnOnce(Reader<'_>) -> Result<T, HistoryError> + Send + 'static,
) -> Result<T, HistoryError> {
    match means {
        Means::Straight => {
            engine.readers().run(move |wanted| work(Reader { wanted, connection: None })).await
        }
        Means::Engine => {
            let wanted = Wanted::default();
            let ask = move |connection: &Connection| work(Reader::of_engine(connection, &wanted));
            engine.read(ask).await
        }
    }
}
