//! The order of the checks, cheapest first; nothing behind it sees a request that did not pass them all.
//!
//! query (422) · Accept (406) · Content-Type (415) · announced length (413) · bearer token (401) · role or
//! revocation (403) · path and token name one agent (403) · the body, no longer than it may be (413) ·
//! strict JSON, a signature of the right form (400, 422) · the signature (401) · whether the key still lives, for
//! the body may have taken minutes (403). What was checked is left in the request's extensions for the
//! handler's extractors (`auth::extract`).

use super::{Porch, body, no_such_method, problem::Refusal, query::Params, respond::Representation, single};
use crate::auth::{
    AgentCaller, AgentKeys, AgentMessage, Caller, Keyring, Operator, OperatorBody, RawBody, Role, Standing,
    keyring::revoked,
    message::mismatch,
    token::{AgentToken, TokenError},
};
use axum::{
    extract::{RawPathParams, Request, State, rejection::RawPathParamsRejection},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, Method, header};
use pingup_protocol::{
    canonical::{self, JsonError},
    problem::ProblemType,
    signing::{self, Key},
};
use std::sync::Arc;

/// Bodies above this are verified off the threads that serve connections: a batch takes milliseconds.
const INLINE_BYTES_MAX: usize = 64 * 1024;

/// Who may come in at a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Anyone.
    Open,
    /// An operator of this role or higher.
    Operator(Role),
    /// Registration: an operator of this role or higher, or whoever signs with a join token's key.
    Enrol(Role),
    /// An agent; the path parameter, if there is one, names it.
    Agent(Option<&'static str>),
    /// An agent that the path parameter names, or an operator of this role or higher.
    AgentOr(&'static str, Role),
}

/// What a row of the route table asks of a request.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Who may come in.
    pub auth: Auth,
    /// The body it takes, in bytes; `None` for a route that takes none.
    pub body_bytes_max: Option<usize>,
    /// Query parameters it knows.
    pub query: &'static [&'static str],
    /// What it can answer with.
    pub offers: &'static [Representation],
}

/// What the gate works with.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The row's rules.
    pub rules: Rules,
    /// Tokens and keys.
    pub keyring: Keyring,
    /// The clock.
    pub porch: Porch,
}

/// Checks a request by its row's rules and passes it on.
pub async fn check(
    State(gate): State<Gate>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let rules = gate.rules;
    if request.method() == Method::HEAD && matches!(rules.auth, Auth::Agent(_)) {
        return Ok(([(header::ALLOW, "GET")], no_such_method().await).into_response());
    }
    let path = path.map_err(|_| Refusal::new(ProblemType::NotFound, "the path is not UTF-8"))?;
    Params::parse(request.uri().query().unwrap_or_default()).check(rules.query)?;
    let accept: Vec<_> =
        request.headers().get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()).collect();
    let offer = Representation::choose(&accept.join(","), rules.offers)?;
    request.extensions_mut().insert(offer);
    if let Some(bytes_max) = rules.body_bytes_max {
        body::check_headers(request.headers(), bytes_max)?;
    }
    let caller = gate.identify(request.headers()).await?;
    if let (Some(agent), Some(name)) = (caller.agent(), rules.auth.path_parameter()) {
        let named = path.iter().find_map(|(key, value)| (key == name).then_some(value));
        if named != Some(agent.agent_id.as_str()) {
            return Err(mismatch("the path names another agent than the bearer token"));
        }
    }
    let Some(bytes_max) = rules.body_bytes_max else {
        caller.admit(&mut request)?;
        return Ok(match *request.method() {
            Method::DELETE => to_the_end(next.run(request)).await,
            _ => next.run(request).await,
        });
    };
    let (parts, body) = request.into_parts();
    // Held until the answer is there: so long is the body in memory.
    let budget = match caller {
        Known::Nobody => &gate.porch.strangers_bodies,
        Known::Operator(_) | Known::Agent(..) => &gate.porch.bodies,
    };
    let (bytes, _share) = body::read(Request::new(body), bytes_max, budget).await?;
    let mut request = Request::from_parts(parts, axum::body::Body::empty());
    gate.admit_body(caller, bytes, &mut request).await?;
    Ok(to_the_end(next.run(request)).await)
}

/// Runs a handler that changes something to its end, also when its client hangs up: what follows a commit (a key
/// that must die, an agent that must be woken) would else be lost.
async fn to_the_end(handler: impl Future<Output = Response> + Send + 'static) -> Response {
    match tokio::spawn(handler).await {
        Ok(response) => response,
        Err(error) => Refusal::internal("a handler did not come to its end", &error).into_response(),
    }
}

/// Who comes, by the bearer token alone.
enum Known {
    Nobody,
    Operator(Operator),
    Agent(AgentToken, Option<Arc<AgentKeys>>),
}

impl Known {
    const fn agent(&self) -> Option<&AgentToken> {
        match self {
            Self::Agent(token, _) => Some(token),
            Self::Nobody | Self::Operator(_) => None,
        }
    }

