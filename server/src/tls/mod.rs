//! The hub's certificate: where it comes from, and that it is the right one at any moment.
//!
//! One of two [`Source`]s: files of the operator's, read again when they change; or the hub's own ([`own`]), made at the
//! first start and renewed by itself. Connections are shown what is in force at their handshake; those that are open go
//! on with what they were shown.
//!
//! Promises: a pair that cannot be used (the key is another's, it has ended, half of it is written) never takes the place
//! of one that can; why not is told once. A certificate that ends soon is told once a day.
//! Refuses to begin with a pair that cannot be used.

mod names;
mod own;
mod pair;
mod shown;
mod source;
mod validity;

pub use names::{host_name, names};
pub use own::{Inspected, inspect};
pub use pair::{Identity, PairError};
pub use source::Source;

use crate::{clock::Clock, storage::CA_FILE};
use pair::Pair;
use pingup_protocol::time::Timestamp;
use rustls::{ServerConfig, crypto::aws_lc_rs, server::NoServerSessionStorage};
use shown::{Shown, Tickets};
use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What is spoken over TLS, most wanted first.
const PROTOCOLS: [&[u8]; 2] = [H2, b"http/1.1"];
/// HTTP/2's name (RFC 9113 §3.1).
pub const H2: &[u8] = b"h2";

/// How long before its end a certificate of the operator's is told to end.
const SOON_SECONDS: i64 = 14 * DAY_SECONDS;
const DAY_SECONDS: i64 = 24 * 3_600;

/// Why there is no certificate to begin with; one line that says what to change.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A pair that cannot be used.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// The system gives no random bytes, or the like.
    #[error("TLS cannot be set up: {0}")]
    Broken(#[from] rustls::Error),
}

/// The certificate in force, and how it is kept right.
pub struct Tls {
    source: Source,
    clock: Clock,
    config: Arc<ServerConfig>,
    shown: Arc<Shown>,
    tickets: Arc<Tickets>,
    seen: Mutex<Seen>,
}

/// What was read and told last.
struct Seen {
    /// Of the source, as it was read.
    digest: pair::Digest,
    /// It could not be used.
    is_broken: bool,
    /// When it was last told that the certificate ends soon.
    warned_at: Option<Timestamp>,
}

impl Tls {
    /// Begins with what `source` has; blocks.
    pub fn open(source: Source, clock: Clock) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let (digest, pair) = source.read(clock.now(), &provider);
        let shown = Arc::new(Shown::new(pair?));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Shown>::clone(&shown));
        config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
        // Whoever comes back brings what is needed: a fleet's sessions take no memory here, its return few signatures.
        let tickets = Arc::new(Tickets::new()?);
        config.ticketer = Arc::<Tickets>::clone(&tickets);
        config.session_storage = Arc::new(NoServerSessionStorage {});
        let seen = Mutex::new(Seen { digest, is_broken: false, warned_at: None });
        let tls = Self { source, clock, config: Arc::new(config), shown, tickets, seen };
        tls.warn_of_end();
        Ok(tls)
    }

    /// What handshakes are made with.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Whom handshakes show.
    pub fn identity(&self) -> Identity {
        self.shown.now().identity
    }

    /// The file that clients may trust, where the certificate is the hub's own.
    pub fn ca_file(&self) -> Option<PathBuf> {
        match &self.source {
            Source::Files { .. } => None,
            Source::Own { folder, .. } => Some(folder.join(CA_FILE)),
        }
    }

    /// Takes up what has changed, or is due; whether anything has. Blocks.
    pub fn look(&self) -> bool {
        let is_changed = self.take_up(false);
        self.warn_of_end();
        is_changed
    }

    /// The same because somebody asked: what became of it is told in any case.
    pub fn look_again(&self) -> bool {
        self.take_up(true)
    }

    fn take_up(&self, is_asked: bool) -> bool {
        let before = self.identity();
        if let Source::Own { .. } = self.source
            && !is_asked
            && !own::is_due(&before, self.clock.now())
        {
            return false;
        }
        let (digest, read) = self.source.read(self.clock.now(), self.config.crypto_provider());
        {
            let mut seen = self.seen();
            if seen.digest == digest && !is_asked {
                return false;
            }
            (seen.digest, seen.is_broken) = (digest, read.is_err());
        }
        match read {
            Ok(pair) => self.show(pair, &before),
            Err(error) => {
                tracing::warn!(%error, "the certificate stays what it was");
                false
            }
        }
    }

    /// Has handshakes show this; whether it is another than before.
    fn show(&self, pair: Pair, before: &Identity) -> bool {
        let now = pair.identity.clone();
        self.shown.put(pair);
        tracing::info!(pin = %now.pin, ends = %now.ends, "the certificate was taken up");
        if now.pin != before.pin {
            tracing::warn!(pin = %now.pin, before = %before.pin,
                "the certificate has another key: agents that pinned the former one will not come back");
            if let Err(error) = self.tickets.begin_anew() {
                tracing::warn!(%error, "who was here before may come back without seeing the new key, for some hours");
            }
        }
        now != *before
    }

    /// Says once a day that the certificate ends soon.
    fn warn_of_end(&self) {
        let (now, ends) = (self.clock.now(), self.identity().ends);
        if ends > now.plus_seconds(SOON_SECONDS) {
            return;
        }
        let mut seen = self.seen();
        if seen.warned_at.is_none_or(|warned_at| warned_at.plus_seconds(DAY_SECONDS) <= now) {
            seen.warned_at = Some(now);
            tracing::warn!(%ends, "the certificate ends soon, or has ended: clients that go by it refuse the hub then");
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What health says of it: an error once it has ended. For everyone to read, so without names of files.
    pub fn verdict(&self) -> Result<Option<String>, String> {
        let (now, ends) = (self.clock.now(), self.identity().ends);
        match () {
            () if ends <= now => {
                Err(format!("the certificate ended {ends}: only clients with a pin still come"))
            }
            () if self.seen().is_broken => Ok(Some(
                "the certificate stays what it was: its new files cannot be used, as the log tells"
                    .to_owned(),
            )),
            () if ends <= now.plus_seconds(SOON_SECONDS) => Ok(Some(format!("the certificate ends {ends}"))),
            () => Ok(None),
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({})", self.identity().pin)
    }
}

#[cfg(test)]
mod tests;
