//! Patterns are hidden from the parser, which would compile each by rules of its own, whatever its size: a short word
//! stands for each while it reads, and what was written is looked up behind it.

use super::blame;
use promql_parser::util::{escape_string, unquote_string};
use std::borrow::Cow;

/// The longest line that the parser prints, in characters: a longer word would break no other lines.
const PRINTED_MAX: usize = 100;

/// A text without its patterns, and these.
pub(super) struct Hidden<'a> {
    pub(super) text: Cow<'a, str>,
    /// The words, and what they stand for.
    patterns: Vec<(String, String)>,
}

impl<'a> Hidden<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut mark = "pattern_".to_owned();
        while text.contains(&mark) {
            mark.push('_');
        }
        let mut hidden = Self { text: Cow::Borrowed(text), patterns: Vec::new() };
        let (mut out, mut copied, mut behind_match) = (String::new(), 0, false);
        for (start, end) in blame::tokens(text) {
            let token = &text[start..end];
            // What is no string is left to the parser to refuse.
            if behind_match
                && token.starts_with(['"', '\'', '`'])
                && let Ok(pattern) = unquote_string(token)
            {
                let length = escape_string(&pattern).chars().count().min(PRINTED_MAX);
                let word = format!("{:_<length$}", format!("{mark}{}_", hidden.patterns.len()));
                out.push_str(&text[copied..start]);
                out.push_str(&format!("\"{word}\""));
                copied = end;
                hidden.patterns.push((word, pattern));
            }
            behind_match = token == "=~" || token == "!~";
        }
        if copied > 0 {
            out.push_str(&text[copied..]);
            hidden.text = Cow::Owned(out);
        }
        hidden
    }

    /// What a word stands for.
    pub(super) fn pattern(&self, word: &str) -> Option<&str> {
        self.patterns.iter().find(|(known, _)| known == word).map(|(_, pattern)| pattern.as_str())
    }

    /// What the parser printed, with the patterns in it.
    pub(super) fn restored(&self, mut printed: String) -> String {
        for (word, pattern) in &self.patterns {
            printed = printed.replacen(&format!("\"{word}\""), &format!("\"{}\"", escape_string(pattern)), 1);
        }
        printed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_hidden_and_nothing_else() {
        let text = "a{b=~\"x.*\", c !~ # =~\n 'y\\'z', d=\"=~ pattern_\", e=~`\\d`} + \"=~\" =~ \"open";
        let hidden = Hidden::new(text);
        assert_eq!(
            hidden.text,
            "a{b=~\"pattern__0_\", c !~ # =~\n \"pattern__1_\", d=\"=~ pattern_\", e=~\"pattern__2_\"} + \"=~\" =~ \"open"
        );
        let patterns = ["pattern__0_", "pattern__1_", "pattern__2_", "pattern__3_", "x.*"]
            .map(|word| hidden.pattern(word));
        assert_eq!(patterns, [Some("x.*"), Some("y'z"), Some("\\d"), None, None]);
        let printed = "a{b=~\"pattern__0_\",c!~\"pattern__1_\",d=\"x\",e=~\"pattern__2_\"}".to_owned();
        assert_eq!(hidden.restored(printed), "a{b=~\"x.*\",c!~\"y'z\",d=\"x\",e=~\"\\\\d\"}");
        assert!(matches!(Hidden::new("a{b=\"c\"}").text, Cow::Borrowed(_)));
    }
}
