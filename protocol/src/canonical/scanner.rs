//! Strings, and the order of names: what both ways through a body share.

use super::JsonError;
use crate::limits::STRING_BYTES_MAX;
use std::{borrow::Cow, cmp::Ordering};

/// A string as it stands in a text, and what it says.
pub(super) struct Text<'a> {
    /// What it says, unescaped.
    pub(super) said: Cow<'a, str>,
    /// The offset behind its closing quote.
    pub(super) end: usize,
}

/// The offset, from `at` on, of the first byte that does not stand in a string for itself alone: a quote, a backslash,
/// a control character, or part of a character beyond ASCII. The length of `bytes` if there is none.
///
/// Eight bytes at a time (Mycroft's test for a zero byte): a borrow can only mark bytes behind one that is marked
/// rightly, and the first mark is all that counts.
#[inline]
pub(crate) fn ordinary_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    while let Some(&eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(eight);
        let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
        let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
        let control = word.wrapping_sub(ONES * b' ' as u64);
        let marks = (word | quote | backslash | control) & HIGH;
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let ordinary = |b: &u8| matches!(b, b' '..=b'~' | 0x7f) && !matches!(b, b'"' | b'\\');
    at + bytes.get(at..).map_or(0, |rest| rest.iter().take_while(|b| ordinary(b)).count())
}

/// Reads the string whose opening quote stands at `start` of `input`.
pub(super) fn read_string(input: &str, start: usize) -> Result<Text<'_>, JsonError> {
    let bytes = input.as_bytes();
    let mut owned: Option<String> = None;
    let mut run = start + 1;
    let mut at = run;
    loop {
        at = ordinary_end(bytes, at);
        let said_so_far = owned.as_ref().map_or(0, String::len) + (at - run);
        if said_so_far > STRING_BYTES_MAX {
            return Err(JsonError::StringTooLong { at: start });
        }
        match bytes.get(at) {
            Some(b'"') => {
                let tail = &input[run..at];
                let said = match owned {
                    None => Cow::Borrowed(tail),
                    Some(text) => Cow::Owned(text + tail),
                };
                return Ok(Text { said, end: at + 1 });
            }
            Some(b'\\') => {
                let text = owned.get_or_insert_default();
                text.push_str(&input[run..at]);
                at = read_escape(bytes, at, text)?;
                run = at;
            }
            Some(0..=0x1f) => {
                return Err(JsonError::Malformed { at, expected: "an escaped control character" });
            }
            Some(_) => at += bytes[at..].iter().take_while(|b| !b.is_ascii()).count(),
            None => return Err(JsonError::Malformed { at, expected: "a closing quote" }),
        }
    }
}

/// Reads the escape at `at`, appends what it stands for, and returns the offset behind it.
fn read_escape(bytes: &[u8], at: usize, text: &mut String) -> Result<usize, JsonError> {
    let plain = match bytes.get(at + 1) {
        Some(b'u') => return read_unicode_escape(bytes, at, text),
        Some(&b @ (b'"' | b'\\' | b'/')) => char::from(b),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        _ => return Err(JsonError::Malformed { at, expected: "an escape that JSON knows" }),
    };
    text.push(plain);
    Ok(at + 2)
}

fn read_unicode_escape(bytes: &[u8], at: usize, text: &mut String) -> Result<usize, JsonError> {
    let first =
        hex4(bytes, at + 2).ok_or(JsonError::Malformed { at, expected: "four hexadecimal digits" })?;
    let (code, end) = match first {
        0xd800..=0xdbff if bytes.get(at + 6..at + 8) == Some(b"\\u") => match hex4(bytes, at + 8) {
            Some(second @ 0xdc00..=0xdfff) => {
                (0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00), at + 12)
            }
            Some(_) => return Err(JsonError::InvalidUnicode { at }),
            None => return Err(JsonError::Malformed { at: at + 6, expected: "four hexadecimal digits" }),
        },
        code => (code, at + 6),
    };
    text.push(char::from_u32(code).ok_or(JsonError::InvalidUnicode { at })?);
    Ok(end)
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.iter().try_fold(0, |sum, &b| Some(sum << 4 | char::from(b).to_digit(16)?))
}

