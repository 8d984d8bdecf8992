//! The spool: whether more can be put into it, and whether anything was lost.

use super::Check;
use crate::{
    free::Room,
    spool::{Bounds, examine},
};
use rustix::fs::{Access, access};
use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

const NAME: &str = "spool";
/// What an owner must be allowed in a folder to write there.
const OWNER: u32 = 0o700;

/// Examines the spool in `folder`, which may hold as much as `bounds` say.
pub(super) fn check(folder: &Path, bounds: Option<Bounds>) -> Check {
    match find(folder, bounds) {
        Ok(check) => check,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Check::ok(NAME, "none yet; the agent makes it at its first start")
        }
        Err(error) => Check::fail(
            NAME,
            format!("{}: {error}", folder.display()),
            "call this as root, or as the user that the agent runs as; if that does not help, look at the disk",
        ),
    }
}

fn find(folder: &Path, bounds: Option<Bounds>) -> io::Result<Check> {
    let shown = folder.display();
    let metadata = fs::metadata(folder)?;
    if !metadata.is_dir() {
        return Ok(Check::fail(NAME, format!("{shown} is no folder"), "move what is there away"));
    }
    let mode = metadata.mode() & 0o7777;
    let is_closed = mode & OWNER != OWNER || access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err();
    let Room { free, fault } = Room::of(folder)?;
    if let Some(fault) = fault {
        let remedy = "make room, or mount the disk for writing; or name a state folder elsewhere";
        return Ok(Check::fail(NAME, format!("nothing can be put into {shown}: {fault}"), remedy));
    }
    if is_closed {
        let remedy = format!("`chmod 700 {shown}`, and see that it is of the user that the agent runs as");
        return Ok(Check::fail(NAME, format!("{shown} (mode {mode:04o}) cannot be written to"), remedy));
    }
    let summary = match examine(folder) {
        Ok(summary) => summary,
        Err(error) => {
            let remedy = "restore stream.json; or stop the agent and remove the folder, which gives up what waits in it";
            return Ok(Check::fail(NAME, error.to_string(), remedy));
        }
    };
    let wanted = bounds.map_or(0, |bounds| bounds.bytes_max.saturating_sub(summary.bytes));
    let found = format!("{} bytes of records, {} records dropped ever", summary.bytes, summary.dropped);
    if free < wanted {
        return Ok(Check::warn(
            NAME,
            format!("{found}; {free} bytes are free on the disk, and it may grow by {wanted}"),
            "make room, or set spool_bytes_max lower",
        ));
    }
    Ok(Check::ok(NAME, found))
}
