//! Connections that hyper has let go of: nothing that the client sees is otherwise.

use super::{
    super::{
        super::turn::HEADER_DEADLINE,
        counted::{HEAD_BYTES_FREE, HEADS_BYTES_MAX},
    },
    *,
};

#[tokio::test(start_paused = true)]
async fn an_idle_line_is_parked_and_served_again() {
    let mut client = Client::new();
    assert_eq!(client.rests().await, (1, 0), "before its first request");
    for path in ["/a", "/b"] {
        client.get(path).await;
        assert_eq!(client.body().await, path);
        assert_eq!(client.rests().await, (1, 0));
    }
    // A request in two parts, each of which wakes the line.
    client.send("GET /c HT").await;
    assert_eq!(client.rests().await, (1, 0), "hyper has looked at it");
    client.send("TP/1.1\r\n").await;
    tokio::task::yield_now().await;
    assert_eq!(client.figures.connections_parked.get(), 1, "that is not the end of it");
    client.send("\r\n").await;
    assert_eq!(client.body().await, "/c");
    assert_eq!(client.rests().await, (1, 0));
    let figures = Arc::clone(&client.figures);
    drop(client);
    tokio::task::yield_now().await;
    assert_eq!(figures.connections_parked.get(), 0, "it hung up");
}

/// Else thousands of answers at one moment would find thousands of hypers made for them.
#[tokio::test(start_paused = true)]
async fn a_line_rests_without_a_look_before_its_first_request_and_behind_an_answer_that_waited() {
    let mut client = Client::new();
    tokio::task::yield_now().await;
    assert_eq!(client.figures.connections_parked.get(), 1);
    client.get("/held").await;
    assert_eq!(client.rests().await, (0, 1));
    let asked = Instant::now();
    client.bell.notify_one();
    assert_eq!(client.body().await, "rung");
    tokio::task::yield_now().await;
    assert_eq!((client.figures.connections_parked.get(), asked.elapsed()), (1, Duration::ZERO));
    client.get("/now").await;
    assert_eq!(client.body().await, "/now");
}

