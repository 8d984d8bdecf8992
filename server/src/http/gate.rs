//! The order of the checks, cheapest first; nothing behind it sees a request that did not pass them all.
//!
//! query (422) · Accept (406) · Content-Type (415) · announced length (413) · bearer token (401; an operator's, by
//! `login`, 429 from an address that sent too many bad ones) · role or revocation (403) · path and token name one agent
//! (403) · the body, no longer than it may be (413) · strict JSON, a signature of the right form (400, 422) · the
//! signature (401) · whether the key or the token still lives, for the body may have taken minutes (403, 401). The first
//! message of a generation of keys puts it in use. What was checked is left in the request's extensions for the
//! handler's extractors (`auth::extract`). Remote write hears of a body that is too long when it has come, and as 400.
//!
//! Where the token says who comes, what that one asks is counted (429), and its connection is proven (`places`).
//!
//! The common case (an agent that was here before, a small body that is there) passes without a wait, a timer or a
//! task of its own. What is rare stands in a box, so that not every request holds the room for it.

use super::{
    Porch,
    body::{self, Kind, Share},
    login,
    moderate::too_often,
    no_such_method,
    places::{Proof, Seat},
    problem::Refusal,
    query::Params,
    respond::Representation,
    rules::{Auth, Dialect, Rules},
    single,
    verify::{signable_json, strict_json, verify},
};
use crate::{
    auth::{
        AgentCaller, AgentKeys, AgentMessage, Caller, Keyring, Operator, OperatorBody, Pass, PlainBody,
        RawBody, Standing, Stay,
        keyring::revoked,
        message::mismatch,
        token::{TokenError, says_agent},
    },
    deed::Attempt,
};
use axum::{
    body::{Body, HttpBody},
    extract::{RawPathParams, Request, State, rejection::RawPathParamsRejection},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Method, header};
use pingup_protocol::{ids::AgentId, problem::ProblemType, time::Timestamp};
use std::{
    net::IpAddr,
    sync::{Arc, atomic::AtomicUsize},
};

/// What the gate works with.
#[derive(Debug)]
pub struct Gate {
    /// The row's rules.
    pub rules: Rules,
    /// The row's path.
    pub path: &'static str,
    /// Tokens and keys.
    pub keyring: Keyring,
    /// The clock.
    pub porch: Porch,
}

/// The gate as a layer of axum's, for rows whose path has parameters.
pub async fn check(
    State(gate): State<Arc<Gate>>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    if request.method() == Method::HEAD && matches!(gate.rules.auth, Auth::Agent(_)) {
        return Ok(([(header::ALLOW, "GET")], no_such_method().await).into_response());
    }
    let path = path.map_err(|_| Refusal::new(ProblemType::NotFound, "the path is not UTF-8"))?;
    let seat = seat(&request)?;
    gate.pass(Some(&path), request, &seat, |request| next.run(request)).await
}

/// Where the request came from: `dispatch` puts it there for rows that axum's router finds.
fn seat(request: &Request) -> Result<Arc<Seat>, Refusal> {
    let seat = request.extensions().get::<Arc<Seat>>();
    seat.cloned().ok_or_else(|| Refusal::internal("a request has no seat", &"dispatch gave it none"))
}

/// Runs a handler that changes something to its end, also when its client hangs up: what follows a commit (a key
/// that must die, an agent that must be woken) would else be lost.
async fn to_the_end(handler: impl Future<Output = Response> + Send + 'static) -> Response {
    match tokio::spawn(handler).await {
        Ok(response) => response,
        Err(error) => Refusal::internal("a handler did not come to its end", &error).into_response(),
    }
}

/// A request that passed, and what stays with it.
struct Admitted<'a> {
    request: Request,
    /// Of the memory for bodies.
    share: Option<Share<&'a AtomicUsize>>,
    stay: Option<Stay>,
}

/// Who comes, by the bearer token alone.
pub(super) enum Known {
    Nobody,
    Operator(Operator, Stay),
    Agent(Arc<Pass>, Option<Arc<AgentKeys>>),
}

