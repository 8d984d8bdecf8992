//! What an answer says of whether the hub stays, from a hub of a few lines.

use super::*;
use pingup_protocol::{
    enrol::{Credentials, KeyPair},
    ids::AgentId,
    keys::{KEY_BYTES, Secret},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Answers whoever asks with 200 and these headers.
async fn hub(headers: &'static str) -> HubUrl {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4096];
            while stream.read(&mut asked).await.is_ok_and(|count| count > 0) {
                let answer = format!("HTTP/1.1 200 OK\r\n{headers}content-length: 2\r\n\r\n{{}}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    HubUrl::parse(&format!("http://{address}"), false).unwrap()
}

fn link(hub: HubUrl) -> Rc<Link> {
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
    let link = link(HubUrl::parse(&nobody, false).unwrap());
    let failure = link.session("test").get("/x", Duration::ZERO).await.unwrap_err();
    assert!(matches!(failure, Failure::Unreachable { .. }) && link.absence.is_away());
    link.hurry();
    assert!(link.waiting_session("test").get("/x", Duration::ZERO).await.is_err(), "tried at once, in vain");
}
