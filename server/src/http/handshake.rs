//! The first words of a connection over TLS: who it is not, is found here.
//!
//! Until the handshake is over nothing of a request is read, and a client has [`HANDSHAKE_DEADLINE`] for all of it. One
//! that speaks plain HTTP is told so in plain HTTP: who forgot an `s` would else see a broken line. Each counts as a
//! connection meanwhile.

use rustls::ServerConfig;
use std::{io, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// How long a handshake may take, from the first byte that is awaited to the last: two turns over any line, and a
/// signature on any machine.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// What may wait, encrypted, for the system to take it: one full record. What is answered waits in the open before that.
const SEALED_BYTES_MAX: usize = 16 * 1024;

/// What a client that speaks plain HTTP hears.
const SPEAK_TLS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 61\r\n\
    Connection: close\r\n\r\nThis port speaks TLS: begin the hub's address with https://.\n";
/// What is read of what such a client still sends, so that it hears the answer.
const DROPPED_BYTES_MAX: u64 = 64 * 1024;

/// The connection once its handshake is over. An error: there was none, or not in time.
pub(super) async fn shake(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    stopping: &mut watch::Receiver<()>,
) -> io::Result<TlsStream<TcpStream>> {
    let shaking = pin!(timeout(HANDSHAKE_DEADLINE, begin(stream, config)));
    tokio::select! {
        shaken = shaking => shaken.map_err(|_| io::ErrorKind::TimedOut)?,
        _ = stopping.changed() => Err(io::Error::other("the hub stops")),
    }
}

async fn begin(mut stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => return Err(io::ErrorKind::UnexpectedEof.into()),
        // A TLS connection begins with a 22 (RFC 8446 §5.1), a request with a letter.
        _ if first[0].is_ascii_alphabetic() => {
            decline(&mut stream).await?;
            return Err(io::Error::other("plain HTTP"));
        }
        _ => {}
    }
    let bound = |session: &mut rustls::ServerConnection| session.set_buffer_limit(Some(SEALED_BYTES_MAX));
    TlsAcceptor::from(config).accept_with(stream, bound).await
}

/// Says what is wrong, and reads for as long as the client may need to see it.
async fn decline(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(SPEAK_TLS).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(DROPPED_BYTES_MAX), &mut tokio::io::sink()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_answer_is_as_long_as_it_says() {
        let text = std::str::from_utf8(SPEAK_TLS).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
        assert!(body.contains("https://"));
    }
}
