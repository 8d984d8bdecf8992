//! A part, read once from its first agent to its last: whoever is asked for comes no earlier than who was before.

mod cells;
mod runs;

use super::{
    column::{Column, pages},
    file::CHUNK_BYTES_MAX,
    layout::{Ids, Layout, Runs},
    unlike,
    words::{self, Words},
};
use crate::{
    storage::StorageError,
    tsdb::{Part, TsdbError},
};
use parquet::data_type::{ByteArrayType, DoubleType, Int64Type};
use std::{fs::File, ops::Range, sync::Arc};

/// The column of agents: the first of every part.
const AGENT: Leaf = Leaf(0);

/// A column of a part, by its place among those that hold values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf(usize);

/// A part that is being read.
pub struct Strip {
    part: Arc<Part>,
    layout: Arc<Layout>,
    ids: Arc<Ids>,
    file: File,
    /// Whose the rows of one group are, where that is not remembered with the layout.
    passing: Option<(usize, Runs)>,
    is_passing: bool,
    /// Of a column's bytes, what is read at once.
    at_once: u64,
    group: usize,
    lanes: Vec<(Leaf, Lane)>,
    levels: Vec<i16>,
    repeats: Vec<i16>,
}

/// A column of the group that is being read.
enum Lane {
    Integers(Column<Int64Type>),
    Doubles(Column<DoubleType>),
    Texts(Column<ByteArrayType>),
    Words(Words),
}

impl Strip {
    /// Begins to read a part whose layout this is.
    pub fn open(part: &Arc<Part>, layout: Arc<Layout>, ids: Arc<Ids>) -> Result<Self, TsdbError> {
        let file = File::open(part.path()).map_err(StorageError::file("open", part.path()))?;
        Ok(Self {
            part: Arc::clone(part),
            layout,
            ids,
            file,
            passing: None,
            is_passing: false,
            at_once: CHUNK_BYTES_MAX,
            group: 0,
            lanes: Vec::new(),
            levels: Vec::new(),
            repeats: Vec::new(),
        })
    }

    /// The same, remembering whose rows are only while it reads their group: for files of so many that to keep them all
    /// would take more than to read them again.
    #[must_use]
    pub fn in_passing(mut self) -> Self {
        self.is_passing = true;
        self
    }

    /// The same, reading columns page by page that have more bytes in a group than so many: for who reads many files side by
    /// side. [`CHUNK_BYTES_MAX`] without it, and at most.
    #[must_use]
    pub fn at_once(mut self, bytes: u64) -> Self {
        self.at_once = bytes;
        self
    }

    /// What is read.
    pub fn part(&self) -> &Part {
        &self.part
    }

    /// The column of that name; of one that is made of others, `further.keys`, by the names' ends.
    pub fn leaf(&self, name: &str) -> Option<Leaf> {
        let is_named = |column: &parquet::schema::types::ColumnDescPtr| {
            let parts = column.path().parts();
            match name.split_once('.') {
                Some((first, last)) => {
                    parts.first().is_some_and(|part| part == first)
                        && parts.last().is_some_and(|part| part == last)
                }
                None => parts == [name],
            }
        };
        self.layout.schema.columns().iter().position(is_named).map(Leaf)
    }

    /// Row groups.
    pub fn groups(&self) -> usize {
        self.layout.groups.len()
    }

    /// Begins to read a group, from its first row on.
    pub fn enter(&mut self, group: usize) {
        if self.group != group {
            self.group = group;
            self.lanes.clear();
        }
    }

    /// Lets go of what is in memory; what comes next is begun anew.
    pub fn rest(&mut self) {
        self.lanes.clear();
        self.passing = None;
    }

