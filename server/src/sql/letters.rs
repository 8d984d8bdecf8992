//! What the hub and the engine of a question say to each other: a line of JSON each, of bounded length, and behind some
//! lines what they announce.
//!
//! The hub asks ([`Ask`]); the engine says which views the question names ([`Word::Wants`]); the hub names the files
//! ([`Given`]) and sends an Arrow stream for each of the views; the engine answers ([`Word::Answer`], then so many
//! bytes). Instead of any of its words the engine may say why there is no answer.

use super::views::View;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    io::{self, BufRead, Read, Write},
    time::Duration,
};

/// A line: a text of [`super::QUERY_BYTES_MAX`], each byte escaped, or the names of some ten thousand files.
pub(super) const LINE_BYTES_MAX: u64 = 2 * 1024 * 1024;

const _: () = assert!(6 * super::QUERY_BYTES_MAX as u64 * 2 < LINE_BYTES_MAX, "every question fits");

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// Columns and rows in one JSON object.
    Json,
    /// A JSON object a row.
    NdJson,
    /// A header, then a line a row (RFC 4180).
    Csv,
    /// An Arrow IPC stream.
    Arrow,
}

/// A question, and its bounds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ask {
    pub(super) query: String,
    pub(super) form: Form,
    pub(super) rows_max: u64,
    pub(super) bytes_max: usize,
    /// The hub's clock, microseconds: what `now()` says.
    pub(super) now_micros: i64,
    /// What DuckDB may keep, in its own words.
    pub(super) memory: String,
    pub(super) memory_bytes: u64,
    pub(super) time_max: Duration,
    /// Where the history's files lie: what can be read at all.
    pub(super) folder: String,
}

/// The files of the views that have some.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Given {
    pub(super) metrics: Vec<String>,
    pub(super) discovery: Vec<String>,
}

/// What the engine says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Word {
    /// The question names these views.
    Wants(Vec<View>),
    /// So many bytes follow, of so many rows; whether the limit left some out.
    Answer { rows: u64, more: bool, bytes: usize },
    /// It has to be asked otherwise.
    Refused(String),
    /// It takes too much memory.
    Exhausted,
    /// The engine failed; for the log.
    Failed(String),
}

/// Says something, and sends it off.
pub(super) fn say(to: &mut impl Write, word: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(word)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// Hears what the other side says.
pub(super) fn hear<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<T> {
    let mut line = Vec::new();
    from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&line)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_does_not_end_is_not_read_for_ever() {
        let mut endless = io::BufReader::new(io::repeat(b'x'));
        assert!(hear::<Word>(&mut endless).is_err());
        assert!(hear::<Word>(&mut &b"\"Exhausted\""[..]).is_err());
        assert_eq!(hear::<Word>(&mut &b"\"Exhausted\"\n"[..]).unwrap(), Word::Exhausted);
    }
}
