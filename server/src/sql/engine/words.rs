//! What DuckDB says, in words for who asked: its own, without what it says of the machine.

use crate::{sql::letters::Word, storage::StorageError};

/// Kinds of errors that a question brings about, by the first words of their text: that is how DuckDB tells them apart.
const OF_QUESTIONS: [&str; 21] = [
    "Parser",
    "Syntax",
    "Binder",
    "Catalog",
    "Conversion",
    "Out of Range",
    "Invalid Input",
    "Invalid",
    "Invalid type",
    "Mismatch Type",
    "Not implemented",
    "Constraint",
    "Divide by Zero",
    "Decimal",
    "Expression",
    "Permission",
    "Object Size",
    "Unknown Type",
    "Missing Extension",
    "Parameter Not Resolved",
    "Parameter Not Allowed",
];
/// A column that no answer can have.
pub(super) const UNTOLD_TYPE: &str = "a column is of a type that no answer can have; cast it to VARCHAR";
/// A value that no answer can have, such as a day that no calendar has.
pub(super) const UNTOLD_VALUE: &str = "a value is beyond what an answer can say; cast it to VARCHAR";
/// More levels than are read.
pub(super) const TOO_DEEP: &str = "the query is nested too deep; name parts of it by WITH";
/// What of a text is told at most, bytes.
const TEXT_BYTES_MAX: usize = 2_000;

/// The word for an error of the engine that reads in `folder`.
pub(super) fn of(error: &StorageError, folder: &str) -> Word {
    let text = match error {
        StorageError::Duckdb(duckdb::Error::DuckDBFailure(_, Some(text))) => text,
        StorageError::Duckdb(duckdb::Error::FromSqlConversionFailure(..)) => {
            return Word::Refused(UNTOLD_TYPE.to_owned());
        }
        other => return Word::Failed(other.to_string()),
    };
    if text.starts_with("Out of Memory Error")
        || text.contains("bad_alloc")
        || text.contains("bad allocation")
    {
        return Word::Exhausted;
    }
    if is_too_deep(text) {
        return Word::Refused(TOO_DEEP.to_owned());
    }
    let kind = text.split_once(" Error: ").map_or("", |(kind, _)| kind);
    match kind {
        // Not DuckDB's own words: what makes Arrow of its rows does not know all of its types.
        "" if text.contains("Arrow") || text.contains("logical type") => {
            Word::Refused(UNTOLD_TYPE.to_owned())
        }
        kind if OF_QUESTIONS.contains(&kind) => Word::Refused(clean(text, folder)),
        _ => Word::Failed(text.clone()),
    }
}

/// Whether DuckDB counted too many levels: it offers a setting, which nobody can set here.
pub(super) fn is_too_deep(text: &str) -> bool {
    text.contains("max_expression_depth")
}

/// A text without the place of the data folder, and of bounded length.
pub(super) fn clean(text: &str, folder: &str) -> String {
    let text = text.trim();
    let text = if folder.is_empty() { text.to_owned() } else { text.replace(folder, "…") };
    let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or_default()].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Word {
        let failure = duckdb::Error::DuckDBFailure(duckdb::ffi::Error::new(1), Some(text.to_owned()));
        of(&failure.into(), "/data/history")
    }

    #[test]
    fn questions_are_told_from_failures_and_nobody_hears_of_folders() {
        let refused = |text: &str| Word::Refused(text.to_owned());
        assert_eq!(word("Binder Error: no column x"), refused("Binder Error: no column x"));
        assert_eq!(
            word("Invalid Input Error: in /data/history/raw/1.parquet"),
            refused("Invalid Input Error: in …/raw/1.parquet")
        );
        assert_eq!(word("Out of Memory Error: could not\n\nPossible solutions"), Word::Exhausted);
        let deep = "Binder Error: Max expression depth limit of 1000 exceeded. Use \"SET max_expression_depth TO x\"";
        assert_eq!(word(deep), refused(TOO_DEEP));
        for text in ["IO Error: no file", "INTERNAL Error: assertion", "no kind at all"] {
            assert_eq!(word(text), Word::Failed(text.to_owned()));
        }
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        let Word::Refused(text) = word(&format!("Binder Error: {}", "ä".repeat(5_000))) else {
            unreachable!("a binder error is a question's")
        };
        assert!(text.len() <= TEXT_BYTES_MAX && text.ends_with('ä'));
    }
}
