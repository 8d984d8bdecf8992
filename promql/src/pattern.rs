//! Regular expressions as Prometheus reads them: Go's syntax, the whole value, and `.` matches a line's end too.
//!
//! Rust's `regex` reads nearly the same language. The differences that people meet are rewritten here: `\d`, `\w`,
//! `\s` and `\b` mean ASCII in Go and all of Unicode in Rust; within brackets Rust knows sets of sets; a brace that
//! repeats nothing is itself in Go; `\<` and `\Q…\E` are read as Go reads them.

use regex::{Captures, Regex, RegexBuilder};
use std::iter::Peekable;
use std::str::Chars;

/// What a compiled pattern may take, in bytes: `a{1000}` fits many times over, `(a{1000}){1000}` does not.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A pattern that must match the whole of a value.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    source: String,
}

impl Pattern {
    /// Reads a pattern; the error is the one line that says why it is none.
    pub fn new(source: &str) -> Result<Self, String> {
        let rust = format!("^(?s:{})$", to_rust(source));
        match RegexBuilder::new(&rust).size_limit(PATTERN_BYTES_MAX).build() {
            Ok(regex) => Ok(Self { regex, source: source.to_owned() }),
            Err(error) => {
                let text = error.to_string();
                Err(text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
            }
        }
    }

    /// Whether the pattern matches the whole of `value`.
    pub fn matches(&self, value: &str) -> bool {
        self.regex.is_match(value)
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// What `replacement` becomes with `$1`, `${name}` and `$$` filled in, or nothing if the value does not match.
    pub(crate) fn replace(&self, value: &str, replacement: &str) -> Option<String> {
        let captures: Captures<'_> = self.regex.captures(value)?;
        let mut out = String::new();
        captures.expand(replacement, &mut out);
        Some(out)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

fn to_rust(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 8);
    let mut rest = source.chars().peekable();
    let mut in_class = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut rest, in_class, &mut out),
            '[' if !in_class => {
                in_class = true;
                open_class(&mut rest, &mut out);
            }
            // `[:alpha:]` is a class in both; any other bracket is itself in Go and a set in a set in Rust.
            '[' if rest.peek() == Some(&':') => named_class(&mut rest, &mut out),
            '[' => out.push_str("\\["),
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '-' if in_class && rest.peek() == Some(&'-') => out.push_str("\\-"),
            '{' if !in_class && !repeats(rest.clone()) => out.push_str("\\{"),
            _ => out.push(c),
        }
    }
    out
}

/// `[`, `[^`, and a bracket that closes nothing because it comes first.
fn open_class(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    if rest.next_if_eq(&']').is_some() {
        out.push_str("\\]");
    }
}

fn named_class(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let name: String = rest.clone().take_while(|&c| c != ']').collect();
    if name.len() > 1 && name.ends_with(':') {
        out.push('[');
        out.push_str(&name);
        out.push(']');
        for _ in 0..=name.chars().count() {
            rest.next();
        }
    } else {
        out.push_str("\\[");
    }
}

fn escape(rest: &mut Peekable<Chars<'_>>, in_class: bool, out: &mut String) {
    let Some(c) = rest.next() else {
        out.push('\\');
        return;
    };
    match c {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str("[\\t\\n\\f\\r ]"),
        'S' => out.push_str("[^\\t\\n\\f\\r ]"),
        'b' if !in_class => out.push_str("(?-u:\\b)"),
        'Q' if !in_class => quoted(rest, out),
        '<' | '>' => out.push(c),
        _ => {
            out.push('\\');
            out.push(c);
        }
    }
}

/// Everything up to `\E`, as it stands.
fn quoted(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut text = String::new();
    while let Some(c) = rest.next() {
        if c == '\\' && rest.next_if_eq(&'E').is_some() {
            break;
        }
        text.push(c);
    }
    out.push_str(&regex::escape(&text));
}

/// Whether what stands behind a brace makes it a repetition: `2}`, `2,}` or `2,4}`.
fn repeats(rest: Peekable<Chars<'_>>) -> bool {
    let inside: String = rest.take_while(|&c| c != '}' && (c == ',' || c.is_ascii_digit())).collect();
    inside.starts_with(|c: char| c.is_ascii_digit()) && inside.matches(',').count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, value: &str) -> bool {
        Pattern::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")).matches(value)
    }

    #[test]
    fn the_whole_value_must_match_and_a_dot_is_any_character() {
        assert!(matches("a|b", "a") && !matches("a|b", "ab"));
        assert!(matches("a.b", "a\nb"));
        assert!(matches("", "") && !matches("", "a"));
    }

    #[test]
    fn classes_are_ascii_as_in_go() {
        assert!(matches(r"\d+", "42") && !matches(r"\d", "٣"));
        assert!(matches(r"\w+", "a_1") && !matches(r"\w", "é"));
        assert!(matches(r"[^\d]", "é") && matches(r"[a\d]+", "a1") && !matches(r"\S", " "));
    }

    #[test]
    fn brackets_and_braces_are_read_as_go_reads_them() {
        assert!(matches(r"[[]", "[") && matches(r"[a[b]+", "a[b") && matches(r"[]a]+", "]a"));
        assert!(matches(r"[[:alpha:]]+", "abc") && !matches(r"[[:alpha:]]", "1"));
        assert!(matches(r"[a&&b]+", "a&b") && matches(r"[+--]", "-"));
        assert!(matches(r"a{b}", "a{b}") && matches(r"a{2}", "aa") && matches(r"a{2,}", "aaa"));
        assert!(matches(r"\Qa.b\E+", "a.bb") && matches(r"\<a\>", "<a>"));
    }

    #[test]
    fn what_is_no_pattern_is_refused_in_one_line() {
        let refused = Pattern::new("(a").map(|_| ()).unwrap_err();
        assert!(refused.contains("unclosed group") && !refused.contains('\n'), "{refused}");
        let refused = Pattern::new("(a{1000}){1000}").map(|_| ()).unwrap_err();
        assert!(refused.contains("size limit"), "{refused}");
    }

    #[test]
    fn groups_are_filled_in() {
        let pattern = Pattern::new("(?P<host>[^:]+):(.*)").unwrap();
        assert_eq!(pattern.replace("web:80", "$host-${2}x$$$3").as_deref(), Some("web-80x$"));
        assert_eq!(pattern.replace("web", "$1"), None);
    }
}
