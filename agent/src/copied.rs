//! A state that turned out to be a copy: another machine's, or one of its own that was rolled back. That is kept in the
//! state folder before anything else is done about it, so that no later start takes the state for its own again.

use crate::state::{StateError, read_json, write_json};
use pingup_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fs::File, path::Path};

/// The mark's name in the state folder.
pub const FILE: &str = "copied.json";
/// What to do about it, for whoever reads of it.
const REMEDY: &str = "this state is a copy (a cloned disk), or was rolled back: stop the agent, and `pingup-agent reset` \
                      makes this machine an agent of its own";
/// Of a mark that cannot be read.
const UNTOLD: &str = "its sequence numbers were another's (the mark that says so is damaged)";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mark {
    why: String,
    found_at: Timestamp,
}

/// Marks the state in `folder` as a copy, for all starts to come. A disk that is full has room for an empty file, most
/// likely: that is a mark as well.
pub fn mark(folder: &Path, why: &str, found_at: Timestamp) -> Result<(), StateError> {
    let path = folder.join(FILE);
    write_json(&path, &Mark { why: why.to_owned(), found_at })
        .or_else(|error| File::create(&path).and_then(|file| file.sync_all()).map_err(|_| error))
}

/// Why the state in `folder` is a copy, if it was ever marked as one. A mark that makes no sense is one all the same.
pub fn found(folder: &Path) -> Result<Option<String>, StateError> {
    match read_json::<Mark>(&folder.join(FILE)) {
        Ok(mark) => Ok(mark.map(|mark| mark.why)),
        Err(StateError::Damaged { .. }) => Ok(Some(UNTOLD.to_owned())),
        Err(error) => Err(error),
    }
}

/// `why`, and what to do.
pub fn with_remedy(why: &str) -> String {
    format!("{why}; {REMEDY}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stays_and_one_that_is_damaged_is_one() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(found(home.path()).unwrap(), None);
        mark(home.path(), "x", Timestamp::from_micros(0)).unwrap();
        assert_eq!(found(home.path()).unwrap().as_deref(), Some("x"));
        std::fs::write(home.path().join(FILE), "").unwrap();
        assert_eq!(found(home.path()).unwrap().as_deref(), Some(UNTOLD));
    }

    #[test]
    fn what_cannot_be_written_whole_is_marked_all_the_same() {
        let home = tempfile::tempdir().unwrap();
        // Where the whole would be made before it is put in its place, nothing can be made.
        std::fs::create_dir(home.path().join(FILE).with_extension("tmp")).unwrap();
        mark(home.path(), "x", Timestamp::from_micros(0)).unwrap();
        assert!(found(home.path()).unwrap().is_some());
    }
}
