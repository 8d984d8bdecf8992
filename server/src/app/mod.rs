//! The composition root: the one room that knows every other. It opens the cellar
//! ([`cellar`]), builds the rooms ([`rooms`]), starts what runs, and stops it in order.
//!
//! Start: folder and lock → master key → SQLite → DuckDB → the history, its journal read back → written series →
//! writer and keeper
//! → rooms → listener → first look at health → `listening on http://…` (or `https://…`) on standard output: only now is the
//! hub ready. A certificate is looked at before any records are opened ([`certificate`]).
//!
//! Stop: waiting requests are answered and no connection is accepted any more → open requests finish → the
//! queue is closed and what is in it committed → the keeper and the sweep end → the newest samples are written
//! down → the databases close → the lock goes. Whoever had to be left behind is named.

mod agents;
mod background;
mod cellar;
mod certificate;
mod deeds;
mod news;
mod rooms;
mod sql_rows;
mod written;

use self::cellar::Cellar;
use crate::{
    auth::oidc::{Oidc, OidcStartError},
    brake::Lockout,
    clock::Clock,
    events::Events,
    figures::Figures,
    http::{
        Porch,
        body::{Budget, Shares},
        moderate::Moderator,
        places, router,
        serve::serve,
    },
    ingest::{Queue, Writer, writer::WriterError},
    latest::Latest,
    settings::Settings,
    storage::{FaultsError, StorageError},
    tls::TlsError,
    tsdb::{TsdbError, keeper::Keeper},
};
use std::{
    future::Future,
    io::{self, Write},
    net::SocketAddr,
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
    let (cellar, appender) = spawn_blocking(move || cellar::open(&opening, &clock)).await??;
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
        senders_shares: Shares::of_bodies(),
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
    cellar::close(cellar, &common.latest).await
}

/// The one line on standard output.
fn say_ready(listener: &TcpListener, is_tls: bool) -> io::Result<()> {
    let scheme = if is_tls { "https" } else { "http" };
    let mut output = io::stdout().lock();
    writeln!(output, "listening on {scheme}://{}", listener.local_addr()?)?;
    output.flush()
}
