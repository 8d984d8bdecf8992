//! One request to a hub, from an operator's machine: over TLS, or plain where that was said.

use super::trust::Trust;
use crate::{address::Address, cli::CliError};
use bytes::Bytes;
use http::{Request, header, uri::Authority};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use pingup_protocol::problem::Problem;
use serde_json::Value;
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::Builder,
    time::timeout,
};
use zeroize::Zeroizing;

/// How long all of it may take.
const WITHIN: Duration = Duration::from_secs(60);
/// An answer: a batch that names a thousand agents takes a tenth of it.
const ANSWER_BYTES_MAX: usize = 1 << 20;
const PATH: &str = "/api/v1/commands";

/// Where an order goes, and in whose name.
pub(super) struct Hub {
    pub(super) address: Address,
    pub(super) token: Zeroizing<String>,
    pub(super) trust: Trust,
}

/// Posts `body`, and gives back what the hub made of it, on lines.
pub(super) fn post(hub: &Hub, body: &Value) -> Result<String, CliError> {
    let failed = |what: String| CliError::Failed(format!("{}: {what}", hub.address));
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::Failed(format!("cannot start the runtime: {error}")))?;
    let answered = runtime.block_on(async { timeout(WITHIN, Box::pin(sent(hub, body))).await });
    let (status, text) = answered
        .map_err(|_| {
            failed(format!("no answer within {} s; posting the same body again is safe", WITHIN.as_secs()))
        })?
        .map_err(failed)?;
    match status {
        200 | 201 => {
            let answer: Value =
                serde_json::from_slice(&text).map_err(|_| failed("it is no pingup hub".to_owned()))?;
            Ok(serde_json::to_string_pretty(&answer).map_err(std::io::Error::from)?)
        }
        _ => Err(failed(match serde_json::from_slice::<Problem>(&text) {
            Ok(problem) => format!("{status} {}: {}", problem.title, problem.detail),
            Err(_) => format!("it answered {status}, and is perhaps no pingup hub"),
        })),
    }
}

/// Status and body of the answer, or what went wrong.
async fn sent(hub: &Hub, body: &Value) -> Result<(u16, Bytes), String> {
    let Address { scheme, authority, .. } = &hub.address;
    let authority: Authority = authority.parse().map_err(|_| "it has no host".to_owned())?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_tls = scheme == "https";
    let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let stream =
        TcpStream::connect((host, port)).await.map_err(|error| format!("cannot reach it: {error}"))?;
    match is_tls {
        true => exchange(hub.trust.connect(host, stream).await?, hub, body).await,
        false => exchange(stream, hub, body).await,
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    hub: &Hub,
    body: &Value,
) -> Result<(u16, Bytes), String> {
    let broken = |error: hyper::Error| format!("the connection broke: {error}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // What becomes of it, whoever waits for the answer hears.
    tokio::spawn(async move { _ = connection.await });
    let request = Request::post(format!("{}{PATH}", hub.address.path))
        .header(header::HOST, &hub.address.authority)
        .header(header::AUTHORIZATION, format!("Bearer {}", hub.token.as_str()))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(|error| error.to_string())?;
    let (head, answer) = sender.send_request(request).await.map_err(broken)?.into_parts();
    let whole = Limited::new(answer, ANSWER_BYTES_MAX).collect().await;
    let whole = whole.map_err(|error| format!("its answer cannot be read: {error}"))?;
    Ok((head.status.as_u16(), whole.to_bytes()))
}
