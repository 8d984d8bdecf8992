//! The slow way: any JSON form in, canonical bytes out, or precisely what is wrong.
//!
//! One pass. Every value is written as it is read; an object whose members came out of order is put in
//! order where it was written, once it is complete. Beside the output only the names of open objects
//! are kept, so memory stays in proportion to the body whatever its shape.

mod object;

use self::object::Member;
use super::{
    JsonError, number,
    scanner::{read_string, write_string},
};
use crate::limits::DEPTH_MAX;
use std::borrow::Cow;

/// A body in canonical form, its top-level `signature` taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical<'a> {
    /// RFC 8785 bytes of everything but the signature.
    pub bytes: Vec<u8>,
    /// What the signature member held.
    pub signature: SignatureMember<'a>,
    /// Where in `bytes` a signature member would stand; the bytes before it end with `{` or a member.
    pub slot: usize,
}

/// What stood in a body's `signature` member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureMember<'a> {
    /// There was none, or the body is no object.
    Absent,
    /// Something that is no string.
    NotText,
    /// This text.
    Text(Cow<'a, str>),
}

/// Reads `bytes` strictly and writes them canonically.
pub fn rewrite(bytes: &[u8]) -> Result<Canonical<'_>, JsonError> {
    let input = std::str::from_utf8(bytes).map_err(|e| JsonError::InvalidUnicode { at: e.valid_up_to() })?;
    if input.starts_with('\u{feff}') {
        return Err(JsonError::InvalidUnicode { at: 0 });
    }
    let mut writer = Rewriter {
        input,
        at: 0,
        out: Vec::with_capacity(bytes.len()),
        scratch: Vec::new(),
        members: Vec::new(),
        signature: SignatureMember::Absent,
        slot: 0,
    };
    writer.skip_space();
    writer.value(1)?;
    writer.skip_space();
    match writer.at == input.len() {
        true => Ok(Canonical { bytes: writer.out, signature: writer.signature, slot: writer.slot }),
        false => Err(JsonError::Malformed { at: writer.at, expected: "the end of the body" }),
    }
}

struct Rewriter<'a> {
    input: &'a str,
    at: usize,
    out: Vec<u8>,
    scratch: Vec<u8>,
    /// Those of all open objects, the innermost last.
    members: Vec<Member<'a>>,
    signature: SignatureMember<'a>,
    slot: usize,
}

impl<'a> Rewriter<'a> {
    fn peek(&self) -> Option<u8> {
        self.input.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn malformed<T>(&self, expected: &'static str) -> Result<T, JsonError> {
        Err(JsonError::Malformed { at: self.at, expected })
    }

    fn value(&mut self, depth: usize) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'{' | b'[') if depth > DEPTH_MAX => Err(JsonError::TooDeep { at: self.at }),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => {
                self.text()?;
                Ok(())
            }
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => self.number(),
        }
    }

    /// Reads a string and writes it; what was said without an escape is written as it stands.
    fn text(&mut self) -> Result<Cow<'a, str>, JsonError> {
        let text = read_string(self.input, self.at)?;
        match &text.said {
            Cow::Borrowed(_) => self.out.extend_from_slice(&self.input.as_bytes()[self.at..text.end]),
            Cow::Owned(said) => write_string(said, &mut self.out),
        }
        self.at = text.end;
        Ok(text.said)
    }

    fn word(&mut self, word: &'static str) -> Result<(), JsonError> {
        if !self.input[self.at..].starts_with(word) {
            return self.malformed("a value");
        }
        self.at += word.len();
        self.out.extend_from_slice(word.as_bytes());
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        if let Some(len) = number::measure_evident(&self.input[self.at..]) {
            self.out.extend_from_slice(&self.input.as_bytes()[self.at..self.at + len]);
            self.at += len;
            return Ok(());
        }
        let Some(found) = number::measure(&self.input.as_bytes()[self.at..]) else {
            return self.malformed("a value");
        };
        let text = &self.input[self.at..self.at + found.len];
        let value = number::value(text, found.integer).ok_or(JsonError::NumberOutOfRange { at: self.at })?;
        self.at += found.len;
        number::write(value, &mut self.out);
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        self.at += 1;
        self.out.push(b'[');
        self.skip_space();
        if self.peek() != Some(b']') {
            loop {
                self.value(depth + 1)?;
                self.skip_space();
                match self.peek() {
                    Some(b',') => self.out.push(b','),
                    Some(b']') => break,
                    _ => return self.malformed("a comma or a closing bracket"),
                }
                self.at += 1;
                self.skip_space();
            }
        }
        self.at += 1;
        self.out.push(b']');
        Ok(())
    }
}
