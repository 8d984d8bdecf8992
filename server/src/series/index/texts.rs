//! Texts, each kept once and then told by its number. Numbers of texts that are gone are given again.

use super::{
    grow, place,
    places::{PLACE_BYTES, Places},
};
use foldhash::fast::RandomState;
use std::{hash::BuildHasher, sync::Arc};

/// What a text takes beside itself: where it is found by its number, as if there were room for a quarter more, and by its hash.
const PLACED_BYTES: usize = size_of::<Arc<str>>() * 5 / 4 + PLACE_BYTES;
/// Who shares a text is counted beside it.
const COUNTS_BYTES: usize = 2 * size_of::<usize>();

/// What a text of so many bytes takes. Room is given in steps: of 16 bytes, then of a quarter of the power of two below.
pub(super) fn bytes_of(length: usize) -> usize {
    let bytes = COUNTS_BYTES + length;
    let step = (bytes.next_power_of_two() / 8).max(16);
    PLACED_BYTES + bytes.next_multiple_of(step)
}

/// Texts, each once.
#[derive(Debug)]
pub(super) struct Texts {
    by_text: Places,
    state: RandomState,
    texts: Vec<Arc<str>>,
    /// Numbers that stand for nothing now.
    free: Vec<u32>,
    /// What stands there meanwhile.
    nothing: Arc<str>,
    pub(super) bytes: usize,
}

impl Default for Texts {
    fn default() -> Self {
        let (by_text, state, nothing) = (Places::default(), RandomState::default(), "".into());
        Self { by_text, state, texts: Vec::new(), free: Vec::new(), nothing, bytes: 0 }
    }
}

impl Texts {
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.get(text) {
            return number;
        }
        self.bytes += bytes_of(text.len());
        let text: Arc<str> = text.into();
        let number = match self.free.pop() {
            Some(number) => {
                self.texts[number as usize] = text;
                number
            }
            None => {
                grow(&mut self.texts, text);
                place(self.texts.len() - 1)
            }
        };
        self.enter(number);
        number
    }

    pub(super) fn get(&self, text: &str) -> Option<u32> {
        self.by_text.find(self.state.hash_one(text), |number| *self.texts[number as usize] == *text)
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
        self.by_text = Places::default();
        for (number, used) in (0..).zip(used) {
            let text = &mut self.texts[number as usize];
            if Arc::ptr_eq(text, &self.nothing) {
                continue;
            }
            if *used {
                self.enter(number);
            } else {
                self.bytes -= bytes_of(text.len());
                *text = Arc::clone(&self.nothing);
                self.free.push(number);
            }
        }
    }

    fn enter(&mut self, number: u32) {
        let (texts, state) = (&self.texts, &self.state);
        let hash = |number: u32| state.hash_one(&*texts[number as usize]);
        self.by_text.put(hash(number), number, hash);
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
        assert_eq!(texts.bytes, bytes_of(0));
        let mut again = ["c", "d", "e"].map(|text| texts.number(text));
        again.sort_unstable();
        assert_eq!((again, texts.len()), ([0, 2, 3], 4));
        assert_eq!(&**texts.text(texts.get("d").unwrap()), "d");
        texts.keep(&[false; 4]);
        assert_eq!((texts.bytes, texts.get("")), (0, None));
    }

    #[test]
    fn a_text_takes_the_step_that_it_fits() {
        for (length, takes) in
            [(0, 16), (1, 32), (16, 32), (112, 128), (113, 160), (400, 448), (4_096, 5_120)]
        {
            assert_eq!(bytes_of(length) - PLACED_BYTES, takes, "{length}");
        }
    }
}
