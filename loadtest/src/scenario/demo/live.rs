//! The fleet goes on: each machine measures at its moments, beats, scans, and does what it is told, until somebody ends it.

use super::player::Player;
use crate::{error::LoadError, fleet::now};
use pingup_protocol::limits::HEARTBEAT_SECONDS;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

const BEAT_EVERY: Duration = Duration::from_secs(HEARTBEAT_SECONDS);

/// What became of it.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Samples that the hub has.
    pub(super) rows: AtomicU64,
    /// Turns in which something did not get through.
    pub(super) failed: AtomicU64,
}

/// Has everybody who is there do once what is due; the players, and how many samples they sent.
pub(super) async fn once(players: Vec<Player>) -> Result<(Vec<Player>, u64), LoadError> {
    let mut turns = JoinSet::new();
    let (mut done, mut rows) = (Vec::new(), 0);
    for mut player in players {
        if !player.is_there() {
            done.push(player);
            continue;
        }
        turns.spawn(async move {
            let rows = turn(&mut player).await?;
            attend(&mut player).await.map(|()| (player, rows))
        });
    }
    while let Some(ended) = turns.join_next().await {
        let (player, pushed) = ended??;
        done.push(player);
        rows += pushed;
    }
    Ok((done, rows))
}

/// Has everybody who is there go on, for as long as what is returned is kept.
pub(super) fn go_on(players: Vec<Player>, counted: &Arc<Counted>) -> JoinSet<()> {
    let mut lives = JoinSet::new();
    for player in players.into_iter().filter(Player::is_there) {
        lives.spawn(live(player, Arc::clone(counted)));
    }
    lives
}

async fn live(mut player: Player, counted: Arc<Counted>) {
    let mut beaten = Instant::now();
    loop {
        sleep(player.until_next(now())).await;
        let mut done = turn(&mut player).await;
        if let Ok(rows) = done {
            counted.rows.fetch_add(rows, Ordering::Relaxed);
        }
        if done.is_ok() && beaten.elapsed() >= BEAT_EVERY {
            beaten = Instant::now();
            done = attend(&mut player).await.map(|()| 0);
        }
        if done.is_err() {
            counted.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Sends all samples and scans that are due; how many samples.
async fn turn(player: &mut Player) -> Result<u64, LoadError> {
    let until = now().as_micros().div_euclid(1_000_000);
    let mut rows = 0;
    while !player.is_through(until) {
        rows += player.push(until).await?;
    }
    player.scan(until).await.map(|()| rows)
}

/// Says that it is there, and does what it is told.
async fn attend(player: &mut Player) -> Result<(), LoadError> {
    player.beat(false).await?;
    player.obey().await
}
