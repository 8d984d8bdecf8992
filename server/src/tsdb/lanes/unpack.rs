//! Pages out of their packing, by a context that a thread keeps.
//!
//! The library's reader makes two for each column that it opens, one of them to pack with, of some hundred KiB each: that
//! was a third of what a question about a month took. So it is told that nothing is packed, and what it gives is unpacked
//! here.

use bytes::Bytes;
use parquet::{
    basic::Compression,
    column::page::{Page, PageMetadata, PageReader},
    errors::{ParquetError, Result},
};
use std::{cell::RefCell, io::Cursor};
use zstd::{bulk::Decompressor, zstd_safe::get_frame_content_size};

/// What a page takes at most, unpacked: far more than one that this program wrote.
const PAGE_BYTES_MAX: u64 = 64 * 1024 * 1024;

thread_local! {
    static CONTEXT: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Pages that `pages` gives as they are packed.
pub(super) struct Unpacked<P> {
    pages: P,
    is_packed: bool,
}

/// How the library's reader is told that a column is packed, so that what it gives fits [`Unpacked`].
pub(super) const fn as_told(compression: Compression) -> Compression {
    match compression {
        Compression::ZSTD(_) => Compression::UNCOMPRESSED,
        other => other,
    }
}

impl<P: PageReader> Unpacked<P> {
    /// Of a column that is packed so, read as [`as_told`].
    pub(super) const fn new(pages: P, compression: Compression) -> Self {
        Self { pages, is_packed: matches!(compression, Compression::ZSTD(_)) }
    }
}

impl<P: PageReader> PageReader for Unpacked<P> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        if self.is_packed { page.map(unpacked).transpose() } else { Ok(page) }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

impl<P: PageReader> Iterator for Unpacked<P> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

fn unpacked(mut page: Page) -> Result<Page> {
    match &mut page {
        Page::DictionaryPage { buf, .. } | Page::DataPage { buf, .. } => *buf = unpack(buf, 0)?,
        Page::DataPageV2 { buf, is_compressed, def_levels_byte_len, rep_levels_byte_len, .. } => {
            // Levels are never packed.
            let levels = *def_levels_byte_len as usize + *rep_levels_byte_len as usize;
            if std::mem::take(is_compressed) {
                *buf = unpack(buf, levels)?;
            }
        }
    }
    Ok(page)
}

/// What is packed behind the first `plain` bytes, and those before it.
fn unpack(bytes: &Bytes, plain: usize) -> Result<Bytes> {
    let packed = bytes.get(plain..).ok_or_else(not_a_page)?;
    if packed.is_empty() {
        // Nothing but nulls.
        return Ok(bytes.clone());
    }
    let size = get_frame_content_size(packed).ok().flatten().filter(|size| *size <= PAGE_BYTES_MAX);
    let size = usize::try_from(size.ok_or_else(not_a_page)?).map_err(|_| not_a_page())?;
    // Room that is not filled with zeros before.
    let mut whole = Vec::with_capacity(plain + size);
    whole.extend_from_slice(&bytes[..plain]);
    let mut whole = Cursor::new(whole);
    whole.set_position(plain as u64);
    CONTEXT.with_borrow_mut(|context| {
        let context = match context {
            Some(context) => context,
            none => none.insert(Decompressor::new()?),
        };
        match context.decompress_to_buffer(packed, &mut whole)? {
            written if written == size => Ok(whole.into_inner().into()),
            _ => Err(not_a_page()),
        }
    })
}

fn not_a_page() -> ParquetError {
    ParquetError::General("a part is not as it was written: a page".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use zstd::bulk::compress;

    #[test]
    fn what_was_packed_comes_back_behind_what_was_not() {
        let (plain, values) = (b"levels".as_slice(), vec![7; 100_000]);
        let packed = compress(&values, 3).unwrap();
        for plain in [plain, &[]] {
            let page = Bytes::from([plain, &packed].concat());
            assert_eq!(unpack(&page, plain.len()).unwrap(), [plain, &values].concat());
        }
        assert_eq!(unpack(&Bytes::from_static(b"levels"), 6).unwrap(), b"levels".as_slice());
    }

    #[test]
    fn damage_is_an_error() {
        let packed = compress(&(0..=255).collect::<Vec<u8>>(), 3).unwrap();
        for cut in 1..packed.len() {
            assert!(unpack(&Bytes::copy_from_slice(&packed[..cut]), 0).is_err(), "{cut} bytes");
        }
        assert!(unpack(&Bytes::from_static(b"not packed at all"), 0).is_err());
        assert!(unpack(&Bytes::from_static(b"short"), 6).is_err());
        // A frame that says of itself that it is larger than a page may be.
        let large = [&[0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0x38][..], &(PAGE_BYTES_MAX + 1).to_le_bytes()].concat();
        assert!(unpack(&Bytes::from(large), 0).is_err());
    }
}
