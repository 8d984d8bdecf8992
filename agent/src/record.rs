//! From measuring to the spool: what the sampler, `collect_now` and scans share.

use crate::{
    clock::{CLOCK_OFFSET, Clock},
    collect::{Collector, rounded},
    scan::up_to,
    spool::{Kind, Spool, SpoolError},
    transport::Link,
};
use pingup_protocol::{discovery::Scan, metrics::Measurements, time::Timestamp};
use serde::{Deserialize, Serialize};
use std::{cell::RefCell, rc::Rc};
use tokio::sync::{Mutex, Notify};

/// The agent's word for how its machine does. It measures; judging is the hub's.
const STATUS: &str = "online";
/// The measurement that says how many records went without the hub having had them, ever; absent while none did.
pub const DROPPED: &str = "spool_dropped";
/// Bytes of a scan in the spool: under a record's and a body's limit, with room for what is around it.
pub const SCAN_BYTES_MAX: usize = 3 << 20;

/// A sample as it lies in the spool: what does not change when it is numbered anew.
#[derive(Debug, Serialize, Deserialize)]
pub struct SpooledSample {
    /// What was measured.
    pub metrics: Measurements,
    /// The agent's word for how its machine does.
    pub status: String,
}

/// The spool, and the word that it has grown.
#[derive(Debug)]
pub struct SharedSpool {
    /// The spool; never borrowed across an await.
    pub spool: RefCell<Spool>,
    grown: Notify,
}

impl SharedSpool {
    /// Shares `spool`.
    pub fn new(spool: Spool) -> Rc<Self> {
        Rc::new(Self { spool: RefCell::new(spool), grown: Notify::new() })
    }

    /// Waits until something was appended since the last time this was waited for.
    pub async fn grown(&self) {
        self.grown.notified().await;
    }

    /// Appends, and says so to whoever pushes. What cannot be appended is counted as lost.
    pub fn append(&self, kind: Kind, timestamp: Timestamp, json: Vec<u8>) -> Result<u64, SpoolError> {
        let mut spool = self.spool.borrow_mut();
        let appended = spool.append(kind, timestamp, json);
        if appended.is_err() {
            spool.count_lost(1);
        }
        self.grown.notify_one();
        appended
    }
}

/// Takes samples and scans down.
pub struct Recorder {
    /// One measures at a time: rates are differences to the sample before.
    collector: Mutex<Collector>,
    spool: Rc<SharedSpool>,
    clock: Rc<Clock>,
    link: Rc<Link>,
}

impl Recorder {
    /// A recorder that measures with `collector`.
    pub fn new(collector: Collector, spool: Rc<SharedSpool>, clock: Rc<Clock>, link: Rc<Link>) -> Self {
        Self { collector: Mutex::new(collector), spool, clock, link }
    }

    /// Measures now; the sample is in the spool when this returns.
    pub async fn take_sample(&self) -> Result<SpooledSample, SpoolError> {
        let mut collector = self.collector.lock().await;
        let timestamp = self.clock.now();
        let mut metrics = collector.measure().await;
        metrics.latency = self.link.latency().map(|latency| rounded(latency.as_secs_f64() * 1_000.0));
        if let Some(ahead) = self.clock.ahead_seconds() {
            // Adding 0 makes 0 of what was rounded to -0.
            metrics.further.push((CLOCK_OFFSET.to_owned(), rounded(ahead) + 0.0));
        }
        let dropped = self.spool.spool.borrow().dropped();
        if dropped > 0 {
            metrics.further.push((DROPPED.to_owned(), dropped as f64));
        }
        let sample = SpooledSample { metrics, status: STATUS.to_owned() };
        self.drop_expired();
        let seq = self.spool.append(Kind::Sample, timestamp, json(&sample))?;
        tracing::debug!(seq, "a sample is spooled");
        Ok(sample)
    }

