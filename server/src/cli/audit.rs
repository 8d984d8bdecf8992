//! `audit verify` and `audit export`: the record of what was done to this hub, beside a running hub or without one.
//!
//! Rows are read a page at a time, so that a slow reader holds nothing up. What is printed is escaped: names in it were
//! chosen by others.

use super::{CliError, PlaceArguments, export::Moment, print, progress};
use crate::{
    audit::{
        Entry, HASH_BYTES, Hash, Head, guards, store,
        walk::{MOVED_ROWS_MAX, Walk},
    },
    clock::Clock,
    csv,
    deed::hex,
    storage::{DataFolder, StorageError, inspect},
    tsdb::backup::open_beside,
};
use clap::{Subcommand, ValueEnum};
use pingup_protocol::{plain, time::Timestamp};
use rusqlite::Connection;
use std::{
    fmt::Write as _,
    io::{self, BufWriter, Write},
};

/// Rows that are read at once.
const PAGE_ROWS: usize = 1_000;
const HEADS: &str = "seq,at,act,by,who,role,from,agentId,on,detail,result,times,hash\r\n";

#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// Walk the chain and name the first row that is not as it was written; print its head, to be kept elsewhere
    Verify(VerifyArguments),
    /// Write all rows, or those of a time
    Export(ExportArguments),
}

#[derive(clap::Args)]
pub(super) struct VerifyArguments {
    /// A head that was kept elsewhere: nothing up to it was cut off or made anew since
    #[arg(long, value_name = "COUNT:HASH", value_parser = expected)]
    expect: Option<Head>,
    #[command(flatten)]
    place: PlaceArguments,
}

#[derive(clap::Args)]
pub(super) struct ExportArguments {
    /// The form
    #[arg(long)]
    format: Format,
    /// From when on: 2026-02-25T10:00:00Z, or 7d for a week ago [default: the beginning]
    #[arg(long, value_name = "T", value_parser = super::export::moment)]
    from: Option<Moment>,
    /// Until when, that moment excluded [default: the end]
    #[arg(long, value_name = "T", value_parser = super::export::moment)]
    to: Option<Moment>,
    #[command(flatten)]
    place: PlaceArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A row a line, as the API tells it
    Ndjson,
    /// For spreadsheets
    Csv,
}

fn expected(text: &str) -> Result<Head, &'static str> {
    let head = text
        .split_once(':')
        .and_then(|(count, hash)| Some(Head { count: count.parse().ok()?, hash: hash_of(hash)? }));
    head.ok_or("COUNT:HASH as `audit verify` prints it expected")
}

