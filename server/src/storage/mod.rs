//! The cellar: databases and files. It knows no word of any domain; what tables mean is said in the rooms.
//!
//! Two engines live in one data folder ([`DataFolder`]): [`Sqlite`] keeps the records (`pingup.db`), [`Duck`]
//! keeps the history (`analytics.duckdb`). Each has one writer and several readers beside it, and each is
//! used off the async runtime's threads.
//!
//! Promises:
//! - Work that was answered `Ok` by a write is committed and synced to disk. Work that failed has left
//!   nothing, with one exception, said at [`Duck::write_blocking`].
//! - Every waiter is answered: after the commit, after its failure, and at shutdown.
//! - Every queue and pool has a bound; full is [`StorageError::Busy`] at once or after a named wait.
//! - A full disk is [`StorageError::Full`], not the end: writes work again when there is room again
//!   ([`DiskSpace`]).
//!
//! Refuses: a folder that another hub uses, a master key that others can read, a database that a newer hub
//! made, an applied migration that was edited.

mod disk;
mod duck;
mod error;
mod folder;
pub mod inspect;
mod master;
pub mod migrate;
mod page;
#[cfg(test)]
pub(crate) mod scratch;
mod sqlite;

pub use self::{
    disk::DiskSpace,
    duck::{Duck, DuckSettings},
    error::StorageError,
    folder::{DataFolder, FolderLock},
    migrate::MigrationError,
    page::{Found, PAGE_BYTES_MAX, take_page},
    sqlite::Sqlite,
};
