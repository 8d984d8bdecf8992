//! HTTP/2 over a line in memory, on a clock that stands still until it is waited for.

use super::*;
use crate::http::respond::event_stream;
use axum::body::Body;
use futures_util::{StreamExt, stream::unfold};
use http_body_util::{BodyExt, Empty};
use hyper::{StatusCode, client::conn::http2 as client};
use std::pin::Pin;
use tokio::{
    io::{AsyncWriteExt, duplex},
    sync::Notify,
    task::JoinHandle,
};

/// Longer than any deadline.
const LONG: Duration = Duration::from_secs(3600);
/// What a client that reads nothing has room for, and more than that.
const WINDOW_BYTES: u32 = 65_535;
const MUCH: usize = 4 << 20;

/// `/held` is answered when the bell rings, `/much` with [`MUCH`], `/events` with a line every 15 s, all else at once.
struct Table {
    bell: Arc<Notify>,
}

impl Answerer for Table {
    type Making = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn answer(&self, request: Request<Incoming>) -> Self::Making {
        let (path, bell) = (request.uri().path().to_owned(), Arc::clone(&self.bell));
        Box::pin(async move {
            match path.as_str() {
                "/held" => Answer::Later(Box::pin(async move {
                    bell.notified().await;
                    Response::new(Body::from("rung"))
                })),
                "/much" => Answer::Now(Response::new(Body::from(vec![7; MUCH]))),
                "/events" => Answer::Now(event_stream(heartbeats())),
                _ => Answer::Now(Response::new(Body::from(path))),
            }
        })
    }
}

fn heartbeats() -> Body {
    let line = |()| async {
        tokio::time::sleep(Duration::from_secs(15)).await;
        Some((Ok::<_, Infallible>("x".repeat(MUCH / 32)), ()))
    };
    Body::from_stream(futures_util::stream::iter([Ok("open".to_owned())]).chain(unfold((), line)))
}

type Sender = client::SendRequest<Empty<bytes::Bytes>>;

/// A connection, from its client's side.
struct Client {
    sender: Sender,
    serving: JoinHandle<io::Result<()>>,
    bell: Arc<Notify>,
    figures: Arc<Figures>,
    stop: watch::Sender<()>,
    begun: Instant,
}

impl Client {
    async fn new(places: usize) -> Self {
        let (line, stream) = duplex(16 * 1024);
        let (stop, stopping) = watch::channel(());
        let (bell, figures) = (Arc::<Notify>::default(), Arc::<Figures>::default());
        let overloaded = || {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        };
        let answerer = Arc::new(Table { bell: Arc::clone(&bell) });
        let counter = Counter { answerer, overloaded, places: Arc::new(Semaphore::new(places)) };
        let serving = tokio::spawn(multiplex(stream, counter, Arc::clone(&figures), stopping));
        let mut client = client::Builder::new(TokioExecutor::new());
        client.initial_stream_window_size(WINDOW_BYTES);
        let (sender, connection) = client.handshake(TokioIo::new(line)).await.unwrap();
        tokio::spawn(connection);
        Self { sender, serving, bell, figures, stop, begun: Instant::now() }
    }

    async fn ask(&mut self, path: &str) -> hyper::Result<hyper::Response<Incoming>> {
        let request = Request::builder().uri(format!("https://hub{path}")).body(Empty::new()).unwrap();
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }

    async fn body(&mut self, path: &str) -> bytes::Bytes {
        self.ask(path).await.unwrap().into_body().collect().await.unwrap().to_bytes()
    }

    /// How the connection ended, and after how many seconds.
    async fn end(self) -> (u64, Result<(), io::ErrorKind>) {
        let ended = self.serving.await.unwrap();
        assert_eq!(self.figures.connections_multiplexed.get(), 0);
        (self.begun.elapsed().as_secs(), ended.map_err(|error| error.kind()))
    }
}

#[tokio::test(start_paused = true)]
async fn many_requests_share_a_line_and_one_that_waits_holds_nobody_up() {
    let mut client = Client::new(9).await;
    let mut waiting = client.sender.clone();
    let held = Request::builder().uri("https://hub/held").body(Empty::new()).unwrap();
    let held = tokio::spawn(async move { waiting.send_request(held).await });
    assert_eq!(client.body("/now").await, "/now");
    assert_eq!(client.body("/much").await.len(), MUCH);
    tokio::time::sleep(LONG).await;
    assert_eq!(client.body("/later").await, "/later", "a line with a request at hand is not idle");
    assert!(!held.is_finished());
    client.bell.notify_one();
    let answer = held.await.unwrap().unwrap().into_body().collect().await.unwrap();
    assert_eq!(answer.to_bytes(), "rung");
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_requests_ends() {
    let mut client = Client::new(9).await;
    assert_eq!(client.body("/now").await, "/now");
    let (seconds, ended) = client.end().await;
    assert_eq!(ended, Ok(()));
    assert!((75..80).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_takes_ends_its_connection() {
    let mut client = Client::new(9).await;
    let answer = client.ask("/much").await.unwrap();
    assert_eq!(client.body("/now").await, "/now", "it holds up no other");
    let (seconds, ended) = client.end().await;
    assert_eq!(ended, Err(io::ErrorKind::TimedOut));
    assert!((30..35).contains(&seconds), "{seconds}");
    drop(answer);
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_all_places_are_told_to_come_back() {
    let mut client = Client::new(1).await;
    let events = client.ask("/events").await.unwrap();
    assert_eq!(client.ask("/now").await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(events);
    // Its place is free once the hub has heard of it.
    while client.ask("/now").await.unwrap().status() != StatusCode::OK {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_request_at_hand_and_takes_no_other() {
    let mut client = Client::new(9).await;
    let mut waiting = client.sender.clone();
    let held = Request::builder().uri("https://hub/held").body(Empty::new()).unwrap();
    let held = tokio::spawn(async move { waiting.send_request(held).await });
    assert_eq!(client.body("/now").await, "/now");
    client.stop.send_replace(());
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Either it is not sent, or nobody answers it.
    let late = tokio::time::timeout(LEAVE_DEADLINE, client.ask("/now")).await;
    assert!(!matches!(late, Ok(Ok(_))), "{late:?}");
    client.bell.notify_one();
    held.await.unwrap().unwrap();
    assert_eq!(client.end().await.1, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_stream_that_nobody_reads() {
    let mut client = Client::new(9).await;
    let events = client.ask("/events").await.unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    client.stop.send_replace(());
    let (seconds, ended) = client.end().await;
    assert_eq!((seconds, ended), (20, Ok(())));
    drop(events);
}

/// The first words of HTTP/2 (RFC 9113 §3.4), and no setting.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_client_that_never_answers() {
    let (mut line, stream) = duplex(16 * 1024);
    let (stop, stopping) = watch::channel(());
    let counter = Counter {
        answerer: Arc::new(Table { bell: Arc::default() }),
        overloaded: Response::default,
        places: Arc::new(Semaphore::new(1)),
    };
    let serving = tokio::spawn(multiplex(stream, counter, Arc::default(), stopping));
    line.write_all(PREFACE).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let begun = Instant::now();
    stop.send_replace(());
    assert!(serving.await.unwrap().is_ok());
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}
