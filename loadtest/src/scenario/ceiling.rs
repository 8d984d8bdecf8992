//! A bare hyper handler instead of a hub: the most that this machine and this generator can do together.
//!
//! It runs as a program of its own, as the hub does, reads each body whole and answers a fixed text as long as a
//! hub's answer. What it does not do is everything that makes a hub.

use super::{AGENTS, Scenario, load};
use crate::{
    error::LoadError,
    fleet::{FleetAgent, now},
    hub::Listener,
    lanes,
    load_report::LoadReport,
    progress::Progress,
    report::Told,
    settings::{
        AGENTS_MAX, CONNECTIONS_MAX, RUN_SECONDS_MAX, SettingsError, Target, check_connections, number,
    },
};
use bytes::Bytes;
use clap::{Args, value_parser};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, body::Incoming, header::CONTENT_TYPE, http::HeaderValue, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{
    io::{self, Write},
    time::Duration,
};
use tokio::{net::TcpListener, process::Command, time::sleep};

/// What it answers: a hub's answer to a sample.
const ANSWER: &[u8] = br#"{"accepted":1,"duplicates":0,"expired":0,"rejected":[],"highWater":1234,"serverTime":"2026-02-25T10:00:00.123456Z"}"#;
/// The wait after a connection could not be taken, say for want of open files.
const PAUSE: Duration = Duration::from_millis(10);

/// How many, how long.
#[derive(Args)]
pub(crate) struct Ceiling {
    /// Agents to make up
    #[arg(long, env = "PINGUP_AGENTS", value_name = "N", default_value_t = AGENTS,
          value_parser = number::<1, AGENTS_MAX>)]
    agents: usize,
    /// Keep-alive connections
    #[arg(long, env = "PINGUP_CONNECTIONS", value_name = "N", default_value = "1000",
          value_parser = number::<1, CONNECTIONS_MAX>)]
    connections: usize,
    /// How long to push
    #[arg(long, env = "PINGUP_SECONDS", value_name = "N", default_value_t = 10,
          value_parser = value_parser!(u64).range(1..=RUN_SECONDS_MAX))]
    seconds: u64,
}

impl Scenario for Ceiling {
    fn check(&self, _: &Target) -> Result<(), SettingsError> {
        check_connections(self.connections, self.agents)
    }

    async fn run(&self, _: &Target, seed: u64) -> Result<Told, LoadError> {
        let bare = start().await?;
        let load = load(self.connections, 1, None, self.seconds);
        let progress = Progress::new("ceiling", load.until, 0);
        let ran = lanes::run(&bare.hub, fleet(self.agents), load, &progress).await?;
        let report = LoadReport::new(bare.hub.url(), self.agents, seed, &load, &ran);
        bare.kill().await?;
        Ok(Told::new("ceiling", &report, format!("a bare handler on {report}"), report.sound()))
    }
}

/// Starts the bare handler as a program of its own.
pub(crate) async fn start() -> Result<Listener, LoadError> {
    let this = std::env::current_exe()
        .map_err(|source| LoadError::File { path: "pingup-loadtest".to_owned(), source })?;
    let mut command = Command::new(this);
    command.arg("bare");
    Listener::start(command, None).await
}

/// Agents for it: it asks nobody who they are.
pub(crate) fn fleet(agents: usize) -> Vec<FleetAgent> {
    let boot = u64::try_from(now().as_micros() / 1_000).unwrap_or_default();
    (0..agents).map(|number| FleetAgent::made_up(number, boot)).collect()
}

/// The handler itself: listens on a free port of the loopback, says where, and serves until it is killed.
pub(crate) async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // The hub does the same, and it is half the answer's time.
                let _ = stream.set_nodelay(true);
                tokio::spawn(
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)),
                );
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    request.into_body().collect().await?;
    let mut response = Response::new(Full::new(Bytes::from_static(ANSWER)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::metrics::PushAnswer;

    #[test]
    fn it_answers_as_a_hub_does() {
        let answer: PushAnswer = serde_json::from_slice(ANSWER).unwrap();
        assert_eq!((answer.accepted, answer.high_water), (1, Some(1234)));
        assert_eq!(serde_json::to_vec(&answer).unwrap(), ANSWER);
    }
}
