//! What lies on disk, opened in its order and closed in its order: folder and lock, master key, certificate, databases, history.

use super::{AppError, background, certificate};
use crate::{
    audit,
    auth::{Keyring, operators::store::note_uses},
    clock::Clock,
    latest::Latest,
    series::Register,
    settings::Settings,
    storage::{DataFolder, DiskSpace, Duck, DuckSettings, Faults, FolderLock, Sqlite, Watch},
    sweep,
    tls::Tls,
    tsdb::{Appender, Opened, Places, Retention, Tsdb},
};
use std::{path::PathBuf, sync::Arc};
use tokio::task::spawn_blocking;

/// What lies on disk, and the keys to it.
pub(super) struct Cellar {
    pub(super) folder: DataFolder,
    pub(super) sqlite: Sqlite,
    pub(super) duck: Duck,
    pub(super) tsdb: Tsdb,
    /// Series that others write.
    pub(super) register: Arc<Register>,
    /// Where the history's files lie.
    pub(super) parts: PathBuf,
    pub(super) disk: DiskSpace,
    pub(super) keyring: Keyring,
    /// Hears what the command line does to operators' tokens.
    _tokens: Watch,
    /// What TLS is spoken with, if it is.
    pub(super) tls: Option<Arc<Tls>>,
    _lock: FolderLock,
}

/// Opens everything that lies on disk. Blocks.
pub(super) fn open(settings: &Settings, clock: &Clock) -> Result<(Cellar, Appender), AppError> {
    let folder = DataFolder::open_or_create(&settings.data_dir)?.with_master(settings.master.clone());
    let lock = folder.lock()?;
    let exposed = folder.exposed_mode()?;
    if exposed != 0 {
        let folder = folder.path().display();
        tracing::warn!(%folder, "the data folder is open to others; run chmod 700 on it");
    }
    let faults = Faults::from_env()?;
    let masters = folder.masters_or_create(&lock)?;
    let tls = certificate::open(settings, (&folder, &lock), clock)?;
    let disk = DiskSpace::watch(folder.path(), settings.disk_reserve_bytes)?;
    let sqlite = Sqlite::open(&folder.sqlite_path(), disk.clone(), clock.now())?;
    let places = Places::below(folder.path());
    places.create()?;
    let duckdb = DuckSettings { memory: settings.duckdb_memory.clone(), ..DuckSettings::default() };
    let duck = Duck::open(duckdb, &places.scratch, std::slice::from_ref(&places.parts))?;
    let retention = Retention {
        raw: settings.retention_raw,
        minute: settings.retention_minute,
        hour: settings.retention_hour,
    };
    let parts = places.parts.clone();
    let opened =
        Tsdb::open(places, sqlite.clone(), duck.clone(), clock.clone(), retention, disk.clone(), faults)?;
    let Opened { tsdb, appender } = opened;
    // Before the writer: it reads the marks, of which the former store has some.
    if tsdb.take_over_former(&folder)?.is_some() {
        tracing::info!("the history of the former analytics.duckdb was taken over");
    }
    let (of_sender, bytes) = (settings.series_max_per_sender, settings.series_bytes_max);
    let register = Arc::new(Register::open(sqlite.clone(), &tsdb, of_sender, bytes)?);
    let keyring = Keyring::new(masters, sqlite.clone(), clock.clone(), audit::store::record);
    let _tokens = keyring.operators().listen(&folder.sqlite_path())?;
    Ok((
        Cellar { folder, sqlite, duck, tsdb, register, parts, disk, keyring, _tokens, tls, _lock: lock },
        appender,
    ))
}

/// Writes down what was only in memory, then closes everything.
pub(super) async fn close(cellar: Cellar, latest: &Latest) -> Result<(), AppError> {
    let newest = latest.take_dirty(usize::MAX);
    if let Err(error) = sweep::latest::flush(&cellar.sqlite, newest, background::NOTE_NEWEST).await {
        // The history has them; the next start looks there.
        tracing::warn!(%error, "the newest samples could not be written down");
    }
    let uses = cellar.keyring.operators().take_uses();
    if let Err(error) = sweep::tokens::flush(&cellar.sqlite, uses, note_uses).await {
        tracing::warn!(%error, "who used tokens last could not be written down");
    }
    cellar.sqlite.close().await;
    // Closing folds the log into the file: not on a thread that serves.
    Ok(spawn_blocking(move || drop(cellar)).await?)
}
