//! Sections of the file for what the hub's commands make: `[token]` and `[join_token]`.
//!
//! Each key is the flag of that name; flags and their environment variables win, as everywhere. The values are
//! text, read by the command as it reads its flags.

use serde::Deserialize;

/// `[token]`: what `token create` takes when no flag says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenKeys {
    /// What it allows.
    pub role: Option<String>,
    /// Whose it is.
    pub name: Option<String>,
    /// How long it lives.
    pub ttl: Option<String>,
}

/// `[join_token]`: what `join-token create` takes when no flag says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JoinTokenKeys {
    /// How many machines may enrol with it.
    pub uses: Option<i64>,
    /// How long it is good for.
    pub ttl: Option<String>,
    /// The id that the machine gets.
    pub agent_id: Option<String>,
    /// The agent whose place the machine takes.
    pub replace: Option<String>,
    /// The agent that the machine is, with keys anew.
    pub rekey: Option<String>,
    /// Operators' public keys that the new machine's command names.
    pub operator_keys: Option<Vec<String>>,
}
