//! What can go wrong with configurations.

use crate::{standing::NotLiving, storage::StorageError};

/// Why a configuration was not read or set.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Nobody to configure.
    #[error(transparent)]
    NotLiving(#[from] NotLiving),
    /// Somebody else was faster.
    #[error("version {current} is in force, not the expected one; read it and decide anew")]
    VersionConflict {
        /// The version in force.
        current: u64,
    },
    /// The records could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<rusqlite::Error> for ConfigError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}
