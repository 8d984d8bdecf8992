//! Cells that repeat, shown as runs: words and how many rows have each, names and values of maps.

use super::{Lane, Leaf, Strip, unlike};
use crate::tsdb::TsdbError;
use std::ops::Range;

impl Strip {
    /// Shows the words of `rows` and how many rows each has, in order.
    pub fn words(
        &mut self,
        leaf: Leaf,
        rows: Range<usize>,
        mut show: impl FnMut(&str, usize),
    ) -> Result<(), TsdbError> {
        let open = |strip: &Self| Ok(Lane::Words(strip.read_words(strip.group, leaf)?));
        let place = self.lane(leaf, rows.start, open)?;
        let Lane::Words(words) = &self.lanes[place].1 else { return Err(unlike("words")) };
        let mut first = rows.start;
        let from = u32::try_from(first).map_err(|_| unlike("rows of a group"))?;
        for (word, end) in words.behind(from) {
            let end = (end as usize).min(rows.end);
            if first >= end {
                break;
            }
            show(word, end - first);
            first = end;
        }
        if first == rows.end { Ok(()) } else { Err(unlike("a column is too short")) }
    }

    /// Shows names and values in a column of maps, each with its row's place among `rows`.
    pub fn maps(
        &mut self,
        (keys, values): (Leaf, Leaf),
        rows: Range<usize>,
        mut show: impl FnMut(usize, &[u8], f64),
    ) -> Result<(), TsdbError> {
        let (mut names, mut numbers) = (Vec::new(), Vec::new());
        let open = |strip: &Self| Ok(Lane::Texts(strip.column(keys)?));
        let place = self.lane(keys, rows.start, open)?;
        let Lane::Texts(column) = &mut self.lanes[place].1 else { return Err(unlike("names")) };
        self.levels.clear();
        self.repeats.clear();
        column.read_lists(rows.clone(), &mut self.levels, &mut self.repeats, &mut names)?;
        let is_there = column.level_max();
        let open = |strip: &Self| Ok(Lane::Doubles(strip.column(values)?));
        let place = self.lane(values, rows.start, open)?;
        let Lane::Doubles(column) = &mut self.lanes[place].1 else { return Err(unlike("values")) };
        let (mut defined, mut repeats) = (Vec::new(), Vec::new());
        column.read_lists(rows, &mut defined, &mut repeats, &mut numbers)?;
        let full = column.level_max();
        if defined.len() != self.levels.len() {
            return Err(unlike("names and values"));
        }
        let (mut names, mut numbers, mut row) = (names.iter(), numbers.iter(), 0_usize);
        for (place, (level, defined)) in self.levels.iter().zip(&defined).enumerate() {
            row += usize::from(place > 0 && self.repeats.get(place) == Some(&0));
            let name = if *level == is_there { names.next() } else { None };
            let number = if *defined == full { numbers.next() } else { None };
            if let (Some(name), Some(number)) = (name, number) {
                show(row, name.data(), *number);
            }
        }
        Ok(())
    }
}
