//! A hub to look at: a fleet with believable days behind it that goes on, and everything a Grafana needs to show it.
//!
//! Nothing here is a shortcut. The hub is the real one; the agents are enrolled, sign what they send, and push their days
//! through the front door. What they measure is made up ([`life`]); with a few of the machines something is the matter,
//! so that each alert has its case and each panel its sight ([`cast`]). In the end ten queries are asked ([`tour`]),
//! and all goes on until Ctrl-C, or with `--once` ends there.

mod cast;
mod deliver;
mod folder;
mod life;
mod live;
mod network;
mod noise;
mod orders;
mod past;
mod player;
mod replies;
mod text;
mod tour;

use super::Scenario;
use crate::{
    api::Api,
    client::Client,
    error::LoadError,
    fleet::{FleetAgent, now, register_one},
    hub::{Stage, Start, file},
    progress,
    report::Told,
    settings::{OwnHub, SettingsError, Target, check_own, number},
};
use cast::{CAST_MIN, cast};
use clap::{Args, value_parser};
use folder::Folder;
use live::Counted;
use noise::DAY;
use player::{Calendar, Player};
use serde::Serialize;
use std::{
    io::{self, ErrorKind, Write},
    net::TcpListener,
    path::Path,
    sync::{Arc, atomic::Ordering},
};
use text::Shown;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

/// Machines of a demo at most: each has a connection and a task of its own.
const AGENTS_MAX: u64 = 1_000;
/// From one sample to the next at most, seconds: a series has no value five minutes after its last.
const INTERVAL_MAX: i64 = 120;

/// How large, and for how long.
#[derive(Args)]
pub(crate) struct Demo {
    /// Machines
    #[arg(long, env = "PINGUP_AGENTS", value_name = "N", default_value = "50",
          value_parser = number::<{ CAST_MIN as u64 }, AGENTS_MAX>)]
    agents: usize,
    /// Days that lie behind them
    #[arg(long, env = "PINGUP_DAYS", value_name = "N", default_value_t = 7, value_parser = value_parser!(i64).range(2..=30))]
    days: i64,
    /// Seconds from one sample of an agent to the next
    #[arg(long, env = "PINGUP_INTERVAL", value_name = "N", default_value_t = 30,
          value_parser = value_parser!(i64).range(1..=INTERVAL_MAX))]
    interval: i64,
    /// The port that the hub listens on, on this machine alone; 0: a free one
    #[arg(long, env = "PINGUP_PORT", value_name = "N", default_value_t = 8080)]
    port: u16,
    /// End when everything is there and the queries are answered
    #[arg(long, env = "PINGUP_ONCE", value_name = "YES", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", default_value = "false",
          value_parser = clap::builder::BoolishValueParser::new())]
    once: bool,
}

/// Refuses a port that cannot be listened on, before there is anything that stays behind.
fn is_free(port: u16) -> Result<(), LoadError> {
    let address = format!("127.0.0.1:{port}");
    let taken = "somebody listens there already: name another port (--port)";
    TcpListener::bind(&address).map(drop).map_err(|source| match source.kind() {
        ErrorKind::AddrInUse => file(Path::new(&address), io::Error::new(ErrorKind::AddrInUse, taken)),
        _ => file(Path::new(&address), source),
    })
}

/// What it came to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    seed: u64,
    agents: usize,
    days: i64,
    /// Samples of the past.
    rows: u64,
    /// How long it took to push them.
    seconds: f64,
    /// Samples since.
    live_rows: u64,
    /// Turns of agents in which something did not get through.
    live_failed: u64,
    unanswered: usize,
}

impl Scenario for Demo {
    fn check(&self, target: &Target) -> Result<(), SettingsError> {
        check_own("demo", target)
    }

