//! Regular expressions as Prometheus reads them: Go's syntax, the whole value, and `.` matches a line's end too.
//!
//! Lists of [`words`] are told first, and are sets. All else is rewritten for Rust's `regex` ([`go`], [`class`]), which
//! reads nearly the same language: `\d`, `\w`, `\s` and `\b` mean ASCII in Go and all of Unicode in Rust; within brackets
//! Rust knows sets of sets; a brace that repeats nothing is itself in Go.

mod class;
mod go;
mod words;

use regex::{Captures, Regex, RegexBuilder};
use std::sync::Arc;

/// What a compiled pattern may take, in bytes: `a{1000}` fits many times over, `(a{1000}){1000}` does not.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A pattern that must match the whole of a value.
#[derive(Clone, Debug)]
pub struct Pattern {
    test: Test,
    source: String,
}

#[derive(Clone, Debug)]
enum Test {
    /// Sorted.
    Words(Arc<[Box<str>]>),
    Regex(Regex),
}

impl Pattern {
    /// Reads a pattern; the error is the one line that says why it is none.
    pub fn new(source: &str) -> Result<Self, String> {
        match words::words(source) {
            Some(words) => Ok(Self { test: Test::Words(words.into()), source: source.to_owned() }),
            None => Self::compiled(source),
        }
    }

    /// Reads a pattern whose groups are asked for.
    pub(crate) fn compiled(source: &str) -> Result<Self, String> {
        // A pattern is one by itself: none closes the group around it.
        let rust = format!("^(?s:{})$", go::to_rust(source)?);
        match RegexBuilder::new(&rust).size_limit(PATTERN_BYTES_MAX).build() {
            Ok(regex) => Ok(Self { test: Test::Regex(regex), source: source.to_owned() }),
            Err(regex::Error::CompiledTooBig(bytes)) => {
                Err(format!("it takes more than {bytes} bytes, compiled"))
            }
            Err(error) => {
                let text = error.to_string();
                Err(text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
            }
        }
    }

    /// Whether the pattern matches the whole of `value`.
    pub fn matches(&self, value: &str) -> bool {
        match &self.test {
            Test::Words(words) => words.binary_search_by(|word| (**word).cmp(value)).is_ok(),
            Test::Regex(regex) => regex.is_match(value),
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// What `replacement` becomes with `$1`, `${name}` and `$$` filled in, or nothing if the value does not match.
    pub(crate) fn replace(&self, value: &str, replacement: &str) -> Option<String> {
        let Test::Regex(regex) = &self.test else { return None };
        let captures: Captures<'_> = regex.captures(value)?;
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
        let refused = |source: &str| Pattern::new(source).map(|_| source.to_owned()).unwrap_err();
        for (source, why) in [
            ("(a", "missing closing )"),
            ("a)", "unexpected )"),
            ("a)|(b", "unexpected )"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("a++", "invalid nested repetition operator: `++`"),
            ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
            ("a|*", "missing argument to repetition operator: `*`"),
            ("{2}", "missing argument to repetition operator: `{2}`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("a{2,1}", "invalid repeat count: `{2,1}`"),
            ("(?x)a b", "invalid or unsupported Perl syntax: `(?x`"),
            ("(?u)a", "invalid or unsupported Perl syntax: `(?u`"),
            ("(?=a)a", "invalid or unsupported Perl syntax: `(?=a`"),
            ("(?", "invalid or unsupported Perl syntax: `(?`"),
            ("(?P<>a)", "invalid named capture: `(?P<>`"),
            (r"\u0061", r"invalid escape sequence: `\u`"),
            (r"\8", r"invalid escape sequence: `\8`"),
            (r"(a)\1", r"invalid escape sequence: `\1`"),
            (r"\C", r"invalid escape sequence: `\C`"),
            (r"\xZZ", r"invalid escape sequence: `\x`"),
            (r"\x{110000}", r"invalid escape sequence: `\x`"),
            (r"[\b]", r"invalid escape sequence: `\b`"),
            (r"[a-\d]", r"invalid escape sequence: `\d`"),
            ("a\\", "trailing backslash at end of expression"),
            ("[a--b]", "invalid character class range: `a--`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("[[:letters:]]", "invalid character class range: `[:letters:]`"),
            (r"\p{greek}", r"invalid character class range: `\p{greek}`"),
            ("[a", "missing closing ]"),
            ("[]", "missing closing ]"),
            ("[a-", "missing closing ]"),
            (r"[\", "trailing backslash at end of expression"),
        ] {
            assert_eq!(refused(source), why, "{source}");
        }
        assert!(refused("(a{1000}){1000}").contains("more than 1048576 bytes"));
        let unknown = refused(r"\p{Klingon}");
        assert!(!unknown.contains('\n') && unknown.contains("not found"), "{unknown}");
    }

    #[test]
    fn what_go_reads_is_read_as_it_does() {
        for (source, value, other) in [
            (r"\p{L}", "é", "1"),
            (r"\pL", "é", "1"),
            (r"\p{Greek}+", "αβ", "ab"),
            (r"\P{Greek}", "a", "α"),
            (r"\p{^L}", "1", "a"),
            (r"[\pL_]+", "é_", "1"),
            (r"\p{Lu}_\d", "Z_1", "z_1"),
            (r"\141", "a", "141"),
            (r"\x61\x{1F600}", "a😀", "a"),
            (r"[\d-z]+", "1-z", "y"),
            (r"[\x61-\x{63}]", "b", "d"),
            (r"[a-b-c]+", "b-c", "d"),
            (r"[[:^alpha:]]", "1", "a"),
            (r"[[.a.]]", "[]", "a"),
            (r"\_\-\/\<", "_-/<", "_"),
            (r"\Q(a\E|b", "(a", "a"),
            (r"\BZ|\bY", "Y", "Z"),
            ("(?i)k", "\u{212a}", "x"),
            ("(?i:A)b", "ab", "aB"),
            ("(?-s).", "a", "\n"),
            ("(?<n>a)(|b)*", "abb", "ba"),
            ("(?m)^a$", "a", "b"),
            ("a*?b+?c??", "aab", "cc"),
            ("a{,2}", "a{,2}", "aa"),
            ("a{01}", "a{01}", "a"),
            ("a#b c", "a#b c", "a"),
        ] {
            assert!(matches(source, value), "{source} {value}");
            assert!(!matches(source, other), "{source} {other}");
        }
    }

    #[test]
    fn a_list_of_words_is_a_set_however_long() {
        let ids: Vec<String> = (0..5_000).map(|at| format!("{at:043}")).collect();
        let list = ids.join("|");
        let pattern = Pattern::new(&list).unwrap();
        assert!(
            ids.iter().all(|id| pattern.matches(id))
                && !pattern.matches(&ids[0][1..])
                && !pattern.matches("")
        );
        let refused = Pattern::new(&list.replace('|', "+|")).map(|_| ()).unwrap_err();
        assert!(refused.contains("more than 1048576 bytes"), "{refused}");
    }

    #[test]
    fn groups_are_filled_in() {
        let pattern = Pattern::compiled("(?P<host>[^:]+):(.*)").unwrap();
        assert_eq!(pattern.replace("web:80", "$host-${2}x$$$3").as_deref(), Some("web-80x$"));
        assert_eq!(pattern.replace("web", "$1"), None);
        assert_eq!(Pattern::compiled("web").unwrap().replace("web", "x$0").as_deref(), Some("xweb"));
    }
}
