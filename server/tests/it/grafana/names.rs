//! The series that there are: those that the hub makes of its rows, and those that it tells of itself.

use std::{fs, path::Path};

/// Columns of the history, by the names that their series have.
const COLUMNS: [&str; 8] = [
    "pingup_cpu_percent",
    "pingup_ram_percent",
    "pingup_disk_percent",
    "pingup_latency_seconds",
    "pingup_agent_up",
    "pingup_agent_info",
    "pingup_discovery_hosts",
    "pingup_discovery_scan_seconds",
];

/// Measurements that the agent sends beside; a series is called as its measurement, behind `pingup_`.
pub const MEASUREMENTS: [&str; 13] = [
    "swap",
    "load1",
    "load5",
    "load15",
    "uptime_seconds",
    "processes",
    "temperature",
    "net_rx_bytes_per_second",
    "net_tx_bytes_per_second",
    "disk_read_bytes_per_second",
    "disk_write_bytes_per_second",
    "clock_offset_seconds",
    "spool_dropped",
];

/// What whoever scrapes adds of its own.
const SCRAPED: [&str; 1] = ["up"];

/// Whether a series of this name is a column of the history, or made from records.
pub fn is_column(name: &str) -> bool {
    COLUMNS.contains(&name)
}

/// Whether there is a series of this name.
pub fn is_known(name: &str) -> bool {
    let is_measured = name.strip_prefix("pingup_").is_some_and(|rest| MEASUREMENTS.contains(&rest));
    is_column(name) || SCRAPED.contains(&name) || is_measured || figures().iter().any(|told| told == name)
}

/// The names of the hub's own figures, as its source has them.
fn figures() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/figures/handler.rs");
    let source = fs::read_to_string(path).unwrap();
    let words: Vec<_> =
        source.split('"').filter(|word| word.starts_with("pingup_")).map(str::to_owned).collect();
    let buckets = words.iter().filter(|word| word.ends_with("_seconds")).map(|word| format!("{word}_bucket"));
    buckets.collect::<Vec<_>>().into_iter().chain(words).collect()
}

/// Every source of the agent, in one text.
fn agent(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: std::path::PathBuf| match path.is_dir() {
        true => agent(&path),
        false => fs::read_to_string(path).unwrap(),
    };
    entries.map(text).collect()
}

#[test]
fn the_agent_sends_what_is_counted_on() {
    let sources = agent(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/src"));
    for name in MEASUREMENTS {
        assert!(sources.contains(&format!("\"{name}\"")), "no agent sends {name}");
    }
    assert!(is_known("pingup_ingest_commit_seconds_bucket") && !is_known("pingup_load2"));
}
