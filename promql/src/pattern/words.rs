//! Patterns that are nothing but words side by side: `web|db|cache`. Dashboards make them of whatever is chosen in a list,
//! hundreds of names long; such a one is a set, and no regular expression is compiled for it.

/// Words of one pattern that are kept as a set. One of more is compiled, as far as it fits.
pub(super) const PATTERN_WORDS_MAX: usize = 10_000;

/// The words that a pattern means, sorted; `None` if it is anything else than words, also in brackets or with anchors,
/// which say nothing where the whole value must match.
pub(super) fn words(source: &str) -> Option<Vec<Box<str>>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut rest = bare(source).chars();
    while let Some(c) = rest.next() {
        match c {
            '|' => {
                words.push(std::mem::take(&mut word).into_boxed_str());
                if words.len() >= PATTERN_WORDS_MAX {
                    return None;
                }
            }
            // Of what is escaped, only signs are themselves.
            '\\' => word.push(rest.next().filter(char::is_ascii_punctuation)?),
            '.' | '+' | '*' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' => return None,
            _ => word.push(c),
        }
    }
    words.push(word.into_boxed_str());
    words.sort_unstable();
    words.dedup();
    Some(words)
}

/// Without anchors and brackets around the whole. What of `(a)|(b)` is left then is no list of words.
fn bare(source: &str) -> &str {
    let mut bare = source;
    loop {
        let within = bare.strip_prefix('^').unwrap_or(bare);
        let within = within.strip_suffix('$').unwrap_or(within);
        let opened = within.strip_prefix("(?:").or_else(|| within.strip_prefix('('));
        let within = opened.and_then(|within| within.strip_suffix(')')).unwrap_or(within);
        if within.len() == bare.len() {
            return bare;
        }
        bare = within;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str) -> Option<String> {
        words(source).map(|words| words.join(","))
    }

    #[test]
    fn words_are_told_from_patterns() {
        for (source, expected) in [
            ("a|b|a", "a,b"),
            ("", ""),
            ("b|", ",b"),
            (r"web\.1|db\-2", "db-2,web.1"),
            ("(?:a|b)", "a,b"),
            ("^(a|b)$", "a,b"),
            ("(^(é b|ü)$)", "é b,ü"),
        ] {
            assert_eq!(shown(source).as_deref(), Some(expected), "{source}");
        }
        for source in [
            "a.b", "(a)|(b)", "a)|(b", "(a|b", "a|b)", r"\d", r"a\", r"(a\)", "^^*", "a{2}", "[a]", "(?i)a",
            "(?i:a)", "a^b", "a$b", "(?P<n>a)", "a|(b|c)", r"\Qa\E",
        ] {
            assert_eq!(shown(source), None, "{source}");
        }
    }

    #[test]
    fn words_have_a_bound() {
        let list = |count: usize| (0..count).map(|at| at.to_string()).collect::<Vec<_>>().join("|");
        assert_eq!(words(&list(PATTERN_WORDS_MAX)).map(|words| words.len()), Some(PATTERN_WORDS_MAX));
        assert_eq!(words(&list(PATTERN_WORDS_MAX + 1)), None);
    }
}
