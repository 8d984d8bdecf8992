//! A connection's bytes: what was read ahead is given out first, small parts are written together, and the connection's
//! [`Turn`] is told how writing goes.
//!
//! Deadlines are the conversation's; a line has no timer.

use super::turn::Turn;
use bytes::{Buf, Bytes};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Up to this size the parts of an answer (its head, its body) are copied together: for so little, one part costs
/// the kernel less than two.
const TOGETHER_BYTES_MAX: usize = 1024;
/// What is read of a request by a line that nobody serves at the moment: most of an agent's requests, whole.
const AHEAD_BYTES_MAX: usize = 1024;
/// What is buffered of a header block. Larger than the protocol's limit, so that a block between the two gets a refusal with
/// a name; hyper itself answers beyond.
pub(super) const HEADER_BUFFER_BYTES_MAX: usize = 32 * 1024;

/// A stream and what is known of it.
pub(super) struct Line<S> {
    stream: S,
    turn: Arc<Turn>,
    /// What was read ahead.
    unread: Bytes,
}

impl<S> Line<S> {
    pub(super) const fn new(stream: S, turn: Arc<Turn>) -> Self {
        Self { stream, turn, unread: Bytes::new() }
    }

    /// Has `bytes` read before all else. They are copied: what a reader leaves is a piece of its buffer, an empty one too, and
    /// would keep all of that for as long as the line rests.
    pub(super) fn put_back(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.unread = Bytes::from([bytes, &self.unread].concat());
        }
    }

    /// How much was read ahead.
    pub(super) const fn unread_bytes(&self) -> usize {
        self.unread.len()
    }

    /// Whether all that was read ahead is the beginning of a request's head, and no reason to answer. What is none by its first line is, and what
    /// is too long for any.
    pub(super) fn is_part_of_head(&self) -> bool {
        let is_blank = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let begun = self.unread.iter().position(|byte| !is_blank(byte)).unwrap_or(self.unread.len());
        let head = &self.unread[begun..];
        let first = head.iter().position(|byte| *byte == b'\n').map(|end| head[..end].trim_ascii_end());
        self.unread.len() <= HEADER_BUFFER_BYTES_MAX
            && head.first().is_none_or(u8::is_ascii_graphic)
            && first.is_none_or(|line| line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0"))
            && !self.may_end_head()
    }

    /// Whether the head may be whole with what was read ahead last: a line ends, and the next one is empty. What came before
    /// was looked at then.
    fn may_end_head(&self) -> bool {
        let newest = &self.unread[self.unread.len().saturating_sub(AHEAD_BYTES_MAX + b"\r\n\r\n".len())..];
        let ends = |at: usize| newest[at..].starts_with(b"\n\n") || newest[at..].starts_with(b"\n\r\n");
        (0..newest.len()).any(ends)
    }

    /// Forgets what was read ahead: how much that was.
    pub(super) fn forget(&mut self) -> usize {
        std::mem::take(&mut self.unread).len()
    }

    /// Whether something was read ahead.
    pub(super) const fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }
}

impl<S: AsyncRead + Unpin> Line<S> {
    /// Reads ahead, behind what was read already; says how many bytes, which are none when the client has hung up. Takes no
    /// memory until something is there.
    pub(super) fn poll_read_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut bytes = [0; AHEAD_BYTES_MAX];
        let mut buffer = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        let filled = buffer.filled();
        self.unread = match self.unread.is_empty() {
            true => Bytes::copy_from_slice(filled),
            false => Bytes::from([&self.unread, filled].concat()),
        };
        Poll::Ready(Ok(filled.len()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let some = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread[..some]);
        self.unread.advance(some);
        if self.unread.is_empty() {
            // What it was a part of need not stay.
            self.unread = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.turn.wrote(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut together = [0; TOGETHER_BYTES_MAX];
        let written = match put_together(parts, &mut together) {
            Some(bytes) => Pin::new(&mut self.stream).poll_write(context, bytes),
            None => Pin::new(&mut self.stream).poll_write_vectored(context, parts),
        };
        self.turn.wrote(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when nothing is left to be written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        // What was written over TLS may wait here for a reader who takes nothing.
        self.turn.flushed(flushed.is_pending());
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The parts as one, if there is room for them.
fn put_together<'a>(parts: &[IoSlice<'_>], room: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut filled = 0;
    for part in parts {
        room.get_mut(filled..filled + part.len())?.copy_from_slice(part);
        filled += part.len();
    }
    room.get(..filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[test]
    fn small_parts_are_put_together_and_large_ones_left_alone() {
        let mut room = [0; 8];
        let parts = [IoSlice::new(b"head"), IoSlice::new(b""), IoSlice::new(b"body")];
        assert_eq!(put_together(&parts, &mut room), Some(&b"headbody"[..]));
        assert_eq!(put_together(&parts, &mut room[..7]), None);
        assert_eq!(put_together(&parts[..1], &mut room), Some(&b"head"[..]));
    }

    #[test]
    fn the_beginning_of_a_head_is_known() {
        let mut line = Line::new(duplex(1).0, Turn::new());
        let long = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(HEADER_BUFFER_BYTES_MAX));
        for (text, is_part) in [
            ("", true),
            ("G", true),
            ("\r\n", true),
            ("\r\nGET /", true),
            ("GET / HTTP/1.1\r\nhost: h\r\n", true),
            ("get / HTTP/1.0\n", true),
            (&long[..HEADER_BUFFER_BYTES_MAX], true),
            (&long, false),
            ("GET / HTTP/1.1\r\nhost: h\r\n\r\n", false),
            ("GET / HTTP/1.1\n\n", false),
            ("GET /\r\n", false),
            ("GET / HTTP/2.0\r\n", false),
            ("\x16\x03\x01", false),
        ] {
            line.put_back(text.as_bytes());
            assert_eq!(line.is_part_of_head(), is_part, "{:?}", &text[..text.len().min(40)]);
            assert_eq!((line.forget(), line.has_unread()), (text.len(), false));
        }
    }

    #[tokio::test]
    async fn what_was_put_back_and_read_ahead_comes_first_and_in_order() {
        let (stream, mut other) = duplex(4 * AHEAD_BYTES_MAX);
        let mut line = Line::new(stream, Turn::new());
        let sent: Vec<u8> = (0..=250).cycle().take(3 * AHEAD_BYTES_MAX).collect();
        other.write_all(&sent).await.unwrap();
        drop(other);
        let ahead = std::future::poll_fn(|context| line.poll_read_ahead(context)).await.unwrap();
        assert_eq!(ahead, AHEAD_BYTES_MAX);
        assert!(line.has_unread());
        line.put_back(b"first");
        line.put_back(b"");
        let mut read = Vec::new();
        // In small pieces, so that pieces end within what was read ahead.
        while let Some(at) = read.len().checked_add(7) {
            read.resize(at, 0);
            let from = at - 7;
            let count = line.read(&mut read[from..]).await.unwrap();
            read.truncate(from + count);
            if count == 0 {
                break;
            }
        }
        assert_eq!(read, [&b"first"[..], &sent].concat());
        assert!(!line.has_unread());
    }
}
