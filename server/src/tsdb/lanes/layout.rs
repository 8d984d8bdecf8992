//! Where what lies in a part: of each row group the places of its columns and its first and last agent, and once that
//! was asked, which rows are whose. Some kilobytes a file, where its footer takes a hundred times that.

use super::{unlike, unpack::as_told, words::Words};
use crate::{
    storage::StorageError,
    tsdb::{Part, TsdbError},
};
use foldhash::HashSet;
use parquet::{
    basic::Compression,
    file::{
        metadata::{ColumnChunkMetaData, ParquetMetaDataReader, RowGroupMetaData},
        statistics::Statistics,
    },
    schema::types::SchemaDescPtr,
};
use std::{
    fs::File,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// Ids of agents, each kept once whatever the number of files.
#[derive(Debug, Default)]
pub struct Ids(Mutex<HashSet<Arc<str>>>);

impl Ids {
    /// The one copy of this id.
    pub fn shared(&self, id: &str) -> Arc<str> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(id) {
            return Arc::clone(known);
        }
        let id: Arc<str> = id.into();
        known.insert(Arc::clone(&id));
        id
    }

    /// Forgets those that nobody else holds.
    pub fn forget_unused(&self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|id| Arc::strong_count(id) > 1);
    }
}

/// Where what lies in a part.
#[derive(Debug)]
pub struct Layout {
    pub(super) schema: SchemaDescPtr,
    pub(super) groups: Vec<Group>,
}

/// A row group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) rows: u32,
    columns: Box<[Place]>,
    /// The first and the last agent, where the file tells.
    agents: Option<(Box<str>, Box<str>)>,
    runs: OnceLock<Runs>,
}

/// Where a column of a row group lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u64,
    length: u64,
    has_dictionary: bool,
    compression: Compression,
}

/// Whose the rows of a group are: each agent in order, and where its rows end.
#[derive(Debug)]
pub(super) struct Runs {
    pub(super) agents: Box<[Arc<str>]>,
    pub(super) ends: Box<[u32]>,
}

impl Layout {
    /// Reads it from the end of the part's file.
    pub fn read(part: &Part) -> Result<Self, TsdbError> {
        let file = File::open(part.path()).map_err(StorageError::file("open", part.path()))?;
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file)?;
        let groups = metadata.row_groups().iter().map(Group::new).collect::<Result<_, _>>()?;
        Ok(Self { schema: metadata.file_metadata().schema_descr_ptr(), groups })
    }

    /// The same columns described once: most files have those of the last.
    pub fn share_schema(&mut self, other: &Self) {
        if self.schema == other.schema {
            self.schema = Arc::clone(&other.schema);
        }
    }

    /// What it takes in memory, about; it grows as it is asked whose rows are.
    pub fn bytes(&self) -> usize {
        let of_group = |group: &Group| {
            let runs = group.runs.get().map_or(0, |runs| runs.ends.len() * RUN_BYTES);
            size_of::<Group>() + group.columns.len() * size_of::<Place>() + runs
        };
        self.groups.iter().map(of_group).sum::<usize>() + LAYOUT_BYTES
    }
}

/// What an agent's rows in a group take.
const RUN_BYTES: usize = size_of::<Arc<str>>() + size_of::<u32>();
/// What a layout takes beside its groups, its share of a schema included.
const LAYOUT_BYTES: usize = 512;

impl Group {
    fn new(group: &RowGroupMetaData) -> Result<Self, TsdbError> {
        let rows = u32::try_from(group.num_rows()).map_err(|_| unlike("rows of a group"))?;
        let place = |column: &ColumnChunkMetaData| {
            let (start, length) = column.byte_range();
            Place {
                start,
                length,
                has_dictionary: column.dictionary_page_offset().is_some(),
                compression: column.compression(),
            }
        };
        Ok(Self {
            rows,
            columns: group.columns().iter().map(place).collect(),
            agents: agents(group),
            runs: OnceLock::new(),
        })
    }

    /// Whether the agent can have rows here; and whether it can have more in a later group.
    pub(super) fn may_hold(&self, agent_id: &str) -> (bool, bool) {
        match &self.agents {
            Some((first, last)) => ((&**first..=&**last).contains(&agent_id), agent_id >= &**last),
            None => (true, true),
        }
    }

    pub(super) fn place(&self, leaf: usize) -> Option<(u64, u64)> {
        self.columns.get(leaf).map(|place| (place.start, place.length))
    }

    /// How a column is packed.
    pub(super) fn compression(&self, leaf: usize) -> Compression {
        self.columns.get(leaf).map_or(Compression::UNCOMPRESSED, |place| place.compression)
    }

    /// What the file's footer says of a column, as far as it is needed to read it.
    pub(super) fn metadata(
        &self,
        schema: &SchemaDescPtr,
        leaf: usize,
    ) -> Result<ColumnChunkMetaData, TsdbError> {
        let place = self.columns.get(leaf).ok_or_else(|| unlike("a column is missing"))?;
        let offset = |at: u64| i64::try_from(at).map_err(|_| unlike("where a column lies"));
        let start = offset(place.start)?;
        let made = ColumnChunkMetaData::builder(schema.column(leaf))
            .set_compression(as_told(place.compression))
            .set_num_values(self.rows.into())
            .set_total_compressed_size(offset(place.length)?)
            .set_data_page_offset(start)
            .set_dictionary_page_offset(place.has_dictionary.then_some(start));
        Ok(made.build()?)
    }

    /// Whose its rows are; `read` gives the words of the column that tells.
    pub(super) fn runs(
        &self,
        ids: &Ids,
        read: impl FnOnce() -> Result<Words, TsdbError>,
    ) -> Result<&Runs, TsdbError> {
        if let Some(runs) = self.runs.get() {
            return Ok(runs);
        }
        let runs = Runs::of(&read()?, ids)?;
        Ok(self.runs.get_or_init(|| runs))
    }
}

impl Runs {
    /// Of the words of the column that tells.
    pub(super) fn of(words: &Words, ids: &Ids) -> Result<Self, TsdbError> {
        let agents: Vec<_> = words.iter().map(|(word, _)| ids.shared(word)).collect();
        if !agents.is_sorted_by(|a, b| a < b) {
            return Err(unlike("the order of agents"));
        }
        Ok(Self { agents: agents.into(), ends: words.iter().map(|(_, end)| end).collect() })
    }
}

fn agents(group: &RowGroupMetaData) -> Option<(Box<str>, Box<str>)> {
    let Some(Statistics::ByteArray(ids)) = group.columns().first()?.statistics() else { return None };
    let text = |id: &parquet::data_type::ByteArray| std::str::from_utf8(id.data()).ok().map(Into::into);
    Some((text(ids.min_opt()?)?, text(ids.max_opt()?)?))
}
