//! The hub's configuration of this agent: how often, what to scan, and which actions are taken away.
//!
//! It can only narrow what the machine's own settings allow. The highest version that was applied is kept; a
//! lower one is refused, so nobody who recorded an old one can bring it back. One that cannot be read is
//! refused as a whole, and the one before stays. One that was kept and cannot be read any more leaves only what
//! does nothing, until another was fetched: what the hub took away does not come back by a restart.

mod effective;
mod fetch;

pub use effective::{ConfigError, Effective};
pub use fetch::run;

use crate::state::{StateError, read_json, write_json};
use effective::HARMLESS;
use pingup_protocol::{
    config::{AgentConfig, ConfigAnswer},
    heartbeat::{ConfigReport, RefusedConfig},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    cell::{Cell, RefCell},
    path::{Path, PathBuf},
    rc::Rc,
};
use tokio::sync::{Notify, watch};

/// A version as it is kept.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    version: u64,
    config: Map<String, Value>,
}

impl Kept {
    /// What is kept at `path`; the very first, where nothing is.
    fn load(path: &Path) -> Result<Self, StateError> {
        Ok(read_json(path)?.unwrap_or_default())
    }
}

/// What is wrong with the file at `path`, if it is there and the agent will not go by it.
pub fn fault(path: &Path) -> Result<Option<String>, StateError> {
    match Kept::load(path) {
        Ok(kept) => Ok(AgentConfig::read(&kept.config).err().map(|error| error.to_string())),
        Err(StateError::Damaged { reason, .. }) => Ok(Some(reason)),
        Err(error) => Err(error),
    }
}

/// What to begin with.
struct Found {
    floor: u64,
    in_force: Option<u64>,
    effective: Effective,
    trouble: Option<RefusedConfig>,
}

/// The machine's `own` settings under what is kept at `path`. What cannot be read, or does not fit any more, leaves only
/// what does nothing; a file that is damaged does not even say which version it was.
fn find(path: &Path, own: &Effective) -> Result<Found, StateError> {
    let closed = |floor, trouble: Option<RefusedConfig>, error: &dyn std::fmt::Display| {
        tracing::error!(
            version = trouble.as_ref().map(|trouble| trouble.version),
            "the kept configuration cannot be used: {error}. Until it was fetched again, nothing but {HARMLESS} may run"
        );
        Found { floor, in_force: None, effective: own.closed(), trouble }
    };
    let kept = match Kept::load(path) {
        Ok(kept) => kept,
        Err(StateError::Damaged { reason, .. }) => return Ok(closed(0, None, &reason)),
        Err(error) => return Err(error),
    };
    let applied =
        AgentConfig::read(&kept.config).map_err(ConfigError::from).and_then(|read| own.under(&read));
    Ok(match applied {
        Ok(effective) => {
            Found { floor: kept.version, in_force: Some(kept.version), effective, trouble: None }
        }
        Err(error) => {
            let trouble = RefusedConfig::new(kept.version, &error.to_string());
            closed(kept.version, Some(trouble), &error)
        }
    })
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
        let Found { floor, in_force, effective, trouble } = find(&path, &own)?;
        let newer = Notify::new();
        newer.notify_one();
        Ok(Self {
            path,
            own,
            floor: Cell::new(floor),
            applied: Cell::new(in_force),
            heard: Cell::new(floor),
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

#[cfg(test)]
pub(crate) mod tests;
