//! HTTP/2: the same table over one line, with bounds of its own.

use crate::harness::{Hub, PATIENCE, agent::Agent, eventually};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use std::future::Future;
use tokio::{net::TcpStream, runtime::Builder, task::JoinSet, time::timeout};
use tokio_rustls::TlsConnector;

const OWN: (&str, &str) = ("PINGUP_TLS_SELF_SIGNED", "true");

/// A line to the hub that speaks HTTP/2.
#[derive(Clone)]
struct Client(http2::SendRequest<Full<Bytes>>);

impl Client {
    async fn to(hub: &Hub) -> Self {
        let sealed = hub.wire.sealed.as_ref().unwrap();
        let stream = TcpStream::connect(sealed.address).await.unwrap();
        let connector = TlsConnector::from(sealed.speaking(b"h2"));
        let line = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
        assert_eq!(line.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(line)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> impl Future<Output = hyper::Result<Response<Incoming>>> + use<> {
        let mut request = Request::builder().method(method).uri(format!("https://hub{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.0.send_request(request.body(Full::new(body.into())).unwrap())
    }

    async fn get(&mut self, path: &str, token: &str) -> Response<Incoming> {
        self.send("GET", path, &[("authorization", &format!("Bearer {token}"))], Vec::new()).await.unwrap()
    }
}

async fn json(response: Response<Incoming>) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

fn in_time<T>(story: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(PATIENCE * 3, story).await.expect("in time") })
}

fn push(agent: &Agent) -> Vec<u8> {
    agent.sign(&agent.sample(crate::harness::agent::now(), 1.0))
}

#[test]
fn the_table_is_the_same() {
    let hub = Hub::start_with(&[OWN]);
    let (agent, viewer) = (hub.register("A"), hub.token("viewer"));
    in_time(async {
        let mut client = Client::to(&hub).await;
        let answer = client.get("/health", "").await;
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(json(answer).await.0, 200);
        let bearer = format!("Bearer {}", agent.wire.token());
        let headers = [("authorization", &*bearer), ("content-type", "application/json")];
        assert_eq!(
            client.send("POST", "/api/v1/metrics", &headers, push(&agent)).await.unwrap().status(),
            200
        );
        assert_eq!(json(client.get("/api/v1/metrics/A/latest", &viewer).await).await.0, 200);
        for (path, status, name) in
            [("/nowhere", 404, "not-found"), ("/api/v1/agents?x=1", 422, "schema-invalid")]
        {
            let (found, problem) = json(client.get(path, &viewer).await).await;
            assert_eq!(
                (found, &problem["type"]),
                (status, &json!(format!("urn:pingup:problem:{name}"))),
                "{path}"
            );
        }
        let long = client.send("POST", "/api/v1/metrics", &headers, vec![b' '; 5 << 20]).await.unwrap();
        assert_eq!(json(long).await.0, 413);
        let large = "x".repeat(20_000);
        let answer = client.send("GET", "/health", &[("x-large", &large)], Vec::new()).await.unwrap();
        assert_eq!(json(answer).await.0, 431);
        let answer =
            client.send("GET", "/health", &[("x-large", &large.repeat(2))], Vec::new()).await.unwrap();
        assert_eq!(answer.status(), 431, "refused before anybody looks");
        // What was refused before its end did not end the line.
        let openapi = client.get("/api/v1/openapi.json", "").await;
        assert_eq!(json(openapi).await.0, 200);
    });
}

#[test]
fn a_waiting_request_is_woken_beside_others() {
    let hub = Hub::start_with(&[OWN]);
    let agent = hub.register("A");
    let operator = hub.operator("operator");
    in_time(async {
        let mut client = Client::to(&hub).await;
        let path = "/api/v1/commands/pending/A?nonce=n&wait=60";
        let bearer = format!("Bearer {}", agent.wire.token());
        let waiting = tokio::spawn(client.send("GET", path, &[("authorization", &bearer)], Vec::new()));
        let viewer = hub.token("viewer");
        for _ in 0..200 {
            assert_eq!(json(client.get("/api/v1/agents", &viewer).await).await.0, 200);
        }
        assert!(!waiting.is_finished());
        operator.post("/api/v1/commands", &json!({"agentId": "A", "action": "ping"})).expect(201);
        let (status, answer) = json(waiting.await.unwrap().unwrap()).await;
        assert_eq!((status, &answer["commands"][0]["action"]), (200, &json!("ping")));
    });
}

#[test]
fn events_are_told_over_it_and_end_with_the_hub() {
    let mut hub = Hub::start_with(&[OWN]);
    let viewer = hub.token("viewer");
    let registering = hub.operator("operator");
    let mut frames = in_time(async {
        let mut client = Client::to(&hub).await;
        let answer = client.get("/api/v1/events", &viewer).await;
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert!(answer.headers().get("connection").is_none());
        let mut body = answer.into_body();
        let mut told = String::new();
        while !told.contains("event: agent") {
            if told.contains("event: ready") {
                registering.post("/api/v1/agents", &json!({"name": "new"})).expect(201);
            }
            told.push_str(
                std::str::from_utf8(&body.frame().await.unwrap().unwrap().into_data().unwrap()).unwrap(),
            );
        }
        tokio::task::spawn_blocking(move || hub.stop()).await.unwrap();
        let mut rest = Vec::new();
        while let Some(frame) = body.frame().await {
            rest.extend(frame.unwrap().into_data().unwrap());
        }
        rest
    });
    frames.truncate(4096);
    let rest = String::from_utf8(frames).unwrap();
    assert!(rest.contains("event: end") && rest.contains("stopping"), "{rest}");
}

/// A client may take back what it asked, but not without end; nobody else hears of it.
#[test]
fn a_flood_of_requests_that_are_taken_back_harms_nobody() {
    let hub = Hub::start_with(&[OWN]);
    let scrape = hub.operator("scrape");
    in_time(async {
        let mut other = Client::to(&hub).await;
        for _ in 0..3 {
            let mut client = Client::to(&hub).await;
            for _ in 0..1_000 {
                if client.0.ready().await.is_err() {
                    break;
                }
                let mut taken_back = JoinSet::new();
                taken_back.spawn(client.send("GET", "/api/v1/openapi.json", &[], Vec::new()));
                tokio::task::yield_now().await;
                taken_back.abort_all();
            }
            assert_eq!(json(other.get("/health", "").await).await.0, 200);
        }
    });
    eventually("all lines are gone", || {
        let figures = scrape.get("/metrics");
        figures.text().contains("\npingup_connections_multiplexed 0\n").then_some(())
    });
    hub.wire.get("/health").expect(200);
}

/// More at once than a connection may have: the rest wait their turn at the client.
#[test]
fn requests_at_once_are_bounded_and_all_are_answered() {
    let hub = Hub::start_with(&[OWN, ("PINGUP_CONNECTIONS_MAX", "200")]);
    let viewer = hub.token("viewer");
    let all = in_time(async {
        let client = Client::to(&hub).await;
        let mut asking = JoinSet::new();
        for _ in 0..400 {
            let (mut client, viewer) = (client.clone(), viewer.clone());
            asking.spawn(async move {
                client.0.ready().await.unwrap();
                json(client.get("/api/v1/agents", &viewer).await).await.0
            });
        }
        asking.join_all().await
    });
    assert_eq!(all, vec![200; 400]);
}
