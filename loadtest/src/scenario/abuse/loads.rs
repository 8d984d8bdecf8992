//! The abusive loads, each as bytes and a way to send them. What each is answered is in the hub's own tests too.

use crate::{
    error::LoadError,
    fleet::{FleetAgent, METRICS, now},
    request,
    settings::{Bearer, Hub},
};
use pingup_protocol::{
    keys::{KEY_BYTES, Secret},
    signing::{self, Key},
};
use serde_json::json;
use std::time::Duration;

/// Connections of a load that sends as fast as it is answered.
const FLOOD_CONNECTIONS: usize = 64;
/// Connections of a flood from many.
const MANY_CONNECTIONS: usize = 2_000;
/// Slow connections.
const SLOW_CONNECTIONS: usize = 10_000;
/// Connections with half a body, a captured agent's and strangers'.
const SLOW_BODIES: usize = 128;
/// Readers that take nothing.
const SLOW_READERS: usize = 256;
/// How often a slow connection says one byte more.
const DRIP_EVERY: Duration = Duration::from_secs(5);
/// Bytes of the `[` that are sent, members of the object, and of a body that never ends as much as is sent of it: more than any may have.
const BRACKETS: usize = 1 << 20;
const MEMBERS: usize = 64 * 1024;
const ENDLESS_BYTES: usize = 5 << 20;
const CHUNK_BYTES: usize = 64 * 1024;
/// Requests in one write of a pipelining flood.
const PIPELINED: usize = 200;
/// Characters of a rubbish token: as many as an agent's.
const TOKEN_CHARS: usize = 200;

/// How a load is sent.
pub(super) enum Way {
    /// Over so many connections, each as fast as it is answered.
    Flood { connections: usize, request: Vec<u8> },
    /// Over so many connections that are kept: what is said first (each its own in turn), and then a byte now and then, or nothing.
    Hold { connections: usize, firsts: Vec<Vec<u8>>, drip: Option<u8>, every: Duration },
    /// Connections that are opened and closed.
    Connect { at_once: usize },
    /// Written as fast as the connection takes it, answers read beside.
    Pipeline { connections: usize, requests: Vec<u8> },
}

impl Way {
    /// How many send so at a time.
    pub(super) const fn abusers(&self) -> usize {
        match self {
            Self::Flood { connections, .. }
            | Self::Hold { connections, .. }
            | Self::Pipeline { connections, .. } => *connections,
            Self::Connect { at_once } => *at_once,
        }
    }
}

/// An abusive load.
pub(super) struct Load {
    pub(super) name: &'static str,
    pub(super) way: Way,
    /// The table has a line of it.
    pub(super) is_in_table: bool,
    /// It goes on for as long as bad tokens do.
    pub(super) is_of_tokens: bool,
}

impl Load {
    const fn of_table(name: &'static str, way: Way) -> Self {
        Self { name, way, is_in_table: true, is_of_tokens: false }
    }

    const fn beside(name: &'static str, way: Way) -> Self {
        Self { name, way, is_in_table: false, is_of_tokens: false }
    }
}

fn flood(request: Vec<u8>) -> Way {
    Way::Flood { connections: FLOOD_CONNECTIONS, request }
}