    async fn run(&self, target: &Target, seed: u64) -> Result<Told, LoadError> {
        let Target::Own(own) = target else {
            return Err(LoadError::Nothing("demo runs a hub of its own"));
        };
        let heard = |source| LoadError::Waited(format!("signals cannot be heard: {source}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(heard)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(heard)?;
        let stopped = async {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        };
        let mut stopped = std::pin::pin!(stopped);
        is_free(self.port)?;
        let folder = Folder::make(own.data_dir.as_deref())?;
        let hub = Target::Own(OwnHub { server: own.server.clone(), data_dir: Some(folder.data()) });
        let start = Start { port: self.port, apart: true, ..Start::default() };
        let mut stage = Stage::open_with(&hub, start).await?;
        let (mut figures, players, shown) = tokio::select! {
            ready = self.prepare(&stage, &folder, seed) => ready?,
            () = &mut stopped => return Err(LoadError::Nothing("ended before everything was there; what was made stays in the folder")),
        };
        let sound = figures.unanswered == 0;
        if self.once {
            stage.close().await?;
            return Ok(Told::new("demo", &figures, shown.whole(), sound));
        }
        // Who reads it may have gone; the demo goes on all the same.
        let _ = io::stdout().lock().write_all(shown.whole().as_bytes()).and_then(|()| io::stdout().flush());
        let counted = Arc::new(Counted::default());
        let mut lives = live::go_on(players, &counted);
        tokio::select! {
            () = &mut stopped => {}
            why = stage.ended() => return Err(why),
        }
        lives.shutdown().await;
        stage.close().await?;
        (figures.live_rows, figures.live_failed) =
            (counted.rows.load(Ordering::Relaxed), counted.failed.load(Ordering::Relaxed));
        Ok(Told::new("demo", &figures, shown.farewell(figures.live_rows), sound))
    }
}

impl Demo {
    /// Everything until there is something to look at.
    async fn prepare(
        &self,
        stage: &Stage,
        folder: &Folder,
        seed: u64,
    ) -> Result<(Figures, Vec<Player>, Shown), LoadError> {
        let began = now().as_micros().div_euclid(1_000_000);
        let calendar = Calendar { first: began - self.days * DAY, began, interval: self.interval };
        let players = self.enrol(stage, calendar, seed).await?;
        let pushing = Instant::now();
        let expected = self.days * DAY / self.interval * i64::try_from(self.agents).unwrap_or_default();
        let (players, rows) = past::push(players, began, expected.unsigned_abs()).await?;
        let took = pushing.elapsed();
        let mut api = Api::new(Arc::clone(&stage.hub), stage.bearer.clone());
        orders::queue(&mut api, &players).await?;
        let (players, live_rows) = live::once(players).await?;
        let bearer = folder.fill(stage, self.interval).await?;
        let mut viewer = Api::new(Arc::clone(&stage.hub), bearer.clone());
        let stops = tour::ask(&mut viewer).await?;
        let unanswered = tour::unanswered(&stops);
        let (agents, days, seconds) = (self.agents, self.days, took.as_secs_f64());
        let figures = Figures { seed, agents, days, rows, seconds, live_rows, live_failed: 0, unanswered };
        let shown = Shown::new(self, &figures, stage, folder, &bearer, &tour::text(&stops));
        Ok((figures, players, shown))
    }

    /// Registers every machine, and has it say what it is.
    async fn enrol(&self, stage: &Stage, calendar: Calendar, seed: u64) -> Result<Vec<Player>, LoadError> {
        let bar = progress::bar("registering", self.agents as u64, "agents");
        let mut client = Client::new(Arc::clone(&stage.hub));
        let mut players = Vec::new();
        for machine in cast(self.agents, seed) {
            let name = machine.name.clone();
            let credentials = register_one(&mut client, &stage.hub, &stage.bearer, name).await?;
            let boot = calendar.began.unsigned_abs();
            let agent = FleetAgent::new(&credentials, boot, machine.seed)?;
            let mut player = Player::new(machine, agent, &stage.hub, calendar)?;
            player.beat(true).await?;
            players.push(player);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(players)
    }
}
