//! Writes parts: rows in their order into a Parquet file, which is synced and named before anyone knows of it. Its
//! checksum is made of what was to be written, so that it tells whatever befalls the file from then on.

use super::{
    Tier, Tsdb, TsdbError,
    compact::LEVEL_FINISHED,
    fleet::{FLEET, WithFleet},
    parts::PartRow,
    schema::{OWN_COLUMNS, ROLLUP, text_at, time_at},
};
use crate::storage::{StorageError, lasting};
use arrow::{array::RecordBatch, datatypes::SchemaRef};
use crc32fast::Hasher;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    file::properties::{EnabledStatistics, WriterProperties, WriterVersion},
    schema::types::ColumnPath,
};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

/// Rows of a row group, by which readers leave out what they do not want: small ones are read faster for one
/// agent, large ones take less room.
const GROUP_ROWS: usize = 40_960;
/// The same for what is merged soon: a merge holds a group of each part in memory.
const GROUP_FRESH_ROWS: usize = 16_384;
/// The same for rollups, of which one agent's are asked for most, in every file of the month: small while there are
/// many files; larger in the one of a finished period, whose every group costs a reader its metadata.
const GROUP_ROLLUPS: usize = 8_192;
const GROUP_ROLLUPS_FINISHED: usize = 16_384;
/// The same for scans, whose rows are large.
const GROUP_SCANS: usize = 2_048;
/// The same for points, whose rows are small and of many series.
const GROUP_POINTS: usize = 131_072;
const GROUP_POINTS_FRESH: usize = 32_768;
/// What a row group takes at most until it is written out, whatever the size of its rows.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A page of a column, of which a merge holds one for each part, takes about so much, in bytes and in rows; its
/// size is looked at every so many rows.
const PAGE_BYTES: usize = 128 * 1024;
const PAGE_ROWS: usize = 8_192;
const PAGE_LOOK_ROWS: usize = 1_024;
/// The same for scans, whose rows are large.
const PAGE_LOOK_SCANS: usize = 1;
/// What of a file waits to be synced at most.
const SYNC_BYTES: usize = 1024 * 1024;
/// A dictionary of more than so many bytes is given up for the row group; doubles are then split by bytes.
const DICTIONARY_BYTES_MAX: usize = 32 * 1024;
/// The same for points: a fresh row group has some thousand series, each told once.
const DICTIONARY_POINTS_BYTES_MAX: usize = 256 * 1024;

/// What a part will be, before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) tier: Tier,
    pub(super) period: i64,
    pub(super) level: u32,
}

/// What was written.
struct Written {
    rows: u64,
    times: (i64, i64),
    agents: (String, String),
}

impl Tsdb {
    /// Writes batches, in their order, as a part; `None` if there is no row. The part is nowhere until the
    /// catalogue has it.
    pub(super) fn write_part(
        &self,
        draft: Draft,
        schema: &SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch, TsdbError>>,
    ) -> Result<Option<PartRow>, TsdbError> {
        self.settle()?;
        let mut left = Vec::new();
        self.try_write_part(draft, schema, batches, &mut left).inspect_err(|_| self.0.garbage.put(left))
    }

    /// Writes rollups of agents as a part, with the fleet's behind them; otherwise as [`Tsdb::write_part`].
    pub(super) fn write_rollups(
        &self,
        draft: Draft,
        agents: impl Iterator<Item = Result<RecordBatch, TsdbError>>,
    ) -> Result<Option<PartRow>, TsdbError> {
        self.write_part(draft, &ROLLUP, WithFleet::new(agents))
    }

    /// Names in `left` the files that are there should it fail.
    fn try_write_part(
        &self,
        draft: Draft,
        schema: &SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch, TsdbError>>,
        left: &mut Vec<PathBuf>,
    ) -> Result<Option<PartRow>, TsdbError> {
        let inner = &self.0;
        let Draft { tier, period, level } = draft;
        let id = inner.last_part.fetch_add(1, Ordering::Relaxed) + 1;
        let made = inner.places.scratch.join(format!("{id:010}.parquet"));
        inner.faults.at_path("part write", &made)?;
        left.push(made.clone());
        let Some((Written { rows, times, agents }, crc32)) = write(&made, draft, schema, batches)? else {
            fs::remove_file(&made).map_err(StorageError::file("delete", &made))?;
            return Ok(None);
        };
        inner.faults.at_path("part sync", &made)?;
        let bytes = sync(&made)?;
        let (created, crc32) = (inner.clock.now(), Some(crc32));
        let row = PartRow { id, tier, period, level, rows, bytes, times, agents, created, crc32 };
        let path = inner.places.parts.join(row.file());
        left.push(path.clone());
        lasting::rename(&made, &path, &inner.faults, ["part rename", "part folder sync"])?;
        Ok(Some(row))
    }
}

