//! Bearer tokens: JWTs that this hub signs (HS256) and nobody else can.
//!
//! Keys are derived from the master key, one for agents and one for operators. What is read here is signed, and no more:
//! whether an agent's generation lives is for the keyring to say, whether an operator's token has a row and is not
//! revoked for [`super::operators`]. The algorithm is fixed here, never taken from the token; `aud`, `iss`, `sub` and
//! `exp` are required; `crit` is refused.

use super::role::{Operator, Role};
use crate::generations::MasterId;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use pingup_protocol::{
    ids::AgentId,
    keys::{Secret, derive_hub},
    time::Timestamp,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::Duration;

const ISSUER: &str = "pingup";
const AGENT_AUDIENCE: &str = "pingup-agent";
const OPERATOR_AUDIENCE: &str = "pingup-operator";
/// An agent's token ends with its generation, not by the calendar: a hundred years, in seconds.
const AGENT_TOKEN_SECONDS: i64 = 100 * 365 * 24 * 3600;
/// Bytes of a bearer token that is looked at.
const TOKEN_BYTES_MAX: usize = 4 * 1024;

/// Why a bearer token does not open this door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not signed by this hub, or made for another door.
    #[error("not a token of this hub for this door")]
    Invalid,
    /// Its time is over.
    #[error("the token has expired; make a new one with `pingup-server token create`")]
    Expired,
    /// Somebody revoked it.
    #[error("the token was revoked; make a new one with `pingup-server token create`")]
    Revoked,
}

/// The token could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be signed: {0}")]
pub struct IssueError(#[from] jsonwebtoken::errors::Error);

#[derive(Serialize, Deserialize)]
struct OperatorClaims {
    iss: String,
    aud: String,
    sub: String,
    role: Role,
    iat: i64,
    exp: i64,
    jti: String,
    /// Random letters that stand nowhere else: without them, the hub's key and its records would be enough to write a token
    /// once more. Those that were made before tokens had rows have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct AgentClaims {
    iss: String,
    aud: String,
    sub: String,
    r#gen: u32,
    exp: i64,
}

/// What an agent's token says, before anyone asked whether that generation is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentToken {
    /// Whose it is.
    pub agent_id: AgentId,
    /// The generation it lives and dies with.
    pub generation: u32,
    /// The master key that it comes from, as its generation's keys must.
    pub master: MasterId,
}

/// What an operator's token says, before anyone asked for its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorToken {
    /// What it is called by.
    pub id: String,
    /// Whose it is, and what it allows.
    pub operator: Operator,
    /// When it was made; whole seconds.
    pub made_at: Timestamp,
    /// When it ends; whole seconds.
    pub expires_at: Timestamp,
}

/// When a token ends, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry(i64);

impl Expiry {
    /// At this moment; what is beyond a whole second is dropped.
    pub const fn at(moment: Timestamp) -> Self {
        Self::at_seconds(moment.as_micros() / 1_000_000)
    }

    /// So many seconds after 1970 began.
    pub(super) const fn at_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Whether it has not come yet.
    pub const fn check(self, now: Timestamp) -> Result<(), TokenError> {
        if now.as_micros() / 1_000_000 < self.0 { Ok(()) } else { Err(TokenError::Expired) }
    }

    /// How long it is until then; nothing once it has come.
    pub fn left(self, now: Timestamp) -> Duration {
        let micros = self.0.saturating_mul(1_000_000).saturating_sub(now.as_micros());
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    }
}

/// Makes and checks the hub's tokens.
#[derive(Clone)]
pub struct Tokens {
    master: MasterId,
    operator: (EncodingKey, DecodingKey),
    agent: (EncodingKey, DecodingKey),
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(…)")
    }
}

impl Tokens {
    /// The tokens of the hub with this master key.
    pub fn new(master: &Secret) -> Self {
        let pair = |label| {
            let key = derive_hub(master, label);
            (EncodingKey::from_secret(key.expose()), DecodingKey::from_secret(key.expose()))
        };
        Self { master: MasterId::of(master), operator: pair("operator-token"), agent: pair("agent-token") }
    }

