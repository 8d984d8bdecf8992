//! What a program printed: kept up to what a result may hold, the rest read and let go, and that said.

use pingup_protocol::limits::{BODY_BYTES_MAX, OUTPUT_BYTES_MAX};

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
    pub(super) fn into_text(self) -> String {
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        let whole = !self.cut && kept(&text, OUTPUT_BYTES_MAX, ESCAPED_BYTES_MAX) == text.len();
        if !whole {
            // Twice its length is more than the line takes escaped.
            text.truncate(kept(&text, OUTPUT_BYTES_MAX - CUT.len(), ESCAPED_BYTES_MAX - 2 * CUT.len()));
            text.push_str(CUT);
        }
        text
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
        assert_eq!(Output::of("grüße\n".as_bytes()).into_text(), "grüße\n");
        assert_eq!(Output::of(&[b'a', 0xff, b'b']).into_text(), "a\u{fffd}b");
        let full = "x".repeat(OUTPUT_BYTES_MAX);
        assert_eq!(Output::of(full.as_bytes()).into_text(), full);
    }

    #[test]
    fn what_does_not_fit_is_cut_between_characters_and_says_so() {
        for (what, unit) in [("letters", "x"), ("four bytes each", "🦀"), ("replaced", "\u{fffd}")] {
            let text = Output::of(unit.repeat(OUTPUT_BYTES_MAX + 1).as_bytes()).into_text();
            assert!(text.len() <= OUTPUT_BYTES_MAX && text.ends_with(CUT), "{what}");
            assert!(text.len() > OUTPUT_BYTES_MAX - CUT.len() - 4, "{what}");
        }
        let text = Output::of(&[0xff; OUTPUT_BYTES_MAX]).into_text();
        assert!(text.len() <= OUTPUT_BYTES_MAX && text.ends_with(CUT), "grew by being replaced");
    }

    #[test]
    fn control_characters_do_not_outgrow_a_body() {
        let text = Output::of(&[0; OUTPUT_BYTES_MAX]).into_text();
        let escaped = serde_json::to_string(&text).unwrap();
        assert!(escaped.len() <= ESCAPED_BYTES_MAX + 2 && text.ends_with(CUT), "{}", escaped.len());
    }
}
