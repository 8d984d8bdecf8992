//! A column of texts as runs of one word.
//!
//! Texts that repeat are written as numbers in a dictionary, and numbers that repeat as how often: a column of ids in
//! order is a few bytes an agent, and is read as such. Where a page has no dictionary its texts are compared one by one.

use super::{column::Column, unlike};
use crate::tsdb::TsdbError;
use foldhash::HashMap;
use parquet::{
    basic::Encoding,
    column::page::{Page, PageReader},
    data_type::ByteArrayType,
};

/// Texts read one by one at once.
const TEXTS_AT_ONCE: usize = 4_096;

/// A group's texts: each word once, and runs of them in the order of the rows.
#[derive(Debug, Default)]
pub(super) struct Words {
    dictionary: Vec<Box<str>>,
    /// The word's place in the dictionary, and where its rows end.
    runs: Vec<(u32, u32)>,
}

impl Words {
    /// Words and where their rows end; none twice in a row.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.runs.iter().map(|(word, end)| (self.word(*word), *end))
    }

    /// The runs from the one on that `row` lies in.
    pub(super) fn behind(&self, row: u32) -> impl Iterator<Item = (&str, u32)> {
        let first = self.runs.partition_point(|(_, end)| *end <= row);
        self.runs[first..].iter().map(|(word, end)| (self.word(*word), *end))
    }

    fn word(&self, number: u32) -> &str {
        self.dictionary.get(number as usize).map_or("", |word| word)
    }

    fn push(&mut self, word: u32, count: u32) {
        let end = self.runs.last().map_or(0, |(_, end)| *end) + count;
        match self.runs.last_mut().filter(|(last, _)| *last == word) {
            Some(last) => last.1 = end,
            None => self.runs.push((word, end)),
        }
    }
}

