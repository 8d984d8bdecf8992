//! The hub's own settings ("config" is the agents' word): read once, checked once, never changed.
//!
//! Each comes from, in this order: a flag, an environment variable, the TOML file, a default. Flags,
//! variables and keys are one list ([`Layer`]), so a setting cannot have one and lack another: `--data-dir`,
//! `PINGUP_DATA_DIR`, `data_dir`.
//!
//! Refuses, in one plain line and before anything is opened: what cannot be read, keys that do not exist,
//! values out of their range, and plain HTTP on an address that others can reach.

mod layer;
mod limits;
mod made;
mod oidc;
mod resolve;
mod tls;
mod words;

pub use self::layer::Layer;
pub use self::limits::{Limits, LimitsKeys};
pub use self::made::{JoinTokenKeys, TokenKeys};
pub use self::oidc::OidcKeys;
pub use self::tls::Certificate;
pub use self::words::{Bytes, MemoryLimit, Period, Span};

use crate::{address::Address, auth::oidc::Trust, storage::MasterPlace};
use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

/// Where the hub listens unless said otherwise.
pub(crate) const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
const MIB: u64 = 1024 * 1024;

/// How long each tier of the history may be kept, and commands. Shorter than an hour, an agent's spool would expire on its
/// way.
const RETENTION_SECONDS: RangeInclusive<u64> = HOUR..=100 * 365 * DAY;
/// How many requests may wait for the writer.
const QUEUE_JOBS: RangeInclusive<u64> = 1..=1_000_000;
/// What they may take in memory; below this a single full batch would have the queue to itself.
const QUEUE_BYTES: RangeInclusive<u64> = 4 * MIB..=16 * 1024 * MIB;
/// Connections unless said otherwise: each of ten thousand agents keeps two, one that waits and one for all that it
/// says, and agents in other languages keep more.
pub const CONNECTIONS_MAX_DEFAULT: u64 = 49_152;
/// How many connections may be open; each needs a file descriptor, and where the system grants fewer there are fewer.
const CONNECTIONS: RangeInclusive<u64> = 1..=1_000_000;

/// How many events are kept for readers that come back; the default is what one order to ten thousand agents makes,
/// with room to spare.
const EVENTS_KEPT: RangeInclusive<u64> = 1..=1_000_000;
const EVENTS_KEPT_DEFAULT: u64 = 65_536;

/// How many series one sender may write; all senders together have a bound of the hub's.
const SERIES: RangeInclusive<u64> = 1..=200_000;
pub(crate) const SERIES_DEFAULT: u64 = 50_000;
/// Series of one sender at its limit, three labels each and one of them of 400 bytes and its own; or some hundred thousand with ten labels
/// of which few are their own. With that the hub stays within 100 MB.
pub(crate) const SERIES_BYTES_DEFAULT: u64 = 32 * MIB;
const SERIES_BYTES: RangeInclusive<u64> = MIB..=1024 * MIB;

/// How long a question in SQL may take: the next one waits for its turn meanwhile.
const SQL_SECONDS: RangeInclusive<u64> = 1..=600;
const SQL_SECONDS_DEFAULT: u64 = 25;

/// How old keys may become: a generation's end takes a day.
const KEY_SECONDS: RangeInclusive<u64> = DAY..=100 * 365 * DAY;
const KEY_DAYS_DEFAULT: u64 = 90;

/// How many enrolments an address may try in a minute; many machines behind one address need more.
const ENROLMENTS: RangeInclusive<u64> = 1..=1_000_000;

/// How many bad tokens an address may send to operators' doors in a minute before it is locked.
const BAD_TOKENS: RangeInclusive<u64> = 0..=1_000_000;
const BAD_TOKENS_DEFAULT: u64 = 10;

/// What the hub runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The data folder.
    pub data_dir: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Plain HTTP is allowed on an address that is not loopback.
    pub insecure_http: bool,
    /// What TLS is spoken with, if it is.
    pub certificate: Option<Certificate>,
    /// Where others reach the hub, if that is not where it listens.
    pub public_url: Option<Address>,
    /// How long samples and scans are kept.
    pub retention_raw: Duration,
    /// How long rollups by the minute are kept.
    pub retention_minute: Duration,
    /// How long rollups by the hour are kept.
    pub retention_hour: Duration,
    /// How long commands are kept, and their results.
    pub retention_commands: Duration,
    /// Requests that may wait for the history's writer.
    pub queue_jobs: usize,
    /// What waiting requests may take in memory.
    pub queue_bytes: usize,
    /// What DuckDB may keep in memory, in its own words.
    pub duckdb_memory: String,
    /// How long a question in SQL may take.
    pub sql_time_max: Duration,
    /// Disk space that is kept free: below it, nothing more is taken in.
    pub disk_reserve_bytes: u64,
    /// Connections open at once.
    pub connections_max: usize,
    /// Events kept in memory, for streams whose readers come back.
    pub events_kept: usize,
    /// Series that one sender may write.
    pub series_max_per_sender: usize,
    /// What the labels of all series that others write may take in memory.
    pub series_bytes_max: usize,
    /// Registrations by join token that one address may try in a minute.
    pub enrolments_per_minute: u32,
    /// Bad tokens that one address may send to operators' doors in a minute before it is locked for a while.
    pub bad_tokens_per_minute: u32,
    /// Where the master key lies, and what opens it.
    pub master: MasterPlace,
    /// How old an agent's keys become before it is offered others; `None`: only when an operator says so.
    pub key_rotation: Option<Duration>,
    /// What one agent, and one address, may ask.
    pub limits: Limits,
    /// What is logged, as a filter such as `info` or `info,pingup_server::ingest=debug`.
    pub log: String,
    /// Whose tokens are taken beside the hub's own.
    pub oidc: Option<Trust>,
}

/// Why the settings cannot be used; its text is one line that says what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings in {}: {reason}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file is not TOML, or says something that is no setting.
    #[error("{}, line {line}: {reason}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Which line of it.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A value that cannot be used.
    #[error("{name}: {reason}")]
    Unusable {
        /// Which setting.
        name: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
}

#[cfg(test)]
mod tests;