    /// Goes to the agent's next rows, those of the group from `group` on that has any: the group and the rows. Its rows
    /// may go on in the next one.
    pub fn seek(&mut self, agent_id: &str, group: usize) -> Result<Option<Range<usize>>, TsdbError> {
        for group in group.max(self.group)..self.groups() {
            let (may_hold, goes_on) = self.layout.groups[group].may_hold(agent_id);
            if may_hold {
                let rows = self.agent_rows(group, agent_id)?;
                if rows.is_some() {
                    self.enter(group);
                    return Ok(rows);
                }
            }
            if !goes_on {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// The group that is being read.
    pub const fn group(&self) -> usize {
        self.group
    }

    /// Every agent that has rows, in order; one whose rows lie in two groups may be told twice.
    pub fn agents(&self) -> Result<Vec<Arc<str>>, TsdbError> {
        let mut agents = Vec::new();
        for group in 0..self.groups() {
            agents.extend(self.runs(group)?.agents.iter().cloned());
        }
        Ok(agents)
    }

    /// The agents of the group that is being read, and where the rows of each end.
    pub fn group_agents(&self) -> Result<impl Iterator<Item = (&Arc<str>, u32)>, TsdbError> {
        let runs = self.runs(self.group)?;
        Ok(runs.agents.iter().zip(runs.ends.iter().copied()))
    }

    /// Rows of the group that is being read.
    pub fn rows(&self) -> usize {
        self.layout.groups.get(self.group).map_or(0, |group| group.rows as usize)
    }

    fn agent_rows(&mut self, group: usize, agent_id: &str) -> Result<Option<Range<usize>>, TsdbError> {
        if self.is_passing && self.passing.as_ref().is_none_or(|(known, _)| *known != group) {
            let runs = Runs::of(&self.read_words(group, AGENT)?, &Ids::default())?;
            self.passing = Some((group, runs));
        }
        let runs = match &self.passing {
            Some((_, runs)) => runs,
            None => self.runs(group)?,
        };
        let Ok(place) = runs.agents.binary_search_by(|known| (**known).cmp(agent_id)) else {
            return Ok(None);
        };
        let first = place.checked_sub(1).map_or(0, |before| runs.ends[before]);
        Ok(Some(first as usize..runs.ends[place] as usize))
    }

    fn runs(&self, group: usize) -> Result<&Runs, TsdbError> {
        let known = self.layout.groups.get(group).ok_or_else(|| unlike("a row group is missing"))?;
        known.runs(&self.ids, || self.read_words(group, AGENT))
    }

    fn read_words(&self, group: usize, leaf: Leaf) -> Result<Words, TsdbError> {
        let rows = self.layout.groups.get(group).map_or(0, |group| group.rows);
        if let Some(words) =
            words::by_dictionary(pages(&self.file, &self.layout, group, leaf.0, self.at_once)?)?
        {
            return Ok(words);
        }
        words::one_by_one(Column::open(&self.file, &self.layout, group, leaf.0, self.at_once)?, rows)
    }

    fn column<T: parquet::data_type::DataType>(&self, leaf: Leaf) -> Result<Column<T>, TsdbError> {
        Column::open(&self.file, &self.layout, self.group, leaf.0, self.at_once)
    }

    /// Where the open column is, opened if it is not, or if it was read beyond `row`.
    fn lane(
        &mut self,
        leaf: Leaf,
        row: usize,
        open: impl FnOnce(&Self) -> Result<Lane, TsdbError>,
    ) -> Result<usize, TsdbError> {
        let known = self.lanes.iter().position(|(known, _)| *known == leaf);
        if let Some(place) = known
            && self.lanes[place].1.is_before(row)
        {
            return Ok(place);
        }
        let lane = open(self)?;
        let place = known.unwrap_or(self.lanes.len());
        match self.lanes.get_mut(place) {
            Some(known) => known.1 = lane,
            None => self.lanes.push((leaf, lane)),
        }
        Ok(place)
    }
}

impl Lane {
    fn is_before(&self, row: usize) -> bool {
        match self {
            Self::Integers(column) => column.is_before(row),
            Self::Doubles(column) => column.is_before(row),
            Self::Texts(column) => column.is_before(row),
            Self::Words(_) => true,
        }
    }
}

impl std::fmt::Debug for Strip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Strip({})", self.part.path().display())
    }
}
