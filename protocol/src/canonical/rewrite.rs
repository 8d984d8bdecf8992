//! The slow way: any JSON form in, canonical bytes out, or precisely what is wrong.
//!
//! One pass. Every value is written as it is read; an object whose members came out of order is put in
//! order where it was written, once it is complete. Beside the output only the names of open objects
//! are kept, so memory stays in proportion to the body whatever its shape.

use super::{
    JsonError, SIGNATURE_MEMBER, number,
    scanner::{name_order, read_string, write_string},
};
use crate::limits::{DEPTH_MAX, MEMBERS_MAX};
use std::{borrow::Cow, ops::Range};

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

/// A member of an open object: its name, and where it was written (`"name":value`).
struct Member<'a> {
    name: Cow<'a, str>,
    written: Range<usize>,
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

    fn object(&mut self, depth: usize) -> Result<(), JsonError> {
        let start = self.at;
        self.at += 1;
        self.out.push(b'{');
        let first = self.members.len();
        let mut count = 0;
        self.skip_space();
        if self.peek() != Some(b'}') {
            loop {
                count += 1;
                if count > MEMBERS_MAX {
                    return Err(JsonError::TooManyMembers { at: start });
                }
                self.member(depth, first)?;
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => break,
                    _ => return self.malformed("a comma or a closing brace"),
                }
                self.skip_space();
            }
        }
        self.put_in_order(first)?;
        if depth == 1 {
            self.slot = slot_of(&self.members, self.out.len());
        }
        self.members.truncate(first);
        self.at += 1;
        self.out.push(b'}');
        Ok(())
    }

    /// Reads one member, of an object whose members begin with the `first`, and the space behind it. The top-level
    /// signature is kept apart, not written.
    fn member(&mut self, depth: usize, first: usize) -> Result<(), JsonError> {
        if self.peek() != Some(b'"') {
            return self.malformed("a member name");
        }
        let alone = self.members.len() == first;
        if !alone {
            self.out.push(b',');
        }
        let from = self.out.len();
        let name = self.text()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return self.malformed("a colon");
        }
        self.at += 1;
        self.out.push(b':');
        self.skip_space();
        let (value_at, value_out) = (self.at, self.out.len());
        self.value(depth + 1)?;
        if depth == 1 && name == SIGNATURE_MEMBER {
            self.keep_signature(value_at)?;
            self.out.truncate(if alone { from } else { from - 1 });
            debug_assert!(value_out >= from);
        } else {
            self.members.push(Member { name, written: from..self.out.len() });
        }
        self.skip_space();
        Ok(())
    }

    fn keep_signature(&mut self, value_at: usize) -> Result<(), JsonError> {
        if self.signature != SignatureMember::Absent {
            return Err(JsonError::DuplicateMember { name: SIGNATURE_MEMBER.to_owned(), at: self.at });
        }
        self.signature = match self.input.as_bytes().get(value_at) {
            Some(b'"') => SignatureMember::Text(read_string(self.input, value_at)?.said),
            _ => SignatureMember::NotText,
        };
        Ok(())
    }

    /// Orders the members from the `first` on where they were written; a name that stands twice is refused.
    fn put_in_order(&mut self, first: usize) -> Result<(), JsonError> {
        let members = &mut self.members[first..];
        if members.is_sorted_by(|a, b| name_order(&a.name, &b.name).is_lt()) {
            return Ok(());
        }
        let from = members.first().map_or(self.out.len(), |first| first.written.start);
        members.sort_by(|a, b| name_order(&a.name, &b.name));
        if let Some(twice) = members.windows(2).find(|pair| pair[0].name == pair[1].name) {
            let name = twice[0].name.chars().take(64).collect();
            return Err(JsonError::DuplicateMember { name, at: self.at });
        }
        self.scratch.clear();
        for member in members.iter_mut() {
            if !self.scratch.is_empty() {
                self.scratch.push(b',');
            }
            let start = from + self.scratch.len();
            self.scratch.extend_from_slice(&self.out[member.written.clone()]);
            member.written = start..from + self.scratch.len();
        }
        self.out[from..].copy_from_slice(&self.scratch);
        Ok(())
    }
}

/// Where a signature member would stand among `members` (in order, the last ending at `end`).
fn slot_of(members: &[Member<'_>], end: usize) -> usize {
    let before = members.iter().rev().find(|m| name_order(&m.name, SIGNATURE_MEMBER).is_lt());
    match (before, members.first()) {
        (Some(member), _) => member.written.end,
        (None, Some(first)) => first.written.start,
        (None, None) => end,
    }
}
