//! What series take of the machine's memory, beside what is reckoned. By itself, for the whole process is looked at.

use super::*;
use std::fs;

const COUNT: u64 = 120_000;

/// What the process has in memory, bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

fn of_ten(n: u64) -> Labels {
    let mut pairs: Vec<_> = (0..8).map(|label| (format!("label{label}"), "of many".to_owned())).collect();
    pairs.push(("__name__".to_owned(), format!("metric_{}", n % 100)));
    pairs.push(("instance".to_owned(), format!("some-host-{n}.example.org:9100")));
    Labels::new(pairs).unwrap()
}

pub(super) fn of_three(n: u64) -> Labels {
    let own = format!("{n:0>400}");
    let pairs = [("__name__", "long"), ("job", "of many"), ("own", &own)];
    Labels::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()).unwrap()
}

/// After some series, so that the program itself is there.
fn print(what: &str, labels: fn(u64) -> Labels) {
    let build = |count| {
        let mut index = Index::default();
        for n in 0..count {
            index.add("s", &labels(n), (0, 0)).unwrap();
        }
        index
    };
    drop(build(1_000));
    let before = resident();
    let index = build(COUNT);
    let taken = resident().saturating_sub(before) / COUNT;
    println!("{what}: {taken} bytes a series, {} reckoned", index.bytes() as u64 / COUNT);
}

#[test]
#[ignore = "it prints, and takes all memory of the process for its own: to be run by itself"]
fn bytes_of_series_of_ten_labels_are_printed() {
    print("ten labels", of_ten);
}

#[test]
#[ignore = "it prints, and takes all memory of the process for its own: to be run by itself"]
fn bytes_of_series_of_long_labels_are_printed() {
    print("three labels, one of 400 bytes", of_three);
}
