//! Of each label the series that have it, by where they stand, in order. Most labels are one series' own, and such a one takes no
//! list.

use super::{
    Pair, grow, place,
    places::{PLACE_BYTES, Places},
};
use foldhash::fast::RandomState;
use std::{hash::BuildHasher, slice};

/// Marks the number of a list; below it stand series, of which there are far fewer.
const MANY: u32 = 1 << 31;

/// What a label takes that a series has: with its place, and as if there were room for a quarter more of them.
pub(super) const ONE_BYTES: usize = size_of::<(Pair, u32)>() * 5 / 4 + PLACE_BYTES;
/// What its list takes beside that, and beside what is in it.
pub(super) const LIST_BYTES: usize = size_of::<Vec<u32>>() * 5 / 4 + 2 * size_of::<u32>() + 8;

/// Of each label the series that have it.
#[derive(Debug, Default)]
pub(super) struct Lists {
    by_pair: Places,
    state: RandomState,
    /// A label, and the one series that has it, or the number of its list.
    heads: Vec<(Pair, u32)>,
    many: Vec<Vec<u32>>,
    pub(super) bytes: usize,
}

impl Lists {
    /// Puts a series behind those that have a label.
    pub(super) fn push(&mut self, pair: Pair, series: u32) {
        let hash = self.state.hash_one(pair);
        let Some(head) = self.by_pair.find(hash, |at| self.heads[at as usize].0 == pair) else {
            let (heads, state) = (&self.heads, &self.state);
            self.by_pair.put(hash, place(heads.len()), |at| state.hash_one(heads[at as usize].0));
            grow(&mut self.heads, (pair, series));
            self.bytes += ONE_BYTES;
            return;
        };
        let (_, known) = &mut self.heads[head as usize];
        if *known & MANY == 0 {
            grow(&mut self.many, vec![*known, series]);
            *known = MANY | place(self.many.len() - 1);
            self.bytes += LIST_BYTES;
        } else {
            grow(&mut self.many[(*known & !MANY) as usize], series);
        }
    }

    /// The series that have a label.
    pub(super) fn of(&self, pair: Pair) -> &[u32] {
        let found = self.by_pair.find(self.state.hash_one(pair), |at| self.heads[at as usize].0 == pair);
        found.map_or(&[], |at| self.meant(&self.heads[at as usize].1))
    }

    /// Each label, and how many series have it.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Pair, usize)> {
        self.heads.iter().map(|(pair, known)| (*pair, self.meant(known).len()))
    }

    fn meant<'a>(&'a self, known: &'a u32) -> &'a [u32] {
        match known & MANY {
            0 => slice::from_ref(known),
            _ => &self.many[(known & !MANY) as usize],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn each_label_has_its_series_in_order() {
        let (mut lists, mut model) = (Lists::default(), BTreeMap::<Pair, Vec<u32>>::new());
        for series in 0..500_u32 {
            for pair in [(0, 0), (1, series % 3), (2, series), (series % 7, 9)] {
                lists.push(pair, series);
                model.entry(pair).or_default().push(series);
            }
        }
        for (pair, series) in &model {
            assert_eq!(lists.of(*pair), series);
        }
        assert!(lists.of((2, 500)).is_empty());
        let counts: BTreeMap<_, _> = lists.counts().collect();
        assert_eq!(counts, model.iter().map(|(pair, series)| (*pair, series.len())).collect());
    }
}