impl Known {
    fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::Agent(pass, _) => Some(&pass.token().agent_id),
            Self::Nobody | Self::Operator(..) => None,
        }
    }

    /// How long what the request begins may go on, where that may be less than for ever.
    fn stay(&self) -> Option<Stay> {
        match self {
            Self::Operator(_, stay) => Some(stay.clone()),
            Self::Nobody | Self::Agent(..) => None,
        }
    }

    /// What is left for its bodies that are on their way, where that is bounded for each.
    fn arriving(&self) -> Option<&AtomicUsize> {
        match self {
            Self::Agent(pass, _) => Some(pass.arriving()),
            Self::Nobody | Self::Operator(..) => None,
        }
    }

    /// Lets a request without a body in. An agent that was never known has no key to answer it with.
    fn admit(self, request: &mut Request) -> Result<(), Refusal> {
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

/// Who tries to change something, as far as that is known beforehand.
struct Trying {
    address: IpAddr,
    method: Method,
}

impl Trying {
    fn of<B>(seat: &Seat, request: &http::Request<B>) -> Self {
        Self { address: seat.peer.address.ip(), method: request.method().clone() }
    }
}

impl Gate {
    /// Checks a request by its row's rules and passes it on to the handler; `path` are its path's parameters, `seat` is where
    /// it came from.
    pub(super) async fn pass<B, F>(
        &self,
        path: Option<&RawPathParams>,
        request: http::Request<B>,
        seat: &Seat,
        handler: impl FnOnce(Request) -> F,
    ) -> Result<Response, Refusal>
    where
        B: HttpBody<Data = Bytes> + Unpin,
        F: Future<Output = Response> + Send + 'static,
    {
        let trying = self.rules.is_watched().then(|| Trying::of(seat, &request));
        // The share is held until the answer is there: so long may the body be in memory.
        let Admitted { request, share: _share, stay } = match self.admit(path, request, seat).await {
            Ok(admitted) => admitted,
            Err(refusal) => {
                self.tell(trying, Some(&refusal));
                return Err(refusal);
            }
        };
        let response = match (self.rules.to_the_end, stay) {
            (true, _) => to_the_end(handler(request)).await,
            (false, None) => handler(request).await,
            // In a box: the main road need not hold the room for it.
            (false, Some(stay)) => Box::pin(login::while_it_lasts(stay, handler(request))).await?,
        };
        self.tell(trying, response.extensions().get());
        Ok(response)
    }

    /// Tells of whoever was refused for want of a right.
    fn tell(&self, trying: Option<Trying>, refusal: Option<&Refusal>) {
        let Some((Trying { address, method }, refusal)) = trying.zip(refusal) else { return };
        let kind = refusal.kind();
        if matches!(kind.status(), 401 | 403 | 429) {
            let route = format!("{method} {}", self.path);
            (self.porch.attempts)(Attempt { address, who: refusal.who().cloned(), route, kind });
        }
    }

    async fn admit<B: HttpBody<Data = Bytes> + Unpin>(
        &self,
        path: Option<&RawPathParams>,
        request: http::Request<B>,
        seat: &Seat,
    ) -> Result<Admitted<'_>, Refusal> {
        let offer = self.check_head(&request)?;
        let caller = self.identify(request.headers(), seat).await?;
        let stay = caller.stay();
        if let (Some(agent_id), Some(name)) = (caller.agent(), self.rules.auth.path_parameter()) {
            let mut path = path.into_iter().flat_map(RawPathParams::iter);
            let named = path.find_map(|(key, value)| (key == name).then_some(value));
            if named != Some(agent_id.as_str()) {
                return Err(mismatch("the path names another agent than the bearer token"));
            }
        }
        let (parts, mut body) = request.into_parts();
        // From here on there is no body but the one that was checked.
        let mut request = Request::from_parts(parts, Body::empty());
        if self.rules.offers.len() > 1 {
            request.extensions_mut().insert(offer);
        }
        let Some(bytes_max) = self.rules.body_bytes_max else {
            caller.admit(&mut request)?;
            return Ok(Admitted { request, share: None, stay });
        };
        let budget = match caller {
            Known::Nobody => &self.porch.strangers_bodies,
            Known::Operator(..) if self.rules.dialect.is_senders() => &self.porch.senders_bodies,
            Known::Operator(..) => &self.porch.operators_bodies,
            Known::Agent(..) => &self.porch.bodies,
        };
        let read = body::read(&mut body, bytes_max, budget, caller.arriving()).await;
        if self.rules.dialect == Dialect::RemoteWrite && read.as_ref().is_err_and(body::is_too_large) {
            // In a box: few requests come this way.
            Box::pin(body::drop_rest(&mut body)).await;
        }
        if let (Err(refusal), Known::Agent(pass, _)) = (&read, &caller) {
            self.note_refusal(pass, refusal);
        }
        let (bytes, share) = read?;
        self.admit_body(caller, bytes, seat.peer.address.ip(), &mut request).await?;
        Ok(Admitted { request, share: Some(share), stay })
    }

    /// All that can be told before anyone asks who comes.
    fn check_head<B: HttpBody>(&self, request: &http::Request<B>) -> Result<Representation, Refusal> {
        if self.rules.dialect == Dialect::Pingup {
            Params::parse(request.uri().query().unwrap_or_default()).check(self.rules.query)?;
        }
        let headers = request.headers();
        let mut accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let offer = match (accepts.next(), accepts.next()) {
            (None, _) => Representation::choose("", self.rules.offers),
            (Some(accept), None) => Representation::choose(accept, self.rules.offers),
            (Some(first), Some(second)) => {
                let all: Vec<_> = [first, second].into_iter().chain(accepts).collect();
                Representation::choose(&all.join(","), self.rules.offers)
            }
        }?;
        if let Some(bytes_max) = self.rules.body_bytes_max {
            // What a form has may all stand in the URL.
            if self.rules.body_kind != Kind::Form || !request.body().is_end_stream() {
                body::check_headers(headers, self.rules.body_kind, bytes_max)?;
            }
        }
        Ok(offer)
    }

    async fn identify(&self, headers: &HeaderMap, seat: &Seat) -> Result<Known, Refusal> {
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
        pass.take(self.porch.moderator.agents(), now)
            .map_err(|seconds| too_often("requests of this agent", seconds))?;
        let keys = match self.keyring.standing(&pass).await? {
            Standing::Alive(keys) => Some(keys),
            Standing::Revoked => return Err(revoked(&pass.token().agent_id)),
            Standing::Unknown => None,
        };
        // Also where nobody knows the agent: nothing may tell it from one that signs badly.
        seat.prove(|| Proof::Agent(Arc::clone(&pass)));
        Ok(Known::Agent(pass, keys))
    }

    async fn admit_body(
        &self,
        caller: Known,
        bytes: Bytes,
        from: IpAddr,
        request: &mut Request,
    ) -> Result<(), Refusal> {
        match caller {
            Known::Nobody => {
                strict_json(&bytes)?;
                request.extensions_mut().insert(RawBody(bytes));
            }
            // It may have been revoked while the body was on its way.
            Known::Operator(_, stay) if stay.is_revoked() => return Err(invalid(TokenError::Revoked)),
            Known::Operator(operator, stay) if self.rules.body_kind != Kind::Json => {
                let extensions = request.extensions_mut();
                extensions.insert(operator);
                extensions.insert(stay);
                extensions.insert(PlainBody(bytes));
            }
            Known::Operator(operator, stay) => {
                let body = signable_json(&bytes)?;
                let extensions = request.extensions_mut();
                extensions.insert(operator);
                extensions.insert(stay);
                extensions.insert(RawBody(body.clone()));
                extensions.insert(OperatorBody(body));
            }
            Known::Agent(pass, keys) => {
                // An agent that was never known is taken through the same work, and told the same.
                let key = keys.as_ref().map_or_else(|| self.keyring.nobody(), |keys| keys.up());
                let received = bytes.len();
                let verified = verify(bytes, key).await;
                let bytes = match (keys, verified) {
                    (Some(_), Ok(Some(bytes))) => bytes,
                    (_, verified) => return Err(self.not_verified(&pass, verified.err())),
                };
                // Its key may have died while the body was on its way.
                let Standing::Alive(keys) = self.keyring.standing(&pass).await? else {
                    return Err(revoked(&pass.token().agent_id));
                };
                if keys.are_unused() {
                    // In a box: it is the first message of a generation.
                    Box::pin(self.keyring.note_use(&keys, Some(from))).await?;
                }
                request.extensions_mut().insert(AgentMessage::verified(keys, bytes, received));
            }
        }
        Ok(())
    }
}

impl Gate {
    /// The refusal of a message that could not be read, or did not verify.
    fn not_verified(&self, pass: &Pass, unreadable: Option<Refusal>) -> Refusal {
        let refusal = unreadable.unwrap_or_else(|| {
            let detail = "the signature does not verify with this agent's key over the canonical body";
            Refusal::new(ProblemType::SignatureInvalid, detail)
        });
        self.note_refusal(pass, &refusal);
        refusal
    }

    /// Counts a refusal, unless the hub is at fault, or the line.
    fn note_refusal(&self, pass: &Pass, refusal: &Refusal) {
        if !refusal.kind().retryable() {
            pass.note_refusal(self.porch.moderator.agents(), self.porch.clock.now());
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = single(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The password of Basic authentication (RFC 7617), whoever the user is said to be.
fn password(headers: &HeaderMap) -> Option<String> {
    let (scheme, encoded) = single(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    let both = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok())??;
    let (_user, password) = std::str::from_utf8(&both).ok()?.split_once(':')?;
    Some(password.to_owned())
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
