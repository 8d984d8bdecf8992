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
        let (mut received, mut sent) = (0_u64, 0_u64);
        for (_, counters) in self.networks.iter().filter(|(name, _)| name.to_str().is_some_and(is_own)) {
            received = received.wrapping_add(counters.total_received());
            sent = sent.wrapping_add(counters.total_transmitted());
        }
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

/// Loopback is `lo` on Linux, `lo0` on macOS and the BSDs.
fn is_own(name: &str) -> bool {
    !matches!(name, "lo" | "lo0") && !is_bridge(name)
}
