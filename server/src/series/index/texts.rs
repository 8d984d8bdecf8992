//! Texts, each kept once and then told by its number. Numbers of texts that are gone are given again.

use super::{TEXT_BYTES, place};
use foldhash::HashMap;
use std::sync::Arc;

/// Texts, each once.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    /// Numbers that stand for nothing now.
    free: Vec<u32>,
    pub(super) bytes: usize,
}

impl Texts {
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let text: Arc<str> = text.into();
        self.bytes += TEXT_BYTES + text.len();
        let number = match self.free.pop() {
            Some(number) => {
                self.texts[number as usize] = Arc::clone(&text);
                number
            }
            None => {
                self.texts.push(Arc::clone(&text));
                place(self.texts.len() - 1)
            }
        };
        self.numbers.insert(text, number);
        number
    }

    pub(super) fn get(&self, text: &str) -> Option<u32> {
        self.numbers.get(text).copied()
    }

    pub(super) fn text(&self, number: u32) -> &Arc<str> {
        &self.texts[number as usize]
    }

    /// Numbers so far, those that are free among them.
    pub(super) const fn len(&self) -> usize {
        self.texts.len()
    }

    /// Lets go of all texts but those that are `used`, by their numbers.
    pub(super) fn keep(&mut self, used: &[bool]) {
        let nothing: Arc<str> = "".into();
        for (number, (text, used)) in (0..).zip(self.texts.iter_mut().zip(used)) {
            let is_its_own = self.numbers.get(text) == Some(&number);
            if !used && is_its_own {
                self.numbers.remove(text);
                self.bytes -= TEXT_BYTES + text.len();
                *text = Arc::clone(&nothing);
                self.free.push(number);
            }
        }
        self.numbers.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_what_is_gone_are_given_again_and_others_stay() {
        let mut texts = Texts::default();
        assert_eq!(["a", "", "b", "a"].map(|text| texts.number(text)), [0, 1, 2, 0]);
        texts.keep(&[false, true, false]);
        assert_eq!((texts.get("a"), texts.get(""), texts.get("b")), (None, Some(1), None));
        texts.keep(&[false, true, false]);
        assert_eq!(texts.bytes, TEXT_BYTES);
        let mut again = ["c", "d", "e"].map(|text| texts.number(text));
        again.sort_unstable();
        assert_eq!((again, texts.len()), ([0, 2, 3], 4));
        assert_eq!(&**texts.text(texts.get("d").unwrap()), "d");
        texts.keep(&[false; 4]);
        assert_eq!((texts.bytes, texts.get("")), (0, None));
    }
}
