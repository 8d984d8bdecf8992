//! What a program printed: kept up to what a result may hold, the rest read and let go, and that said. What it printed
//! so far can be told piece by piece: text that was told once is never taken back.

use pingup_protocol::limits::{BODY_BYTES_MAX, OUTPUT_BYTES_MAX, PROGRESS_BYTES_MAX};
use std::cell::RefCell;

/// What stands at the end of output that was cut.
pub(super) const CUT: &str = "\n[pingup-agent: the output was longer; the rest of it is not kept]";
/// Bytes that the output may take as a JSON string: control characters take six each, and the body that
/// carries it has a limit of its own.
const ESCAPED_BYTES_MAX: usize = BODY_BYTES_MAX - 16 * 1024;

const _: () = assert!(CUT.len() < OUTPUT_BYTES_MAX && OUTPUT_BYTES_MAX < ESCAPED_BYTES_MAX);

/// Output as it comes.
#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    cut: bool,
}

impl Output {
    /// Output that is complete.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut output = Self::default();
        output.push(bytes);
        output
    }

    /// Adds what came next.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = OUTPUT_BYTES_MAX - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.cut |= bytes.len() > room;
    }

    /// The output as text, what is not UTF-8 replaced; with a line that says so when it was cut.
    pub(super) fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        if !self.is_whole(&text) {
            text.truncate(surely_kept(&text));
            text.push_str(CUT);
        }
        text
    }

    /// The text of what was printed so far, as far as it will stay so: without half a character at its end, and
    /// without what the line about a cut may yet replace.
    fn text_so_far(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.bytes[..self.bytes.len() - half_character(&self.bytes)])
            .into_owned();
        let whole = self.is_whole(&text);
        text.truncate(surely_kept(&text));
        if !whole {
            text.push_str(CUT);
        }
        text
    }

    fn is_whole(&self, text: &str) -> bool {
        !self.cut && kept(text, OUTPUT_BYTES_MAX, ESCAPED_BYTES_MAX) == text.len()
    }
}

/// What a program prints, for who runs it and who tells of it.
#[derive(Debug, Default)]
pub struct SoFar(RefCell<Output>);

impl SoFar {
    /// Adds what came next.
    pub(super) fn push(&self, bytes: &[u8]) {
        self.0.borrow_mut().push(bytes);
    }

    /// All of it, as text.
    pub(super) fn text(&self) -> String {
        self.0.borrow().text()
    }

    /// What comes behind the first `have` bytes of its text, at most [`PROGRESS_BYTES_MAX`]; empty where there is no more.
    pub fn piece(&self, have: u64) -> String {
        let text = self.0.borrow().text_so_far();
        let rest = usize::try_from(have).ok().and_then(|have| text.get(have..)).unwrap_or_default();
        rest[..rest.floor_char_boundary(PROGRESS_BYTES_MAX)].to_owned()
    }
}

/// How many bytes of `text` stay even if it is cut. Twice its length is more than the line about that takes escaped.
fn surely_kept(text: &str) -> usize {
    kept(text, OUTPUT_BYTES_MAX - CUT.len(), ESCAPED_BYTES_MAX - 2 * CUT.len())
}

/// How many bytes at the end of `bytes` may become a character with those that follow.
fn half_character(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last().map(|chunk| chunk.invalid()).unwrap_or_default();
    match std::str::from_utf8(last) {
        Err(error) if error.error_len().is_none() => last.len(),
        _ => 0,
    }
}

/// How many bytes of `text` may be kept, whole characters, as they are and as they are escaped in JSON.
fn kept(text: &str, bytes_max: usize, escaped_bytes_max: usize) -> usize {
    let mut escaped = 0;
    for (at, character) in text.char_indices() {
        escaped += match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' => 6,
            other => other.len_utf8(),
        };
        if at + character.len_utf8() > bytes_max || escaped > escaped_bytes_max {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_kept_as_it_is() {
        assert_eq!(Output::of("grüße\n".as_bytes()).text(), "grüße\n");
        assert_eq!(Output::of(&[b'a', 0xff, b'b']).text(), "a\u{fffd}b");
        let full = "x".repeat(OUTPUT_BYTES_MAX);
        assert_eq!(Output::of(full.as_bytes()).text(), full);
    }

    #[test]
    fn what_does_not_fit_is_cut_between_characters_and_says_so() {
        for (what, unit) in [("letters", "x"), ("four bytes each", "🦀"), ("replaced", "\u{fffd}")] {
            let text = Output::of(unit.repeat(OUTPUT_BYTES_MAX + 1).as_bytes()).text();
            assert!(text.len() <= OUTPUT_BYTES_MAX && text.ends_with(CUT), "{what}");
            assert!(text.len() > OUTPUT_BYTES_MAX - CUT.len() - 4, "{what}");
        }
        let text = Output::of(&[0xff; OUTPUT_BYTES_MAX]).text();
        assert!(text.len() <= OUTPUT_BYTES_MAX && text.ends_with(CUT), "grew by being replaced");
    }

    #[test]
    fn control_characters_do_not_outgrow_a_body() {
        let text = Output::of(&[0; OUTPUT_BYTES_MAX]).text();
        let escaped = serde_json::to_string(&text).unwrap();
        assert!(escaped.len() <= ESCAPED_BYTES_MAX + 2 && text.ends_with(CUT), "{}", escaped.len());
    }

    /// Everything that pieces told, one after the other, while `bytes` came in pieces of `step`.
    fn told(bytes: &[u8], step: usize) -> String {
        let (so_far, mut told) = (SoFar::default(), String::new());
        for chunk in bytes.chunks(step) {
            so_far.push(chunk);
            loop {
                let piece = so_far.piece(told.len() as u64);
                assert!(piece.len() <= PROGRESS_BYTES_MAX);
                if piece.is_empty() {
                    break;
                }
                told.push_str(&piece);
            }
        }
        told
    }

    #[test]
    fn pieces_add_up_to_what_was_printed() {
        for text in ["grüße 🦀\n".as_bytes(), b"a\xff\xfeb\xf0\x9f!", b""] {
            for step in 1..=text.len().max(1) {
                assert_eq!(told(text, step), Output::of(text).text(), "{text:?} by {step}");
            }
        }
        let half = told(&"🦀".as_bytes()[..3], 3);
        assert_eq!(half, "", "half a character is not told");
    }

    #[test]
    fn pieces_of_what_is_cut_end_as_the_result_does() {
        for unit in ["x", "🦀", "\u{fffd}", "\0", "\n"] {
            let bytes = unit.repeat(OUTPUT_BYTES_MAX + 1);
            let told = told(bytes.as_bytes(), 5_000);
            assert!(told == Output::of(bytes.as_bytes()).text(), "{unit:?}: {} bytes", told.len());
        }
        let grown = [0xff; OUTPUT_BYTES_MAX];
        assert!(told(&grown, 5_000) == Output::of(&grown).text(), "grew by being replaced");
    }

    #[test]
    fn a_place_that_is_none_has_nothing_behind_it() {
        let so_far = SoFar::default();
        so_far.push("ü".as_bytes());
        assert_eq!([0, 1, 2, 3, u64::MAX].map(|have| so_far.piece(have)), ["ü", "", "", "", ""]);
    }
}
