//! Bearer tokens: JWTs that this hub signs (HS256) and nobody else can.
//!
//! Keys are derived from the master key, one for agents and one for operators, so a token needs no row in a
//! database and `pingup-server token create` works beside a running hub. The algorithm is fixed here, never
//! taken from the token; `aud`, `iss`, `sub` and `exp` are required; `crit` is refused.

use super::role::{Operator, Role};
use crate::generations::MasterId;
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

/// When a token ends, in seconds since 1970. Beside an operator it says how long what they began may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry(i64);

impl Expiry {
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

    /// A token for an operator, good for `seconds` from `now`.
    pub fn issue_operator(
        &self,
        name: &str,
        role: Role,
        seconds: i64,
        now: Timestamp,
        token_id: &str,
    ) -> Result<String, IssueError> {
        let issued = now.as_micros() / 1_000_000;
        let claims = OperatorClaims {
            iss: ISSUER.to_owned(),
            aud: OPERATOR_AUDIENCE.to_owned(),
            sub: name.to_owned(),
            role,
            iat: issued,
            exp: issued.saturating_add(seconds),
            jti: token_id.to_owned(),
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

    /// Checks an operator's token; also says when it ends.
    pub fn check_operator(&self, token: &str, now: Timestamp) -> Result<(Operator, Expiry), TokenError> {
        let claims: OperatorClaims = check(token, &self.operator.1, OPERATOR_AUDIENCE)?;
        let expiry = Expiry(claims.exp);
        expiry.check(now)?;
        Ok((Operator { name: claims.sub, role: claims.role }, expiry))
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
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn tokens(seed: u8) -> Tokens {
        Tokens::new(&Secret::new([seed; 32]))
    }

    #[test]
    fn an_operators_token_opens_the_operators_door_until_it_expires() {
        let token = tokens(1).issue_operator("ada", Role::Viewer, 60, NOW, "t1").unwrap();
        let ada = Operator { name: "ada".to_owned(), role: Role::Viewer };
        let (operator, expiry) = tokens(1).check_operator(&token, NOW).unwrap();
        assert_eq!(operator, ada);
        for (seconds, left) in [(0, 60), (59, 1), (60, 0), (61, 0)] {
            assert_eq!(expiry.left(NOW.plus_seconds(seconds)), Duration::from_secs(left));
        }
        assert_eq!(tokens(1).check_operator(&token, NOW.plus_seconds(60)), Err(TokenError::Expired));
        assert_eq!(tokens(2).check_operator(&token, NOW), Err(TokenError::Invalid));
        assert_eq!(tokens(1).read_agent(&token), Err(TokenError::Invalid));
    }

    #[test]
    fn an_agents_token_names_its_generation() {
        let agent_id = AgentId::parse("AGENT-001").unwrap();
        let token = tokens(1).issue_agent(&agent_id, 3, NOW).unwrap();
        let (read, expiry) = tokens(1).read_agent(&token).unwrap();
        let master = MasterId::of(&Secret::new([1; 32]));
        assert_eq!(read, AgentToken { agent_id, generation: 3, master });
        assert_ne!(master, tokens(2).master());
        assert_eq!(expiry.check(NOW), Ok(()));
        assert_eq!(expiry.check(NOW.plus_seconds(AGENT_TOKEN_SECONDS)), Err(TokenError::Expired));
        assert_eq!(tokens(1).check_operator(&token, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn forged_and_foreign_tokens_are_refused() {
        let token = tokens(1).issue_operator("ada", Role::Admin, 60, NOW, "t1").unwrap();
        let [_, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
        // {"alg":"none"} · {"alg":"HS512"} · {"alg":"HS256","crit":["exp"]}
        for header in
            ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzUxMiJ9", "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiZXhwIl19"]
        {
            let forged = format!("{header}.{claims}.{signature}");
            assert_eq!(tokens(1).check_operator(&forged, NOW), Err(TokenError::Invalid), "{header}");
        }
        for bad in ["", ".", "a.b.c", &"x".repeat(TOKEN_BYTES_MAX + 1)] {
            assert_eq!(tokens(1).check_operator(bad, NOW), Err(TokenError::Invalid));
        }
    }
}
