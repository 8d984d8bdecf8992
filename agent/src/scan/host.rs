//! One address examined: is somebody there, and what answers.
//!
//! 1. On a link of this machine's own, the first attempt makes the kernel ask by ARP. Who does not answer that is not
//!    there, and no more is tried. So an address with nobody costs one packet and a wait, whatever the number of ports.
//!    Where the kernel does not even ask, nothing was sent, and nobody looked.
//! 2. Whoever may be there is tried on every port: a host that answers on one port alone is found. Beyond a router that
//!    is every address.
//!    The first two ports are tried without hurry, and so is an echo beyond a router: what was learned of a network
//!    whose hosts are quick does not hide one that is slow.
//! 3. Who answered anything is tried once more where he was silent, with twice the patience, and twice what he took: an
//!    answer may have been late, or lost. So is an echo from somebody who is there and answered nothing.
//! 4. Who answered nothing but ARP is there too, if the kernel has heard of him just now, and no router answers for all. He
//!    is tried once more without hurry: he drops what he does not take, and may be slow where he does.

use super::{
    arp::{Arp, ask_arp, is_surely_there},
    echo::Echoed,
    kernel::Hardware,
    patience::Wait,
    plan::Target,
    probe::Outcome,
    reach::Reached,
    search::Search,
    surroundings::Road,
};
use std::{net::Ipv4Addr, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};

/// Ports of one host that are tried at a time: small appliances bear no more.
const PORTS_AT_A_TIME: usize = 8;
/// Ports of one address that are tried without hurry at first. Each holds a socket for a second where nobody is, and of
/// those a scan has some hundreds.
const UNHURRIED_PORTS: usize = 2;

/// What was found at an address where somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) address: Ipv4Addr,
    pub(super) hardware: Option<Hardware>,
    /// How long its fastest answer took.
    pub(super) fastest: Option<Duration>,
    /// Where it takes connections, in order.
    pub(super) open: Vec<u16>,
}

/// An address that was examined.
#[derive(Debug)]
pub(super) struct Examined {
    pub(super) address: Ipv4Addr,
    pub(super) reached: Reached,
    /// Who is there; none where nobody is.
    pub(super) found: Option<Found>,
}

/// What is known so far.
#[derive(Debug, Default)]
struct Seen {
    /// Something left this machine.
    is_sent: bool,
    fastest: Option<Duration>,
    open: Vec<u16>,
    silent: Vec<u16>,
}

impl Seen {
    fn note(&mut self, port: u16, outcome: Outcome) {
        self.is_sent |= outcome.is_sent();
        match outcome {
            Outcome::Open(_) => self.open.push(port),
            Outcome::Silent | Outcome::NotMade => self.silent.push(port),
            Outcome::Refused(_) | Outcome::Unreachable | Outcome::NoRoute | Outcome::Forbidden => {}
        }
        self.hear(outcome.answer());
    }

    fn hear(&mut self, answer: Option<Duration>) {
        self.fastest = self.fastest.into_iter().chain(answer).min();
    }
}

/// Examines `target`, if there is a way to it.
pub(super) async fn examine(search: Arc<Search>, target: Target) -> Examined {
    let (address, road) = (target.address, search.surroundings.road(target.address));
    let mut seen = Seen::default();
    let found = match road {
        Road::Cut | Road::Nobodys => None,
        Road::Own | Road::Near | Road::Far => try_all(&search, target, road == Road::Near, &mut seen).await,
    };
    let reached = match road {
        Road::Own | Road::Nobodys => Reached::Neither,
        _ if seen.is_sent => Reached::Sent,
        _ => Reached::Unsent,
    };
    Examined { address, reached, found }
}

/// Tries everything; none where nobody is.
async fn try_all(search: &Arc<Search>, target: Target, is_near: bool, seen: &mut Seen) -> Option<Found> {
    let mut asked = Instant::now();
    let mut echo = JoinSet::new();
    let echo_wait = if is_near { Wait::Usual } else { Wait::Unhurried };
    echo.spawn(ask_for_echo(Arc::clone(search), target, echo_wait));
    let mut ports = search.ports.clone();
    if is_near {
        let first = ports.remove(0);
        let attempt = search.attempt(target, first, Wait::Usual).await;
        asked = attempt.made;
        seen.note(first, attempt.outcome);
        if seen.fastest.is_none() {
            let arp = ask_arp(search, target.address, attempt).await;
            seen.is_sent &= arp != Arp::NotAsked;
            if arp != Arp::Answered {
                return None;
            }
        }
    }
    let first_wait = |place| if place < UNHURRIED_PORTS { Wait::Unhurried } else { Wait::Usual };
    try_ports(search, target, ports, first_wait, seen).await;
    if let Some(Ok(echoed)) = echo.join_next().await {
        seen.is_sent |= echoed.is_sent;
        seen.hear(echoed.took);
    }
    if seen.fastest.is_none() && is_near {
        seen.hear(search.echo(target, Wait::Unhurried).await.took);
    }
    if let Some(fastest) = seen.fastest {
        let silent = std::mem::take(&mut seen.silent);
        try_ports(search, target, silent, |_| Wait::Again(fastest), seen).await;
    } else if is_near && is_surely_there(search, target.address, asked).await {
        let silent = std::mem::take(&mut seen.silent);
        try_ports(search, target, silent, |_| Wait::Unhurried, seen).await;
    } else {
        return None;
    }
    seen.open.sort_unstable();
    Some(Found {
        address: target.address,
        hardware: hardware_of(search, target.address),
        fastest: seen.fastest,
        open: std::mem::take(&mut seen.open),
    })
}

async fn ask_for_echo(search: Arc<Search>, target: Target, wait: Wait) -> Echoed {
    search.echo(target, wait).await
}

/// Tries `ports`, a few at a time, and waits for each as `wait` says of its place.
async fn try_ports(
    search: &Arc<Search>,
    target: Target,
    ports: Vec<u16>,
    wait: impl Fn(usize) -> Wait,
    seen: &mut Seen,
) {
    let mut left = ports.into_iter().enumerate();
    let mut running = JoinSet::new();
    loop {
        while running.len() < PORTS_AT_A_TIME
            && let Some((place, port)) = left.next()
        {
            let (search, wait) = (Arc::clone(search), wait(place));
            running.spawn(async move { (port, search.attempt(target, port, wait).await.outcome) });
        }
        match running.join_next().await {
            Some(Ok((port, outcome))) => seen.note(port, outcome),
            Some(Err(_)) => {}
            None => break,
        }
    }
}

fn hardware_of(search: &Search, address: Ipv4Addr) -> Option<Hardware> {
    let neighbour = search.neighbourhood.of(address).ok().flatten();
    neighbour.and_then(|known| known.hardware).or_else(|| search.surroundings.own_hardware(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_silent_is_tried_again_and_the_fastest_answer_counts() {
        let mut seen = Seen::default();
        let milliseconds = Duration::from_millis;
        for (port, outcome) in [
            (80, Outcome::Open(milliseconds(5))),
            (22, Outcome::Silent),
            (23, Outcome::NotMade),
            (25, Outcome::Unreachable),
            (53, Outcome::Refused(milliseconds(3))),
        ] {
            seen.note(port, outcome);
        }
        seen.hear(None);
        seen.hear(Some(milliseconds(4)));
        assert_eq!((seen.open.as_slice(), seen.silent.as_slice()), (&[80][..], &[22, 23][..]));
        assert_eq!(seen.fastest, Some(milliseconds(3)));
    }
}
