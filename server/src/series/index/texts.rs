//! Texts, each kept once and then told by its number.

use super::{TEXT_BYTES, place};
use foldhash::HashMap;
use std::sync::Arc;

/// Texts, each once.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    pub(super) bytes: usize,
}

impl Texts {
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = place(self.texts.len());
        let text: Arc<str> = text.into();
        self.bytes += TEXT_BYTES + text.len();
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    pub(super) fn get(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }

    pub(super) fn text(&self, number: u32) -> &Arc<str> {
        &self.texts[number as usize]
    }

    pub(super) const fn len(&self) -> usize {
        self.texts.len()
    }
}
