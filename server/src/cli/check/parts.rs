//! Whether each part has the bytes, the checksum and the rows that the catalogue says.

use crate::{
    storage::{Duck, DuckSettings, StorageError},
    tsdb::{
        PartRow, Places,
        checksum::{self, CHANGED, MISSING},
        quote,
    },
};
use rustix::io::Errno;
use std::{fs, path::Path, slice};

/// What is wrong with a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The disk does not have it any more, or not as it was written.
    Damaged(String),
    /// Nobody can say, or its file is what was written: it is not the disk's fault.
    Other(String),
}

/// Looks at each of `parts`; those that are not well. The folder of all parts must be there.
pub(super) fn look<'a>(
    parts: &'a [PartRow],
    places: &Places,
) -> Result<Vec<(&'a PartRow, Trouble)>, StorageError> {
    let engine = Duck::open(DuckSettings::default(), &places.scratch, slice::from_ref(&places.parts))?;
    let look = |part: &'a PartRow| {
        let looked = look_at_part(&engine, part, &places.parts.join(part.file()));
        looked.err().map(|trouble| (part, trouble))
    };
    Ok(parts.iter().filter_map(look).collect())
}

fn look_at_part(engine: &Duck, part: &PartRow, path: &Path) -> Result<(), Trouble> {
    let found = fs::metadata(path).map_err(StorageError::file("look at", path)).map_err(unread)?.len();
    if found != part.bytes {
        return Err(Trouble::Damaged(format!("it has {found} bytes, {} expected", part.bytes)));
    }
    let is_checked = match part.crc32 {
        Some(expected) if checksum::of_file(path).map_err(unread)? != expected => {
            return Err(Trouble::Damaged(CHANGED.to_owned()));
        }
        checked => checked.is_some(),
    };
    let sql = format!("SELECT count(*) FROM read_parquet({})", quote(path));
    let count = |connection: &duckdb::Connection| {
        connection.query_row(&sql, [], |row| row.get::<_, u64>(0)).map_err(StorageError::from)
    };
    let what = match engine.run_blocking(count) {
        Ok(rows) if rows == part.rows => return Ok(()),
        Ok(rows) => format!("it has {rows} rows, {} expected", part.rows),
        Err(error) => error.to_string(),
    };
    Err(if is_checked { Trouble::Other(what) } else { Trouble::Damaged(what) })
}

/// A file that is gone, or that the disk cannot read, is damaged; one that may not be read is not.
fn unread(error: StorageError) -> Trouble {
    match &error {
        error if error.is_missing() => Trouble::Damaged(MISSING.to_owned()),
        StorageError::File { source, .. } if Errno::from_io_error(source) == Some(Errno::IO) => {
            Trouble::Damaged(error.to_string())
        }
        _ => Trouble::Other(error.to_string()),
    }
}
