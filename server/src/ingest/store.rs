//! Where groups are committed, seen from the writer.

use super::unnumbered::Lookup;
use crate::tsdb::{
    Appender, TsdbError,
    rows::{Kind, Look, MarkRow, Rows},
};
use pingup_protocol::{ids::AgentId, time::Timestamp};

/// Where groups are committed. The writer works with nothing else of the history, so tests can let it fail.
pub trait Store: Lookup + Send + 'static {
    /// Reads how far each stream is committed; a stream may be told several times, the greatest counts.
    fn load_marks(&mut self) -> Result<Vec<MarkRow>, TsdbError>;

    /// Writes a group. `Ok` means that all of it is synced to disk; after an `Err` nothing of it is kept.
    fn append(&mut self, rows: &Rows<'_>) -> Result<(), TsdbError>;
}

impl Store for Appender {
    fn load_marks(&mut self) -> Result<Vec<MarkRow>, TsdbError> {
        self.marks()
    }

    fn append(&mut self, rows: &Rows<'_>) -> Result<(), TsdbError> {
        Self::append(self, rows)
    }
}

impl Lookup for Appender {
    fn newest_unnumbered(
        &mut self,
        kind: Kind,
        agent_id: &AgentId,
        from: Timestamp,
        to: Timestamp,
        in_files: bool,
    ) -> Result<Option<Look>, TsdbError> {
        Self::newest_unnumbered(self, kind, agent_id, from, to, in_files)
    }
}
