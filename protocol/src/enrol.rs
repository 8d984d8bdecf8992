//! Registration (`POST /api/v1/agents`): join tokens, what a machine says of itself, credentials.

use crate::{
    ids::{AgentId, is_nonce},
    keys::{KEY_BYTES, Secret},
    labels::Labels,
    schema::{Checked, SchemaError},
    time::Timestamp,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// What every join token starts with.
const JOIN_TOKEN_PREFIX: &str = "pjt_";
/// Characters of a join token's id.
const TOKEN_ID_CHARS_MAX: usize = 64;

/// A join token: `pjt_<tokenId>_<base64url of 32 bytes>`. Whoever holds it may enrol; the secret never travels.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// Which token; letters and digits.
    pub token_id: String,
    /// What proves possession of it.
    pub secret: Secret,
}

/// Why a text is no join token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a join token looks like pjt_<id>_<43 characters>; make one with `pingup-server join-token create`")]
pub struct JoinTokenError;

impl JoinToken {
    /// Reads what [`JoinToken::to_text`] wrote.
    pub fn parse(text: &str) -> Result<Self, JoinTokenError> {
        let rest = text.strip_prefix(JOIN_TOKEN_PREFIX).ok_or(JoinTokenError)?;
        let (token_id, secret) = rest.split_once('_').ok_or(JoinTokenError)?;
        if !is_token_id(token_id) {
            return Err(JoinTokenError);
        }
        let bytes = URL_SAFE_NO_PAD.decode(secret).map_err(|_| JoinTokenError)?;
        let secret = Secret::from_slice(&bytes).ok_or(JoinTokenError)?;
        Ok(Self { token_id: token_id.to_owned(), secret })
    }

    /// The token as it is handed to a machine. Secret.
    pub fn to_text(&self) -> String {
        let secret: &[u8; KEY_BYTES] = self.secret.expose();
        format!("{JOIN_TOKEN_PREFIX}{}_{}", self.token_id, URL_SAFE_NO_PAD.encode(secret))
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinToken({}, …)", self.token_id)
    }
}

/// Whether `text` may be a join token's id.
pub fn is_token_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= TOKEN_ID_CHARS_MAX && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// What a machine says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HostInfo {
    /// Its name.
    pub hostname: Option<String>,
    /// Its first IPv4 address that is not internal.
    pub ip_address: Option<String>,
    /// Operating system, e.g. `Debian GNU/Linux 12`.
    pub os: Option<String>,
    /// Processor architecture, e.g. `x86_64`.
    pub arch: Option<String>,
    /// Kernel version.
    pub kernel: Option<String>,
    /// Version of the agent program.
    pub agent_version: Option<String>,
    /// Processor cores.
    pub cpu_cores: Option<u64>,
    /// Memory, MiB.
    pub memory_mb: Option<u64>,
    /// Size of all real file systems, GiB.
    pub disk_gb: Option<u64>,
    /// Where SSH reaches it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh_host: Option<String>,
    /// The port of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh_port: Option<u16>,
    /// The user of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh_user: Option<String>,
    /// The Lima virtual machine it is, from `LIMA_VM_NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lima_vm_name: Option<String>,
    /// What its own settings group it by; an operator's labels count for more.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

/// Registration by join token, signed under its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnrolBody {
    /// Which token.
    pub token_id: String,
    /// Chosen by the agent; the answer carries it back.
    pub nonce: String,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What stays the same when the machine restarts, and differs between machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    /// What the machine is.
    pub info: HostInfo,
    /// The agent's clock.
    pub timestamp: Timestamp,
}

impl Checked for EnrolBody {
    fn check(&self) -> Result<(), SchemaError> {
        if !is_nonce(&self.nonce) {
            return Err(SchemaError::at("/nonce", "1 to 128 visible ASCII characters expected"));
        }
        self.info.labels.check("/info/labels")?;
        match self.machine_id.as_deref() {
            Some(id) if id.is_empty() || id.len() > 256 => {
                Err(SchemaError::at("/machineId", "1 to 256 bytes expected"))
            }
            _ => Ok(()),
        }
    }
}

/// Registration by an operator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RegisterBody {
    /// The id; made by the hub when absent.
    #[serde(default)]
    pub id: Option<AgentId>,
    /// A name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// Whatever the operator wants to keep with it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<Map<String, Value>>,
}

impl Checked for RegisterBody {}

/// What an agent needs to speak: handed over once, at registration.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Credentials {
    /// Whose they are.
    pub agent_id: AgentId,
    /// Which of its keys.
    pub generation: u32,
    /// Both keys.
    pub keys: KeyPair,
    /// The bearer token. Secret.
    pub token: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, generation {}, …)", self.agent_id, self.generation)
    }
}

/// Both keys of a generation, base64. Secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyPair {
    /// The agent signs with it.
    pub up: String,
    /// The hub signs with it.
    pub down: String,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(…)")
    }
}

/// The answer to a registration by join token, signed under the token's key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnrolAnswer {
    /// The agent as the hub knows it.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub agent: Value,
    /// What it needs to speak.
    pub credentials: Credentials,
    /// The nonce that was sent.
    pub nonce: String,
    /// The hub's clock.
    pub server_time: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_tokens_survive_their_text_and_do_not_print() {
        let token = JoinToken { token_id: "a1B2".to_owned(), secret: Secret::new([0xfb; KEY_BYTES]) };
        assert_eq!(JoinToken::parse(&token.to_text()), Ok(token.clone()));
        assert_eq!(format!("{token:?}"), "JoinToken(a1B2, …)");
    }

    #[test]
    fn what_is_no_join_token_is_refused() {
        let good = JoinToken { token_id: "a".to_owned(), secret: Secret::new([1; KEY_BYTES]) }.to_text();
        for bad in [
            "",
            "pjt_",
            "pjt_a",
            "pjt_a_",
            "pjt__AAAA",
            &good[1..],
            &good[..good.len() - 1],
            &format!("{good}A"),
        ] {
            assert_eq!(JoinToken::parse(bad), Err(JoinTokenError), "{bad}");
        }
    }
}
