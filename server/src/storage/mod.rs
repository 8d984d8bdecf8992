//! The cellar: databases and files. It knows no word of any domain; what tables mean is said in the rooms.
//!
//! Two things keep what must stay, both in one data folder ([`DataFolder`]): [`Sqlite`] the records
//! (`pingup.db`), [`Journal`] what has been accepted and is not in a file of its own yet. Each has one writer.
//! [`Duck`] keeps nothing: it is the engine that queries Parquet files and rows in memory ([`Tray`]) together,
//! and writes such files. Engines are used off the async runtime's threads.
//!
//! Promises:
//! - Work that was answered `Ok` by a write is committed and synced to disk. Work that failed has left
//!   nothing, with one exception, said at [`Journal`]'s module.
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
mod faults;
mod folder;
#[cfg(test)]
mod full_disk;
pub mod inspect;
mod journal;
pub mod lasting;
mod master;
pub mod migrate;
mod outbox;
mod page;
mod passphrase;
mod readers;
#[cfg(test)]
pub(crate) mod scratch;
pub mod seal;
mod sealed;
mod secret;
mod sqlite;

pub use self::{
    disk::DiskSpace,
    duck::{Duck, DuckSettings, Tray},
    error::StorageError,
    faults::{Faults, FaultsError},
    folder::{CA_FILE, CA_KEY, DataFolder, FolderLock, HUB_KEY, Hold, TlsKeys, list},
    journal::{Journal, RECORD_BYTES_MAX, ReadEnd},
    master::{MasterForm, MasterPlace, Masters},
    migrate::MigrationError,
    outbox::{OUTBOX_BYTES_MAX, OUTBOX_WAIT, Outbox},
    page::{Found, PAGE_BYTES_MAX, take_page},
    readers::{Readers, Wanted, give_way},
    sqlite::{Sqlite, Watch, touch},
};
