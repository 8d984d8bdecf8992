//! The composition root: the one room that knows every other. It opens the cellar, builds the rooms
//! ([`rooms`]), starts what runs, and stops it in order.
//!
//! Start: folder and lock → master key → SQLite → DuckDB → the history, its journal read back → written series →
//! writer and keeper
//! → rooms → listener → first look at health → `listening on http://…` (or `https://…`) on standard output: only now is the
//! hub ready. A certificate is looked at before anything is opened that it could keep from starting ([`certificate`]).
//!
//! Stop: waiting requests are answered and no connection is accepted any more → open requests finish → the
//! queue is closed and what is in it committed → the keeper and the sweep end → the newest samples are written
//! down → the databases close → the lock goes. Whoever had to be left behind is named.

mod agents;
mod background;
mod certificate;
mod deeds;
mod news;
mod rooms;
mod sql_rows;
mod written;

use crate::{
    audit,
    auth::{
        Keyring,
        oidc::{Oidc, OidcStartError},
        operators::store::note_uses,
    },
    brake::Lockout,
    clock::Clock,
    events::Events,
    figures::Figures,
    http::{Porch, body::Budget, moderate::Moderator, places, router, serve::serve},
    ingest::{Queue, Writer, writer::WriterError},
    latest::Latest,
    series::Register,
    settings::Settings,
    storage::{
        DataFolder, DiskSpace, Duck, DuckSettings, Faults, FaultsError, FolderLock, Sqlite, StorageError,
        Watch,
    },
    sweep,
    tls::{Tls, TlsError},
    tsdb::{Appender, Opened, Places, Retention, Tsdb, TsdbError, keeper::Keeper},
};
use std::{
    future::Future,
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::{JoinError, spawn_blocking},
};

