//! One column of one row group, read forward.

use super::{file::Chunk, layout::Layout, unlike, unpack::Unpacked};
use crate::tsdb::TsdbError;
use parquet::{
    column::reader::ColumnReaderImpl, data_type::DataType, file::serialized_reader::SerializedPageReader,
};
use std::{fs::File, ops::Range, sync::Arc};

/// A column and how far it was read.
pub(super) struct Column<T: DataType> {
    reader: ColumnReaderImpl<T>,
    row: usize,
    level_max: i16,
}

/// The pages of a column; its bytes are read at once if they are no more than `most`.
pub(super) fn pages(
    file: &File,
    layout: &Layout,
    group: usize,
    leaf: usize,
    most: u64,
) -> Result<Unpacked<SerializedPageReader<Chunk>>, TsdbError> {
    let group = layout.groups.get(group).ok_or_else(|| unlike("a row group is missing"))?;
    let (start, length) = group.place(leaf).ok_or_else(|| unlike("a column is missing"))?;
    let chunk = Chunk::open(file, start, length, most).map_err(parquet::errors::ParquetError::from)?;
    let metadata = group.metadata(&layout.schema, leaf)?;
    let pages = SerializedPageReader::new(Arc::new(chunk), &metadata, group.rows as usize, None)?;
    Ok(Unpacked::new(pages, group.compression(leaf)))
}

impl<T: DataType> Column<T> {
    /// The column `leaf` of a group, not read yet.
    pub(super) fn open(
        file: &File,
        layout: &Layout,
        group: usize,
        leaf: usize,
        most: u64,
    ) -> Result<Self, TsdbError> {
        let descriptor = layout.schema.column(leaf);
        if descriptor.physical_type() != T::get_physical_type() {
            return Err(unlike("the type of a column"));
        }
        let level_max = descriptor.max_def_level();
        let pages = pages(file, layout, group, leaf, most)?;
        Ok(Self { reader: ColumnReaderImpl::new(descriptor, Box::new(pages)), row: 0, level_max })
    }

    /// Whether those rows are still ahead.
    pub(super) fn is_before(&self, row: usize) -> bool {
        self.row <= row
    }

    /// The level of what is there.
    pub(super) const fn level_max(&self) -> i16 {
        self.level_max
    }

    /// Puts the values of `rows` behind `values`, nulls left out, and how far each is defined behind `levels`. The rows
    /// must not lie behind those that were read last. Not for columns of lists.
    pub(super) fn read(
        &mut self,
        rows: Range<usize>,
        levels: &mut Vec<i16>,
        values: &mut Vec<T::T>,
    ) -> Result<(), TsdbError> {
        self.read_with(rows, levels, None, values)
    }

    /// The same of a column of lists: `repeats` has 0 where a row begins.
    pub(super) fn read_lists(
        &mut self,
        rows: Range<usize>,
        levels: &mut Vec<i16>,
        repeats: &mut Vec<i16>,
        values: &mut Vec<T::T>,
    ) -> Result<(), TsdbError> {
        self.read_with(rows, levels, Some(repeats), values)
    }

    fn read_with(
        &mut self,
        rows: Range<usize>,
        levels: &mut Vec<i16>,
        mut repeats: Option<&mut Vec<i16>>,
        values: &mut Vec<T::T>,
    ) -> Result<(), TsdbError> {
        let ahead = rows.start - self.row;
        if self.reader.skip_records(ahead)? != ahead {
            return Err(unlike("a column is too short"));
        }
        self.row = rows.start;
        while self.row < rows.end {
            let wanted = rows.end - self.row;
            let (read, ..) =
                self.reader.read_records(wanted, Some(&mut *levels), repeats.as_deref_mut(), values)?;
            if read == 0 {
                return Err(unlike("a column is too short"));
            }
            self.row += read;
        }
        Ok(())
    }
}
