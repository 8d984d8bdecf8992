//! The days that lie behind the fleet: every sample and scan of them, signed, through the front door.

use super::player::Player;
use crate::{error::LoadError, progress};
use indicatif::ProgressBar;
use tokio::task::JoinSet;

/// Agents that push at once.
const LANES: usize = 6;

/// Sends everything until that moment; the players, in their order, and how many samples there were.
pub(super) async fn push(
    players: Vec<Player>,
    until: i64,
    expected: u64,
) -> Result<(Vec<Player>, u64), LoadError> {
    let bar = progress::bar("days behind the fleet", expected, "samples");
    let mut shares: Vec<Vec<(usize, Player)>> = (0..LANES).map(|_| Vec::new()).collect();
    for (place, player) in players.into_iter().enumerate() {
        shares[place % LANES].push((place, player));
    }
    let mut lanes = JoinSet::new();
    for share in shares {
        lanes.spawn(push_share(share, until, bar.clone()));
    }
    let (mut players, mut rows) = (Vec::new(), 0);
    while let Some(ended) = lanes.join_next().await {
        let (share, pushed) = ended??;
        players.extend(share);
        rows += pushed;
    }
    bar.finish_and_clear();
    players.sort_by_key(|(place, _)| *place);
    Ok((players.into_iter().map(|(_, player)| player).collect(), rows))
}

type Share = Vec<(usize, Player)>;

/// A request of each in turn, so that the days go by for all of them together, as they did.
async fn push_share(mut share: Share, until: i64, bar: ProgressBar) -> Result<(Share, u64), LoadError> {
    let mut rows = 0;
    while share.iter().any(|(_, player)| !player.is_through(until)) {
        for (_, player) in &mut share {
            let pushed = player.push(until).await?;
            bar.inc(pushed);
            rows += pushed;
        }
    }
    for (_, player) in &mut share {
        player.scan(until).await?;
    }
    Ok((share, rows))
}
