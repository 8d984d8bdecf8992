//! What a verified token says, judged: from whom, for whom, from when to when; who its bearer is, and what they may do.

use super::{OidcError, Trust, jwk::KeySet, letter::Letter};
use crate::auth::{Operator, Role, token::Expiry};
use pingup_protocol::time::Timestamp;
use serde_json::{Map, Value};
use std::fmt;

/// What stands before the name of whoever comes by a provider's token, so that nobody there can pass for somebody here: no
/// token of the hub's own has such a name.
pub const NAME_MARK: &str = "oidc:";
/// How far the provider's clock and the hub's may be apart, seconds.
pub(super) const LEEWAY_SECONDS: i64 = 30;
/// Bytes of a name that a provider gives: what it may have for a subject (OpenID Connect Core 1.0, section 2).
const NAME_BYTES_MAX: usize = 255;
/// Steps of a claim's path.
const STEPS_MAX: usize = 8;
/// Bytes of a claim's path.
const PATH_BYTES_MAX: usize = 256;

/// Where a claim stands: its name, or the names on the way to it with dots between, as in `realm_access.roles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(String);

impl ClaimPath {
    /// Reads a path; `None` for one that leads nowhere.
    pub fn new(text: &str) -> Option<Self> {
        let usable = !text.is_empty() && text.len() <= PATH_BYTES_MAX && text.split('.').count() <= STEPS_MAX;
        usable.then(|| Self(text.to_owned()))
    }

    /// What stands there. A claim that has the dots in its own name, as URLs do, goes first.
    fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        claims.get(&self.0).or_else(|| {
            let mut steps = self.0.split('.');
            let first = claims.get(steps.next()?)?;
            steps.try_fold(first, |value, step| value.as_object()?.get(step))
        })
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Judges a token by keys as a provider publishes them, from its first letter to what its bearer may do; asks nobody. That
/// its time is over is for the asker to check, as everywhere.
pub fn judge_by(
    trust: &Trust,
    published: &[u8],
    token: &str,
    now: Timestamp,
) -> Result<(Operator, Expiry), OidcError> {
    let keys = KeySet::read(published).map_err(|_| OidcError::Unavailable)?;
    let letter = Letter::read(token)?;
    letter.verify(&keys)?;
    judge(trust, &letter.claims, now)
}

/// Judges the claims of a token that verified. Its end has the leeway in it; whether that has come is for the asker to check.
pub(super) fn judge(
    trust: &Trust,
    claims: &Map<String, Value>,
    now: Timestamp,
) -> Result<(Operator, Expiry), OidcError> {
    let now = now.as_micros() / 1_000_000;
    if claims.get("iss").and_then(Value::as_str) != Some(&trust.issuer) {
        return Err(OidcError::Invalid("it is another issuer's"));
    }
    if !is_for(claims.get("aud"), &trust.audience) {
        return Err(OidcError::Invalid("its audience (aud) is not this hub's"));
    }
    // A token that is bound to a key of its bearer's is worth nothing without the proof, which nobody asks for here; one
    // that tells of events (a logout, say) is no token to come with.
    if claims.contains_key("cnf") || claims.contains_key("events") {
        return Err(OidcError::Invalid("it is bound to a key (cnf), or made to tell of events"));
    }
    let end = moment(claims, "exp")?.ok_or(OidcError::Invalid("it has no end (exp)"))?;
    for begin in ["nbf", "iat"] {
        if moment(claims, begin)?.is_some_and(|begin| begin > now.saturating_add(LEEWAY_SECONDS)) {
            return Err(OidcError::Invalid("its time has not come yet (nbf, iat)"));
        }
    }
    let expiry = Expiry::at_seconds(end.saturating_add(LEEWAY_SECONDS));
    Ok((Operator { name: name(trust, claims)?, role: role(trust, claims)? }, expiry))
}

/// Whether `aud`, one name or several, has that one.
fn is_for(aud: Option<&Value>, audience: &str) -> bool {
    match aud {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
        _ => false,
    }
}

/// A moment in whole seconds since 1970; a part of one is cut off.
fn moment(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, OidcError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let whole = || value.as_f64().filter(|seconds| seconds.abs() < 1e15).map(|seconds| seconds as i64);
    let moment = value.as_i64().or_else(whole).ok_or(OidcError::Invalid("a moment in it is none"))?;
    Ok(Some(moment))
}

fn name(trust: &Trust, claims: &Map<String, Value>) -> Result<String, OidcError> {
    let name = trust.name_claim.find(claims).and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(OidcError::Invalid("it does not say who comes, in a name without control characters"));
    }
    Ok(format!("{NAME_MARK}{name}"))
}

/// The highest role that the claim names.
fn role(trust: &Trust, claims: &Map<String, Value>) -> Result<Role, OidcError> {
    let role_of = |word: &str| match &trust.roles {
        Some(roles) => roles.get(word).copied(),
        None => Role::from_word(word),
    };
    let named = match trust.role_claim.find(claims) {
        Some(Value::String(word)) => role_of(word),
        // The roles are listed from the lowest to the highest.
        Some(Value::Array(words)) => {
            let height = |role: &Role| Role::ALL.iter().position(|other| other == role);
            words.iter().filter_map(Value::as_str).filter_map(role_of).max_by_key(height)
        }
        _ => None,
    };
    named.ok_or_else(|| OidcError::NoRole(trust.role_claim.to_string()))
}
