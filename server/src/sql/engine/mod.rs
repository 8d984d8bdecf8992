//! The engine of one question: what runs in its process. It speaks over the pipes that it is given, and needs nothing
//! else of the hub.
//!
//! Promises: nothing of the question is run before all of it was [read and allowed](check). What is read lies in the
//! history's folder ([`tables`]); what is written is one answer of bounded size ([`write`]).
//!
//! Refuses, each with words for who asked: what is no SQL, what is more or less than one SELECT, tables beside the four
//! views, functions that are not [listed](check), more memory or a longer answer than one may have. What no word can
//! refuse any more is the system's to end ([`fence`]).

pub(super) mod cells;
mod check;
mod fence;
mod tables;
mod tree;
mod words;
mod write;

use super::{
    letters::{Ask, Given, Word, hear, say},
    views::View,
};
use crate::storage::{Duck, DuckSettings, StorageError};
use arrow::error::ArrowError;
use duckdb::{
    Connection,
    core::{LogicalTypeHandle, LogicalTypeId},
};
use serde_json::Value;
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
};

pub use super::process::SUBCOMMAND;

/// Threads that work on a question: the hub has as many processors to itself as it has writers.
const THREADS_MAX: u8 = 2;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum EngineError {
    /// The question has to be asked otherwise.
    #[error("{0}")]
    Refused(String),
    /// The engine.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Rows that are not what was promised.
    #[error("rows that cannot be read: {0}")]
    Arrow(#[from] ArrowError),
    /// The hub is gone.
    #[error("the hub is gone: {0}")]
    Pipe(#[from] io::Error),
}

impl From<duckdb::Error> for EngineError {
    fn from(error: duckdb::Error) -> Self {
        Self::Storage(error.into())
    }
}

impl EngineError {
    fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}

/// Answers one question: heard from `input`, told to `output`. The process can do little else from then on.
pub fn serve(input: impl Read, output: impl Write) -> io::Result<()> {
    let mut input = BufReader::new(input);
    let ask: Ask = hear(&mut input)?;
    fence::close(&ask)?;
    run(&ask, &mut input, output)
}

/// The same without a fence.
pub(super) fn run(ask: &Ask, input: &mut impl BufRead, mut output: impl Write) -> io::Result<()> {
    let word = match answer(ask, input, &mut output) {
        Ok((rows, more, body)) => {
            say(&mut output, &Word::Answer { rows, more, bytes: body.len() })?;
            output.write_all(&body)?;
            return output.flush();
        }
        Err(EngineError::Pipe(error)) => return Err(error),
        Err(EngineError::Refused(why)) => Word::Refused(why),
        Err(EngineError::Arrow(ArrowError::CastError(_))) => Word::Refused(words::UNTOLD_VALUE.to_owned()),
        Err(EngineError::Arrow(error)) => Word::Failed(error.to_string()),
        Err(EngineError::Storage(error)) => words::of(&error, &ask.folder),
    };
    say(&mut output, &word)
}

/// The views that a query names, or why it is not run. Runs nothing of it.
pub fn look(connection: &Connection, query: &str) -> Result<Vec<&'static str>, String> {
    let views = check::check(connection, query).map_err(|error| error.to_string())?;
    Ok(views.into_iter().map(View::name).collect())
}

/// The same for a statement as DuckDB's parser tells it (`json_serialize_sql`), which need not come from there.
pub fn look_through(statement: &Value) -> Result<Vec<&'static str>, String> {
    Ok(check::read(statement, "")?.into_iter().map(View::name).collect())
}

/// The answer: rows, whether there are more, and the body.
fn answer(
    ask: &Ask,
    input: &mut impl BufRead,
    output: &mut impl Write,
) -> Result<(u64, bool, Vec<u8>), EngineError> {
    let settings =
        DuckSettings { memory: ask.memory.clone(), threads_max: THREADS_MAX, ..DuckSettings::default() };
    // No folder to spill to: what memory does not hold is refused.
    let engine = Duck::open(settings, Path::new(""), &[PathBuf::from(&ask.folder)])?;
    engine.run_blocking(|connection| {
        let views: Vec<View> = check::check(connection, &ask.query)?.into_iter().collect();
        say(output, &Word::Wants(views.clone()))?;
        let given: Given = hear(input)?;
        // They are read while the question runs.
        let _trays = tables::make(connection, &views, &given, ask.now_micros, input)?;
        read(connection, ask)
    })
}

fn read(connection: &Connection, ask: &Ask) -> Result<(u64, bool, Vec<u8>), EngineError> {
    let mut statement = connection.prepare(&ask.query)?;
    // The rows come chunk by chunk; what the stream itself hands over would panic where a chunk fails.
    let schema = statement.stream_arrow([])?.get_schema();
    if (0..schema.fields().len()).any(|column| is_untold(&statement.column_logical_type(column))) {
        return Err(EngineError::refused(words::UNTOLD_TYPE));
    }
    let mut page = write::Page::new(ask, schema)?;
    while !page.is_full()
        && let Some(chunk) = statement.step()?
    {
        page.take(&chunk.into())?;
    }
    page.finish()
}

/// Whether a type, or one that it is made of, looks like another in Arrow: a whole number without a sign like one with it,
/// a time with a zone like one without.
fn is_untold(of: &LogicalTypeHandle) -> bool {
    matches!(of.id(), LogicalTypeId::UHugeint | LogicalTypeId::TimeTZ)
        || (0..of.num_children()).any(|member| is_untold(&of.child(member)))
}
