//! Answers that come whole, late, or as something else; and connections that are not kept.

use super::*;
use tokio::net::TcpListener;

async fn client(answers: Vec<Vec<u8>>) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for answer in answers {
            let mut request = [0; 4];
            stream.read_exact(&mut request).await.unwrap();
            for piece in answer.chunks(700) {
                stream.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
        // Held open: whether the answer is whole must not depend on the end of the connection.
        let _ = stream.read_u8().await;
    });
    Client::new(Arc::new(Hub { host: "127.0.0.1".to_owned(), port, authority: "hub".to_owned() }))
}

fn answer(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

#[tokio::test]
async fn answers_of_any_length_come_whole_and_in_order() {
    let bodies = [vec![b'a'; 3], vec![b'b'; 100_000], Vec::new(), vec![b'c'; 5]];
    let mut client = client(bodies.iter().map(|body| answer(body)).collect()).await;
    for body in &bodies {
        assert_eq!(client.exchange(b"ping").await.unwrap().body, body);
    }
}

#[tokio::test(start_paused = true)]
async fn patience_ends() {
    let mut client = client(vec![answer(b"ok"), b"HTTP/1.1 200 OK\r\n".to_vec()]).await;
    assert_eq!(client.exchange(b"ping").await.unwrap().body, b"ok");
    let started = Instant::now();
    let slow = client.exchange(b"ping").await.map(|answer| answer.status);
    assert!(matches!(slow, Err(ClientError::Timeout { .. })), "{slow:?}");
    assert!(started.elapsed() >= ANSWER_TIMEOUT);
}

#[tokio::test]
async fn what_is_too_much_ends_the_connection() {
    let mut long = client(vec![b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec()]).await;
    assert!(matches!(
        long.exchange(b"ping").await.map(|answer| answer.status),
        Err(ClientError::Unreadable(Unexpected::TooLong))
    ));
    let mut twice = client(vec![[answer(b"one"), answer(b"two")].concat()]).await;
    assert!(matches!(
        twice.exchange(b"ping").await.map(|answer| answer.status),
        Err(ClientError::Unreadable(Unexpected::MoreThanAsked))
    ));
}

#[tokio::test]
async fn a_brief_connection_is_opened_for_each_request_and_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 4]).await.unwrap();
            stream.write_all(&answer(b"ok")).await.unwrap();
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "closed by who asked");
        }
    });
    let hub = Hub { host: "127.0.0.1".to_owned(), port, authority: "hub".to_owned() };
    let attempts = Arc::new(Attempts::new(std::time::Instant::now()));
    let turns = Arc::new(tokio::sync::Semaphore::new(1));
    let manner = Manner { source: None, attempts: Some(Arc::clone(&attempts)), brief: Some(turns) };
    let mut client = Client::new(Arc::new(hub)).with_manner(manner);
    for _ in 0..2 {
        assert_eq!(client.exchange(b"ping").await.unwrap().body, b"ok");
        assert!(!client.is_open());
    }
    served.await.unwrap();
    assert_eq!(attempts.by_second().iter().sum::<u32>(), 2);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_was_idle_is_noticed() {
    let mut client = client(vec![answer(b"ok")]).await;
    client.exchange(b"ping").await.unwrap();
    client.notice();
    assert!(client.is_open(), "nothing came");
    let Some(stream) = &mut client.stream else { unreachable!("it was open just now") };
    // What the other side waits for before it closes.
    stream.write_all(b"x").await.unwrap();
    stream.readable().await.unwrap();
    client.notice();
    assert!(!client.is_open());
}
