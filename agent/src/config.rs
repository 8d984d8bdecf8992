//! The hub's configuration of this agent: how often, what to scan, and which actions are taken away.
//!
//! It can only narrow what the machine's own settings allow. The highest version that was applied is kept; a
//! lower one is refused, so nobody who recorded an old one can bring it back. One that cannot be read is
//! refused as a whole, and the one before stays. One that was kept and cannot be read any more leaves only what
//! does nothing, until another was fetched: what the hub took away does not come back by a restart.

use crate::{
    backoff::{Backoff, REFUSED, random},
    execute::AllowList,
    scan::{Place, Plan, PlanError, parse_network},
    settings::Settings,
    state::{StateError, read_json, write_json},
    stop::Stop,
    transport::{Failure, Revoked, Session, nonce},
};
use pingup_protocol::{
    config::{AgentConfig, ConfigAnswer},
    heartbeat::{ConfigReport, RefusedConfig},
    schema::SchemaError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    cell::{Cell, RefCell},
    num::NonZeroU32,
    path::PathBuf,
    rc::Rc,
    time::Duration,
};
use tokio::sync::{Notify, watch};

/// What may run while it is not known what the hub took away.
const HARMLESS: &str = "ping";

/// Why a configuration is not applied.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A lower version than one that was applied before.
    #[error("version {offered} is lower than {applied}, which was applied before")]
    Older {
        /// What came.
        offered: u64,
        /// What is in force.
        applied: u64,
    },
    /// It does not have the right form.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// It asks for scans that are not made.
    #[error("/config/discovery/cidrs: {0}")]
    Plan(#[from] PlanError),
    /// It cannot be kept, so it is not applied either.
    #[error(transparent)]
    State(#[from] StateError),
}

/// What is in force: the machine's settings, narrowed and timed by the hub.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// Between two samples.
    pub interval: Duration,
    /// The actions that may run.
    pub allow: AllowList,
    /// Between two scans; none are made on their own without it.
    pub scan_every: Option<Duration>,
    /// What to scan; the machine's own subnets without it.
    pub places: Option<Vec<Place>>,
    /// Whether these may be many addresses.
    pub force: bool,
    /// The ports that a scan tries.
    pub ports: Vec<u16>,
    /// Attempts that a scan makes each second.
    pub rate: NonZeroU32,
}

impl Effective {
    /// The machine's own settings.
    pub fn of(settings: &Settings) -> Self {
        Self {
            interval: settings.interval,
            allow: settings.allow.clone(),
            scan_every: None,
            places: settings.scan.places.clone(),
            force: false,
            ports: settings.scan.ports.clone(),
            rate: settings.scan.rate,
        }
    }

    /// These while the hub's configuration is not known.
    fn closed(&self) -> Self {
        Self { allow: self.allow.narrowed(&[HARMLESS.to_owned()]), ..self.clone() }
    }

    /// These under `config`.
    fn under(&self, config: &AgentConfig) -> Result<Self, ConfigError> {
        let mut narrowed = self.clone();
        if let Some(seconds) = config.interval_seconds {
            narrowed.interval = Duration::from_secs(seconds);
        }
        if let Some(actions) = &config.allow {
            narrowed.allow = narrowed.allow.narrowed(actions);
        }
        if let Some(discovery) = &config.discovery {
            narrowed.scan_every = discovery.every_seconds.map(Duration::from_secs);
            if let Some(ports) = &discovery.ports {
                narrowed.ports.clone_from(ports);
            }
            narrowed.force = discovery.force.unwrap_or(false);
            if let Some(cidrs) = &discovery.cidrs {
                let networks = cidrs.iter().map(|cidr| parse_network(cidr)).collect::<Result<Vec<_>, _>>()?;
                Plan::new(networks.clone(), narrowed.ports.clone(), narrowed.force)?;
                narrowed.places = Some(networks.into_iter().map(Place::Network).collect());
            }
        }
        Ok(narrowed)
    }
}

/// A version as it is kept.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    version: u64,
    config: Map<String, Value>,
}

/// Keeps the configuration, and tells everyone when it changes.
pub struct ConfigKeeper {
    path: PathBuf,
    own: Effective,
    /// The highest version that was ever applied: no lower one is.
    floor: Cell<u64>,
    /// The version in force; none when the one that was kept cannot be read any more.
    applied: Cell<Option<u64>>,
    /// The highest version the hub spoke of.
    heard: Cell<u64>,
    /// The highest version that could not be applied: it is not fetched again.
    refused: Cell<Option<u64>>,
    /// The last version that could not be applied, and why: also where it is tried again, since the disk is at fault.
    trouble: RefCell<Option<RefusedConfig>>,
    newer: Notify,
    decided: Notify,
    news: Notify,
    current: watch::Sender<Rc<Effective>>,
}

