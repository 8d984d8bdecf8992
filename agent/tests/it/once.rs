//! The calls that do one thing and print it.

use crate::harness::program;
use pingup_protocol::{discovery::Scan, metrics::Measurements};
use std::net::TcpListener;

#[test]
fn one_sample_is_printed_as_json() {
    let output = program().arg("sample").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    let sample: Measurements = serde_json::from_slice(&output.stdout).unwrap();
    sample.check("").unwrap();
    assert!(sample.cpu.is_some() && sample.ram.is_some() && sample.disk.is_some(), "{sample:?}");
    assert!(sample.further.iter().any(|(name, _)| name == "uptime_seconds"));
}

#[test]
fn one_scan_is_printed_for_people_and_as_json() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let scan = ["scan", "127.0.0.1/32", "--ports", &port.to_string()];
    let output = program().args(scan).output().unwrap();
    let (text, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{said}");
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("ADDRESS"), "{text}");
    assert!(lines[1].starts_with("127.0.0.1 ") && lines[1].ends_with(&format!(" {port}")), "{text}");
    assert!(said.starts_with("1 hosts at 1 addresses"), "{said}");

    let output = program().args(scan).arg("--json").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "no bar without a terminal");
    let scan: Scan = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((scan.hosts.len(), scan.hosts[0].ports.as_slice()), (1, [port].as_slice()));
}
