//! Bytes received and sent a second, over the machine's own interfaces. What containers say to each other
//! over bridges is left out: what leaves the machine passes an own interface and is counted there.

use super::{Source, add, rate::Rate};
use crate::interfaces::is_bridge;
use pingup_protocol::metrics::Measurements;
use std::time::Instant;
use sysinfo::Networks;

pub(super) struct Network {
    networks: Networks,
    received: Rate,
    sent: Rate,
}

impl Network {
    pub(super) fn new() -> Option<Self> {
        let networks = Networks::new().ok()?;
        Some(Self { networks, received: Rate::default(), sent: Rate::default() })
    }
}

impl Source for Network {
    fn measure(&mut self, sample: &mut Measurements) -> Result<(), String> {
        let now = Instant::now();
        self.networks.refresh(true);
        let own = self.networks.iter().filter(|(name, _)| name.to_str().is_some_and(is_own));
        let counters = own.map(|(_, counters)| (counters.total_received(), counters.total_transmitted()));
        let Some((received, sent)) = sum(counters) else {
            return Err("the system shows no interfaces of its own".to_owned());
        };
        for (name, rate) in [
            ("net_rx_bytes_per_second", self.received.read(now, received)),
            ("net_tx_bytes_per_second", self.sent.read(now, sent)),
        ] {
            if let Some(rate) = rate {
                add(sample, name, rate);
            }
        }
        Ok(())
    }
}

/// Both counters, over all interfaces; `None` of none.
fn sum(counters: impl Iterator<Item = (u64, u64)>) -> Option<(u64, u64)> {
    counters.reduce(|all, one| (all.0.wrapping_add(one.0), all.1.wrapping_add(one.1)))
}

/// Loopback is `lo` on Linux, `lo0` on macOS and the BSDs.
fn is_own(name: &str) -> bool {
    !matches!(name, "lo" | "lo0") && !is_bridge(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_interfaces_are_no_noughts() {
        assert_eq!(sum([].into_iter()), None);
        assert_eq!(sum([(0, 0)].into_iter()), Some((0, 0)));
        assert_eq!(sum([(1, 2), (u64::MAX, 3)].into_iter()), Some((0, 5)));
    }
}
