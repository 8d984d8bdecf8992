//! A line's deadlines, on a clock that stands still until it is waited for.

use super::*;
use axum::body::Body;
use futures_util::stream::unfold;
use hyper::{Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

fn line() -> (Line<DuplexStream>, Arc<Turn>, DuplexStream) {
    let (stream, other) = duplex(8);
    let turn = Turn::new();
    (Line::new(stream, Arc::clone(&turn)), turn, other)
}

async fn seconds(what: impl Future<Output = io::Result<u8>>) -> (u64, io::ErrorKind) {
    let begun = Instant::now();
    let kind = what.await.unwrap_err().kind();
    (begun.elapsed().as_secs(), kind)
}

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_come_ends_the_line() {
    let (mut line, _turn, _other) = line();
    assert_eq!(seconds(line.read_u8()).await, (75, io::ErrorKind::TimedOut));
}

#[tokio::test(start_paused = true)]
async fn drops_do_not_put_off_the_deadline_but_an_answer_does() {
    let (mut line, turn, mut other) = line();
    let drips = async move {
        while other.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    };
    let client = tokio::spawn(drips);
    let begun = Instant::now();
    while line.read_u8().await.is_ok() {}
    assert_eq!(begun.elapsed().as_secs(), 75);
    turn.ours();
    turn.clients();
    while line.read_u8().await.is_ok() {}
    assert_eq!(begun.elapsed().as_secs(), 150);
    client.abort();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_due_while_a_request_is_answered() {
    let (mut line, turn, mut other) = line();
    turn.ours();
    let wait = tokio::time::timeout(Duration::from_secs(3600), line.read_u8());
    assert!(wait.await.is_err(), "a client may wait for commands");
    turn.clients();
    other.write_all(b"x").await.unwrap();
    assert_eq!(line.read_u8().await.unwrap(), b'x');
    assert_eq!(seconds(line.read_u8()).await, (75, io::ErrorKind::TimedOut));
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_an_end_may_be_silent_but_must_be_taken() {
    let (mut line, turn, mut other) = line();
    turn.ours();
    turn.endless();
    for _ in 0..3 {
        let wait = tokio::time::timeout(Duration::from_secs(3600), line.read_u8());
        assert!(wait.await.is_err(), "no request is due behind it");
        line.write_all(b"x").await.unwrap();
        assert_eq!(other.read_u8().await.unwrap(), b'x');
        assert!(!turn.is_endless_and_stuck());
    }
    let begun = Instant::now();
    let (written, _) = tokio::join!(line.write_all(&[b'x'; 12]), async {
        tokio::time::sleep(Duration::from_secs(29)).await;
        assert!(turn.is_endless_and_stuck());
        other.read_exact(&mut [0; 8]).await.unwrap();
    });
    written.unwrap();
    assert!(!turn.is_endless_and_stuck() && begun.elapsed().as_secs() == 29);
    let read = tokio::time::timeout(Duration::from_secs(3600), line.read_u8());
    assert!(read.await.is_err(), "a pause does not make it another's turn");
    let stuck = async { line.write_all(&[b'x'; 12]).await.map(|()| 0) };
    assert_eq!(seconds(stuck).await, (30, io::ErrorKind::TimedOut));
}

/// How many seconds a stream lives that says something every fifteen, ten minutes at most.
async fn stream_seconds(is_endless: bool) -> u64 {
    let (line, turn, mut other) = line();
    let service = service_fn(move |_: hyper::Request<Incoming>| {
        turn.ours();
        let heartbeats = unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(15)).await;
            Some((Ok::<_, Infallible>(":\n\n"), ()))
        });
        match is_endless {
            true => turn.endless(),
            false => turn.clients(),
        }
        async { Ok::<_, Infallible>(Response::new(Body::from_stream(heartbeats))) }
    });
    let mut builder = http1::Builder::new();
    let connection = builder.header_read_timeout(None).serve_connection(TokioIo::new(line), service);
    let serving = tokio::spawn(connection);
    let begun = Instant::now();
    other.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    while begun.elapsed() < Duration::from_secs(600) && other.read(&mut [0; 64]).await.unwrap() > 0 {}
    serving.abort();
    begun.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_read_is_not_cut_for_want_of_a_next_request() {
    assert_eq!(stream_seconds(true).await, 600);
    assert_eq!(stream_seconds(false).await, 75, "what an answer with an end is held to");
}

#[test]
fn small_parts_are_put_together_and_large_ones_left_alone() {
    let mut room = [0; 8];
    let parts = [IoSlice::new(b"head"), IoSlice::new(b""), IoSlice::new(b"body")];
    assert_eq!(put_together(&parts, &mut room), Some(&b"headbody"[..]));
    assert_eq!(put_together(&parts, &mut room[..7]), None);
    assert_eq!(put_together(&parts[..1], &mut room), Some(&b"head"[..]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_takes_ends_the_line_and_a_slow_reader_does_not() {
    let (mut line, turn, mut other) = line();
    turn.ours();
    turn.clients();
    let reader = async {
        let mut taken = 0;
        while taken < 32 {
            tokio::time::sleep(Duration::from_secs(29)).await;
            taken += other.read(&mut [0; 4]).await.unwrap();
        }
    };
    let (written, ()) = tokio::join!(line.write_all(&[b'x'; 40]), reader);
    written.unwrap();
    let stuck = async { line.write_all(b"x").await.map(|()| 0) };
    assert_eq!(seconds(stuck).await, (30, io::ErrorKind::TimedOut));
}
