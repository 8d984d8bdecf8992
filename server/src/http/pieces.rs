//! A body that is handed on in small pieces, in whatever it was made.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

/// A body, and what of its last frame was not handed on yet.
pub(super) struct Pieces<B> {
    body: B,
    rest: Bytes,
}

impl<B: Body<Data = Bytes> + Unpin> Pieces<B> {
    /// All of `body`.
    pub(super) const fn of(body: B) -> Self {
        Self { body, rest: Bytes::new() }
    }

    /// The next piece, of so many bytes at most; what is no data comes as it is.
    pub(super) fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
        bytes_max: usize,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)).transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => self.rest = data,
                Some(Err(other)) => return Poll::Ready(Some(Ok(other))),
                None => return Poll::Ready(None),
            }
        }
        let length = self.rest.len().min(bytes_max);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    /// Whether nothing is left.
    pub(super) fn is_end(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    /// How much is left.
    pub(super) fn size(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut both = SizeHint::new();
        both.set_lower(hint.lower().saturating_add(rest));
        if let Some(upper) = hint.upper().and_then(|upper| upper.checked_add(rest)) {
            both.set_upper(upper);
        }
        both
    }
}
