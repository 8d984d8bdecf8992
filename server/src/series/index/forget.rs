//! Taking series out. What is left stays where it is: a second index beside the first would take as much again.

use super::{Entry, Index, Lists, Places, place};
use crate::tsdb::rows::SeriesId;

impl Index {
    /// Takes out the series that are `gone`, and tells which those were.
    pub(in crate::series) fn forget(&mut self, gone: impl Fn(&Entry) -> bool) -> Vec<SeriesId> {
        let forgotten: Vec<_> =
            self.entries.iter().filter(|entry| gone(entry)).map(|entry| entry.id).collect();
        if !forgotten.is_empty() {
            self.entries.retain(|entry| forgotten.binary_search(&entry.id).is_err());
            self.entries.shrink_to_fit();
            self.enter_anew();
            self.drop_texts();
        }
        forgotten
    }

    /// Notes where each series stands now.
    fn enter_anew(&mut self) {
        // Let go before they are made again.
        (self.by_labels, self.lists) = (Places::default(), Lists::default());
        self.of_sender.fill(0);
        self.bytes = 0;
        (0..self.entries.len()).for_each(|at| self.enter(place(at)));
    }

    /// Lets go of texts that no series has any more.
    fn drop_texts(&mut self) {
        let (mut texts, mut senders) = (vec![false; self.texts.len()], vec![false; self.senders.len()]);
        for entry in &self.entries {
            senders[entry.sender as usize] = true;
            for (name, value) in entry.pairs.iter() {
                texts[*name as usize] = true;
                texts[*value as usize] = true;
            }
        }
        self.texts.keep(&texts);
        self.senders.keep(&senders);
    }
}
