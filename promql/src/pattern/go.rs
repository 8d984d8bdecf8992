//! From Go's syntax of regular expressions to Rust's, which is nearly the same. A pattern is read by itself and to its
//! end, with Go's rules and in Go's words where it is none; what is written for Rust has one meaning there.

use super::class;
use std::{iter::Peekable, str::Chars};

/// What a repetition in braces may count to, as in Go.
const REPEATS_MAX: u32 = 1_000;

pub(super) type Rest<'a> = Peekable<Chars<'a>>;

/// Writes a pattern of Go's for Rust; the error is the one line that says why it is none.
pub(super) fn to_rust(source: &str) -> Result<String, String> {
    Reader {
        rest: source.chars().peekable(),
        out: String::with_capacity(source.len() + 8),
        open: 0,
        last: Last::Nothing,
    }
    .read()
}

/// What stands before a sign that repeats.
#[derive(Clone, PartialEq)]
enum Last {
    Nothing,
    Something,
    /// A sign that repeats itself.
    Repeat(String),
}

struct Reader<'a> {
    rest: Rest<'a>,
    out: String,
    /// Groups that are open.
    open: usize,
    last: Last,
}

impl Reader<'_> {
    fn read(mut self) -> Result<String, String> {
        while let Some(c) = self.rest.next() {
            match c {
                '(' => self.open_group()?,
                ')' if self.open == 0 => return Err("unexpected )".to_owned()),
                ')' => {
                    self.open -= 1;
                    self.put(")");
                }
                '|' => {
                    self.out.push('|');
                    self.last = Last::Nothing;
                }
                '*' | '+' | '?' => self.repeat(c.to_string())?,
                '{' => match self.count()? {
                    Some(count) => self.repeat(count)?,
                    None => self.put("\\{"),
                },
                '[' => {
                    class::read(&mut self.rest, &mut self.out)?;
                    self.last = Last::Something;
                }
                '\\' => self.escape()?,
                '^' | '$' | '.' => self.put(c.encode_utf8(&mut [0; 4])),
                _ => self.literal(c),
            }
        }
        if self.open > 0 {
            return Err("missing closing )".to_owned());
        }
        Ok(self.out)
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.last = Last::Something;
    }

    fn literal(&mut self, c: char) {
        literal(c, &mut self.out);
        self.last = Last::Something;
    }

    /// `(`, `(?:`, `(?i)`, `(?P<name>`.
    fn open_group(&mut self) -> Result<(), String> {
        self.out.push('(');
        self.last = Last::Nothing;
        if self.rest.peek() != Some(&'?') {
            self.open += 1;
            return Ok(());
        }
        let head: String = self.rest.clone().take_while(|&c| c != ':' && c != ')' && c != '>').collect();
        let end = self.rest.clone().nth(head.chars().count());
        let refuse = || Err(format!("invalid or unsupported Perl syntax: `({head}`"));
        let flags = &head[1..];
        match end {
            Some('>') if flags.starts_with("P<") || flags.starts_with('<') => {
                let name = flags.trim_start_matches('P').trim_start_matches('<');
                if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                    return Err(format!("invalid named capture: `({head}>`"));
                }
            }
            Some(':' | ')') if are_flags(flags) => {}
            _ => return refuse(),
        }
        // With the sign that ends it.
        self.out.extend(self.rest.by_ref().take(head.chars().count() + 1));
        if end != Some(')') {
            self.open += 1;
        }
        Ok(())
    }

    /// A sign that repeats, and whether it does so as little as it can.
    fn repeat(&mut self, mut sign: String) -> Result<(), String> {
        sign.extend(self.rest.next_if_eq(&'?'));
        match &self.last {
            Last::Nothing => return Err(format!("missing argument to repetition operator: `{sign}`")),
            Last::Repeat(before) => {
                return Err(format!("invalid nested repetition operator: `{before}{sign}`"));
            }
            Last::Something => self.out.push_str(&sign),
        }
        self.last = Last::Repeat(sign);
        Ok(())
    }

    /// What stands behind a brace, if it counts: `2}`, `2,}` or `2,4}`. Any other brace is itself.
    fn count(&mut self) -> Result<Option<String>, String> {
        let inside: String = self.rest.clone().take_while(|&c| c == ',' || c.is_ascii_digit()).collect();
        if self.rest.clone().nth(inside.len()) != Some('}') {
            return Ok(None);
        }
        let (least, most) = inside.split_once(',').unwrap_or((&inside, &inside));
        let is_number =
            |text: &str| !text.is_empty() && (text == "0" || !text.starts_with('0')) && !text.contains(',');
        if !is_number(least) || !(most.is_empty() || is_number(most)) {
            return Ok(None);
        }
        let within = |text: &str| text.parse().ok().filter(|&number: &u32| number <= REPEATS_MAX);
        let fits = match (within(least), within(most)) {
            (Some(least), Some(most)) => least <= most,
            (Some(_), None) => most.is_empty(),
            (None, _) => false,
        };
        if !fits {
            return Err(format!("invalid repeat count: `{{{inside}}}`"));
        }
        self.rest.by_ref().take(inside.len() + 1).for_each(drop);
        Ok(Some(format!("{{{inside}}}")))
    }

    fn escape(&mut self) -> Result<(), String> {
        match self.rest.peek() {
            Some('Q') => {
                self.rest.next();
                self.quoted();
            }
            Some('A') => self.put_next("\\A"),
            Some('z') => self.put_next("\\z"),
            // What a word is made of is ASCII in Go.
            Some('b') => self.put_next("(?-u:\\b)"),
            Some('B') => self.put_next("(?-u:\\B)"),
            _ => {
                if !class::named(&mut self.rest, &mut self.out)? {
                    let c = class::escaped(&mut self.rest)?;
                    literal(c, &mut self.out);
                }
                self.last = Last::Something;
            }
        }
        Ok(())
    }

    fn put_next(&mut self, text: &str) {
        self.rest.next();
        self.put(text);
    }

    /// Everything up to `\E`, as it stands.
    fn quoted(&mut self) {
        while let Some(c) = self.rest.next() {
            if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            self.literal(c);
        }
    }
}

/// Whether these are flags that Go knows, turned on or off: `i`, `s-m`, `-U`.
fn are_flags(flags: &str) -> bool {
    let (on, off) = flags.split_once('-').unwrap_or((flags, "i"));
    !off.is_empty() && on.chars().chain(off.chars()).all(|c| "imsU".contains(c))
}

/// A character that means itself, within brackets and without.
pub(super) fn literal(c: char, out: &mut String) {
    // The others that are no words are signs in Rust, or may become some; these may not be escaped.
    if c.is_ascii_punctuation() && !matches!(c, '_' | '<' | '>') {
        out.push('\\');
    }
    out.push(c);
}
