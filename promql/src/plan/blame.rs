//! Where a text stops being PromQL. The parser says only that it does.
//!
//! What a text begins with is good as long as something can follow that makes it a query. So the longest such beginning
//! is searched for, by trying ends; what stands behind it is to blame. The ends are a few, not all there could be: the
//! place is a hint for people, and nothing depends on it.

/// The longest text that is looked into, in words and signs: some two hundred tries are made, and each reads all of it.
const BLAMED_TOKENS_MAX: usize = 256;
/// Stands for any string. What is in a string is to blame for nothing here.
const ANY_STRING: &str = "\"s\"";

/// What may be missing right behind a beginning, by the bracket that is open there.
const BEHIND_PAREN: [&str; 8] = ["", " x", "(x)", "5m", " 1", "(a) x", "(a) (x)", "()"];
const BEHIND_BRACE: [&str; 4] = ["", "a=\"b\"", "=\"b\"", "\"b\""];
const BEHIND_BRACKET: [&str; 4] = ["", "5m", ":5m", ":"];
/// What may be missing behind the bracket that is closed first.
const BEHIND_CLOSED: [&str; 3] = ["", " x", " (x)"];

/// A token's place in the text.
type Token = (usize, usize);

/// Says what in a text is to blame: `1:5: parse error: unexpected "y"`. `parses` tells whether a text is a query, apart
/// from its types.
pub(super) fn blame(text: &str, parses: impl Fn(&str) -> bool) -> Option<String> {
    let tokens = tokens(text);
    if tokens.len() > BLAMED_TOKENS_MAX {
        return None;
    }
    let good = |count: usize| continues(text, &tokens[..count], &parses);
    // A beginning of a good beginning is good, so the first bad one is found by halves.
    let (mut known_good, mut known_bad) = (0, tokens.len() + 1);
    while known_bad - known_good > 1 {
        let middle = known_good.midpoint(known_bad);
        if good(middle) {
            known_good = middle;
        } else {
            known_bad = middle;
        }
    }
    let (place, what) = match tokens.get(known_good) {
        Some(&(start, end)) => (start, format!("{:?}", &text[start..end])),
        None => (text.len(), "end of input".to_owned()),
    };
    let before = &text[..place];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Some(format!("{line}:{column}: parse error: unexpected {what}"))
}

/// Whether something can follow a text's beginning that makes it a query.
fn continues(text: &str, tokens: &[Token], parses: &impl Fn(&str) -> bool) -> bool {
    let mut open = Vec::new();
    let mut beginning = String::new();
    let mut copied = 0;
    for &(start, end) in tokens {
        beginning.push_str(&text[copied..start]);
        let quoted = text[start..].starts_with(['"', '\'', '`']);
        beginning.push_str(if quoted { ANY_STRING } else { &text[start..end] });
        copied = end;
        match &text[start..end] {
            "(" => open.push(")"),
            "{" => open.push("}"),
            "[" => open.push("]"),
            closed if open.last() == Some(&closed) => drop(open.pop()),
            _ => {}
        }
    }
    let missing: &[&str] = match open.last() {
        Some(&"}") => &BEHIND_BRACE,
        Some(&"]") => &BEHIND_BRACKET,
        _ => &BEHIND_PAREN,
    };
    let first = open.pop().unwrap_or_default();
    let rest: String = open.into_iter().rev().collect();
    missing.iter().any(|missing| {
        BEHIND_CLOSED.iter().any(|behind| parses(&format!("{beginning}{missing}{first}{behind}{rest}")))
    })
}

/// Words, strings and signs, without what stands between them.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = match c {
            '"' | '\'' | '`' => string(rest, c),
            '#' => rest.find('\n').unwrap_or(rest.len()),
            c if word(c) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
            _ if ["==", "!=", "<=", ">=", "=~", "!~"].iter().any(|sign| rest.starts_with(sign)) => 2,
            c => c.len_utf8(),
        };
        if !c.is_whitespace() && c != '#' {
            found.push((at, at + length));
        }
        at += length;
    }
    found
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.')
}

/// How long a string is, with its quotes.
fn string(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + c.len_utf8();
        }
        escaped = c == '\\' && quote != '`' && !escaped;
    }
    text.len()
}