fn hash_of(text: &str) -> Option<Hash> {
    let bytes = text.as_bytes();
    if bytes.len() != 2 * HASH_BYTES || !bytes.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut hash = [0; HASH_BYTES];
    for (byte, digits) in hash.iter_mut().zip(bytes.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}

pub(super) fn run(command: AuditCommand, clock: &Clock) -> Result<(), CliError> {
    match command {
        AuditCommand::Verify(arguments) => verify(&open(&arguments.place)?, arguments.expect),
        AuditCommand::Export(ExportArguments { format, from, to, place }) => {
            let now = clock.now();
            let [from, to] = [from, to].map(|moment| moment.map(|moment| moment.resolve(now)));
            let mut output = BufWriter::new(io::stdout().lock());
            export(&open(&place)?, format, (from, to), &mut output)
        }
    }
}

fn open(place: &PlaceArguments) -> Result<Connection, CliError> {
    let folder = DataFolder::open(&place.data_dir()?)?;
    let records = folder.sqlite_path();
    if !records.exists() {
        return Err(CliError::Failed(format!("there are no records in {}", folder.path().display())));
    }
    let connection = open_beside(&records)?;
    if inspect::records_state(&connection).map_err(StorageError::from)?.missing > 0 {
        let why = "the records are not migrated; run `pingup-server migrate` first";
        return Err(CliError::Failed(why.to_owned()));
    }
    Ok(connection)
}

fn verify(records: &Connection, expected: Option<Head>) -> Result<(), CliError> {
    let bar = progress::of_rows("verify", store::head(records).map_err(StorageError::from)?.count);
    let walked = walk(records, expected, &mut |rows| bar.set_position(rows));
    bar.finish_and_clear();
    let touched = guards::touched(records).map_err(StorageError::from)?;
    if let (Ok(Head { count, .. }), false) = (&walked, touched.is_empty()) {
        let touched: Vec<_> = touched.iter().map(ToString::to_string).collect();
        return Err(CliError::Failed(format!(
            "{count} rows are as they were written, but what keeps them so is not: {}",
            touched.join(", ")
        )));
    }
    let (Head { count, hash }, genesis) = (walked?, store::genesis(records).map_err(StorageError::from)?);
    let (genesis, hash) = (hex(&genesis), hex(&hash));
    print(&format!(
        "ok: {count} rows, each as it was written, from 0:{genesis} on; the head is {count}:{hash}"
    ))
}

fn walk(records: &Connection, expected: Option<Head>, told: &mut dyn FnMut(u64)) -> Result<Head, CliError> {
    let read = |error: rusqlite::Error| CliError::from(StorageError::from(error));
    if let Some(seq) = store::stray(records).map_err(read)? {
        return Err(CliError::Failed(format!("row {seq} stands before the first: it was put there")));
    }
    let mut walk = Walk::new(store::genesis(records).map_err(read)?, expected);
    let mut rows = store::behind(records, 0, PAGE_ROWS).map_err(read)?;
    while let Some(last) = rows.last().map(|entry| entry.seq) {
        let next = store::behind(records, last, PAGE_ROWS.max(MOVED_ROWS_MAX)).map_err(read)?;
        let page = rows.len();
        // A row that was moved is looked for also behind the page.
        rows.extend_from_slice(&next);
        for place in 0..page {
            walk.step(&rows[place], &rows[place + 1..])
                .map_err(|broken| CliError::Failed(broken.to_string()))?;
        }
        told(walk.head().count);
        rows = next;
    }
    walk.end().map_err(|broken| CliError::Failed(broken.to_string()))
}

fn export(
    records: &Connection,
    format: Format,
    (from, to): (Option<Timestamp>, Option<Timestamp>),
    output: &mut impl Write,
) -> Result<(), CliError> {
    let (mut line, mut seq) = (String::new(), 0);
    if format == Format::Csv {
        output.write_all(HEADS.as_bytes())?;
    }
    loop {
        let rows = store::behind(records, seq, PAGE_ROWS).map_err(StorageError::from)?;
        let Some(last) = rows.last() else { return Ok(output.flush()?) };
        seq = last.seq;
        let is_within =
            |entry: &&Entry| from.is_none_or(|from| from <= entry.at) && to.is_none_or(|to| entry.at < to);
        for entry in rows.iter().filter(is_within) {
            line.clear();
            match format {
                Format::Ndjson => ndjson(entry, &mut line)?,
                Format::Csv => cells(entry, &mut line),
            }
            output.write_all(line.as_bytes())?;
        }
    }
}

fn ndjson(entry: &Entry, line: &mut String) -> Result<(), CliError> {
    let json = serde_json::to_string(entry).map_err(|error| CliError::Failed(error.to_string()))?;
    line.push_str(&plain::json_text(&json));
    line.push('\n');
    Ok(())
}

fn cells(entry: &Entry, line: &mut String) {
    let Entry { seq, at, act, by, who, role, from, agent_id, on, detail, result, times, hash } = entry;
    // Writing to a String cannot fail.
    let _ = write!(line, "{seq},{at}");
    let texts =
        [Some(act), Some(by), who.as_ref(), role.as_ref(), from.as_ref(), agent_id.as_ref(), on.as_ref()];
    let texts = texts.into_iter().map(|text| text.map_or("", String::as_str));
    for text in texts.chain([detail.get(), result]) {
        line.push(',');
        csv::text(text, line);
    }
    let _ = write!(line, ",{times},{}\r\n", hex(hash));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_printed() {
        let hash = [0xa7; HASH_BYTES];
        assert_eq!(expected(&format!("12:{}", hex(&hash))), Ok(Head { count: 12, hash }));
        for bad in ["", "12", ":", "x:00", "1:zz", &format!("1:{}", "é".repeat(HASH_BYTES))] {
            assert!(expected(bad).is_err(), "{bad}");
        }
    }
}