    /// When a scan that begins now begins, by the clock that records go by.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes down a scan that began at `began`; it is in the spool when this returns. Says how many hosts had
    /// to be left out because they would not have fitted.
    pub fn take_scan(&self, began: Timestamp, scan: Scan) -> Result<usize, SpoolError> {
        let found = scan.hosts.len();
        let (bytes, left_out) = fitted(scan);
        if left_out > 0 {
            tracing::warn!(found, left_out, "a scan is larger than the hub takes");
        }
        self.drop_expired();
        self.spool.append(Kind::Scan, began, bytes)?;
        Ok(left_out)
    }

    /// Drops what is too old, as far as it is known what time it is. What cannot be dropped now can be later: that keeps
    /// no record out.
    fn drop_expired(&self) {
        let Some(now) = self.clock.ageing() else { return };
        if let Err(error) = self.spool.spool.borrow_mut().drop_expired(now) {
            tracing::error!("what is too old cannot be dropped: {error}");
        }
    }
}

/// A scan as JSON of at most [`SCAN_BYTES_MAX`], and how many hosts, the last ones, had to be left out for that. Then it says
/// that it looked no further than the last one that is kept: whoever is left out would be taken for gone.
fn fitted(mut scan: Scan) -> (Vec<u8>, usize) {
    let found = scan.hosts.len();
    let mut bytes = json(&scan);
    while bytes.len() > SCAN_BYTES_MAX {
        // Fewer each time, since there are more bytes than fit.
        scan.hosts.truncate(scan.hosts.len() * SCAN_BYTES_MAX / bytes.len());
        if let Some(last) = scan.hosts.last() {
            scan.networks = up_to(&scan.networks, last.ip);
        }
        bytes = json(&scan);
    }
    (bytes, found - scan.hosts.len())
}

fn json(value: &impl Serialize) -> Vec<u8> {
    match serde_json::to_vec(value) {
        Ok(bytes) => bytes,
        Err(_) => unreachable!("numbers, texts and lists can be written as JSON"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::{discovery::Host, limits::SCAN_HOSTS_MAX, network::Network};
    use std::net::Ipv4Addr;

    fn scan(hosts: usize, name: &str) -> Scan {
        let host = |number: usize| Host {
            ip: Ipv4Addr::from_bits(0x0a00_0000 + u32::try_from(number).unwrap()).into(),
            latency: Some(1.25),
            ports: vec![22, 80, 443],
            hostname: Some(name.to_owned()),
            mac: None,
        };
        let networks = vec![Network::parse("10.0.0.0/16").unwrap()];
        Scan { hosts: (0..hosts).map(host).collect(), duration: 1.0, networks }
    }

    #[test]
    fn a_scan_that_fits_is_whole_and_one_that_does_not_is_cut_to_fit() {
        let (bytes, left_out) = fitted(scan(254, "printer.example"));
        assert_eq!(
            (serde_json::from_slice::<Scan>(&bytes).unwrap(), left_out),
            (scan(254, "printer.example"), 0)
        );
        for name in ["a", &"x".repeat(200)] {
            let (bytes, left_out) = fitted(scan(SCAN_HOSTS_MAX, name));
            let cut = serde_json::from_slice::<Scan>(&bytes).unwrap();
            let kept = cut.hosts.len();
            let looked_for = |host: &&Host| cut.networks.iter().any(|network| network.has_host(host.ip));
            let all = scan(SCAN_HOSTS_MAX, name).hosts;
            assert_eq!(all[kept..].iter().find(looked_for), None, "who is left out is not gone");
            let compared = cut.hosts.iter().filter(looked_for).count();
            // Of each piece of the network, at most 16, the first and the last address are none of a host.
            assert!(compared + 2 * 16 >= kept, "{compared} of {kept}");
            assert!(
                bytes.len() <= SCAN_BYTES_MAX && bytes.len() > SCAN_BYTES_MAX * 9 / 10,
                "{}",
                bytes.len()
            );
            assert_eq!(kept + left_out, SCAN_HOSTS_MAX);
        }
    }
}