    /// Which master key they come from.
    pub const fn master(&self) -> MasterId {
        self.master
    }

    /// The text of a token for an operator. `key` are random letters of its own; without them it is as those were that had no row.
    pub fn issue_operator(&self, token: &OperatorToken, key: Option<&str>) -> Result<String, IssueError> {
        let claims = OperatorClaims {
            iss: ISSUER.to_owned(),
            aud: OPERATOR_AUDIENCE.to_owned(),
            sub: token.operator.name.clone(),
            role: token.operator.role,
            iat: token.made_at.as_micros() / 1_000_000,
            exp: token.expires_at.as_micros() / 1_000_000,
            jti: token.id.clone(),
            key: key.map(str::to_owned),
        };
        Ok(encode(&Header::new(Algorithm::HS256), &claims, &self.operator.0)?)
    }

    /// A token for the generation of an agent's keys that was made then: the same each time.
    pub fn issue_agent(
        &self,
        agent_id: &AgentId,
        generation: u32,
        made_at: Timestamp,
    ) -> Result<String, IssueError> {
        let claims = AgentClaims {
            iss: ISSUER.to_owned(),
            aud: AGENT_AUDIENCE.to_owned(),
            sub: agent_id.as_str().to_owned(),
            r#gen: generation,
            exp: (made_at.as_micros() / 1_000_000).saturating_add(AGENT_TOKEN_SECONDS),
        };
        Ok(encode(&Header::new(Algorithm::HS256), &claims, &self.agent.0)?)
    }

    /// Reads an operator's token, and says whether it has a key of its own. When it ends is for the asker to check.
    pub fn read_operator(&self, token: &str) -> Result<(OperatorToken, bool), TokenError> {
        let claims: OperatorClaims = check(token, &self.operator.1, OPERATOR_AUDIENCE)?;
        let moment = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
        let token = OperatorToken {
            id: claims.jti,
            operator: Operator { name: claims.sub, role: claims.role },
            made_at: moment(claims.iat),
            expires_at: moment(claims.exp),
        };
        Ok((token, claims.key.is_some()))
    }

    /// Reads an agent's token. When it ends is for the asker to check, at every use; whether its generation lives
    /// is for the keyring to say.
    pub fn read_agent(&self, token: &str) -> Result<(AgentToken, Expiry), TokenError> {
        let claims: AgentClaims = check(token, &self.agent.1, AGENT_AUDIENCE)?;
        let agent_id = AgentId::parse(&claims.sub).map_err(|_| TokenError::Invalid)?;
        let token = AgentToken { agent_id, generation: claims.r#gen, master: self.master };
        Ok((token, Expiry(claims.exp)))
    }
}

/// Whether a token says of itself that it is an agent's, which nobody vouches for. No operator's does.
pub fn says_agent(token: &str) -> bool {
    #[derive(Deserialize)]
    struct Said {
        aud: String,
    }
    let claims = token.split('.').nth(1).filter(|claims| claims.len() <= TOKEN_BYTES_MAX);
    let said = claims.and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    let said = said.and_then(|json| serde_json::from_slice::<Said>(&json).ok());
    said.is_some_and(|said| said.aud == AGENT_AUDIENCE)
}

fn check<T: DeserializeOwned>(token: &str, key: &DecodingKey, audience: &str) -> Result<T, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Invalid);
    }
    let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
    if header.crit.is_some() {
        return Err(TokenError::Invalid);
    }
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_audience(&[audience]);
    rules.set_issuer(&[ISSUER]);
    rules.set_required_spec_claims(&["aud", "iss", "sub", "exp"]);
    // The hub's own clock decides, in `Expiry`.
    rules.validate_exp = false;
    decode::<T>(token, key, &rules).map(|token| token.claims).map_err(|_| TokenError::Invalid)
}

#[cfg(test)]
mod tests;
