//! `[limits]`: what one agent, and one address, may ask of the hub. No honest agent meets these, nor does a fleet that comes back
//! behind one address; each is a flag of that name too.

use super::{SettingsError, resolve::within};
use clap::Args;
use serde::Deserialize;
use std::ops::RangeInclusive;

/// Requests a second of one agent, some fifty times what one does that delivers a day's samples; and of one token by which series are sent.
const AGENT_REQUESTS_DEFAULT: u32 = 1_000;
/// Messages a second of one agent that cannot be read, or do not verify. One that is well sends none.
const AGENT_REFUSALS_DEFAULT: u32 = 20;
/// Requests a second of one address that bring no good token.
const STRANGERS_DEFAULT: u32 = 100;
/// Connections that one address may open a second: half of what a fleet of ten thousand does in its worst second after a
/// restart, which goes on for less time than the burst lasts.
const NEW_CONNECTIONS_DEFAULT: u32 = 1_000;
const A_SECOND: RangeInclusive<u64> = 1..=1_000_000;
const CONNECTIONS: RangeInclusive<u64> = 1..=1_000_000;

/// What the hub holds others to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests a second of one agent, and of one token by which series are sent.
    pub agent_requests_per_second: u32,
    /// Messages a second of one agent that cannot be read, or do not verify; large ones count as more.
    pub agent_refusals_per_second: u32,
    /// Requests a second without a good token from one address.
    pub stranger_requests_per_second: u32,
    /// Connections of one address at once. None: half of all, and as many as it likes on this machine.
    pub address_connections_max: Option<usize>,
    /// Connections that one address may open a second. None: a thousand, and as many as it likes on this machine.
    pub address_connections_per_second: Option<u32>,
}

/// What one source says of them.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsKeys {
    /// Requests a second that one agent, or one token that writes series, may make [default: 1000]
    #[arg(long, env = "PINGUP_AGENT_REQUESTS_PER_SECOND", value_name = "N")]
    pub agent_requests_per_second: Option<u64>,
    /// Messages a second of one agent that cannot be read, or do not verify [default: 20]
    #[arg(long, env = "PINGUP_AGENT_REFUSALS_PER_SECOND", value_name = "N")]
    pub agent_refusals_per_second: Option<u64>,
    /// Requests a second without a good token that one address may make [default: 100]
    #[arg(long, env = "PINGUP_STRANGER_REQUESTS_PER_SECOND", value_name = "N")]
    pub stranger_requests_per_second: Option<u64>,
    /// Connections of one address at once [default: half of connections_max; not for this machine's own]
    #[arg(long, env = "PINGUP_ADDRESS_CONNECTIONS_MAX", value_name = "N")]
    pub address_connections_max: Option<u64>,
    /// Connections that one address may open a second [default: 1000; not for this machine's own]
    #[arg(long, env = "PINGUP_ADDRESS_CONNECTIONS_PER_SECOND", value_name = "N")]
    pub address_connections_per_second: Option<u64>,
}

impl LimitsKeys {
    /// These, and where they say nothing, those `below`.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            agent_requests_per_second: self.agent_requests_per_second.or(below.agent_requests_per_second),
            agent_refusals_per_second: self.agent_refusals_per_second.or(below.agent_refusals_per_second),
            stranger_requests_per_second: self
                .stranger_requests_per_second
                .or(below.stranger_requests_per_second),
            address_connections_max: self.address_connections_max.or(below.address_connections_max),
            address_connections_per_second: self
                .address_connections_per_second
                .or(below.address_connections_per_second),
        }
    }

    pub(super) fn check(&self) -> Result<Limits, SettingsError> {
        let agents = self.agent_requests_per_second.unwrap_or(u64::from(AGENT_REQUESTS_DEFAULT));
        let refusals = self.agent_refusals_per_second.unwrap_or(u64::from(AGENT_REFUSALS_DEFAULT));
        let strangers = self.stranger_requests_per_second.unwrap_or(u64::from(STRANGERS_DEFAULT));
        let connections =
            self.address_connections_max.map(|said| within("address_connections_max", said, CONNECTIONS));
        let new = self.address_connections_per_second;
        let new = new.map(|said| within("address_connections_per_second", said, A_SECOND));
        Ok(Limits {
            agent_requests_per_second: within("agent_requests_per_second", agents, A_SECOND)?,
            agent_refusals_per_second: within("agent_refusals_per_second", refusals, A_SECOND)?,
            stranger_requests_per_second: within("stranger_requests_per_second", strangers, A_SECOND)?,
            address_connections_max: connections.transpose()?,
            address_connections_per_second: new.transpose()?,
        })
    }
}

impl Limits {
    /// Connections that an address may have at once where the hub has `connections_max`; none: as many as it likes. Behind the
    /// loopback there may be a proxy that speaks for everyone, so only a limit that was set counts there.
    pub fn connections_at_once(&self, is_loopback: bool, connections_max: usize) -> Option<usize> {
        self.address_connections_max.or((!is_loopback).then_some((connections_max / 2).max(1)))
    }

    /// Connections that an address may open a second, the same way.
    pub fn connections_per_second(&self) -> u32 {
        self.address_connections_per_second.unwrap_or(NEW_CONNECTIONS_DEFAULT)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            agent_requests_per_second: AGENT_REQUESTS_DEFAULT,
            agent_refusals_per_second: AGENT_REFUSALS_DEFAULT,
            stranger_requests_per_second: STRANGERS_DEFAULT,
            address_connections_max: None,
            address_connections_per_second: None,
        }
    }
}

// Half of what there is by default is room for a fleet behind one address.
const _: () = assert!(super::CONNECTIONS_MAX_DEFAULT / 2 >= 20_000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_counts_for_this_machine_too() {
        let unset = Limits::default();
        assert_eq!(unset.connections_at_once(false, 1_000), Some(500));
        assert_eq!(unset.connections_at_once(false, 1), Some(1));
        assert_eq!(unset.connections_at_once(true, 1_000), None);
        let set = Limits { address_connections_max: Some(7), ..unset };
        assert_eq!(set.connections_at_once(true, 1_000), Some(7));
        assert_eq!(set.connections_at_once(false, 1_000), Some(7));
    }
}
