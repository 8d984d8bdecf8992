//! Text in CSV (RFC 4180), as a spreadsheet may open it.

use std::fmt::Write as _;

/// Writes a text that others chose. One that a spreadsheet would run as a formula gets an apostrophe before it; what
/// begins with an apostrophe gets one too, so that taking the first one away always gives what was said.
pub fn text(said: &str, to: &mut String) {
    let guard = if said.starts_with(['=', '+', '-', '@', '\t', '\r', '\'']) { "'" } else { "" };
    // Writing to a String cannot fail.
    let _ = if said.contains(['"', ',', '\r', '\n']) {
        write!(to, "\"{guard}{}\"", said.replace('"', "\"\""))
    } else {
        write!(to, "{guard}{said}")
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_and_never_a_formula() {
        for (said, cell) in [
            ("online", "online"),
            ("=1+1", "'=1+1"),
            ("'x", "''x"),
            ("+\"a\",b", "\"'+\"\"a\"\",b\""),
            ("a\nb", "\"a\nb\""),
        ] {
            let mut written = String::new();
            text(said, &mut written);
            assert_eq!(written, cell);
        }
    }
}
