//! The engine's instance in memory: opened by the first who asks, for a hub that nobody asks does without its
//! memory; and replaced when DuckDB has given it up.
//!
//! After a fatal error every connection of the instance answers only that it is invalid. Nothing is kept in
//! it, so another takes its place; queries that still run on the old one end with its error and keep it alive
//! until then. Whether it has come to that is asked of the engine itself, on a connection that runs nothing
//! else: its errors are told apart by their words only, and words change.

use super::{
    DuckSettings,
    interrupts::{Interrupts, Query},
    tray::TrayFunction,
};
use crate::storage::StorageError;
use duckdb::{Config, Connection};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// What is needed to open an instance, again and again.
pub(super) struct Opener {
    memory: String,
    threads_max: u8,
    spill: PathBuf,
    folders: Vec<PathBuf>,
}

/// The instance, by the connection that the others are made from, once it is open.
pub(super) struct Instance {
    opener: Opener,
    source: Mutex<Option<Connection>>,
    interrupts: Arc<Interrupts>,
    reopened: AtomicU64,
}

impl Opener {
    /// `folders` must be there: they are named to the engine as they are, behind links.
    pub(super) fn new(
        settings: &DuckSettings,
        scratch: &Path,
        folders: &[PathBuf],
    ) -> Result<Self, StorageError> {
        let real = |folder: &PathBuf| folder.canonicalize().map_err(StorageError::file("find", folder));
        Ok(Self {
            memory: settings.memory.clone(),
            threads_max: settings.threads_max,
            spill: scratch.to_owned(),
            folders: folders.iter().map(real).collect::<Result<_, _>>()?,
        })
    }

    fn open(&self) -> Result<Connection, StorageError> {
        let connection = Connection::open_in_memory_with_flags(self.config()?)?;
        connection.register_table_function::<TrayFunction>("tray")?;
        // The Parquet extension's own, known only once it is loaded.
        connection.execute_batch("SET parquet_metadata_cache = true")?;
        connection.execute_batch(&self.fence())?;
        Ok(connection)
    }

    fn config(&self) -> Result<Config, duckdb::Error> {
        Config::default()
            .max_memory(&self.memory)?
            .threads(i64::from(self.threads_max))?
            .enable_autoload_extension(false)?
            .with("autoinstall_known_extensions", "false")?
            .with("preserve_insertion_order", "true")?
            .with("temp_directory", self.spill.to_string_lossy())
    }

    /// From here on SQL reaches the named folders and nothing else, and can set nothing any more.
    fn fence(&self) -> String {
        let folders = self.folders.iter().map(|folder| quoted(folder)).collect::<Vec<_>>().join(", ");
        format!(
            "SET allowed_directories = [{folders}]; SET enable_external_access = false; SET lock_configuration = true"
        )
    }
}

impl Instance {
    pub(super) fn new(opener: Opener) -> Self {
        Self { opener, source: Mutex::new(None), interrupts: Arc::default(), reopened: AtomicU64::new(0) }
    }

    /// Whether anybody has asked yet.
    pub(super) fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    pub(super) fn interrupts(&self) -> &Arc<Interrupts> {
        &self.interrupts
    }

    pub(super) fn reopened(&self) -> u64 {
        self.reopened.load(Ordering::Acquire)
    }

    /// Runs `work` as `query` on a connection of its own; when it fails, looks whether the instance has.
    pub(super) fn run<T, E>(
        &self,
        query: &Query,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<Result<T, E>, StorageError> {
        let connection = self.connect().inspect_err(|_| self.replace_unusable())?;
        let done = {
            // Ends before the connection does: nobody interrupts a closed one.
            let _running = query.begin(&connection)?;
            work(&connection)
        };
        drop(connection);
        if done.is_err() {
            self.replace_unusable();
        }
        Ok(done)
    }

    fn connect(&self) -> Result<Connection, StorageError> {
        let mut source = self.lock();
        let open = match source.take() {
            Some(open) => open,
            None => self.opener.open()?,
        };
        Ok(source.insert(open).try_clone()?)
    }

    /// Lets an instance go that answers nothing any more; the next who asks opens another.
    fn replace_unusable(&self) {
        let mut source = self.lock();
        if source.take_if(|open| open.execute_batch("SELECT 1").is_err()).is_some() {
            self.reopened.fetch_add(1, Ordering::Release);
            tracing::warn!("DuckDB gave up its instance; another takes its place");
        }
    }

    /// For tests: makes the instance answer nothing but errors, as a fatal one would.
    #[cfg(test)]
    pub(super) fn spoil(&self) {
        if let Some(open) = self.lock().as_ref() {
            let _refused = open.execute_batch("BEGIN; SELECT error('on purpose')");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A path as SQL text.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "''"))
}
