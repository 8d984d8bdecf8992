//! What was said becomes what the hub runs with: flags over the file, defaults for the rest, everything checked.

use super::tls::public_url;
use super::{
    BAD_TOKENS, BAD_TOKENS_DEFAULT, Bytes, CONNECTIONS, CONNECTIONS_MAX_DEFAULT, Certificate, DAY,
    ENROLMENTS, EVENTS_KEPT, EVENTS_KEPT_DEFAULT, KEY_DAYS_DEFAULT, KEY_SECONDS, LISTEN, Layer, MIB, Period,
    QUEUE_BYTES, QUEUE_JOBS, RETENTION_SECONDS, SERIES, SERIES_BYTES, SERIES_BYTES_DEFAULT, SERIES_DEFAULT,
    SQL_SECONDS, SQL_SECONDS_DEFAULT, Settings, SettingsError, Span,
};
use pingup_protocol::limits::ENROLMENTS_PER_MINUTE_MAX;
use std::{ops::RangeInclusive, path::Path, time::Duration};
use tracing_subscriber::EnvFilter;

impl Settings {
    /// Puts the flags over the file, fills in the defaults, and checks everything.
    pub fn resolve(flags: Layer, file: Option<&Path>) -> Result<Self, SettingsError> {
        let below = file.map(Layer::from_file).transpose()?.unwrap_or_default();
        Self::check(flags.over(below))
    }

    fn check(mut said: Layer) -> Result<Self, SettingsError> {
        let oidc = said.oidc.take();
        let insecure_http = said.insecure_http.unwrap_or(false);
        let master = said.master();
        let enrolments = said.enrolments_per_minute.unwrap_or(u64::from(ENROLMENTS_PER_MINUTE_MAX));
        let certificate = Certificate::of(&said)?;
        let public_url = public_url(said.public_url.as_deref(), certificate.is_some())?;
        let settings = Self {
            data_dir: said.data_dir(),
            listen: said.listen.unwrap_or(LISTEN),
            insecure_http,
            certificate,
            public_url,
            retention_raw: retention("retention_raw", said.retention_raw, 30)?,
            retention_minute: retention("retention_minute", said.retention_minute, 90)?,
            retention_hour: retention("retention_hour", said.retention_hour, 2 * 365)?,
            retention_commands: retention("retention_commands", said.retention_commands, 90)?,
            queue_jobs: within("queue_jobs", said.queue_jobs.unwrap_or(16_384), QUEUE_JOBS)?,
            queue_bytes: within("queue_bytes", said.queue_bytes.map_or(8 * MIB, Bytes::get), QUEUE_BYTES)?,
            duckdb_memory: said.duckdb_memory.unwrap_or_default().into_text(),
            sql_time_max: sql_time(said.sql_time_max)?,
            disk_reserve_bytes: said.disk_reserve_bytes.map_or(64 * MIB, Bytes::get),
            connections_max: within(
                "connections_max",
                said.connections_max.unwrap_or(CONNECTIONS_MAX_DEFAULT),
                CONNECTIONS,
            )?,
            events_kept: within("events_kept", said.events_kept.unwrap_or(EVENTS_KEPT_DEFAULT), EVENTS_KEPT)?,
            series_max_per_sender: within(
                "series_max_per_sender",
                said.series_max_per_sender.unwrap_or(SERIES_DEFAULT),
                SERIES,
            )?,
            series_bytes_max: within(
                "series_bytes_max",
                said.series_bytes_max.map_or(SERIES_BYTES_DEFAULT, Bytes::get),
                SERIES_BYTES,
            )?,
            enrolments_per_minute: within("enrolments_per_minute", enrolments, ENROLMENTS)?,
            bad_tokens_per_minute: within(
                "bad_tokens_per_minute",
                said.bad_tokens_per_minute.unwrap_or(BAD_TOKENS_DEFAULT),
                BAD_TOKENS,
            )?,
            master,
            key_rotation: key_rotation(said.key_rotation)?,
            limits: said.limits.check()?,
            log: said.log.unwrap_or_else(|| "info".to_owned()),
            oidc: oidc.map(|keys| keys.resolve(insecure_http)).transpose()?,
        };
        if settings.data_dir.as_os_str().is_empty() {
            return Err(unusable("data_dir", "a folder expected, found nothing"));
        }
        if let Err(error) = EnvFilter::try_new(&settings.log) {
            return Err(unusable("log", format!("a filter such as info or debug expected: {error}")));
        }
        let is_open = settings.certificate.is_none() && !settings.insecure_http;
        if is_open && !settings.listen.ip().is_loopback() {
            return Err(unusable(
                "listen",
                format!(
                    "{} can be reached from elsewhere and this is plain HTTP; say --tls-self-signed or --tls-cert, listen \
                     on 127.0.0.1 behind a TLS proxy, or say --insecure-http",
                    settings.listen
                ),
            ));
        }
        Ok(settings)
    }
}

fn retention(name: &'static str, said: Option<Span>, days: u64) -> Result<Duration, SettingsError> {
    let time = said.map_or(Duration::from_secs(days * DAY), Span::get);
    if RETENTION_SECONDS.contains(&time.as_secs()) {
        return Ok(time);
    }
    Err(unusable(name, format!("1h to 100 years expected, found {}", humantime::format_duration(time))))
}

fn key_rotation(said: Option<Period>) -> Result<Option<Duration>, SettingsError> {
    let days = Duration::from_secs(KEY_DAYS_DEFAULT * DAY);
    match said.map_or(Some(days), Period::get) {
        Some(time) if !KEY_SECONDS.contains(&time.as_secs()) => {
            let found = humantime::format_duration(time);
            Err(unusable("key_rotation", format!("1d to 100 years or off expected, found {found}")))
        }
        period => Ok(period),
    }
}

fn sql_time(said: Option<Span>) -> Result<Duration, SettingsError> {
    let time = said.map_or(Duration::from_secs(SQL_SECONDS_DEFAULT), Span::get);
    if SQL_SECONDS.contains(&time.as_secs()) {
        return Ok(time);
    }
    let found = humantime::format_duration(time);
    Err(unusable("sql_time_max", format!("1s to 10m expected, found {found}")))
}

pub(super) fn within<T: TryFrom<u64>>(
    name: &'static str,
    value: u64,
    range: RangeInclusive<u64>,
) -> Result<T, SettingsError> {
    let outside = || unusable(name, format!("{} to {} expected, found {value}", range.start(), range.end()));
    if !range.contains(&value) {
        return Err(outside());
    }
    T::try_from(value).map_err(|_| outside())
}

pub(super) fn unusable(name: &'static str, reason: impl Into<String>) -> SettingsError {
    SettingsError::Unusable { name, reason: reason.into() }
}