/// Writes `said` as RFC 8785 §3.2.2.2 wants it.
pub(super) fn write_string(said: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut run = 0;
    for (at, b) in said.bytes().enumerate() {
        let short = match b {
            b'"' | b'\\' => b,
            0x08 => b'b',
            0x09 => b't',
            0x0a => b'n',
            0x0c => b'f',
            0x0d => b'r',
            0..=0x1f => 0,
            _ => continue,
        };
        out.extend_from_slice(&said.as_bytes()[run..at]);
        run = at + 1;
        if short == 0 {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(b >> 4)]);
            out.push(HEX[usize::from(b & 15)]);
        } else {
            out.extend_from_slice(&[b'\\', short]);
        }
    }
    out.extend_from_slice(&said.as_bytes()[run..]);
    out.push(b'"');
}

/// The order of member names: by UTF-16 code units (RFC 8785 §3.2.3). Bytes tell it for names without 4-byte characters below U+E000.
#[inline]
pub(super) fn name_order(a: &str, b: &str) -> Ordering {
    match (a.as_bytes().first(), b.as_bytes().first()) {
        // Most names differ in their first letter, and a call to compare them costs more than that.
        (Some(x), Some(y)) if x != y && x.is_ascii() && y.is_ascii() => x.cmp(y),
        _ => whole_name_order(a, b),
    }
}

fn whole_name_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_ordinary_or_ends_what_is_at_every_place() {
        for byte in 0..=u8::MAX {
            let ordinary = matches!(byte, 0x20..=0x7f) && byte != b'"' && byte != b'\\';
            for (place, behind) in (0..20).flat_map(|place| [0, 1, 7, 8, 20].map(|behind| (place, behind))) {
                let mut bytes = vec![b'x'; place + 1 + behind];
                bytes[place] = byte;
                let end = if ordinary { bytes.len() } else { place };
                assert_eq!(ordinary_end(&bytes, 0), end, "{byte:#x} at {place} of {}", bytes.len());
                // What lies before the start does not count.
                assert_eq!(ordinary_end(&bytes, place + 1), bytes.len());
            }
        }
        assert_eq!(ordinary_end(b"\"\\ \x7f\x80", 2), 4);
    }

    #[test]
    fn names_are_ordered_by_utf16_units_not_by_code_points() {
        assert_eq!(name_order("\u{1f602}", "\u{fb33}"), Ordering::Less);
        assert_eq!("\u{1f602}".cmp("\u{fb33}"), Ordering::Greater);
        let rising = ["", "A", "AA", "Aé", "a", "ab", "b", "é", "éa", "\u{1f602}", "\u{fb33}"];
        for (a, b) in rising.iter().enumerate().flat_map(|a| rising.iter().enumerate().map(move |b| (a, b))) {
            assert_eq!(name_order(a.1, b.1), a.0.cmp(&b.0), "{a:?} {b:?}");
        }
    }

    #[test]
    fn escapes_say_what_they_say() {
        let said = |json: &str| read_string(json, 0).map(|text| text.said.into_owned());
        assert_eq!(said(r#""a\u0041\ud83d\ude02\/\n""#), Ok("aA😂/\n".to_owned()));
        assert_eq!(said(r#""\udc00""#), Err(JsonError::InvalidUnicode { at: 1 }));
        assert_eq!(said(r#""\ud800\u0041""#), Err(JsonError::InvalidUnicode { at: 1 }));
        assert!(matches!(said(r#""\x""#), Err(JsonError::Malformed { at: 1, .. })));
        assert!(matches!(said("\"\u{1}\""), Err(JsonError::Malformed { at: 1, .. })));
    }

    #[test]
    fn the_longest_string_fits_and_one_byte_more_does_not() {
        let quoted = |n: usize| format!("\"{}\"", "x".repeat(n));
        assert!(read_string(&quoted(STRING_BYTES_MAX), 0).is_ok());
        assert!(matches!(
            read_string(&quoted(STRING_BYTES_MAX + 1), 0),
            Err(JsonError::StringTooLong { at: 0 })
        ));
    }
}
