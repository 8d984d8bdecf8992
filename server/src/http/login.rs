//! Operators at the gate: whose token it is, what becomes of an address that sends bad ones, and what ends with a token.
//!
//! A token that is known passes first, before anybody asks how its address behaved: whoever shares that with a guesser
//! is not kept out. Nor is who has a provider's token that a key at hand signed. Only what is unknown else asks the [`Lockout`](crate::brake::Lockout), and is looked at (its signature,
//! then its row) unless the address is locked. So a bad token costs one digest and two looks at maps in memory, once its
//! address is locked, and a signature before that.

use super::{
    gate::{Gate, Known, invalid},
    pieces::Pieces,
    places::{Proof, Seat},
    problem::Refusal,
    respond::Endless,
};
use crate::{
    auth::{
        Operator, Role, Stay,
        oidc::{Oidc, OidcError},
        operators::IntroduceError,
        token::TokenError,
    },
    deed::Who,
    figures::LoginRefusal,
};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use pingup_protocol::{problem::ProblemType, time::Timestamp};
use std::{
    future::Future,
    io,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
};

/// How much of an answer is handed over at once: what is handed over is sent, even if its reader's token is revoked.
const PIECE_BYTES_MAX: usize = 64 * 1024;

impl Gate {
    /// Whose token this is, if it allows what is asked for.
    pub(super) async fn operator(&self, token: &str, asked: Role, seat: &Seat) -> Result<Known, Refusal> {
        let (now, figures) = (self.porch.clock.now(), &self.porch.figures);
        let address = seat.peer.address.ip();
        let (operator, stay) = match self.keyring.operators().known(token, now) {
            Some(known) => known.map_err(|error| self.turn_away(error))?,
            // In boxes: these are the rare cases.
            None => match self.porch.oidc.as_ref().filter(|oidc| oidc.is_theirs(token)) {
                Some(oidc) => Box::pin(self.vouched_for(oidc, token, address, now)).await?,
                None => Box::pin(self.introduce(token, address, now)).await?,
            },
        };
        seat.prove(|| Proof::Operator);
        if !operator.role.allows(asked) {
            figures.login_refused(LoginRefusal::Role);
            let detail =
                format!("this needs the role {}, the token has {}", asked.as_str(), operator.role.as_str());
            let who = Who::operator(operator, stay.token_id());
            return Err(Refusal::new(ProblemType::ScopeDenied, detail).to(who));
        }
        stay.note_use(now, address);
        Ok(Known::Operator(operator, stay))
    }

