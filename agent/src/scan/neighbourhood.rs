//! Who answered on the links that this machine is on: the kernel's neighbours, looked at as often as is useful.

use super::kernel::{self, Hardware, Neighbour};
use std::{
    collections::HashMap,
    io,
    net::Ipv4Addr,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a look is good for.
const GOOD_FOR: Duration = Duration::from_millis(50);

/// The neighbours.
#[derive(Debug, Default)]
pub(super) struct Neighbourhood(Mutex<Look>);

#[derive(Debug, Default)]
struct Look {
    at: Option<Instant>,
    by_address: HashMap<Ipv4Addr, Neighbour>,
    /// For how many addresses each of them answers.
    addresses: HashMap<Hardware, usize>,
}

impl Neighbourhood {
    /// What is known of `address`.
    pub(super) fn of(&self, address: Ipv4Addr) -> io::Result<Option<Neighbour>> {
        self.look(|look| look.by_address.get(&address).copied())
    }

    /// For how many addresses `hardware` answers.
    pub(super) fn addresses_of(&self, hardware: Hardware) -> io::Result<usize> {
        self.look(|look| look.addresses.get(&hardware).copied().unwrap_or_default())
    }

    fn look<T>(&self, at: impl FnOnce(&Look) -> T) -> io::Result<T> {
        let mut look = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if look.at.is_none_or(|at| at.elapsed() >= GOOD_FOR) {
            *look = Look::new(kernel::neighbours()?);
        }
        Ok(at(&look))
    }
}

impl Look {
    fn new(neighbours: Vec<Neighbour>) -> Self {
        let mut look = Self { at: Some(Instant::now()), ..Self::default() };
        for neighbour in neighbours {
            if let Some(hardware) = neighbour.hardware {
                *look.addresses.entry(hardware).or_default() += 1;
            }
            // The same address on two links: whoever answered counts.
            let known = look.by_address.entry(neighbour.address).or_insert(neighbour);
            if known.hardware.is_none() {
                *known = neighbour;
            }
        }
        look
    }
}

#[cfg(test)]
mod tests {
    use super::{super::kernel::Trust, *};

    #[test]
    fn who_answered_counts_and_one_may_answer_for_many() {
        let entry = |last: u8, hardware: Option<u8>| Neighbour {
            address: Ipv4Addr::new(10, 0, 0, last),
            hardware: hardware.map(|byte| Hardware([byte; 6])),
            trust: if hardware.is_some() { Trust::Confirmed } else { Trust::Unanswered },
        };
        let look = Look::new(vec![
            entry(1, None),
            entry(1, Some(2)),
            entry(1, None),
            entry(3, Some(2)),
            entry(4, None),
        ]);
        assert_eq!(look.by_address[&Ipv4Addr::new(10, 0, 0, 1)].hardware, Some(Hardware([2; 6])));
        assert_eq!(look.by_address[&Ipv4Addr::new(10, 0, 0, 4)].hardware, None);
        assert_eq!(look.addresses[&Hardware([2; 6])], 2);
    }
}
