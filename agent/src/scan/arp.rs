//! Who has an address, by what the kernel heard by ARP: it asks for whoever is to be sent something on a link of this
//! machine's own.

use super::{
    kernel::Trust,
    probe::Outcome,
    search::{Attempt, Search},
};
use std::{net::Ipv4Addr, time::Duration};
use tokio::time::{Instant, sleep};

/// How long ARP may take. The kernel asks at once and after each second, so the second answer is heard too.
const ARP_WITHIN: Duration = Duration::from_millis(1_500);
/// For so long after an attempt the kernel surely still shows that it asked, whether or not it was answered: it asks for
/// three seconds.
const ASKED_WITHIN: Duration = Duration::from_millis(2_500);
/// Looks in that time that show nothing, before it counts as not having asked: one may miss what is changed meanwhile.
const LOOKS_LEAST: usize = 2;
/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long the kernel takes at most to make sure of somebody it knew before: five seconds until it asks, three times a
/// second apart.
const SURE_WITHIN: Duration = Duration::from_secs(9);
/// One that answers ARP for more addresses than this answers for others, as routers do that stand in for a network.
const ADDRESSES_OF_ONE_MAX: usize = 8;

/// What the kernel says of who has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arp {
    /// Somebody does, or it cannot be known.
    Answered,
    /// Nobody says so.
    Silent,
    /// It did not ask, nor does it ask anew for somebody it knew: what was to go there went elsewhere, or nowhere.
    NotAsked,
}

/// Whether somebody says that `address` is his, after an attempt to connect to it that nobody answered.
pub(super) async fn ask_arp(search: &Search, address: Ipv4Addr, attempt: Attempt) -> Arp {
    let asked = attempt.made;
    let (mut was_asked, mut looks) = (attempt.outcome == Outcome::Unreachable, 0);
    loop {
        match search.neighbourhood.of(address).map(|known| known.map(|neighbour| neighbour.trust)) {
            Err(_) | Ok(Some(Trust::Confirmed | Trust::Doubted | Trust::Fixed)) => return Arp::Answered,
            Ok(Some(Trust::Asked)) => was_asked = true,
            Ok(None | Some(Trust::Past | Trust::Unanswered)) => {
                looks += usize::from(asked.elapsed() <= ASKED_WITHIN);
            }
        }
        if asked.elapsed() >= ARP_WITHIN {
            let is_sure = !was_asked && looks >= LOOKS_LEAST;
            return if is_sure { Arp::NotAsked } else { Arp::Silent };
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Whether the kernel has heard of `address` just now, at the latest once it has made sure of whom it knew before.
pub(super) async fn is_surely_there(search: &Search, address: Ipv4Addr, asked: Instant) -> bool {
    loop {
        let Ok(Some(neighbour)) = search.neighbourhood.of(address) else { return false };
        let Some(hardware) = neighbour.hardware else { return false };
        if search.neighbourhood.addresses_of(hardware).is_ok_and(|count| count > ADDRESSES_OF_ONE_MAX) {
            return false;
        }
        match neighbour.trust {
            Trust::Confirmed => return true,
            Trust::Fixed | Trust::Asked | Trust::Unanswered => return false,
            Trust::Past | Trust::Doubted if asked.elapsed() >= SURE_WITHIN => return false,
            Trust::Past | Trust::Doubted => sleep(LOOK_EVERY).await,
        }
    }
}