    /// Looks at a token that is not known, if its address is listened to.
    async fn introduce(
        &self,
        token: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(Operator, Stay), Refusal> {
        self.listen_to(address, now)?;
        match self.keyring.operators().introduce(token, address).await {
            Ok(introduced) => Ok(introduced),
            Err(IntroduceError::Storage(error)) => Err(error.into()),
            Err(IntroduceError::Token(error)) => {
                // Of one that expired nobody can say that it was guessed, nor of an agent's own at the wrong door.
                if error == TokenError::Invalid && self.keyring.check(token, now).is_err() {
                    self.count(address, now);
                }
                Err(self.turn_away(error))
            }
        }
    }

    /// Asks whether the provider vouches for a token that says it is the provider's.
    async fn vouched_for(
        &self,
        oidc: &Oidc,
        token: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(Operator, Stay), Refusal> {
        // One that was asked about before passes whatever its neighbours do.
        if let Some(known) = oidc.known(token) {
            return Ok(known);
        }
        // So does one that a key at hand has signed: who shares an address with a guesser has a new one every few minutes.
        if self.porch.lockout.check(address, now).is_err() && !oidc.is_signed(token) {
            self.listen_to(address, now)?;
        }
        oidc.check(token).await.map_err(|error| {
            let (kind, why) = match error {
                OidcError::Invalid(_) => (ProblemType::TokenInvalid, LoginRefusal::Invalid),
                OidcError::Expired => (ProblemType::TokenExpired, LoginRefusal::Expired),
                OidcError::NoRole(_) => (ProblemType::ScopeDenied, LoginRefusal::Role),
                OidcError::Unavailable => return Refusal::new(ProblemType::Overloaded, error.to_string()),
            };
            if why == LoginRefusal::Invalid {
                self.count(address, now);
            }
            self.porch.figures.login_refused(why);
            Refusal::new(kind, error.to_string())
        })
    }

    /// Whether an address that sent bad tokens is listened to again.
    fn listen_to(&self, address: IpAddr, now: Timestamp) -> Result<(), Refusal> {
        self.porch.lockout.check(address, now).map_err(|seconds| {
            self.porch.figures.login_refused(LoginRefusal::Locked);
            let detail =
                format!("too many bad tokens from this address; the next is looked at in {seconds} s");
            Refusal::new(ProblemType::RateLimited, detail).retry_after(seconds)
        })
    }

    fn count(&self, address: IpAddr, now: Timestamp) {
        if let Some(seconds) = self.porch.lockout.count(address, now) {
            tracing::warn!(%address, seconds, "too many bad tokens: none of this address is looked at for a while");
        }
    }

    fn turn_away(&self, error: TokenError) -> Refusal {
        self.porch.figures.login_refused(match error {
            TokenError::Invalid => LoginRefusal::Invalid,
            TokenError::Expired => LoginRefusal::Expired,
            TokenError::Revoked => LoginRefusal::Revoked,
        });
        invalid(error)
    }
}

/// What `handler` answers, unless the token is revoked before it does; then what is being made is dropped. What is on its
/// way when that happens is cut.
pub(super) async fn while_it_lasts(
    stay: Stay,
    handler: impl Future<Output = Response>,
) -> Result<Response, Refusal> {
    let response = tokio::select! {
        biased;
        response = handler => response,
        () = stay.revoked() => return Err(invalid(TokenError::Revoked)),
    };
    let is_short = response.body().size_hint().upper().is_some_and(|bytes| bytes <= PIECE_BYTES_MAX as u64);
    // A stream of events ends itself, and says why.
    if is_short || response.extensions().get::<Endless>().is_some() {
        return Ok(response);
    }
    Ok(response.map(|body| Body::new(Revocable { body: Pieces::of(body), stay })))
}

/// A body that breaks off when the token that it was asked for with is revoked.
struct Revocable {
    body: Pieces<Body>,
    stay: Stay,
}

impl HttpBody for Revocable {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.stay.is_revoked() {
            let cut = io::Error::new(io::ErrorKind::ConnectionAborted, "the token was revoked");
            return Poll::Ready(Some(Err(axum::Error::new(cut))));
        }
        self.body.poll_piece(context, PIECE_BYTES_MAX)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use http::StatusCode;
    use http_body_util::BodyExt;

    const LONG: usize = 3 * PIECE_BYTES_MAX + 7;

    async fn answered(stay: &Stay, bytes: usize) -> Response {
        let handler = async move { Response::new(Body::from(vec![7; bytes])) };
        while_it_lasts(stay.clone(), handler).await.unwrap()
    }

    #[tokio::test]
    async fn a_long_answer_comes_in_pieces_and_is_whole() {
        let (stay, _) = Stay::revocable();
        let mut body = answered(&stay, LONG).await.into_body();
        let mut read = 0;
        while !body.is_end_stream() {
            assert_eq!(body.size_hint().exact(), Some((LONG - read) as u64));
            let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert!((1..=PIECE_BYTES_MAX).contains(&piece.len()));
            read += piece.len();
        }
        assert_eq!(read, LONG);
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_long_answer_breaks_off_when_its_token_is_revoked() {
        let (stay, revoke) = Stay::revocable();
        let mut body = answered(&stay, LONG).await.into_body();
        assert!(body.frame().await.unwrap().is_ok());
        revoke();
        assert!(body.frame().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn what_is_being_made_is_dropped_when_its_token_is_revoked() {
        let (stay, revoke) = Stay::revocable();
        let answering = while_it_lasts(stay.clone(), std::future::pending());
        let (answer, ()) = tokio::join!(answering, async { revoke() });
        assert_eq!(answer.unwrap_err().kind(), ProblemType::TokenInvalid);
        let late = while_it_lasts(stay, async { StatusCode::OK.into_response() }).await;
        assert!(late.is_ok(), "what was made already is answered");
    }
}
