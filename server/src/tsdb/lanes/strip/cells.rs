//! Cells of rows, one by one: numbers into the arrays of who asks, texts shown as they are decoded.

use super::{Lane, Leaf, Strip, unlike};
use crate::tsdb::TsdbError;
use std::ops::Range;

/// Texts decoded at once. Each keeps the page that it lies in, so that few pages are in memory.
const TEXTS_AT_ONCE: usize = 4;

impl Strip {
    /// The column of that name, which a part of its tier has.
    pub fn required(&self, name: &str) -> Result<Leaf, TsdbError> {
        self.leaf(name).ok_or_else(|| unlike("a column is missing"))
    }

    /// Puts moments or integers of `rows` behind `out`; fails where one is null.
    pub fn integers(&mut self, leaf: Leaf, rows: Range<usize>, out: &mut Vec<i64>) -> Result<(), TsdbError> {
        let expected = out.len() + rows.len();
        let open = |strip: &Self| Ok(Lane::Integers(strip.column(leaf)?));
        let place = self.lane(leaf, rows.start, open)?;
        let Lane::Integers(column) = &mut self.lanes[place].1 else { return Err(unlike("integers")) };
        self.levels.clear();
        column.read(rows, &mut self.levels, out)?;
        if out.len() == expected { Ok(()) } else { Err(unlike("a moment is missing")) }
    }

    /// Puts doubles of `rows` behind `out`, NaN for what is null; whether there was any null.
    pub fn doubles(&mut self, leaf: Leaf, rows: Range<usize>, out: &mut Vec<f64>) -> Result<bool, TsdbError> {
        let (before, count) = (out.len(), rows.len());
        let open = |strip: &Self| Ok(Lane::Doubles(strip.column(leaf)?));
        let place = self.lane(leaf, rows.start, open)?;
        let Lane::Doubles(column) = &mut self.lanes[place].1 else { return Err(unlike("doubles")) };
        self.levels.clear();
        column.read(rows, &mut self.levels, out)?;
        let has_nulls = out.len() < before + count;
        spread(out, before, count, f64::NAN, (&self.levels, column.level_max()));
        Ok(has_nulls)
    }

    /// Puts integers of `rows` behind `out`, `none` for what is null.
    pub fn numbers(
        &mut self,
        leaf: Leaf,
        rows: Range<usize>,
        none: i64,
        out: &mut Vec<i64>,
    ) -> Result<(), TsdbError> {
        let (before, count) = (out.len(), rows.len());
        let open = |strip: &Self| Ok(Lane::Integers(strip.column(leaf)?));
        let place = self.lane(leaf, rows.start, open)?;
        let Lane::Integers(column) = &mut self.lanes[place].1 else { return Err(unlike("integers")) };
        self.levels.clear();
        column.read(rows, &mut self.levels, out)?;
        spread(out, before, count, none, (&self.levels, column.level_max()));
        Ok(())
    }

    /// Shows the texts of `rows` in order; fails where one is null, or no text. A few are in memory at a time.
    pub fn texts(
        &mut self,
        leaf: Leaf,
        rows: Range<usize>,
        mut show: impl FnMut(&str),
    ) -> Result<(), TsdbError> {
        let mut is_whole = true;
        self.texts_or_none(leaf, rows, |text| match text {
            Some(text) => show(text),
            None => is_whole = false,
        })?;
        if is_whole { Ok(()) } else { Err(unlike("a text is missing")) }
    }

    /// The same of a column that may have nulls.
    pub fn texts_or_none(
        &mut self,
        leaf: Leaf,
        rows: Range<usize>,
        mut show: impl FnMut(Option<&str>),
    ) -> Result<(), TsdbError> {
        let open = |strip: &Self| Ok(Lane::Texts(strip.column(leaf)?));
        let place = self.lane(leaf, rows.start, open)?;
        let Lane::Texts(column) = &mut self.lanes[place].1 else { return Err(unlike("texts")) };
        let (mut texts, level_max) = (Vec::with_capacity(TEXTS_AT_ONCE), column.level_max());
        for first in rows.clone().step_by(TEXTS_AT_ONCE) {
            let few = first..rows.end.min(first + TEXTS_AT_ONCE);
            self.levels.clear();
            texts.clear();
            column.read(few.clone(), &mut self.levels, &mut texts)?;
            let mut found = texts.iter();
            for row in 0..few.len() {
                // A column that cannot have nulls has no levels.
                let is_there = self.levels.get(row).is_none_or(|level| *level == level_max);
                let text = if is_there { Some(found.next().ok_or_else(|| unlike("texts"))?) } else { None };
                show(text.map(|text| text.as_utf8()).transpose()?);
            }
        }
        Ok(())
    }
}

/// Moves the values behind `before` to the places of their rows, `count` in all, and puts `none` where the level says
/// that there is none.
fn spread<T: Copy>(
    out: &mut Vec<T>,
    before: usize,
    count: usize,
    none: T,
    (levels, level_max): (&[i16], i16),
) {
    let mut next = out.len() - before;
    if next == count {
        return;
    }
    // From the end, so that each is moved before its place is taken.
    out.resize(before + count, none);
    for (place, level) in levels.iter().enumerate().rev() {
        let value = if *level == level_max {
            next -= 1;
            out[before + next]
        } else {
            none
        };
        out[before + place] = value;
    }
}
