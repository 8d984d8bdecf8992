//! What a client must have done by when.

use super::*;

const TOO_LATE: Result<(), io::ErrorKind> = Err(io::ErrorKind::TimedOut);

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_come_ends_the_line() {
    assert_eq!(Client::new().end().await, (75, TOO_LATE));
}

#[tokio::test(start_paused = true)]
async fn drops_do_not_put_off_the_deadline_but_an_answer_does() {
    let mut client = Client::new();
    client.pause(Duration::from_secs(40)).await;
    client.get("/now").await;
    assert_eq!(client.body().await, "/now");
    let begun = client.begun.elapsed().as_secs();
    for byte in "GET /a-path-that-takes-its-time".chars() {
        client.pause(Duration::from_secs(10)).await;
        if client.line.write_all(&[byte as u8]).await.is_err() {
            break;
        }
    }
    assert_eq!(client.end().await, (begun + 80, TOO_LATE), "noticed with the drop that came next");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_due_while_a_request_is_answered() {
    for path in ["/slow", "/held"] {
        let mut client = Client::new();
        client.get(path).await;
        client.pause(LONG).await;
        client.bell.notify_one();
        assert!(["slow", "rung"].contains(&client.body().await.as_str()));
        assert_eq!(client.end().await, (3675, TOO_LATE), "{path}");
    }
}

/// How many seconds a stream lives that says something every fifteen, ten minutes at most.
async fn stream_seconds(path: &str) -> u64 {
    let mut client = Client::new();
    client.get(path).await;
    let end = Duration::from_secs(600);
    while client.begun.elapsed() < end && client.line.read(&mut [0; 512]).await.unwrap() > 0 {}
    client.begun.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_read_is_not_cut_for_want_of_a_next_request() {
    assert_eq!(stream_seconds("/events").await, 600);
    assert_eq!(stream_seconds("/lines").await, 75, "what an answer with an end is held to");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_takes_ends_the_line_and_a_slow_reader_does_not() {
    let mut client = Client::over(64);
    client.get("/long").await;
    let (mut taken, mut byte) = (0, [0; 8]);
    // Some 500 bytes of head and body, through a line that holds 64.
    while taken < 150 {
        client.pause(Duration::from_secs(29)).await;
        taken += client.line.read(&mut byte).await.unwrap();
    }
    let begun = client.begun.elapsed();
    let line = std::mem::replace(&mut client.line, duplex(1).0);
    let (seconds, ended) = client.end().await;
    assert_eq!((seconds - begun.as_secs(), ended), (30, TOO_LATE), "counted from what it took last");
    drop(line);
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_reader_takes_nothing_is_cut_and_does_not_hold_up_the_stop() {
    let mut client = Client::over(64);
    client.get("/events").await;
    client.pause(Duration::from_secs(31)).await;
    assert!(client.serving.is_finished(), "it must take what is written");
    let mut client = Client::over(64);
    client.get("/events").await;
    client.pause(Duration::from_secs(1)).await;
    drop(client.stop.take());
    client.pause(Duration::from_secs(1)).await;
    assert!(client.serving.is_finished());
}