impl ConfigKeeper {
    /// Begins with the machine's `own` settings under what is kept at `path`.
    pub fn open(path: PathBuf, own: Effective) -> Result<Self, StateError> {
        let kept: Kept = read_json(&path)?.unwrap_or_default();
        let applied =
            AgentConfig::read(&kept.config).map_err(ConfigError::from).and_then(|read| own.under(&read));
        let (in_force, effective, trouble) = match applied {
            Ok(effective) => (Some(kept.version), effective, None),
            Err(error) => {
                tracing::error!(
                    version = kept.version,
                    "the kept configuration does not fit any more: {error}. Until it was fetched again, nothing \
                     but {HARMLESS} may run"
                );
                (None, own.closed(), Some(RefusedConfig::new(kept.version, &error.to_string())))
            }
        };
        let newer = Notify::new();
        newer.notify_one();
        Ok(Self {
            path,
            own,
            floor: Cell::new(kept.version),
            applied: Cell::new(in_force),
            heard: Cell::new(kept.version),
            refused: Cell::new(None),
            trouble: RefCell::new(trouble),
            newer,
            decided: Notify::new(),
            news: Notify::new(),
            current: watch::Sender::new(Rc::new(effective)),
        })
    }

    /// What is in force.
    pub fn current(&self) -> Rc<Effective> {
        Rc::clone(&self.current.borrow())
    }

    /// The version in force; 0 before any was; none when the one that was kept cannot be read any more.
    pub const fn version(&self) -> Option<u64> {
        self.applied.get()
    }

    /// What the hub is told of it.
    pub fn report(&self) -> ConfigReport {
        ConfigReport { applied: self.applied.get(), refused: self.trouble.borrow().clone() }
    }

    /// Waits until there is something to tell the hub. What happened since this was waited for last counts.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// Hears of every change of what is in force.
    pub fn changes(&self) -> watch::Receiver<Rc<Effective>> {
        self.current.subscribe()
    }

    /// The hub says that `version` is in force.
    pub fn hear(&self, version: u64) {
        if self.is_newer(version) {
            self.heard.set(version);
            self.newer.notify_one();
        }
    }

    /// Whether `version` would change what is in force: it was neither applied nor refused yet.
    pub fn is_newer(&self, version: u64) -> bool {
        let unknown = self.applied.get().is_none_or(|applied| version > applied);
        unknown && version >= self.floor.get() && self.refused.get() != Some(version)
    }

    /// Waits until `version` was applied or refused, by whoever [`run`]s this.
    pub async fn decided(&self, version: u64) {
        loop {
            let decided = self.decided.notified();
            if !self.is_newer(version) {
                return;
            }
            decided.await;
        }
    }

    /// Applies what the hub handed out, verified: now, and after every start to come.
    pub fn apply(&self, answer: ConfigAnswer) -> Result<(), ConfigError> {
        let (offered, applied) = (answer.version, self.floor.get());
        if offered < applied {
            return Err(ConfigError::Older { offered, applied });
        }
        let effective = self.own.under(&AgentConfig::read(&answer.config)?)?;
        write_json(&self.path, &Kept { version: offered, config: answer.config })?;
        self.floor.set(offered);
        self.applied.set(Some(offered));
        self.trouble.replace(None);
        self.current.send_replace(Rc::new(effective));
        Ok(())
    }

    fn is_wanting(&self) -> bool {
        self.is_newer(self.heard.get())
    }

    /// Applies or refuses what was fetched; whether that decides what the hub spoke of.
    fn decide(&self, answer: ConfigAnswer) -> bool {
        let (version, heard) = (answer.version, self.heard.get());
        // Should the hub hand out less than it announced: that is all there is for now.
        self.heard.set(heard.min(version.max(self.floor.get())));
        let before = self.report();
        let outcome = self.apply(answer);
        if let Err(error) = &outcome {
            self.trouble.replace(Some(RefusedConfig::new(version, &error.to_string())));
        }
        if self.report() != before {
            self.news.notify_one();
        }
        let is_decided = match outcome {
            Ok(()) => {
                tracing::info!(version, "applied a new configuration");
                version >= heard
            }
            // It is the disk that does not take it: another time it may.
            Err(error @ ConfigError::State(_)) => {
                tracing::error!(version, "a configuration is not applied: {error}");
                false
            }
            Err(error) => {
                tracing::warn!(version, "refused a configuration, the one before stays: {error}");
                if version >= heard {
                    self.refused.set(Some(heard));
                }
                version >= heard
            }
        };
        self.decided.notify_waiters();
        is_decided
    }
}

/// Fetches what the hub says is newer, until told to stop.
pub async fn run(keeper: &ConfigKeeper, session: &mut Session, stop: &Stop) -> Result<(), Revoked> {
    let mut backoff = Backoff::new(REFUSED);
    while stop.or(keeper.newer.notified()).await.is_some() {
        while keeper.is_wanting() && !stop.is_set() {
            let wait = match fetch(session).await.map(|answer| keeper.decide(answer)) {
                Ok(true) => {
                    backoff.reset();
                    continue;
                }
                Ok(false) => backoff.after_failure(None, random()),
                Err(failure) if failure.is_revoked() => return Err(Revoked::because(&failure)),
                Err(failure) => {
                    failure.log_unexpected("config");
                    failure.wait(&mut backoff)
                }
            };
            stop.sleep(wait).await;
        }
    }
    Ok(())
}

async fn fetch(session: &mut Session) -> Result<ConfigAnswer, Failure> {
    let nonce = nonce()?;
    let agent_id = session.link().identity().agent_id.clone();
    let body = session.get(&format!("/api/v1/config/{agent_id}?nonce={nonce}"), Duration::ZERO).await?;
    let answer: ConfigAnswer = session.link().verified(&body)?;
    if answer.nonce != nonce || answer.agent_id != agent_id {
        return Err(Failure::Unverified("it answers another request".to_owned()));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests;
