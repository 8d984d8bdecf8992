//! What one source says: flags with their variables, or the TOML file. Each setting is one field here, so it cannot have a flag
//! and lack a key.

use super::{
    Bytes, JoinTokenKeys, LimitsKeys, MemoryLimit, OidcKeys, Period, SettingsError, Span, TokenKeys,
};
use crate::storage::MasterPlace;
use serde::Deserialize;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Where the data lies unless said otherwise.
const DATA_DIR: &str = "./data";

/// What one source says: nothing, or some of the settings. Flags with their variables are one, the file
/// another.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layer {
    /// The data folder [default: ./data]
    #[arg(long, env = "PINGUP_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "PINGUP_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Allow plain HTTP on an address that is not loopback
    #[arg(long, env = "PINGUP_INSECURE_HTTP", value_name = "YES", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = clap::builder::BoolishValueParser::new())]
    pub insecure_http: Option<bool>,
    /// Speak TLS with this certificate: a chain in PEM, the hub's first; read again when it changes
    #[arg(long, env = "PINGUP_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The key of that certificate, in PEM
    #[arg(long, env = "PINGUP_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Speak TLS with a certificate of the hub's own, which it makes and renews in the data folder
    #[arg(long, env = "PINGUP_TLS_SELF_SIGNED", value_name = "YES", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = clap::builder::BoolishValueParser::new())]
    pub tls_self_signed: Option<bool>,
    /// Where agents reach the hub, e.g. https://hub.example:8443 [default: where it listens]
    #[arg(long, env = "PINGUP_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// How long samples and scans are kept [default: 30d]
    #[arg(long, env = "PINGUP_RETENTION_RAW", value_name = "TIME")]
    pub retention_raw: Option<Span>,
    /// How long rollups by the minute are kept [default: 90d]
    #[arg(long, env = "PINGUP_RETENTION_MINUTE", value_name = "TIME")]
    pub retention_minute: Option<Span>,
    /// How long rollups by the hour are kept [default: 2years]
    #[arg(long, env = "PINGUP_RETENTION_HOUR", value_name = "TIME")]
    pub retention_hour: Option<Span>,
    /// How long commands that are over are kept, and their results [default: 90d]
    #[arg(long, env = "PINGUP_RETENTION_COMMANDS", value_name = "TIME")]
    pub retention_commands: Option<Span>,
    /// Requests that may wait to be stored [default: 16384]
    #[arg(long, env = "PINGUP_QUEUE_JOBS", value_name = "N")]
    pub queue_jobs: Option<u64>,
    /// Memory that waiting requests may take [default: 8MiB]
    #[arg(long, env = "PINGUP_QUEUE_BYTES", value_name = "SIZE")]
    pub queue_bytes: Option<Bytes>,
    /// Memory that DuckDB may use [default: 64MB]
    #[arg(long, env = "PINGUP_DUCKDB_MEMORY", value_name = "SIZE")]
    pub duckdb_memory: Option<MemoryLimit>,
    /// How long a question in SQL may take [default: 25s]
    #[arg(long, env = "PINGUP_SQL_TIME_MAX", value_name = "TIME")]
    pub sql_time_max: Option<Span>,
    /// Disk space to keep free; below it nothing more is taken in [default: 64MiB]
    #[arg(long, env = "PINGUP_DISK_RESERVE_BYTES", value_name = "SIZE")]
    pub disk_reserve_bytes: Option<Bytes>,
    /// Connections open at once [default: 49152, or what the limit of open files allows]
    #[arg(long, env = "PINGUP_CONNECTIONS_MAX", value_name = "N")]
    pub connections_max: Option<u64>,
    /// Events kept in memory, for streams whose readers come back [default: 65536]
    #[arg(long, env = "PINGUP_EVENTS_KEPT", value_name = "N")]
    pub events_kept: Option<u64>,
    /// Series that one sender, a token by its name, may write [default: 50000]
    #[arg(long, env = "PINGUP_SERIES_MAX_PER_SENDER", value_name = "N")]
    pub series_max_per_sender: Option<u64>,
    /// Memory that the labels of all series that others write may take [default: 32MiB]
    #[arg(long, env = "PINGUP_SERIES_BYTES_MAX", value_name = "SIZE")]
    pub series_bytes_max: Option<Bytes>,
    /// Registrations by join token that one address may try in a minute [default: 5]
    #[arg(long, env = "PINGUP_ENROLMENTS_PER_MINUTE", value_name = "N")]
    pub enrolments_per_minute: Option<u64>,
    /// Bad operators' tokens that one address may send in a minute before it is locked for a while [default: 10]
    #[arg(long, env = "PINGUP_BAD_TOKENS_PER_MINUTE", value_name = "N")]
    pub bad_tokens_per_minute: Option<u64>,
    /// The master key's file, best outside the data folder [default: master.key in it]
    #[arg(long, env = "PINGUP_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// A file with the passphrase that the master key is sealed with
    #[arg(long, env = "PINGUP_MASTER_PASSPHRASE_FILE", value_name = "FILE")]
    pub master_passphrase_file: Option<PathBuf>,
    /// How old an agent's keys become before it is offered others; off: never by itself [default: 90d]
    #[arg(long, env = "PINGUP_KEY_ROTATION", value_name = "TIME")]
    pub key_rotation: Option<Period>,
    /// What one agent, and one address, may ask.
    #[command(flatten)]
    pub limits: LimitsKeys,
    /// What is logged: error, warn, info, debug, trace, also by module [default: info]
    #[arg(long, env = "PINGUP_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// In the file only: what `token create` takes.
    #[arg(skip)]
    pub token: TokenKeys,
    /// In the file only: what `join-token create` takes.
    #[arg(skip)]
    pub join_token: JoinTokenKeys,
    /// In the file only: whose tokens are taken beside the hub's own.
    #[arg(skip)]
    pub oidc: Option<OidcKeys>,
}