/// The words of pages that all have a dictionary and no nulls; `None` where one has not.
pub(super) fn by_dictionary(mut pages: impl PageReader) -> Result<Option<Words>, TsdbError> {
    let mut words = Words::default();
    while let Some(page) = pages.get_next_page()? {
        match page {
            Page::DictionaryPage { buf, num_values, .. } => {
                words.dictionary = dictionary(&buf, num_values).ok_or_else(|| unlike("a dictionary"))?;
            }
            Page::DataPageV2 {
                buf,
                num_values,
                num_nulls: 0,
                encoding: Encoding::RLE_DICTIONARY,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                let levels = (def_levels_byte_len + rep_levels_byte_len) as usize;
                let numbers = buf.get(levels..).ok_or_else(|| unlike("a page of words"))?;
                let known = words.dictionary.len();
                let mut is_known = true;
                let read = numbers_of(numbers, num_values, |word, count| {
                    is_known &= (word as usize) < known;
                    words.push(word, count);
                });
                if read.is_none() || !is_known {
                    return Err(unlike("a page of words"));
                }
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(words))
}

/// The words of any column of texts, one by one; the empty word for a null.
pub(super) fn one_by_one(mut column: Column<ByteArrayType>, rows: u32) -> Result<Words, TsdbError> {
    let mut words = Words::default();
    let mut numbers: HashMap<Box<str>, u32> = HashMap::default();
    let (mut levels, mut texts) = (Vec::new(), Vec::new());
    let rows = rows as usize;
    for first in (0..rows).step_by(TEXTS_AT_ONCE) {
        levels.clear();
        texts.clear();
        column.read(first..rows.min(first + TEXTS_AT_ONCE), &mut levels, &mut texts)?;
        let mut texts = texts.iter();
        for level in &levels {
            let text = if *level == column.level_max() { texts.next() } else { None };
            let text = text.map_or(Ok(""), |text| text.as_utf8())?;
            let number = match numbers.get(text) {
                Some(number) => *number,
                None => {
                    let number = u32::try_from(words.dictionary.len()).map_err(|_| unlike("words"))?;
                    words.dictionary.push(text.into());
                    numbers.insert(text.into(), number);
                    number
                }
            };
            words.push(number, 1);
        }
    }
    Ok(words)
}

/// Texts, each behind its length.
fn dictionary(mut bytes: &[u8], count: u32) -> Option<Vec<Box<str>>> {
    let mut words = Vec::new();
    for _ in 0..count {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (word, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        words.push(std::str::from_utf8(word).ok()?.into());
        bytes = rest;
    }
    Some(words)
}

/// Numbers of one width as Parquet's hybrid of run lengths and packed bits has them; `None` where they are cut.
fn numbers_of(bytes: &[u8], count: u32, mut show: impl FnMut(u32, u32)) -> Option<()> {
    let (&width, mut bytes) = bytes.split_first()?;
    let width = usize::from(width);
    if width > 32 {
        return None;
    }
    let mut left = count;
    while left > 0 {
        let header = varint(&mut bytes)?;
        if header & 1 == 0 {
            let run = (header >> 1).min(left);
            let (number, rest) = bytes.split_at_checked(width.div_ceil(8))?;
            let mut wide = [0; 4];
            wide[..number.len()].copy_from_slice(number);
            show(u32::from_le_bytes(wide), run);
            (bytes, left) = (rest, left - run);
            if run == 0 {
                return None;
            }
        } else {
            let eights = header >> 1;
            let packed = (eights as usize).checked_mul(width)?.min(bytes.len());
            let (packed, rest) = bytes.split_at(packed);
            let run = eights.checked_mul(8)?.min(left);
            for place in 0..run as usize {
                show(bits(packed, place * width, width)?, 1);
            }
            (bytes, left) = (rest, left - run);
            if run == 0 {
                return None;
            }
        }
    }
    Some(())
}

fn varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0_u32;
    for shift in (0..32).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The `width` bits from bit `first` on, the lowest first.
fn bits(bytes: &[u8], first: usize, width: usize) -> Option<u32> {
    let mut number = 0_u64;
    let last = (first + width).div_ceil(8);
    for (place, byte) in bytes.get(first / 8..last)?.iter().enumerate() {
        number |= u64::from(*byte) << (8 * place);
    }
    u32::try_from((number >> (first % 8)) & ((1_u64 << width) - 1)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(bytes: &[u8], count: u32) -> Option<Vec<(u32, u32)>> {
        let mut found = Vec::new();
        numbers_of(bytes, count, |number, run| found.push((number, run))).map(|()| found)
    }

    #[test]
    fn runs_and_packed_bits_are_read_as_parquet_writes_them() {
        // Width 3; a run of 300 fives, then eight packed numbers 0 to 7.
        let bytes = [3, 0b1101_1000, 0b100, 5, 0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        let mut expected = vec![(5, 300)];
        expected.extend((0..8).map(|number| (number, 1)));
        assert_eq!(numbers(&bytes, 308), Some(expected.clone()));
        expected.truncate(4);
        assert_eq!(numbers(&bytes, 303), Some(expected), "what is beyond the count is filling");
        // A dictionary of one word needs no bits.
        assert_eq!(numbers(&[0, 0b1_0000], 8), Some(vec![(0, 8)]));
    }

    #[test]
    fn what_is_cut_or_never_ends_is_refused() {
        let bytes = [3, 0b1101_1000, 0b100, 5, 0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        for cut in 0..bytes.len() {
            assert_eq!(numbers(&bytes[..cut], 308), None, "{cut}");
        }
        assert_eq!(numbers(&[3, 0, 5], 8), None, "a run of none");
        assert_eq!(numbers(&[33, 2, 5], 1), None, "wider than a number");
        assert_eq!(dictionary(&[2, 0, 0, 0, b'a'], 1), None);
        assert_eq!(dictionary(&[1, 0, 0, 0, b'a'], 1), Some(vec!["a".into()]));
    }

    #[test]
    fn a_word_goes_on_over_the_end_of_a_page() {
        let mut words = Words { dictionary: vec!["a".into(), "b".into()], runs: Vec::new() };
        [(0, 3), (0, 2), (1, 1)].into_iter().for_each(|(word, count)| words.push(word, count));
        assert_eq!(words.iter().collect::<Vec<_>>(), [("a", 5), ("b", 6)]);
        assert_eq!(words.behind(4).next(), Some(("a", 5)));
        assert_eq!(words.behind(5).collect::<Vec<_>>(), [("b", 6)]);
    }
}
