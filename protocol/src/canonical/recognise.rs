//! The fast way: finds a body that is canonical already, and where its signature stands.
//!
//! Nothing is allocated and nothing is refused: whatever is not plainly canonical, signed and within
//! its limits is left to [`super::rewrite`], which alone says what is wrong.

use super::{
    SIGNATURE_MEMBER, number,
    scanner::{name_order, ordinary_end, read_string},
};
use crate::limits::{DEPTH_MAX, MEMBERS_MAX, STRING_BYTES_MAX};
use std::ops::Range;

/// A canonical, signed body: its signature, and the two pieces that were signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised<'a> {
    /// The text of the signature member as it stands, escapes and all: one that has any is no signature.
    pub signature: &'a str,
    /// The body without that member: these two, one after the other.
    pub signed: [&'a [u8]; 2],
}

/// Looks whether `bytes` are a canonical object with a `signature` of text.
pub fn recognise(bytes: &[u8]) -> Option<Recognised<'_>> {
    let input = std::str::from_utf8(bytes).ok()?;
    let mut look = Look { input, at: 0, member: None };
    look.object(1)?;
    let member = look.member.filter(|_| look.at == input.len())?;
    let signature = input.get(member.start + "\"signature\":\"".len()..member.end - 1)?;
    let (mut from, mut to) = (member.start, member.end);
    if bytes[from - 1] == b',' {
        from -= 1;
    } else if bytes[to] == b',' {
        to += 1;
    }
    Some(Recognised { signature, signed: [&bytes[..from], &bytes[to..]] })
}

struct Look<'a> {
    input: &'a str,
    at: usize,
    member: Option<Range<usize>>,
}

impl Look<'_> {
    fn peek(&self) -> Option<u8> {
        self.input.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string().map(drop),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.input[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn number(&mut self) -> Option<()> {
        self.at += number::measure_canonical(&self.input[self.at..])?;
        Some(())
    }

    /// Passes a string in its canonical form; whether it is plain ASCII without escapes.
    fn string(&mut self) -> Option<bool> {
        let bytes = self.input.as_bytes();
        self.take(b'"')?;
        let (start, mut escaped, mut plain) = (self.at, 0, true);
        loop {
            self.at = ordinary_end(bytes, self.at);
            match bytes.get(self.at)? {
                b'"' => break,
                b'\\' => {
                    let taken = canonical_escape(&bytes[self.at + 1..])?;
                    plain = false;
                    escaped += taken;
                    self.at += 1 + taken;
                }
                0x80.. => {
                    plain = false;
                    self.at += bytes[self.at..].iter().take_while(|b| !b.is_ascii()).count();
                }
                _ => return None,
            }
        }
        let said = self.at - start - escaped;
        self.at += 1;
        (said <= STRING_BYTES_MAX).then_some(plain)
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.take(b'[')?;
        if depth > DEPTH_MAX {
            return None;
        }
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            self.value(depth + 1)?;
            match self.peek()? {
                b',' => self.at += 1,
                _ => return self.take(b']'),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.take(b'{')?;
        if depth > DEPTH_MAX {
            return None;
        }
        if self.take(b'}').is_some() {
            return Some(());
        }
        let mut last: Option<Name> = None;
        for _ in 0..MEMBERS_MAX {
            let start = self.at;
            let plain = self.string()?;
            let name = Name { quoted: start..self.at, plain };
            if let Some(before) = last.replace(name.clone())
                && !self.in_order(&before, &name)
            {
                return None;
            }
            self.take(b':')?;
            let text = self.peek()? == b'"';
            self.value(depth + 1)?;
            if depth == 1 && self.inner(&name) == SIGNATURE_MEMBER {
                self.member = text.then_some(start..self.at);
                self.member.as_ref()?;
            }
            match self.peek()? {
                b',' => self.at += 1,
                _ => return self.take(b'}'),
            }
        }
        None
    }

    fn inner(&self, name: &Name) -> &str {
        &self.input[name.quoted.start + 1..name.quoted.end - 1]
    }

    fn in_order(&self, before: &Name, name: &Name) -> bool {
        if before.plain && name.plain {
            return name_order(self.inner(before), self.inner(name)).is_lt();
        }
        let said = |name: &Name| read_string(self.input, name.quoted.start).ok().map(|text| text.said);
        match (said(before), said(name)) {
            (Some(a), Some(b)) => name_order(&a, &b).is_lt(),
            _ => false,
        }
    }
}

#[derive(Clone)]
struct Name {
    quoted: Range<usize>,
    plain: bool,
}

/// Bytes that the escape behind a backslash takes, if RFC 8785 would write that very escape.
fn canonical_escape(behind: &[u8]) -> Option<usize> {
    match behind.first()? {
        b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => Some(1),
        b'u' => {
            let (&high, &low) = (behind.get(3)?, behind.get(4)?);
            let written_short = high == b'0' && matches!(low, b'8' | b'9' | b'a' | b'c' | b'd');
            let control = matches!(high, b'0' | b'1') && matches!(low, b'0'..=b'9' | b'a'..=b'f');
            (&behind[1..3] == b"00" && control && !written_short).then_some(5)
        }
        _ => None,
    }
}
