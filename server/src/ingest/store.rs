//! Where groups are committed, seen from the writer.

use super::unnumbered::Lookup;
use crate::tsdb::{
    Appender, TsdbError,
    rows::{Look, MarkRow, Rows, Sought},
};

/// Where groups are committed. The writer works with nothing else of the history, so tests can let it fail.
pub trait Store: Send + 'static {
    /// Who looks at what is committed there.
    type Lookup: Lookup;

    /// The one who does.
    fn lookup(&mut self) -> &mut Self::Lookup;

    /// Reads how far each stream is committed; a stream may be told several times, the greatest counts.
    fn load_marks(&mut self) -> Result<Vec<MarkRow>, TsdbError>;

    /// Writes a group. `Ok` means that all of it is synced to disk; after an `Err` nothing of it is kept.
    fn append(&mut self, rows: &Rows<'_>) -> Result<(), TsdbError>;
}

impl Store for Appender {
    type Lookup = Self;

    fn lookup(&mut self) -> &mut Self {
        self
    }

    fn load_marks(&mut self) -> Result<Vec<MarkRow>, TsdbError> {
        self.marks()
    }

    fn append(&mut self, rows: &Rows<'_>) -> Result<(), TsdbError> {
        Self::append(self, rows)
    }
}

impl Lookup for Appender {
    fn newest_unnumbered(&mut self, sought: Sought<'_>, in_files: bool) -> Result<Option<Look>, TsdbError> {
        Self::newest_unnumbered(self, sought, in_files)
    }
}
