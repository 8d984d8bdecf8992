//! Text that others chose, where a person may read it: in a terminal, a log, a browser, a spreadsheet. Letters that do
//! something there are written as what they are.

use std::{borrow::Cow, fmt::Write as _};

/// Whether this letter does something where it is shown: control characters, line and paragraph separators, and marks that
/// turn the direction of writing or cannot be seen.
pub const fn acts(letter: char) -> bool {
    matches!(letter,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` on one line, with nothing in it that acts: `\u{1b}` stands for an escape.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, acts)
}

/// `text` with nothing in it that acts but tabs and ends of lines.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| acts(letter) && !matches!(letter, '\t' | '\r' | '\n'))
}

fn escaped(text: &str, is_meant: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_meant) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + text.len() / 8);
    for letter in text.chars() {
        if is_meant(letter) {
            plain.extend(letter.escape_default());
        } else {
            plain.push(letter);
        }
    }
    Cow::Owned(plain)
}

/// Whether a byte may begin what [`json`] writes otherwise.
pub const fn is_suspect(byte: u8) -> bool {
    // `<`, delete, and what the two bytes of C1, the three of marks, and the four of tags begin with.
    (byte == b'<')
        | (byte == 0x7f)
        | (byte == 0xc2)
        | (byte == 0xd8)
        | (byte == 0xe2)
        | (byte == 0xef)
        | (byte == 0xf3)
}

/// Whether any is, a block at a time: long answers are megabytes, and most have none.
fn any_suspect(bytes: &[u8]) -> bool {
    const BLOCK_BYTES: usize = 256;
    // Added up as bytes, not as truths: many of them are looked at by one instruction then, in a tenth of the time.
    let has_one = |block: &[u8]| block.iter().fold(0, |found, &byte| found | u8::from(is_suspect(byte))) != 0;
    let (blocks, rest) = bytes.as_chunks::<BLOCK_BYTES>();
    blocks.iter().any(|block| has_one(block)) || has_one(rest)
}

/// JSON that means the same, in which no letter acts, nor opens markup: those are written as `\uXXXX`. Outside of strings
/// JSON has none of them.
pub fn json(text: Vec<u8>) -> Vec<u8> {
    if !any_suspect(&text) {
        return text;
    }
    match std::str::from_utf8(&text).map(json_text) {
        Ok(Cow::Owned(plain)) => plain.into_bytes(),
        Ok(Cow::Borrowed(_)) | Err(_) => text,
    }
}

/// As [`json`].
pub fn json_text(text: &str) -> Cow<'_, str> {
    if !any_suspect(text.as_bytes()) || !text.contains(acts_in_json) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + text.len() / 8);
    for letter in text.chars() {
        match acts_in_json(letter) {
            false => plain.push(letter),
            true => {
                let mut units = [0; 2];
                for unit in letter.encode_utf16(&mut units) {
                    let _infallible = write!(plain, "\\u{unit:04x}");
                }
            }
        }
    }
    Cow::Owned(plain)
}

/// An event of a log as it may be written: on one line, whatever stands in it.
pub fn event(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut plain = line(text.strip_suffix('\n').unwrap_or(&text)).into_owned();
    plain.push('\n');
    plain
}

/// What JSON may have between its values stays: tabs and ends of lines.
const fn acts_in_json(letter: char) -> bool {
    letter == '<' || (acts(letter) && !letter.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const HOSTILE: &str = "a\u{1b}[2J\u{9b}31m\r\nb\u{202e}c\u{2028}d\u{7f}</script>\u{feff}\u{200b}\u{2066}\u{e0041}é😀\u{61c}";

    #[test]
    fn nothing_acts_on_a_line_and_what_is_plain_stays() {
        let plain = line(HOSTILE);
        assert!(
            !plain.contains(acts) && plain.starts_with("a\\u{1b}[2J") && plain.contains("é😀"),
            "{plain}"
        );
        assert!(matches!(line("web-1 é 😀 <b>"), Cow::Borrowed("web-1 é 😀 <b>")));
        assert_eq!(lines("a\tb\r\n\u{1b}"), "a\tb\r\n\\u{1b}");
    }

    #[test]
    fn an_event_is_a_line() {
        assert_eq!(event(b"all is well\n"), "all is well\n");
        assert_eq!(event(b"said: a\nERROR forged\x1b[0m\n"), "said: a\\nERROR forged\\u{1b}[0m\n");
        assert_eq!(event(b"\xff"), "\u{fffd}\n");
    }

    #[test]
    fn json_means_the_same() {
        let value = json!({ HOSTILE: [HOSTILE, 1.5, null, "plain"] });
        for text in [serde_json::to_vec(&value).unwrap(), serde_json::to_vec_pretty(&value).unwrap()] {
            let plain = json(text);
            assert_eq!(serde_json::from_slice::<Value>(&plain).unwrap(), value);
            let plain = String::from_utf8(plain).unwrap();
            assert!(
                !plain.contains(|letter| acts(letter) && letter != '\n') && !plain.contains('<'),
                "{plain}"
            );
        }
        for text in ["{}", "{\"a\":\"é \u{20ac} \u{d8}\"}"] {
            assert_eq!(json(text.as_bytes().to_vec()), text.as_bytes());
        }
    }

    #[test]
    fn one_letter_is_found_wherever_it_stands_in_a_long_text() {
        for place in (0..1_100).chain([4_095, 4_096, 5_000]) {
            let mut text = vec![b'a'; 5_001];
            assert_eq!(json(text.clone()), text);
            text[place] = b'<';
            let plain = json(text);
            assert_eq!((plain.len(), &plain[place..place + 6]), (5_006, &b"\\u003c"[..]), "{place}");
        }
    }

    #[test]
    fn every_letter_that_acts_is_found_by_its_first_byte() {
        for letter in ('\u{7f}'..=char::MAX).filter(|letter| acts(*letter)) {
            assert!(is_suspect(letter.to_string().as_bytes()[0]), "{:04x}", letter as u32);
        }
    }
}