/// All of them, to `hub`. `captured` are agents whose keys the abusers have; an operator's token is for questions.
pub(super) fn all(hub: &Hub, operator: &Bearer, captured: &[FleetAgent]) -> Result<Vec<Load>, LoadError> {
    let [agent, other, ..] = captured else { return Err(LoadError::Nothing("no agent was captured")) };
    let rubbish = Bearer::new(&format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.{}.x", "a".repeat(TOKEN_CHARS)));
    let push = |body: &[u8]| {
        let mut request = agent.head(hub, METRICS);
        let head = request.len();
        request.extend_from_slice(body);
        request::close(&mut request, head);
        request
    };
    let sample =
        json!({"agentId": agent.id(), "timestamp": now(), "status": "online", "metrics": {"cpu": 1}});
    let forged = forged(&sample)?;
    let form = "GET / HTTP/1.1\r\nhost: hub\r\nx-slow: ";
    let (silent, half, large) =
        (Vec::new(), form.as_bytes().to_vec(), format!("{form}{}", "x".repeat(8_000)).into_bytes());
    let slow =
        |firsts| Way::Hold { connections: SLOW_CONNECTIONS, firsts, drip: Some(b'x'), every: DRIP_EVERY };
    let wrong = request::post_with(hub, METRICS, rubbish.as_ref(), &forged);
    let many = Way::Flood { connections: MANY_CONNECTIONS, request: wrong.clone() };
    let wrong_get =
        rubbish.as_ref().map(|token| request::get(hub, "/api/v1/agents", token, "application/json"));
    let pipelined = Way::Pipeline {
        connections: FLOOD_CONNECTIONS,
        requests: wrong_get.unwrap_or_default().repeat(PIPELINED),
    };
    let range = "/prometheus/api/v1/query_range?query=sum(rate(pingup_cpu_percent[5m]))&start=0&end=1&step=1";
    let get = |path: &str| request::get(hub, path, operator, "application/json");
    Ok(vec![
        Load::of_table("10 000 slow connections", slow(vec![silent, half])),
        Load::of_table("1 MiB of [", flood(push(&vec![b'['; BRACKETS]))),
        Load::of_table("64 Ki keys", flood(push(&members()))),
        Load::of_table("bodies that never end", flood(endless(other, hub))),
        Load { is_of_tokens: true, ..Load::of_table("bad agents' tokens", flood(wrong)) },
        Load::of_table("bad agents' tokens, 2 000 lines", many),
        Load::of_table("bad operators' tokens, pipelined", pipelined),
        Load::beside("10 000 heads of 8 KB that never end", slow(vec![large])),
        Load::beside("bad operators' tokens", flood(wrong_operator(hub, rubbish.as_ref()))),
        Load::beside("bad signatures", flood(push(&forged))),
        Load::beside("joins with unknown tokens", flood(join(hub)?)),
        Load::beside("slow bodies", slow_bodies(hub, other)),
        Load::beside("slow readers", slow_readers()),
        Load::beside("connections, opened and closed", Way::Connect { at_once: FLOOD_CONNECTIONS }),
        Load::beside(
            "pipelined requests",
            Way::Pipeline {
                connections: FLOOD_CONNECTIONS,
                requests: "GET /health HTTP/1.1\r\nhost: hub\r\n\r\n".repeat(PIPELINED).into_bytes(),
            },
        ),
        Load::beside("bombs at the senders' door", flood(bomb(hub, operator))),
        Load::beside("PromQL, over and over", flood(get(range))),
    ])
}

/// Signed, by a key that is nobody's.
fn forged(body: &serde_json::Value) -> Result<Vec<u8>, LoadError> {
    let key = Key::new(&Secret::new([9; KEY_BYTES]));
    signing::sign(&key, body).map_err(|error| LoadError::Credentials(error.to_string()))
}

fn members() -> Vec<u8> {
    let members: Vec<_> = (0..MEMBERS).map(|number| format!("\"k{number:05}\":0")).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

fn endless(agent: &FleetAgent, hub: &Hub) -> Vec<u8> {
    let head = String::from_utf8(agent.head(hub, METRICS)).unwrap_or_default();
    let lines: Vec<_> =
        head.lines().filter(|line| !line.is_empty() && !line.starts_with("content-length")).collect();
    let mut request = format!("{}\r\ntransfer-encoding: chunked\r\n\r\n", lines.join("\r\n")).into_bytes();
    while request.len() < ENDLESS_BYTES {
        request.extend_from_slice(format!("{CHUNK_BYTES:x}\r\n").as_bytes());
        request.resize(request.len() + CHUNK_BYTES, b' ');
        request.extend_from_slice(b"\r\n");
    }
    request
}

fn wrong_operator(hub: &Hub, rubbish: Option<&Bearer>) -> Vec<u8> {
    let mut request = request::post_with(hub, "/api/v1/commands", rubbish, b"{}");
    request.shrink_to_fit();
    request
}

fn join(hub: &Hub) -> Result<Vec<u8>, LoadError> {
    let body = json!({"tokenId": "abcdefgh", "nonce": "n", "timestamp": now()});
    Ok(request::post_with(hub, "/api/v1/agents", None, &forged(&body)?))
}

fn slow_bodies(hub: &Hub, agent: &FleetAgent) -> Way {
    let head = String::from_utf8(agent.head(hub, METRICS)).unwrap_or_default();
    let announced = head.lines().map(|line| match line.starts_with("content-length") {
        true => "content-length: 4194304",
        false => line,
    });
    let mut known = announced.collect::<Vec<_>>().join("\r\n").into_bytes();
    known.extend_from_slice(b"\r\n");
    known.resize(known.len() + CHUNK_BYTES, b' ');
    let mut stranger = b"POST /api/v1/agents HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\ncontent-length: 262144\r\n\r\n".to_vec();
    stranger.resize(stranger.len() + CHUNK_BYTES, b' ');
    Way::Hold { connections: SLOW_BODIES, firsts: vec![known, stranger], drip: Some(b' '), every: DRIP_EVERY }
}

fn slow_readers() -> Way {
    let asks = "GET /api/v1/openapi.json HTTP/1.1\r\nhost: hub\r\n\r\n".repeat(PIPELINED).into_bytes();
    Way::Hold { connections: SLOW_READERS, firsts: vec![asks], drip: None, every: DRIP_EVERY }
}

/// A message of remote write that says it unpacks to a gibibyte.
fn bomb(hub: &Hub, writer: &Bearer) -> Vec<u8> {
    let body = [0x80, 0x80, 0x80, 0x80, 0x04, 0x00];
    let head = format!(
        "POST /prometheus/api/v1/write HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/x-protobuf\r\n\
         content-encoding: snappy\r\nx-prometheus-remote-write-version: 0.1.0\r\ncontent-length: {}\r\n\r\n",
        hub.authority,
        writer.expose(),
        body.len()
    );
    [head.as_bytes(), &body].concat()
}
