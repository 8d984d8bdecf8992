//! Objects: members are written as they come, put in order once all are there, and the top-level signature is kept apart.

use super::{Rewriter, SignatureMember};
use crate::{
    canonical::{
        JsonError, SIGNATURE_MEMBER,
        scanner::{name_order, read_string},
    },
    limits::MEMBERS_MAX,
};
use std::{borrow::Cow, ops::Range};

/// A member of an open object: its name, and where it was written (`"name":value`).
pub(super) struct Member<'a> {
    name: Cow<'a, str>,
    written: Range<usize>,
}

impl<'a> Rewriter<'a> {
    pub(super) fn object(&mut self, depth: usize) -> Result<(), JsonError> {
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
