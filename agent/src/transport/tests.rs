//! What an answer says of whether the hub stays, and what its silence says, from hubs of a few lines.

use super::*;
use pingup_protocol::{
    enrol::{Credentials, KeyPair},
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// Answers whoever asks with 200, these headers, and the number of the connection, from 10 on.
async fn hub(headers: &'static str) -> Hub {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for connection in 10.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4096];
            while stream.read(&mut asked).await.is_ok_and(|count| count > 0) {
                let answer = format!("HTTP/1.1 200 OK\r\n{headers}content-length: 2\r\n\r\n{connection}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    Hub::at(&format!("http://{address}"))
}

fn link(hub: Hub) -> Rc<Link> {
    let key = Secret::new([1; KEY_BYTES]).to_base64();
    let credentials = Credentials {
        agent_id: AgentId::parse("a").unwrap(),
        generation: 1,
        keys: KeyPair { up: key.clone(), down: key },
        token: "t".into(),
    };
    Link::new(hub, Identity::new(&credentials).unwrap())
}

/// Whether the hub is thought to be away after a question that was `held` was answered.
async fn goes_after(headers: &'static str, held: Duration) -> bool {
    let link = link(hub(headers).await);
    link.waiting_session("test").get("/x", held).await.unwrap();
    link.absence.is_away()
}

#[tokio::test]
async fn a_hub_that_answers_who_waits_and_closes_is_going() {
    let held = Duration::from_secs(50);
    assert!(!goes_after("", held).await);
    assert!(goes_after("connection: close\r\n", held).await);
    assert!(!goes_after("connection: close\r\n", Duration::ZERO).await, "proxies close what they please");
}

#[tokio::test]
async fn what_cannot_be_reached_is_away_for_all() {
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let link = link(Hub::at(&nobody));
    let failure = link.session("test").get("/x", Duration::ZERO).await.unwrap_err();
    assert!(matches!(failure, Failure::Unreachable { .. }) && link.absence.is_away());
    link.hurry();
    assert!(link.waiting_session("test").get("/x", Duration::ZERO).await.is_err(), "tried at once, in vain");
}

/// Takes connections, hears what is asked, and says nothing, as if something between had swallowed it; each connection
/// that something was asked over.
async fn silent_hub(scheme: &str) -> (Hub, mpsc::UnboundedReceiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked_over, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            asked_over.send(stream).unwrap();
        }
    });
    (Hub::at(&format!("{scheme}://{address}")), asked)
}

#[tokio::test]
async fn who_waits_gives_up_with_the_one_whose_connection_was_found_dead() {
    let (hub, mut asked) = silent_hub("http").await;
    let link = link(hub);
    let (mut waiting, mut saying) = (link.waiting_session("waits"), link.session("says"));
    let held = Duration::from_secs(3_600);
    let waits = waiting.get("/wait", held);
    let says = saying.get("/say", Duration::ZERO);
    tokio::pin!(waits, says);
    let mut lines = Vec::new();
    while lines.len() < 2 {
        tokio::select! {
            stream = asked.recv() => lines.push(stream.unwrap()),
            _ = &mut waits => panic!("nobody answered who waits"),
            _ = &mut says => panic!("nobody answered who says something"),
        }
    }
    // Both have asked; from here on nothing happens but that time goes by.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let (waited, said) = tokio::join!(waits, says);
    assert!(matches!(said, Err(Failure::Unreachable { .. })), "{said:?}");
    assert!(matches!(waited, Err(Failure::Unreachable { .. })), "{waited:?}");
    assert!(began.elapsed() < held, "it did not wait for its own end");
}

/// Whoever takes connections and ends no handshake holds nobody up for long, and is no hub that is there.
#[tokio::test]
async fn a_handshake_that_nobody_answers_has_an_end() {
    let (hub, mut asked) = silent_hub("https").await;
    let link = link(hub);
    let mut session = link.session("says");
    let says = session.get("/say", Duration::ZERO);
    tokio::pin!(says);
    let _kept = tokio::select! {
        stream = asked.recv() => stream.unwrap(),
        _ = &mut says => panic!("nobody answered"),
    };
    // It has heard our first words; from here on nothing happens but that time goes by.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let failure = says.await.unwrap_err();
    assert!(failure.to_string().contains("no TLS handshake came to its end"), "{failure}");
    assert!(began.elapsed() < Duration::from_secs(11) && link.absence.is_away());
}

#[tokio::test]
async fn what_was_opened_before_a_doubt_is_not_used_again() {
    let link = link(hub("").await);
    let mut session = link.session("test");
    for _ in 0..2 {
        assert_eq!(session.get("/x", Duration::ZERO).await.unwrap(), "10");
    }
    link.doubt.found_dead(link.doubt.count());
    assert_eq!(session.get("/x", Duration::ZERO).await.unwrap(), "11");
}
