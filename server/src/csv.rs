//! Text in CSV (RFC 4180), as a spreadsheet or a terminal may show it: letters that would act there are written as what
//! they are ([`plain::line`]). Tabs and ends of lines too, so that whoever reads by lines has a row in each, and none that
//! others made up.

use pingup_protocol::plain;
use std::fmt::Write as _;

/// Letters by which a spreadsheet knows a formula, those of East Asian width too.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Writes a text that others chose. One that a spreadsheet would run as a formula gets an apostrophe before it; what
/// begins with an apostrophe gets one too, so that taking the first one away always gives what was said.
pub fn text(said: &str, to: &mut String) {
    let said = &*plain::line(said);
    // A spreadsheet may skip blanks before it.
    let is_guarded = said.starts_with('\'') || said.trim_start().starts_with(FORMULA);
    let guard = if is_guarded { "'" } else { "" };
    // Writing to a String cannot fail.
    let _ = if said.contains(['"', ',']) {
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
            ("a\nb", "a\\nb"),
            ("a\r2026,b", "\"a\\r2026,b\""),
            ("\n=1", "\\n=1"),
            (" \u{3000}=1", "' \u{3000}=1"),
            ("\u{feff}=1", "\\u{feff}=1"),
            ("\u{1b}]0;x\u{7}", "\\u{1b}]0;x\\u{7}"),
            ("\t=1", "\\t=1"),
            ("＝1", "'＝1"),
            ("a=1", "a=1"),
            (" a", " a"),
        ] {
            let mut written = String::new();
            text(said, &mut written);
            assert_eq!(written, cell);
        }
    }
}
