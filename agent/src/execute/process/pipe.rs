//! The pipe that both outputs of a program go into.

use super::super::output::SoFar;
use std::{io, time::Duration};
use tokio::{net::unix::pipe::Receiver, time::timeout};

/// How long output is still waited for when the program has ended, and something it started holds the pipe.
pub(super) const LINGER: Duration = Duration::from_millis(500);
/// Bytes read at a time.
const READ_BYTES: usize = 8 * 1024;

/// Reads what is left in the pipe. What the program left running may hold it open: that is not waited for, but read
/// on until it ends, and let go.
pub(super) async fn read_rest(reader: Receiver, output: &SoFar) {
    if timeout(LINGER, read_all(&reader, |bytes| output.push(bytes))).await.is_err() {
        tokio::spawn(async move { read_all(&reader, |_| ()).await });
    }
}

/// Reads to the end.
pub(super) async fn read_all(reader: &Receiver, mut keep: impl FnMut(&[u8])) {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        // Whoever writes without end does not keep the others from their turn.
        tokio::task::coop::consume_budget().await;
        if reader.readable().await.is_err() {
            return;
        }
        match reader.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => keep(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