#[tokio::test(start_paused = true)]
async fn a_line_in_use_is_not_parked() {
    let mut client = Client::new();
    for _ in 0..20 {
        client.get("/now").await;
        client.body().await;
        client.pause(LOOK_EVERY / 2).await;
        assert_eq!(client.figures.connections_parked.get(), 0);
    }
    client.get("/lines").await;
    assert_eq!(client.rests().await, (0, 0), "its answer goes on");
    let mut client = Client::over(64);
    client.get("/long").await;
    assert_eq!(client.rests().await, (0, 0), "its answer is not taken");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_waits_comes_as_if_hyper_had_waited() {
    let mut client = Client::new();
    client.get("/held").await;
    assert_eq!(client.rests().await, (0, 1));
    client.bell.notify_one();
    let (head, body) = client.answer().await;
    client.get("/now").await;
    let (other, _) = client.answer().await;
    let names = |head: &str| -> Vec<String> {
        let names = head.lines().map(|line| line.split(':').next().unwrap_or_default().to_owned());
        names.collect()
    };
    assert_eq!((names(&head), body.as_str()), (names(&other), "rung"));
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\ndate: "), "{head}");
    assert_eq!(client.rests().await, (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_comes_behind_a_request_that_waits_is_not_lost() {
    let mut client = Client::new();
    client.send("GET /held HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\n\r\nGET /b HT").await;
    assert_eq!(client.rests().await, (0, 1));
    client.send("TP/1.1\r\n\r\n").await;
    client.bell.notify_one();
    assert_eq!([client.body().await, client.body().await, client.body().await], ["rung", "/a", "/b"]);
    client.get("/held").await;
    client.rests().await;
    client.get("/c").await;
    client.rests().await;
    client.bell.notify_one();
    assert_eq!([client.body().await, client.body().await], ["rung", "/c"]);
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_waits_no_more() {
    let mut client = Client::new();
    client.get("/held").await;
    assert_eq!(client.rests().await, (0, 1));
    let (bell, figures) = (Arc::clone(&client.bell), Arc::clone(&client.figures));
    drop(client);
    tokio::task::yield_now().await;
    assert_eq!(figures.connections_held.get(), 0);
    assert_eq!(Arc::strong_count(&bell), 1, "neither the wait nor its table is left");
}

#[tokio::test(start_paused = true)]
async fn a_request_with_a_body_waits_with_hyper() {
    let mut client = Client::new();
    client.send("GET /held HTTP/1.1\r\ncontent-length: 20\r\n\r\nGET /smuggled").await;
    assert_eq!(client.rests().await, (0, 0));
    client.bell.notify_one();
    assert_eq!(client.body().await, "rung");
    assert_eq!(client.line.read(&mut [0; 1]).await.unwrap(), 0, "closed: its body was never read");
}

#[tokio::test(start_paused = true)]
async fn the_last_request_of_a_line_is_its_last_also_when_it_waits() {
    for (request, version, last) in [
        ("GET /held HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1", true),
        ("GET /held HTTP/1.0\r\n\r\n", "HTTP/1.0", true),
        ("GET /held HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.0", false),
    ] {
        let mut client = Client::new();
        client.send(request).await;
        assert_eq!(client.rests().await, (0, 1));
        client.bell.notify_one();
        let (head, body) = client.answer().await;
        assert_eq!((head.starts_with(version), body.as_str()), (true, "rung"), "{head}");
        match last {
            true => assert_eq!(client.line.read(&mut [0; 1]).await.unwrap(), 0),
            false => {
                assert!(head.to_ascii_lowercase().contains("connection: keep-alive"), "{head}");
                client.send("GET /now HTTP/1.0\r\n\r\n").await;
                assert_eq!(client.body().await, "/now");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_hubs_stop_ends_parked_lines_and_those_that_wait_after_their_answer() {
    let mut parked = Client::new();
    assert_eq!(parked.rests().await, (1, 0));
    drop(parked.stop.take());
    assert_eq!(parked.end().await.1, Ok(()));
    let mut held = Client::new();
    held.get("/held").await;
    assert_eq!(held.rests().await, (0, 1));
    drop(held.stop.take());
    assert_eq!(held.rests().await, (0, 1), "its answer is still to come");
    held.bell.notify_one();
    let (head, body) = held.answer().await;
    assert!(head.contains("connection: close") && body == "rung", "{head}");
    assert_eq!(held.end().await.1, Ok(()));
}

/// What a connection takes beside what its client makes it hold. Measured, and kept from growing unseen.
#[test]
fn a_conversation_takes_little_room() {
    let (stream, _) = duplex(1);
    let (_stop, stopping) = watch::channel(());
    let conversation = converse(stream, Table { bell: Arc::default() }, Arc::default(), stopping);
    let bytes = size_of_val(&conversation);
    assert!(bytes <= 768, "{bytes} bytes");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_goes_no_further_is_kept_without_hyper_and_can_be_finished() {
    let mut client = Client::new();
    for part in ["GET /n", "ow HTTP/1.1\r\n", "x: y\r\n"] {
        client.send(part).await;
        assert_eq!(client.rests().await, (1, 0), "{part}");
    }
    assert_eq!(client.figures.unfinished_heads.get(), 0, "so little is not counted");
    client.send(&format!("y: {}\r\n", "y".repeat(2 * HEAD_BYTES_FREE))).await;
    assert_eq!(client.rests().await, (1, 0));
    assert!(client.figures.unfinished_heads.get() > 2 * HEAD_BYTES_FREE as u64);
    client.send("\r\n").await;
    assert_eq!(client.body().await, "/now");
    client.rests().await;
    assert_eq!(client.figures.unfinished_heads.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn heads_that_never_end_do_not_fill_the_memory() {
    let mut client = Client::new();
    client.figures.unfinished_heads.add(HEADS_BYTES_MAX);
    client.send("GET /now HTTP/1.1\r\n").await;
    assert_eq!(client.rests().await, (1, 0), "a little is always room for");
    client.send(&format!("x: {}\r\n", "x".repeat(HEAD_BYTES_FREE))).await;
    assert_eq!(client.rests().await, (1, 0), "who is closed would be back at once");
    client.send("\r\nGET /now HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.rests().await, (1, 0), "nobody listens any more");
    assert_eq!(client.figures.unfinished_heads.get(), HEADS_BYTES_MAX);
    let end = client.end().await;
    assert_eq!(end, (HEADER_DEADLINE.as_secs(), Err(io::ErrorKind::TimedOut)));
}

#[tokio::test(start_paused = true)]
async fn who_goes_on_with_a_head_that_has_no_room_is_ended() {
    let mut client = Client::new();
    client.figures.unfinished_heads.add(HEADS_BYTES_MAX);
    client.send(&format!("GET /now HTTP/1.1\r\nx: {}\r\n", "x".repeat(HEAD_BYTES_FREE))).await;
    assert_eq!(client.rests().await, (1, 0));
    let _all_that_is_taken = client.line.write_all(&[b'x'; 2 * HEADER_BUFFER_BYTES_MAX]).await;
    assert_eq!(client.end().await.1, Err(io::ErrorKind::OutOfMemory));
}

#[tokio::test(start_paused = true)]
async fn a_long_head_that_is_there_whole_needs_no_room() {
    let mut client = Client::new();
    client.figures.unfinished_heads.add(HEADS_BYTES_MAX);
    for _ in 0..2 {
        client.send(&format!("GET /now HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(8 * HEAD_BYTES_FREE))).await;
        assert_eq!(client.body().await, "/now");
        assert_eq!(client.rests().await, (1, 0));
    }
}

/// Ten thousand beginnings at one moment must not find ten thousand hypers made.
#[tokio::test(start_paused = true)]
async fn a_head_that_is_not_whole_finds_no_hyper() {
    let mut client = Client::new();
    client.send("GET /now HTTP/1.1\r\nx: ").await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
        assert_eq!(client.figures.connections_parked.get(), 1);
    }
    client.send("y\r\n\r\n").await;
    assert_eq!(client.body().await, "/now");
}
