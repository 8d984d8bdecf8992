//! Who comes, by the bearer token alone; an operator's is looked at in `login`.

use super::{
    Gate,
    head::{bearer, password},
};
use crate::{
    auth::{
        AgentCaller, AgentKeys, Caller, Operator, Pass, Standing, Stay,
        keyring::revoked,
        token::{TokenError, says_agent},
    },
    deed::Who,
    http::{
        body::Own,
        places::{Proof, Seat},
        problem::Refusal,
        rules::Auth,
    },
};
use axum::extract::Request;
use http::HeaderMap;
use pingup_protocol::{ids::AgentId, problem::ProblemType, time::Timestamp};
use std::sync::Arc;

/// Who comes, by the bearer token alone.
pub(super) enum Known {
    Nobody,
    Operator(Operator, Stay),
    Agent(Arc<Pass>, Option<Arc<AgentKeys>>),
}

impl Known {
    pub(super) fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::Agent(pass, _) => Some(&pass.token().agent_id),
            Self::Nobody | Self::Operator(..) => None,
        }
    }

    /// How long what the request begins may go on, where that may be less than for ever.
    pub(super) fn stay(&self) -> Option<Stay> {
        match self {
            Self::Operator(_, stay) => Some(stay.clone()),
            Self::Nobody | Self::Agent(..) => None,
        }
    }

    /// What is left for its bodies that are on their way, where that is bounded for each.
    pub(super) fn arriving(&self) -> Option<Own<'_>> {
        match self {
            Self::Agent(pass, _) => Some(Own::of_agent(pass.arriving())),
            Self::Nobody | Self::Operator(..) => None,
        }
    }

    /// Lets a request without a body in. An agent that was never known has no key to answer it with.
    pub(super) fn admit(self, request: &mut Request) -> Result<(), Refusal> {
        let extensions = request.extensions_mut();
        match self {
            Self::Nobody => {}
            Self::Operator(operator, stay) => {
                extensions.insert(Caller::Operator(operator.clone()));
                extensions.insert(operator);
                extensions.insert(stay);
            }
            Self::Agent(_, Some(keys)) => {
                let agent = AgentCaller::new(keys);
                extensions.insert(Caller::Agent(agent.clone()));
                extensions.insert(agent);
            }
            Self::Agent(_, None) => return Err(invalid(TokenError::Invalid)),
        }
        Ok(())
    }
}

impl Gate {
    /// Finds out, as the row asks for it.
    pub(super) async fn identify(&self, headers: &HeaderMap, seat: &Seat) -> Result<Known, Refusal> {
        let token = bearer(headers);
        match self.rules.auth {
            Auth::Open => Ok(Known::Nobody),
            Auth::Enrol(_) if token.is_none() => Ok(Known::Nobody),
            Auth::Operator(role) | Auth::Enrol(role) => self.operator(needed(token)?, role, seat).await,
            Auth::Dashboard(role) => {
                let password = token.is_none().then(|| password(headers)).flatten();
                self.operator(needed(token.or(password.as_deref()))?, role, seat).await
            }
            Auth::Agent(_) => {
                let now = self.porch.clock.now();
                self.agent(self.keyring.check(needed(token)?, now).map_err(invalid)?, now, seat).await
            }
            Auth::AgentOr(_, role) => {
                let (token, now) = (needed(token)?, self.porch.clock.now());
                match self.keyring.check(token, now) {
                    Ok(pass) => self.agent(pass, now, seat).await,
                    // A fleet behind one address must not lock its operators' address.
                    Err(error) if says_agent(token) => Err(invalid(error)),
                    Err(_) => self.operator(token, role, seat).await,
                }
            }
        }
    }

    async fn agent(&self, pass: Arc<Pass>, now: Timestamp, seat: &Seat) -> Result<Known, Refusal> {
        self.porch.moderator.take_agent(&pass, seat.host(), now).map_err(|(what, seconds)| {
            Refusal::too_often(what, seconds).to(Who::Agent(pass.token().agent_id.clone()))
        })?;
        let keys = match self.keyring.standing(&pass).await? {
            Standing::Alive(keys) => Some(keys),
            Standing::Revoked => return Err(revoked(&pass.token().agent_id)),
            Standing::Unknown => None,
        };
        // Also where nobody knows the agent: nothing may tell it from one that signs badly.
        seat.prove(|| Proof::Agent(Arc::clone(&pass)));
        Ok(Known::Agent(pass, keys))
    }
}

fn needed(token: Option<&str>) -> Result<&str, Refusal> {
    token.ok_or_else(|| Refusal::new(ProblemType::TokenMissing, "send Authorization: Bearer <token>"))
}

pub(super) fn invalid(error: TokenError) -> Refusal {
    let kind = match error {
        TokenError::Invalid | TokenError::Revoked => ProblemType::TokenInvalid,
        TokenError::Expired => ProblemType::TokenExpired,
    };
    Refusal::new(kind, error.to_string())
}
