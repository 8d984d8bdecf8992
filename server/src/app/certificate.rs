//! The certificate at work: opened before the databases, looked at while the hub runs, and noted for the other commands.

use super::{AppError, Cellar, Common, deeds};
use crate::{
    clock::Clock,
    figures::Figures,
    reach::Reach,
    settings::{Certificate, Settings},
    storage::{DataFolder, FolderLock, Sqlite, StorageError},
    tls::{Identity, Source, Tls, names},
};
use pingup_protocol::time::Timestamp;
use rusqlite::Connection;
use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

/// How often it is looked at whether the certificate has changed, or is to be renewed. Its files are read each time: times
/// of files are no proof, and links to them change without them.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What TLS is to be spoken with; blocks. Comes behind the master key: who has read that knows that the passphrase is right,
/// which keys are sealed with here.
pub(super) fn open(
    settings: &Settings,
    (folder, alone): (&DataFolder, &FolderLock),
    clock: &Clock,
) -> Result<Option<Arc<Tls>>, AppError> {
    let keys = folder.tls_keys()?;
    // Also where they are not used now: they lie there.
    if let Err(error) = folder.follow_master(&keys, alone) {
        // A full disk must not keep the hub from starting; the next start tries again.
        tracing::warn!(%error, "keys in tls/ stay in the form that they are in");
    }
    let source = match &settings.certificate {
        None => return Ok(None),
        Some(Certificate::Files { certificate, key }) => {
            Source::Files { certificate: certificate.clone(), key: key.clone() }
        }
        Some(Certificate::Own) => {
            let names = names(settings.listen, settings.public_url.as_ref());
            Source::Own { folder: folder.tls_path(), names, keys }
        }
    };
    Ok(Some(Arc::new(Tls::open(source, clock.clone())?)))
}

/// Says whom agents are to expect, notes it, and returns what is to be done until the hub stops; nothing without TLS.
pub(super) fn watch(
    settings: &Arc<Settings>,
    cellar: &Cellar,
    common: &Common,
    listens: io::Result<SocketAddr>,
    hangup: Arc<Notify>,
) -> io::Result<Option<impl Future<Output = ()> + Send + use<>>> {
    let told = Told {
        settings: Arc::clone(settings),
        folder: cellar.folder.clone(),
        figures: Arc::clone(&common.figures),
        listens: listens?,
    };
    told.tell(cellar.tls.as_deref());
    let Some(tls) = cellar.tls.clone() else { return Ok(None) };
    let identity = tls.identity();
    let ca_file = tls.ca_file().map(|path| path.display().to_string());
    tracing::info!(pin = %identity.pin, ends = %identity.ends, ca_file, "TLS is spoken");
    let mut stopping = common.stopping.clone();
    let told = Arc::new(told);
    let (sqlite, clock) = (cellar.sqlite.clone(), common.clock.clone());
    Ok(Some(async move {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let is_asked = tokio::select! {
                _ = ticks.tick() => false,
                () = hangup.notified() => true,
                _ = stopping.wait_for(|stopping| *stopping) => break,
            };
            let before = tls.identity();
            let (looks, told) = (Arc::clone(&tls), Arc::clone(&told));
            let looking = spawn_blocking(move || {
                let is_changed = if is_asked { looks.look_again() } else { looks.look() };
                if is_changed {
                    told.tell(Some(&looks));
                }
                is_changed
            });
            match looking.await {
                Ok(true) => write_down(&sqlite, before, tls.identity(), clock.now()).await,
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(%error, "looking at the certificate broke; it is tried again");
                }
            }
        }
    }))
}

/// The certificate was replaced where its files lie: what is left to the hub is to tell of it.
async fn write_down(sqlite: &Sqlite, before: Identity, after: Identity, now: Timestamp) {
    let work = move |connection: &Connection| {
        Ok::<_, StorageError>(deeds::replace_certificate(connection, (&before, &after), now)?)
    };
    if let Err(error) = sqlite.write(work).await {
        tracing::warn!(%error, "that the certificate was replaced could not be written down");
    }
}

/// Where it is said what is shown.
struct Told {
    settings: Arc<Settings>,
    folder: DataFolder,
    figures: Arc<Figures>,
    listens: SocketAddr,
}

impl Told {
    fn tell(&self, tls: Option<&Tls>) {
        let identity = tls.map(Tls::identity);
        let ends = identity.as_ref().map_or(0, |identity| identity.ends.as_micros() / 1_000_000);
        self.figures.certificate_ends.set(u64::try_from(ends).unwrap_or(0));
        let shown = identity.map(|identity| (identity.pin, tls.and_then(Tls::ca_file)));
        let reach = Reach::new(self.listens, self.settings.public_url.as_ref(), shown);
        if let Err(error) = reach.note(&self.folder) {
            // Only the command that `join-token create` prints goes by it.
            tracing::warn!(%error, "how the hub is reached could not be noted");
        }
    }
}