    /// Lets a request without a body in. An agent that was never known has no key to answer it with.
    fn admit(self, request: &mut Request) -> Result<(), Refusal> {
        let extensions = request.extensions_mut();
        match self {
            Self::Nobody => {}
            Self::Operator(operator) => {
                extensions.insert(Caller::Operator(operator.clone()));
                extensions.insert(operator);
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

impl Auth {
    const fn path_parameter(self) -> Option<&'static str> {
        match self {
            Self::Agent(name) => name,
            Self::AgentOr(name, _) => Some(name),
            Self::Open | Self::Operator(_) | Self::Enrol(_) => None,
        }
    }
}

impl Gate {
    async fn identify(&self, headers: &HeaderMap) -> Result<Known, Refusal> {
        let token = bearer(headers);
        match self.rules.auth {
            Auth::Open => Ok(Known::Nobody),
            Auth::Enrol(_) if token.is_none() => Ok(Known::Nobody),
            Auth::Operator(role) | Auth::Enrol(role) => {
                self.operator(needed(token)?, role).map(Known::Operator)
            }
            Auth::Agent(_) => self.agent(needed(token)?).await,
            Auth::AgentOr(_, role) => {
                let token = needed(token)?;
                match self.keyring.tokens().check_agent(token, self.porch.clock.now()) {
                    Ok(_) => self.agent(token).await,
                    Err(_) => self.operator(token, role).map(Known::Operator),
                }
            }
        }
    }

    fn operator(&self, token: &str, role: Role) -> Result<Operator, Refusal> {
        let operator =
            self.keyring.tokens().check_operator(token, self.porch.clock.now()).map_err(invalid)?;
        if operator.role < role {
            let detail =
                format!("this needs the role {}, the token has {}", role.as_str(), operator.role.as_str());
            return Err(Refusal::new(ProblemType::ScopeDenied, detail));
        }
        Ok(operator)
    }

    async fn agent(&self, token: &str) -> Result<Known, Refusal> {
        let token = self.keyring.tokens().check_agent(token, self.porch.clock.now()).map_err(invalid)?;
        match self.keyring.find(&token).await? {
            Standing::Alive(keys) => Ok(Known::Agent(token, Some(keys))),
            Standing::Revoked => Err(revoked(&token.agent_id)),
            Standing::Unknown => Ok(Known::Agent(token, None)),
        }
    }

    async fn admit_body(&self, caller: Known, bytes: Bytes, request: &mut Request) -> Result<(), Refusal> {
        match caller {
            Known::Nobody => {
                strict_json(&bytes)?;
                request.extensions_mut().insert(RawBody(bytes));
            }
            Known::Operator(operator) => {
                let body = signable_json(&bytes)?;
                let extensions = request.extensions_mut();
                extensions.insert(operator);
                extensions.insert(RawBody(body.clone()));
                extensions.insert(OperatorBody(body));
            }
            Known::Agent(token, keys) => {
                // An agent that was never known is taken through the same work, and told the same.
                let key = keys.as_ref().map_or_else(|| self.keyring.nobody(), |keys| keys.up()).clone();
                let received = bytes.len();
                let verified = verify(bytes, key).await?;
                let (Some(_), Some(bytes)) = (keys, verified) else {
                    let detail =
                        "the signature does not verify with this agent's key over the canonical body";
                    return Err(Refusal::new(ProblemType::SignatureInvalid, detail));
                };
                // Its key may have died while the body was on its way.
                let Standing::Alive(keys) = self.keyring.find(&token).await? else {
                    return Err(revoked(&token.agent_id));
                };
                request.extensions_mut().insert(AgentMessage::verified(keys, bytes, received));
            }
        }
        Ok(())
    }
}

/// The canonical form of a body that verifies; `None` for one that does not.
async fn verify(bytes: Bytes, key: Key) -> Result<Option<Bytes>, Refusal> {
    if bytes.len() <= INLINE_BYTES_MAX {
        return scan_and_verify(bytes, &key);
    }
    tokio::task::spawn_blocking(move || scan_and_verify(bytes, &key))
        .await
        .unwrap_or_else(|error| Err(Refusal::internal("a body could not be verified", &error)))
}

fn scan_and_verify(bytes: Bytes, key: &Key) -> Result<Option<Bytes>, Refusal> {
    let scanned = signing::scan(&bytes).map_err(|error| Refusal::new(error.problem(), error.to_string()))?;
    if !scanned.verify(key) {
        return Ok(None);
    }
    let rewritten = scanned.into_rewritten();
    Ok(Some(rewritten.map_or(bytes, Bytes::from)))
}

/// Bodies that are not signed here are held to the same strictness; this is their canonical form.
fn strict_json(bytes: &[u8]) -> Result<Bytes, Refusal> {
    let refuse = |error: JsonError| Refusal::new(error.problem(), error.to_string());
    Ok(Bytes::from(canonical::rewrite(bytes).map_err(refuse)?.bytes))
}

/// What operators write is handed to agents inside signed answers, so it must be writable there.
fn signable_json(bytes: &[u8]) -> Result<Bytes, Refusal> {
    let canonical = strict_json(bytes)?;
    canonical::rewrite(&canonical).map_err(|_| {
        let detail = "a whole number beyond 2^53-1 cannot be signed for an agent; write it as text";
        Refusal::new(ProblemType::NumberOutOfRange, detail)
    })?;
    Ok(canonical)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = single(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn needed(token: Option<&str>) -> Result<&str, Refusal> {
    token.ok_or_else(|| Refusal::new(ProblemType::TokenMissing, "send Authorization: Bearer <token>"))
}

fn invalid(error: TokenError) -> Refusal {
    let kind = match error {
        TokenError::Invalid => ProblemType::TokenInvalid,
        TokenError::Expired => ProblemType::TokenExpired,
    };
    Refusal::new(kind, error.to_string())
}
