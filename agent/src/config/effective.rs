//! What is in force: the machine's own settings, and what the hub's configuration makes of them.

use crate::{
    execute::AllowList,
    scan::{Place, Plan, PlanError, parse_network},
    settings::Settings,
    state::StateError,
};
use pingup_protocol::{config::AgentConfig, schema::SchemaError};
use std::{num::NonZeroU32, time::Duration};

/// What may run while it is not known what the hub took away.
pub(super) const HARMLESS: &str = "ping";

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
    pub(super) fn closed(&self) -> Self {
        Self { allow: self.allow.narrowed(&[HARMLESS.to_owned()]), ..self.clone() }
    }

    /// These under `config`.
    pub(super) fn under(&self, config: &AgentConfig) -> Result<Self, ConfigError> {
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
