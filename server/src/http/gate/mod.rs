//! The order of the checks, cheapest first; nothing behind it sees a request that did not pass them all.
//!
//! query (422) · Accept (406) · Content-Type (415) · announced length (413) · bearer token (401; an operator's, by
//! `login`, 429 from an address that sent too many bad ones) · role or revocation (403) · path and token name one agent
//! (403) · the body, no longer than it may be (413) · strict JSON, a signature of the right form (400, 422) · the
//! signature (401) · whether the key or the token still lives, for the body may have taken minutes (403, 401). The first
//! message of a generation of keys puts it in use. What was checked is left in the request's extensions for the
//! handler's extractors (`auth::extract`). Remote write hears of a body that is too long when it has come, and as 400.
//!
//! Where the token says who comes, what that one asks is counted (429; of operators, what they send of series), and its connection is proven
//! (`places`). What is refused is counted by what was read of it.
//!
//! A file is a step: `head` (what it says before anyone asks who comes), `caller` (who does; operators in `login`), `content` (the body; strict
//! JSON and signatures in `verify`), `lasting` (how long the handler may take), `watched` (what the audit hears).
//!
//! The common case (an agent that was here before, a small body that is there) passes without a wait, a timer or a
//! task of its own. What is rare stands in a box, so that not every request holds the room for it.

mod caller;
mod content;
mod head;
mod lasting;
mod login;
mod verify;
mod watched;

use self::{
    caller::{Known, invalid},
    lasting::{to_the_end, while_it_lasts},
    watched::Trying,
};
use super::{
    Porch,
    body::Share,
    no_such_method,
    places::Seat,
    problem::Refusal,
    rules::{Auth, Rules},
};
use crate::auth::{Keyring, Stay, message::mismatch};
use axum::{
    body::{Body, HttpBody},
    extract::{RawPathParams, Request, State, rejection::RawPathParamsRejection},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{Method, header};
use pingup_protocol::problem::ProblemType;
use std::sync::{Arc, atomic::AtomicUsize};

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

/// A request that passed, and what stays with it.
struct Admitted<'a> {
    request: Request,
    /// Of the memory for bodies.
    share: Option<Share<&'a AtomicUsize>>,
    stay: Option<Stay>,
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
        let Admitted { request, share, stay } = match self.admit(path, request, seat).await {
            Ok(admitted) => admitted,
            Err(refusal) => {
                self.tell(trying, Some(&refusal));
                return Err(refusal);
            }
        };
        let mut response = match (self.rules.to_the_end, stay) {
            (true, _) => to_the_end(handler(request)).await,
            (false, None) => handler(request).await,
            // In a box: the main road need not hold the room for it.
            (false, Some(stay)) => Box::pin(while_it_lasts(stay, handler(request))).await?,
        };
        if let Some(refusal) = response.extensions_mut().get_mut::<Refusal>() {
            refusal.note_bytes(share.as_ref().map_or(0, Share::bytes));
            self.tell(trying, Some(refusal));
        }
        Ok(response)
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
        let (bytes, share) = self.read_body(&caller, seat, &mut body, bytes_max).await?;
        let length = bytes.len();
        let admitted = self.admit_body(caller, bytes, seat, &mut request).await;
        admitted.map_err(|refusal| refusal.after(length))?;
        Ok(Admitted { request, share: Some(share), stay })
    }
}
