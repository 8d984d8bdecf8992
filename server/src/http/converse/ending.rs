//! How a connection ends so that its client hears the last word.

use crate::http::line::Line;
use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    time::timeout,
};

/// How long a client may go on sending what was refused, how much of it, and what is read of that at once.
const LINGER_MAX: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: usize = 32 * 1024 * 1024;
const LINGER_AT_ONCE: usize = 4 * 1024;

/// Reads what the client still sends of a request that was refused before its end, for a while, and drops it. A line that
/// is closed with something unread is torn down, and the answer on it with it: the client would hear of a broken pipe and
/// not what was wrong.
pub(super) async fn linger<S: AsyncRead + Unpin>(line: &mut Line<S>) {
    let mut bytes = vec![0; LINGER_AT_ONCE];
    let read = async {
        let mut left = LINGER_BYTES_MAX;
        while let Ok(read @ 1..) = line.read(&mut bytes).await
            && read <= left
        {
            left -= read;
        }
    };
    // Whoever has not done by then does not want to hear.
    let _ = timeout(LINGER_MAX, read).await;
}

/// Says that this is the end, where the line has a word for it (TLS has), unless its client takes nothing.
pub(super) async fn farewell<S: AsyncWrite + Unpin>(line: &mut Line<S>) {
    let _said = poll_fn(|context| Poll::Ready(Pin::new(&mut *line).poll_shutdown(context))).await;
}
