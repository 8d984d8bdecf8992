//! Classes of characters, and characters that are written by a backslash: `[a-z\d]`, `[[:alpha:]]`, `\p{Greek}`, `\x41`.

use super::go::{Rest, literal};

/// POSIX's classes, which Rust knows by the same names.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// Reads a class whose bracket has been taken, and writes all of it.
pub(super) fn read(rest: &mut Rest<'_>, out: &mut String) -> Result<(), String> {
    out.push('[');
    out.extend(rest.next_if_eq(&'^'));
    let mut first = true;
    loop {
        match rest.peek().copied() {
            // One that comes first closes nothing.
            Some(']') if !first => {
                rest.next();
                out.push(']');
                return Ok(());
            }
            Some('[') if posix(rest, out)? => {}
            Some('\\') => {
                rest.next();
                if !named(rest, out)? {
                    let from = escaped(rest)?;
                    range(from, rest, out)?;
                }
            }
            _ => {
                let from = rest.next().ok_or_else(unclosed)?;
                range(from, rest, out)?;
            }
        }
        first = false;
    }
}

fn unclosed() -> String {
    "missing closing ]".to_owned()
}

/// A character, or from it to another. A hyphen before the bracket that closes is itself.
fn range(from: char, rest: &mut Rest<'_>, out: &mut String) -> Result<(), String> {
    literal(from, out);
    let mut ahead = rest.clone();
    if ahead.next() != Some('-') || matches!(ahead.peek(), None | Some(']')) {
        return Ok(());
    }
    rest.next();
    let to = match rest.next() {
        Some('\\') => escaped(rest)?,
        other => other.ok_or_else(unclosed)?,
    };
    if to < from {
        return Err(format!("invalid character class range: `{from}-{to}`"));
    }
    out.push('-');
    literal(to, out);
    Ok(())
}

/// `[:alpha:]` and `[:^alpha:]` within brackets; whether there is one.
fn posix(rest: &mut Rest<'_>, out: &mut String) -> Result<bool, String> {
    let mut ahead = rest.clone();
    ahead.next();
    if ahead.next() != Some(':') {
        return Ok(false);
    }
    let name: String = ahead.clone().take_while(|&c| c != ':').collect();
    let mut behind = ahead.skip(name.chars().count());
    if (behind.next(), behind.next()) != (Some(':'), Some(']')) {
        return Ok(false);
    }
    if !POSIX.contains(&name.strip_prefix('^').unwrap_or(&name)) {
        return Err(format!("invalid character class range: `[:{name}:]`"));
    }
    out.push_str(&format!("[:{name}:]"));
    rest.by_ref().take(name.chars().count() + 4).for_each(drop);
    Ok(true)
}

/// A class behind a backslash, if there is one: `\d`, `\pL`, `\P{Greek}`. Perl's are ASCII in Go.
pub(super) fn named(rest: &mut Rest<'_>, out: &mut String) -> Result<bool, String> {
    let perl = match rest.peek() {
        Some('d') => "[0-9]",
        Some('D') => "[^0-9]",
        Some('w') => "[0-9A-Za-z_]",
        Some('W') => "[^0-9A-Za-z_]",
        Some('s') => "[\\t\\n\\f\\r ]",
        Some('S') => "[^\\t\\n\\f\\r ]",
        Some('p' | 'P') => return unicode(rest, out).map(|()| true),
        _ => return Ok(false),
    };
    rest.next();
    out.push_str(perl);
    Ok(true)
}

/// By a category of one or two letters, or by a script.
fn unicode(rest: &mut Rest<'_>, out: &mut String) -> Result<(), String> {
    let mut negated = rest.next() == Some('P');
    let mut name = String::new();
    if rest.next_if_eq(&'{').is_some() {
        negated ^= rest.next_if_eq(&'^').is_some();
        let inside = rest.by_ref().take_while(|&c| c != '}');
        name.extend(inside);
    } else {
        name.extend(rest.next());
    }
    let known = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
    if !known {
        return Err(format!("invalid character class range: `\\p{{{name}}}`"));
    }
    let kind = if name.len() <= 2 || name == "Any" { "" } else { "sc=" };
    let p = if negated { 'P' } else { 'p' };
    out.push_str(&format!("\\{p}{{{kind}{name}}}"));
    Ok(())
}

/// The character behind a backslash: a sign, a number in octal or hexadecimal, or one of C's.
pub(super) fn escaped(rest: &mut Rest<'_>) -> Result<char, String> {
    let Some(c) = rest.next() else { return Err("trailing backslash at end of expression".to_owned()) };
    let refuse = || format!("invalid escape sequence: `\\{c}`");
    let octal = |c: Option<&char>| c.and_then(|c| c.to_digit(8));
    Ok(match c {
        // A single digit would be a reference back, which there is none of.
        '1'..='7' if octal(rest.peek()).is_none() => return Err(refuse()),
        '0'..='7' => {
            let mut code = c.to_digit(8).unwrap_or_default();
            for _ in 0..2 {
                let Some(digit) = octal(rest.peek()) else { break };
                rest.next();
                code = code * 8 + digit;
            }
            char::from_u32(code).ok_or_else(refuse)?
        }
        'x' => hexadecimal(rest).ok_or_else(refuse)?,
        'a' => '\x07',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
        _ => return Err(refuse()),
    })
}

/// `41` or `{1F600}`.
fn hexadecimal(rest: &mut Rest<'_>) -> Option<char> {
    if rest.next_if_eq(&'{').is_none() {
        let digits: String = rest.by_ref().take(2).collect();
        let hex = digits.len() == 2 && digits.chars().all(|c| c.is_ascii_hexdigit());
        return char::from_u32(u32::from_str_radix(&digits, 16).ok().filter(|_| hex)?);
    }
    let mut digits = String::new();
    while let Some(digit) = rest.next_if(char::is_ascii_hexdigit) {
        digits.push(digit);
    }
    rest.next_if_eq(&'}')?;
    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)
}