/// Writes all of it to `path`; what that is, and its checksum.
fn write(
    path: &Path,
    draft: Draft,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, TsdbError>>,
) -> Result<Option<(Written, u32)>, TsdbError> {
    let file = File::create(path).map_err(StorageError::file("create", path))?;
    let file = Trickle { file, unsynced: 0, checksum: Hasher::new() };
    let mut writer = ArrowWriter::try_new(file, SchemaRef::clone(schema), Some(properties(draft)))?;
    let mut written: Option<Written> = None;
    for batch in batches {
        let batch = batch?;
        let Some(of_batch) = look_at(&batch) else { continue };
        // The fleet's rows have row groups of their own, so that readers leave out all others.
        if of_batch.agents.0 == FLEET && written.as_ref().is_some_and(|all| all.agents.1 != FLEET) {
            writer.flush()?;
        }
        match &mut written {
            None => written = Some(of_batch),
            Some(all) => {
                all.rows += of_batch.rows;
                all.times = (all.times.0.min(of_batch.times.0), all.times.1.max(of_batch.times.1));
                all.agents.1 = of_batch.agents.1;
            }
        }
        writer.write(&batch)?;
    }
    let crc32 = writer.into_inner()?.checksum.finalize();
    Ok(written.map(|all| (all, crc32)))
}

/// A file that reaches the disk a little at a time. A file system may write what others wait for together with what
/// a large file has waiting: synced in one go, a part would hold up the journal for a tenth of a second.
struct Trickle {
    file: File,
    unsynced: usize,
    checksum: Hasher,
}

impl Write for Trickle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.checksum.update(&bytes[..written]);
        self.unsynced += written;
        if self.unsynced >= SYNC_BYTES {
            self.unsynced = 0;
            self.file.sync_data()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Rows, first and last moment, first and last agent of a batch, which is ordered by agent; `None` for an empty
/// one.
fn look_at(batch: &RecordBatch) -> Option<Written> {
    let last = batch.num_rows().checked_sub(1)?;
    let agent = |row| text_at(batch, 0, row).to_owned();
    let time_column = batch.schema().column_with_name("timestamp").map_or(2, |(place, _)| place);
    let times = (0..=last).map(|row| time_at(batch, time_column, row));
    let (first_at, last_at) = (times.clone().min()?, times.max()?);
    Some(Written { rows: last as u64 + 1, times: (first_at, last_at), agents: (agent(0), agent(last)) })
}

/// Numbers that rise are written as differences, repeated ones by a dictionary, the rest split by bytes. What is
/// merged soon is not compressed: that would cost more than all the rest of the writing.
fn properties(draft: Draft) -> WriterProperties {
    let compression = match draft.level {
        0 => Compression::UNCOMPRESSED,
        _ => Compression::ZSTD(ZstdLevel::default()),
    };
    let group = match (draft.tier, draft.level) {
        (Tier::Scans, _) => GROUP_SCANS,
        (Tier::Minute | Tier::Hour, LEVEL_FINISHED) => GROUP_ROLLUPS_FINISHED,
        (Tier::Minute | Tier::Hour, _) => GROUP_ROLLUPS,
        (Tier::Points, 0) => GROUP_POINTS_FRESH,
        (Tier::Points, _) => GROUP_POINTS,
        (_, 0) => GROUP_FRESH_ROWS,
        _ => GROUP_ROWS,
    };
    let look = if draft.tier == Tier::Scans { PAGE_LOOK_SCANS } else { PAGE_LOOK_ROWS };
    let dictionary = match draft.tier {
        Tier::Points => DICTIONARY_POINTS_BYTES_MAX,
        _ => DICTIONARY_BYTES_MAX,
    };
    let column = |name: &str| ColumnPath::from(name);
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(compression)
        .set_max_row_group_row_count(Some(group))
        .set_max_row_group_bytes(Some(GROUP_BYTES_MAX))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(look)
        .set_dictionary_page_size_limit(dictionary)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        // Neither by a dictionary nor as differences, which would hide from a merge how large rows are.
        .set_column_dictionary_enabled(column("hosts"), false)
        .set_column_encoding(column("hosts"), Encoding::PLAIN)
        // A dictionary tells doubles apart by what they equal, which bits do not follow.
        .set_column_dictionary_enabled(column("value"), false);
    for name in ["agent_id", "series", "name", "timestamp", "start"] {
        properties = properties.set_column_statistics_enabled(column(name), EnabledStatistics::Chunk);
    }
    for name in ["timestamp", "start", "last_at", "seq"] {
        properties = properties
            .set_column_dictionary_enabled(column(name), false)
            .set_column_encoding(column(name), Encoding::DELTA_BINARY_PACKED);
    }
    for name in OWN_COLUMNS.into_iter().chain(["min", "max", "sum", "last", "value"]) {
        properties = properties.set_column_encoding(column(name), Encoding::BYTE_STREAM_SPLIT);
    }
    properties.build()
}

fn sync(path: &Path) -> Result<u64, StorageError> {
    let file = File::open(path).map_err(StorageError::file("open", path))?;
    file.sync_all().map_err(StorageError::file("sync", path))?;
    Ok(file.metadata().map_err(StorageError::file("look at", path))?.len())
}
