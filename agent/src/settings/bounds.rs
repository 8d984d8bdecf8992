//! Settings that have bounds, and what holds where nothing was said.

use super::{SettingsError, values};
use crate::{execute::AllowList, orders::Signers, spool::Bounds};
use pingup_protocol::{config::INTERVAL_SECONDS, enrol::JoinToken};
use std::time::Duration;

/// Seconds between samples, unless told otherwise.
const INTERVAL: Duration = Duration::from_secs(30);
/// Bytes that the spool takes on disk at most, unless told otherwise: months of samples.
const SPOOL_BYTES_MAX: u64 = 64 << 20;
/// The least that may be set: one scan of the largest size must fit beside samples.
const SPOOL_BYTES_LEAST: u64 = 8 << 20;
/// How old what is spooled may grow, unless told otherwise.
const SPOOL_AGE_MAX: Duration = Duration::from_secs(30 * 86_400);
/// The least that may be set.
const SPOOL_AGE_LEAST: Duration = Duration::from_secs(60);
/// Milliseconds between samples, for measurements of the agent itself that would take a day at any interval that can be
/// set: what is done for each sample stays the same.
const TEST_INTERVAL_VARIABLE: &str = "PINGUP_TEST_INTERVAL_MS";
/// What to enrol with, if anything was said.
pub(super) fn join_token(text: Option<String>) -> Result<Option<JoinToken>, SettingsError> {
    let parse = |text: String| JoinToken::parse(text.trim());
    values::given(text).map(parse).transpose().map_err(|e| SettingsError::of("join-token", e))
}

/// Between two samples.
pub(super) fn interval(text: Option<String>) -> Result<Duration, SettingsError> {
    if let Some(millis) =
        values::number(TEST_INTERVAL_VARIABLE, std::env::var(TEST_INTERVAL_VARIABLE).ok(), 1..=1_000)?
    {
        return Ok(Duration::from_millis(millis));
    }
    let least = Duration::from_secs(*INTERVAL_SECONDS.start());
    let most = Duration::from_secs(*INTERVAL_SECONDS.end());
    values::duration("interval", text, INTERVAL, least..=most)
}

/// The actions that may run.
pub(super) fn allow(words: Option<Vec<String>>) -> Result<AllowList, SettingsError> {
    match values::list(words) {
        Some(words) => AllowList::parse(&words).map_err(|e| SettingsError::of("allow", e)),
        None => Ok(AllowList::default()),
    }
}

/// Whose orders count, and for what.
pub(super) fn signers(
    keys: Option<Vec<String>>,
    actions: Option<Vec<String>>,
) -> Result<Signers, SettingsError> {
    let keys = values::guard("operator-key", keys)?.unwrap_or_default();
    let actions = values::guard("signed-actions", actions)?.unwrap_or_default();
    Signers::parse(&keys, &actions).map_err(|error| SettingsError(error.to_string()))
}

/// How much may wait for the hub, and for how long.
pub(super) fn spool_bounds(bytes: Option<String>, age: Option<String>) -> Result<Bounds, SettingsError> {
    let bytes_max = values::number("spool-bytes-max", bytes, SPOOL_BYTES_LEAST..=u64::MAX)?;
    let age_max = values::duration("spool-age-max", age, SPOOL_AGE_MAX, SPOOL_AGE_LEAST..=Duration::MAX)?;
    Ok(Bounds { bytes_max: bytes_max.unwrap_or(SPOOL_BYTES_MAX), age_max })
}
