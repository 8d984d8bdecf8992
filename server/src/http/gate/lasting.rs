//! How long a handler lasts, and what it answers: to the end, or as long as the token does that asked.

use super::invalid;
use crate::{
    auth::{Stay, token::TokenError},
    http::{pieces::Pieces, problem::Refusal, respond::Endless},
};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

/// How much of an answer is handed over at once: what is handed over is sent, even if its reader's token is revoked.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// Runs a handler that changes something to its end, also when its client hangs up: what follows a commit (a key
/// that must die, an agent that must be woken) would else be lost.
pub(super) async fn to_the_end(handler: impl Future<Output = Response> + Send + 'static) -> Response {
    match tokio::spawn(handler).await {
        Ok(response) => response,
        Err(error) => Refusal::internal("a handler did not come to its end", &error).into_response(),
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
    use http::StatusCode;
    use http_body_util::BodyExt;
    use pingup_protocol::problem::ProblemType;

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
