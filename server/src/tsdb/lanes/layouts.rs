//! Layouts that are remembered from question to question: files never change, and their numbers are given once.

use super::{Ids, Layout, Strip};
use crate::tsdb::{Part, TsdbError, View};
use foldhash::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// What all that is remembered may take. Ten thousand agents with a month of days take about half of it.
pub const LAYOUTS_BYTES_MAX: usize = 12 * 1024 * 1024;

/// What is remembered. Each layout can be read again from its file at any time, and is let go when the view has its file
/// no more, or when all would take more than [`LAYOUTS_BYTES_MAX`].
#[derive(Debug)]
pub struct Layouts {
    ids: Arc<Ids>,
    kept: Mutex<HashMap<u64, Arc<Layout>>>,
    bytes_max: usize,
}

impl Default for Layouts {
    fn default() -> Self {
        Self::keeping(LAYOUTS_BYTES_MAX)
    }
}

impl Layouts {
    /// That take no more than so much.
    fn keeping(bytes_max: usize) -> Self {
        Self { ids: Arc::default(), kept: Mutex::default(), bytes_max }
    }

    /// The ids that are met in files, each kept once.
    pub const fn ids(&self) -> &Arc<Ids> {
        &self.ids
    }

    /// Begins to read a part of `view`.
    pub(in crate::tsdb) fn strip(&self, view: &View, part: &Arc<Part>) -> Result<Strip, TsdbError> {
        let known = self.lock(|kept| kept.get(&part.row().id).cloned());
        let layout = match known {
            Some(layout) => layout,
            None => self.remember(view, part.row().id, Layout::read(part)?),
        };
        Strip::open(part, layout, Arc::clone(&self.ids))
    }

    fn remember(&self, view: &View, id: u64, mut layout: Layout) -> Arc<Layout> {
        self.lock(|kept| {
            if let Some(other) = kept.values().next() {
                layout.share_schema(other);
            }
            let layout = Arc::new(layout);
            kept.insert(id, Arc::clone(&layout));
            if bytes(kept) > self.bytes_max {
                let there: HashSet<_> = view.parts.iter().map(|part| part.row().id).collect();
                kept.retain(|id, _| there.contains(id));
                if bytes(kept) > self.bytes_max {
                    kept.clear();
                }
                self.ids.forget_unused();
            }
            layout
        })
    }

    /// What is remembered takes about so much.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.lock(|kept| bytes(kept))
    }

    /// Each layout is valid by itself.
    fn lock<T>(&self, look: impl FnOnce(&mut HashMap<u64, Arc<Layout>>) -> T) -> T {
        look(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn bytes(kept: &HashMap<u64, Arc<Layout>>) -> usize {
    kept.values().map(|layout| layout.bytes()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsdb::{
        record::OwnedRows,
        testing::{Bench, NOW, sample},
    };

    /// As many files as groups.
    fn bench(groups: u64) -> Bench {
        let mut bench = Bench::new();
        for group in 0..groups {
            let samples = vec![sample("a", (1, group), NOW)];
            bench.append(&OwnedRows { samples, ..OwnedRows::default() }).unwrap();
            bench.seal_all();
        }
        bench
    }

    #[test]
    fn a_layout_is_read_once_and_goes_with_its_file() {
        let bench = bench(1);
        let view = bench.tsdb.view();
        let layouts = Layouts::default();
        for part in &view.parts {
            layouts.strip(&view, part).unwrap();
        }
        let before = layouts.bytes();
        for part in &view.parts {
            layouts.strip(&view, part).unwrap();
        }
        assert!(layouts.bytes() >= before && layouts.lock(|kept| kept.len()) == view.parts.len());
        let full = Layouts { bytes_max: before, ..layouts };
        let later = self::bench(3);
        let view = later.tsdb.view();
        let last = view.parts.iter().max_by_key(|part| part.row().id).unwrap();
        full.strip(&view, last).unwrap();
        assert!(full.bytes() <= before);
    }

    #[test]
    fn what_is_too_much_is_read_and_not_remembered() {
        let bench = bench(2);
        let view = bench.tsdb.view();
        let layouts = Layouts::keeping(0);
        for part in &view.parts {
            assert!(layouts.strip(&view, part).unwrap().seek("a", 0).unwrap().is_some());
            assert_eq!(layouts.bytes(), 0);
        }
    }
}