/// Why the hub did not start, or did not stop well.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The data folder or a database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The history.
    #[error("the history cannot be opened: {0}")]
    History(#[from] TsdbError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The ingest's writer.
    #[error(transparent)]
    Writer(#[from] WriterError),
    /// The threads that keep the history in order.
    #[error("the history's keeper cannot be started: {0}")]
    Keeper(io::Error),
    /// Faults that were asked for in words nobody understands.
    #[error(transparent)]
    Faults(#[from] FaultsError),
    /// The address.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The provider of others' tokens.
    #[error(transparent)]
    Oidc(#[from] OidcStartError),
    /// Standard output.
    #[error("cannot say on standard output that the hub is ready: {0}")]
    Ready(io::Error),
    /// A part of starting or stopping panicked.
    #[error("a part of the hub broke while it started or stopped: {0}")]
    Broken(#[from] JoinError),
}

/// What lies on disk, and the keys to it.
struct Cellar {
    folder: DataFolder,
    sqlite: Sqlite,
    duck: Duck,
    tsdb: Tsdb,
    /// Series that others write.
    register: Arc<Register>,
    /// Where the history's files lie.
    parts: PathBuf,
    disk: DiskSpace,
    keyring: Keyring,
    /// Hears what the command line does to operators' tokens.
    _tokens: Watch,
    /// What TLS is spoken with, if it is.
    tls: Option<Arc<Tls>>,
    _lock: FolderLock,
}

/// What rooms share.
struct Common {
    clock: Clock,
    figures: Arc<Figures>,
    latest: Arc<Latest>,
    /// What happens is told here.
    events: Arc<Events>,
    /// Turns true once, when the hub begins to stop.
    stopping: watch::Receiver<bool>,
}

/// Runs the hub until `shutdown`; each time that `hangup` is notified it looks at its certificate again.
pub async fn run(
    settings: Settings,
    hangup: Arc<Notify>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), AppError> {
    let (stop, stopping) = watch::channel(false);
    let (clock, figures) = (Clock::system(), Arc::<Figures>::default());
    let events = Events::new(settings.events_kept, clock.clone(), Arc::clone(&figures), stopping.clone());
    let common = Common { clock, figures, latest: Arc::default(), events: Arc::new(events), stopping };
    let (settings, clock) = (Arc::new(settings), common.clock.clone());
    let opening = Arc::clone(&settings);
    let (cellar, appender) = spawn_blocking(move || open(&opening, &clock)).await??;
    cellar.keyring.check_masters().await?;

    let oidc = settings.oidc.clone().map(|trust| Oidc::new(trust, common.clock.clone())).transpose()?;
    let queue = Arc::new(Queue::new(settings.queue_jobs, settings.queue_bytes, Arc::clone(&common.figures)));
    let for_writer = Arc::clone(&queue);
    let (latest, figures) = (Arc::clone(&common.latest), Arc::clone(&common.figures));
    let (events, clock) = (Arc::clone(&common.events), common.clock.clone());
    let store = news::Watched { store: appender, events, clock };
    let writer = spawn_blocking(move || Writer::start(for_writer, store, latest, figures)).await??;
    let keeper = Keeper::start(cellar.tsdb.clone(), cellar.folder.clone()).map_err(AppError::Keeper)?;

    let senders_bodies = Budget::senders();
    let rooms = rooms::build(&settings, &cellar, &common, &queue, &senders_bodies);
    let porch = Porch {
        clock: common.clock.clone(),
        figures: Arc::clone(&common.figures),
        lockout: Arc::new(Lockout::new(settings.bad_tokens_per_minute)),
        moderator: Moderator::new(&settings.limits, Arc::clone(&common.figures)),
        bodies: Budget::known(),
        operators_bodies: Budget::operators(),
        senders_bodies,
        strangers_bodies: Budget::strangers(),
        oidc,
        attempts: deeds::attempts(&rooms.audit),
    };
    let router = router::router(rooms.clone(), &cellar.keyring, &porch);
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|source| AppError::Listen { address: settings.listen, source })?;
    let sweep = background::sweep(&settings, &cellar, &common, &rooms, &porch.moderator);
    let mut ended = common.stopping.clone();
    let sweep = tokio::spawn(sweep.run(async move {
        let _ = ended.wait_for(|stopping| *stopping).await;
    }));
    rooms.health.examine().await;
    let watching = certificate::watch(&settings, &cellar, &common, listener.local_addr(), hangup);
    let watching = watching.map_err(AppError::Ready)?.map(tokio::spawn);
    rooms.audit.tell_head().await;
    say_ready(&listener, cellar.tls.is_some()).map_err(AppError::Ready)?;

    let shutdown = async {
        shutdown.await;
        stop.send_replace(true);
    };
    let tls = cellar.tls.as_ref().map(|tls| tls.config());
    let places = places::Places::new(settings.connections_max, settings.limits, Arc::clone(&common.figures));
    let left = serve(listener, tls, router, places, shutdown).await;
    porch.moderator.tell(common.clock.now());
    if left > 0 {
        tracing::warn!(connections = left, "open requests did not finish in time and were left");
    }
    spawn_blocking(move || {
        writer.stop();
        keeper.stop();
    })
    .await?;
    sweep.await?;
    if let Some(watching) = watching {
        watching.await?;
    }
    if let Err(error) = rooms.audit.write_attempts(true).await {
        tracing::warn!(%error, "what was refused of late could not be written down");
    }
    rooms.audit.tell_head().await;
    // The rooms hold the databases open too; the lock must outlive the last who does.
    drop(rooms);
    close(cellar, &common.latest).await
}

/// Opens everything that lies on disk. Blocks.
fn open(settings: &Settings, clock: &Clock) -> Result<(Cellar, Appender), AppError> {
    let folder = DataFolder::open_or_create(&settings.data_dir)?.with_master(settings.master.clone());
    let lock = folder.lock()?;
    let exposed = folder.exposed_mode()?;
    if exposed != 0 {
        let folder = folder.path().display();
        tracing::warn!(%folder, "the data folder is open to others; run chmod 700 on it");
    }
    let tls = certificate::open(settings, &folder, clock)?;
    let faults = Faults::from_env()?;
    let masters = folder.masters_or_create(&lock)?;
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
    let register = Arc::new(Register::open(sqlite.clone(), &tsdb, settings.series_max_per_sender)?);
    let keyring = Keyring::new(masters, sqlite.clone(), clock.clone(), audit::store::record);
    let _tokens = keyring.operators().listen(&folder.sqlite_path())?;
    Ok((
        Cellar { folder, sqlite, duck, tsdb, register, parts, disk, keyring, _tokens, tls, _lock: lock },
        appender,
    ))
}

/// The one line on standard output.
fn say_ready(listener: &TcpListener, is_tls: bool) -> io::Result<()> {
    let scheme = if is_tls { "https" } else { "http" };
    let mut output = io::stdout().lock();
    writeln!(output, "listening on {scheme}://{}", listener.local_addr()?)?;
    output.flush()
}

async fn close(cellar: Cellar, latest: &Latest) -> Result<(), AppError> {
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
