//! What scans look at, and how fast: what `run` and `scan` may both be told.

use super::{SettingsError, arguments::ScanArguments, values};
use crate::scan::{Place, Plan, RATE, RATE_MAX};
use std::num::NonZeroU32;

/// What a scan looks at, and how fast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanSettings {
    /// Networks and interfaces; the machine's own networks without any.
    pub places: Option<Vec<Place>>,
    /// TCP ports.
    pub ports: Vec<u16>,
    /// Attempts a second.
    pub rate: NonZeroU32,
}

/// The scan that `flags` ask for.
pub(super) fn plan(flags: ScanArguments) -> Result<Plan, SettingsError> {
    let scan = settings(flags.networks, flags.ports.as_deref(), flags.rate)?;
    let plan = Plan::of(scan.places.as_deref(), scan.ports, flags.force);
    Ok(plan.map_err(|error| SettingsError::of("scan", error))?.at(scan.rate))
}

/// What was said of networks, ports and the rate. Whether they are too many is for each scan to say, which may be forced.
pub(super) fn settings(
    networks: Option<Vec<String>>,
    ports: Option<&[String]>,
    rate: Option<String>,
) -> Result<ScanSettings, SettingsError> {
    let refused = |error| SettingsError::of("scan-networks", error);
    let places = match values::list(networks) {
        None => None,
        Some(words) => {
            let places: Result<Vec<_>, _> = words.iter().map(|word| Place::parse(word)).collect();
            Some(places.map_err(refused)?)
        }
    };
    let ports = values::ports(ports)?;
    // Interfaces are looked at when a scan begins: they come and go.
    let networks = places.iter().flatten().filter_map(|place| match place {
        Place::Network(network) => Some(*network),
        Place::Link(_) => None,
    });
    Plan::new(networks.collect(), ports.clone(), true).map_err(refused)?;
    let rate = values::number("scan-rate", rate, 1..=RATE_MAX)?.and_then(NonZeroU32::new);
    Ok(ScanSettings { places, ports, rate: rate.unwrap_or(RATE) })
}
