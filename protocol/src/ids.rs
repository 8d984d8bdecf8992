//! Names that travel: agents, commands, measurements. Each is checked once, where it enters.

use crate::limits::{AGENT_ID_CHARS_MAX, NAME_CHARS_MAX, NONCE_CHARS_MAX, SCAN_HOSTS_UNFORCED_MAX};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{fmt, net::Ipv4Addr};

/// An agent's identifier: 1–64 characters of `A–Z a–z 0–9 . _ : -`. Never reused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct AgentId(Box<str>);

/// Why a text is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an agent id is 1–{AGENT_ID_CHARS_MAX} characters of A–Z a–z 0–9 . _ : -")]
pub struct AgentIdError;

impl AgentId {
    /// Checks `text` and takes it as an identifier.
    pub fn parse(text: &str) -> Result<Self, AgentIdError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
        if text.is_empty() || text.len() > AGENT_ID_CHARS_MAX || !text.bytes().all(allowed) {
            return Err(AgentIdError);
        }
        Ok(Self(text.into()))
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for AgentId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for AgentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// Whether `name` may name a measurement or an action: `[a-z][a-z0-9_]{0,63}`.
pub fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && name.len() <= NAME_CHARS_MAX
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Whether `nonce` may travel: 1–128 visible ASCII characters.
pub fn is_nonce(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.len() <= NONCE_CHARS_MAX && nonce.bytes().all(|b| b.is_ascii_graphic())
}

/// The widest network that may be scanned, as a prefix: a /16 has 65 536 addresses.
pub const SCAN_PREFIX_MIN: u8 = 16;
/// The widest one that is scanned though nobody forces it.
const SCAN_PREFIX_UNFORCED_MIN: u8 = SCAN_PREFIX_MIN + 1;
const _: () = assert!(1 << (32 - SCAN_PREFIX_UNFORCED_MIN) == SCAN_HOSTS_UNFORCED_MAX);

/// Whether `text` names a network that may be scanned: an IPv4 address, alone or with a prefix of 16 to 32; without
/// `force` of 17 at least, which is what [`SCAN_HOSTS_UNFORCED_MAX`] leaves.
pub fn is_scannable(text: &str, force: bool) -> bool {
    let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
    let prefix = prefix.parse::<u8>().ok().filter(|_| prefix.bytes().all(|b| b.is_ascii_digit()));
    let least = if force { SCAN_PREFIX_MIN } else { SCAN_PREFIX_UNFORCED_MIN };
    address.parse::<Ipv4Addr>().is_ok() && prefix.is_some_and(|bits| (least..=32).contains(&bits))
}

/// A command's identifier, `CMD-<year>-<number>`, the number at least three digits wide.
pub fn command_id(year: i32, number: u64) -> String {
    format!("CMD-{year}-{number:03}")
}

/// A batch's identifier, `BATCH-<year>-<number>`, with the number of its first command.
pub fn batch_id(year: i32, number: u64) -> String {
    format!("BATCH-{year}-{number:03}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agent_ids_keep_to_their_alphabet_and_length() {
        for good in ["A", "AGENT-001", "a.b_c:d-e", &"x".repeat(64)] {
            assert_eq!(AgentId::parse(good).map(|id| id.as_str().to_owned()), Ok(good.to_owned()));
        }
        for bad in ["", " ", "a/b", "a b", "ä", "a\0", &"x".repeat(65)] {
            assert_eq!(AgentId::parse(bad), Err(AgentIdError), "{bad:?}");
        }
    }

    #[test]
    fn names_start_with_a_letter() {
        assert!(is_name("load1") && is_name("a") && is_name(&"a".repeat(64)));
        for bad in ["", "1a", "_a", "A", "a-b", "é", &"a".repeat(65)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn only_small_networks_may_be_scanned() {
        for good in ["10.0.0.0/17", "192.168.1.0/24", "127.0.0.1", "127.0.0.1/32"] {
            assert!(is_scannable(good, false) && is_scannable(good, true), "{good}");
        }
        assert!(is_scannable("10.0.0.0/16", true) && !is_scannable("10.0.0.0/16", false), "only if forced");
        for bad in [
            "",
            "nonsense",
            "10.0.0.0/8",
            "10.0.0.0/33",
            "10.0.0.0/+24",
            "10.0.0.0/",
            "fe80::/64",
            "1.2.3/24",
        ] {
            assert!(!is_scannable(bad, true), "{bad}");
        }
    }

    #[test]
    fn command_ids_look_like_the_first_one_ever_made() {
        assert_eq!(command_id(2026, 1), "CMD-2026-001");
        assert_eq!(command_id(2026, 12_345), "CMD-2026-12345");
    }
}