impl Layer {
    /// What the file at `path` says.
    pub fn from_file(path: &Path) -> Result<Self, SettingsError> {
        let text = fs::read_to_string(path).map_err(|error| SettingsError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            SettingsError::Malformed {
                path: path.to_owned(),
                line,
                reason: error.message().replace('\n', " "),
            }
        })
    }

    /// This layer, and where it says nothing, the one `below`.
    pub fn over(self, below: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(below.data_dir),
            listen: self.listen.or(below.listen),
            insecure_http: self.insecure_http.or(below.insecure_http),
            tls_cert: self.tls_cert.or(below.tls_cert),
            tls_key: self.tls_key.or(below.tls_key),
            tls_self_signed: self.tls_self_signed.or(below.tls_self_signed),
            public_url: self.public_url.or(below.public_url),
            retention_raw: self.retention_raw.or(below.retention_raw),
            retention_minute: self.retention_minute.or(below.retention_minute),
            retention_hour: self.retention_hour.or(below.retention_hour),
            retention_commands: self.retention_commands.or(below.retention_commands),
            queue_jobs: self.queue_jobs.or(below.queue_jobs),
            queue_bytes: self.queue_bytes.or(below.queue_bytes),
            duckdb_memory: self.duckdb_memory.or(below.duckdb_memory),
            sql_time_max: self.sql_time_max.or(below.sql_time_max),
            disk_reserve_bytes: self.disk_reserve_bytes.or(below.disk_reserve_bytes),
            connections_max: self.connections_max.or(below.connections_max),
            events_kept: self.events_kept.or(below.events_kept),
            series_max_per_sender: self.series_max_per_sender.or(below.series_max_per_sender),
            series_bytes_max: self.series_bytes_max.or(below.series_bytes_max),
            enrolments_per_minute: self.enrolments_per_minute.or(below.enrolments_per_minute),
            bad_tokens_per_minute: self.bad_tokens_per_minute.or(below.bad_tokens_per_minute),
            master_key_file: self.master_key_file.or(below.master_key_file),
            master_passphrase_file: self.master_passphrase_file.or(below.master_passphrase_file),
            key_rotation: self.key_rotation.or(below.key_rotation),
            limits: self.limits.over(below.limits),
            log: self.log.or(below.log),
            token: below.token,
            join_token: below.join_token,
            oidc: below.oidc,
        }
    }

    /// Where the master key lies, and what opens it, as far as that was said.
    pub fn master(&self) -> MasterPlace {
        MasterPlace {
            file: self.master_key_file.clone(),
            passphrase_file: self.master_passphrase_file.clone(),
        }
    }

    /// The data folder, said or by default.
    pub fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| PathBuf::from(DATA_DIR))
    }
}
