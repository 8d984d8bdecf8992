//! A join token that waits in the state folder for the first start: used once, then removed.
//!
//! So a service can enrol without the token standing in its settings, its environment or its arguments.

use crate::state::{StateDir, StateError};
use pingup_protocol::enrol::JoinToken;
use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Its name in the state folder.
pub const FILE: &str = "join-token";
/// Bytes of a token that are read: some times as many as one has.
const BYTES_MAX: u64 = 1024;

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum JoinTokenFileError {
    /// It cannot be read.
    #[error("cannot read a join token from {from}: {error}")]
    Io {
        /// Whence.
        from: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is none. What it is instead is not repeated.
    #[error("what {0} holds is no join token (pjt_…)")]
    Malformed(PathBuf),
}

/// Reads a token from `source`, which is called `from`.
pub fn read(source: impl Read, from: &Path) -> Result<JoinToken, JoinTokenFileError> {
    let mut text = String::new();
    match source.take(BYTES_MAX).read_to_string(&mut text) {
        Ok(_) => JoinToken::parse(text.trim()).map_err(|_| JoinTokenFileError::Malformed(from.to_owned())),
        Err(error) => Err(JoinTokenFileError::Io { from: from.to_owned(), error }),
    }
}

/// The token that waits in `state`, if one does.
pub fn waiting(state: &StateDir) -> Result<Option<JoinToken>, JoinTokenFileError> {
    let path = state.join(FILE);
    match std::fs::File::open(&path) {
        Ok(file) => read(file, &path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(JoinTokenFileError::Io { from: path, error }),
    }
}

/// Removes what waits: it was used, or is not needed.
pub fn forget(state: &StateDir) -> Result<(), StateError> {
    let path = state.join(FILE);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StateError::io(&path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::keys::{KEY_BYTES, Secret};

    #[test]
    fn a_token_waits_until_it_is_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let state = StateDir::open(home.path()).unwrap();
        assert!(waiting(&state).unwrap().is_none());
        let token = JoinToken { token_id: "t".into(), secret: Secret::new([5; KEY_BYTES]) };
        std::fs::write(state.join(FILE), format!("{}\n", token.to_text())).unwrap();
        assert_eq!(waiting(&state).unwrap().map(|token| token.token_id).as_deref(), Some("t"));
        forget(&state).unwrap();
        forget(&state).unwrap();
        assert!(waiting(&state).unwrap().is_none());
    }

    #[test]
    fn what_is_no_token_is_not_repeated_and_not_read_without_end() {
        for bad in ["", "secret", "pjt_"] {
            let error = read(bad.as_bytes(), Path::new("stdin")).unwrap_err().to_string();
            assert!(error.contains("stdin") && !error.contains("secret"), "{error}");
        }
        assert!(read(io::repeat(b'x'), Path::new("stdin")).is_err());
    }
}
