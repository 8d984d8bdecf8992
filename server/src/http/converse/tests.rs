//! Conversations over a line in memory, on a clock that stands still until it is waited for.

mod deadlines;
mod rest;

use super::*;
use crate::http::{desk::Answer, respond::event_stream};
use axum::body::Body;
use futures_util::stream::unfold;
use hyper::{Request, body::Incoming};
use std::{convert::Infallible, pin::Pin};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::Notify,
    task::JoinHandle,
    time::Instant,
};

/// Longer than any deadline: what lasts so long is not ended by one.
const LONG: Duration = Duration::from_secs(3600);

/// A table of its own, by path: `/now` is answered, `/long` with 400 bytes, `/slow` after [`LONG`], `/held` when the bell
/// rings, `/events` with a line every 15 s that is said to go on for ever, `/lines` with the same as an answer that ends.
struct Table {
    bell: Arc<Notify>,
}

impl Answerer for Table {
    type Making = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn answer(&self, request: Request<Incoming>) -> Self::Making {
        let (path, bell) = (request.uri().path().to_owned(), Arc::clone(&self.bell));
        Box::pin(async move {
            Answer::Now(match path.as_str() {
                "/held" => {
                    return Answer::Later(Box::pin(async move {
                        bell.notified().await;
                        Response::new(Body::from("rung"))
                    }));
                }
                "/slow" => {
                    tokio::time::sleep(LONG).await;
                    Response::new(Body::from("slow"))
                }
                "/long" => Response::new(Body::from("x".repeat(400))),
                "/events" => event_stream(heartbeats()),
                "/lines" => Response::new(heartbeats()),
                _ => Response::new(Body::from(path)),
            })
        })
    }
}

fn heartbeats() -> Body {
    Body::from_stream(unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(15)).await;
        Some((Ok::<_, Infallible>(":\n\n"), ()))
    }))
}

/// A conversation, from its client's side.
struct Client {
    line: DuplexStream,
    serving: JoinHandle<io::Result<()>>,
    bell: Arc<Notify>,
    figures: Arc<Figures>,
    stop: Option<watch::Sender<()>>,
    begun: Instant,
}

impl Client {
    fn new() -> Self {
        Self::over(16 * 1024)
    }

    /// Over a line that takes so many bytes before somebody reads them.
    fn over(bytes: usize) -> Self {
        let (line, stream) = duplex(bytes);
        let (stop, stopping) = watch::channel(());
        let (bell, figures) = (Arc::<Notify>::default(), Arc::<Figures>::default());
        let table = Table { bell: Arc::clone(&bell) };
        let serving = tokio::spawn(converse(stream, table, Arc::clone(&figures), stopping));
        Self { line, serving, bell, figures, stop: Some(stop), begun: Instant::now() }
    }

    async fn send(&mut self, text: &str) {
        self.line.write_all(text.as_bytes()).await.unwrap();
    }

    async fn get(&mut self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\n\r\n")).await;
    }

    /// The next answer: its head, and its body.
    async fn answer(&mut self) -> (String, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head.push(char::from(self.line.read_u8().await.unwrap()));
        }
        let length = head.to_ascii_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.line.read_exact(&mut body).await.unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    async fn body(&mut self) -> String {
        self.answer().await.1
    }

    /// Lets so much time pass.
    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Waits until the hub's side has come to rest, and says how: connections parked, and held.
    async fn rests(&self) -> (u64, u64) {
        self.pause(4 * LOOK_EVERY).await;
        (self.figures.connections_parked.get(), self.figures.connections_held.get())
    }

    /// How the conversation ended, and after how many seconds.
    async fn end(self) -> (u64, Result<(), io::ErrorKind>) {
        let ended = self.serving.await.unwrap();
        (self.begun.elapsed().as_secs(), ended.map_err(|error| error.kind()))
    }
}
