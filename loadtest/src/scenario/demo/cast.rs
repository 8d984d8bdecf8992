//! Who plays in the demo: machines with a name, a role and a site, and with a few of them something is the matter.

use crate::measured::mix;
use pingup_protocol::{enrol::HostInfo, labels::Labels};
use std::collections::BTreeMap;

/// Machines that the demo has at least: one for each part, so that every alert has its case.
pub(super) const CAST_MIN: usize = 8;
/// Of so many machines one scans its network.
const SCANS_ONE_OF: usize = 10;

/// What is the matter with a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing.
    Well,
    /// Its disk is full within a day.
    Filling,
    /// Its processors are busy all the time.
    Busy,
    /// Its clock is off.
    Late,
    /// It was not heard for a while.
    Silent,
    /// Its disk is full in some days.
    Slow,
    /// It says that it is in error.
    Failing,
    /// It starts anew now and then.
    Restarting,
}

/// What a machine is for, and so how it is built and how it lives.
#[derive(Debug)]
pub(super) struct Role {
    /// Its label, and what names begin with.
    pub(super) name: &'static str,
    /// Processors.
    pub(super) cores: u64,
    memory_mb: u64,
    disk_gb: u64,
    os: &'static str,
    arch: &'static str,
    /// Use of the processors at night, percent.
    pub(super) cpu_idle: f64,
    /// What the day adds at most, percent.
    pub(super) cpu_day: f64,
    /// Use of the memory, percent.
    pub(super) ram: f64,
    /// Network traffic at the height of the day, bytes a second.
    pub(super) traffic: f64,
    /// Whether it is backed up every night.
    pub(super) nightly: bool,
}

/// Where machines stand.
#[derive(Debug)]
pub(super) struct Site {
    /// Its label.
    pub(super) name: &'static str,
    /// The way to the hub, milliseconds.
    pub(super) latency: f64,
}

const DEBIAN: &str = "Debian GNU/Linux 12 (bookworm)";
const UBUNTU: &str = "Ubuntu 24.04.1 LTS";
const ALPINE: &str = "Alpine Linux v3.20";

#[rustfmt::skip]
static ROLES: [Role; 7] = [
    Role { name: "web",   cores: 4,  memory_mb: 8_192,  disk_gb: 80,    os: UBUNTU, arch: "x86_64",  cpu_idle: 4.0,  cpu_day: 46.0, ram: 41.0, traffic: 6.0e6, nightly: false },
    Role { name: "db",    cores: 8,  memory_mb: 65_536, disk_gb: 960,   os: DEBIAN, arch: "x86_64",  cpu_idle: 9.0,  cpu_day: 33.0, ram: 72.0, traffic: 9.0e6, nightly: true },
    Role { name: "ci",    cores: 16, memory_mb: 32_768, disk_gb: 480,   os: UBUNTU, arch: "x86_64",  cpu_idle: 2.0,  cpu_day: 62.0, ram: 34.0, traffic: 2.2e6, nightly: false },
    Role { name: "edge",  cores: 4,  memory_mb: 4_096,  disk_gb: 32,    os: ALPINE, arch: "aarch64", cpu_idle: 7.0,  cpu_day: 12.0, ram: 38.0, traffic: 4.0e5, nightly: false },
    Role { name: "store", cores: 4,  memory_mb: 16_384, disk_gb: 8_000, os: DEBIAN, arch: "x86_64",  cpu_idle: 3.0,  cpu_day: 9.0,  ram: 55.0, traffic: 1.4e7, nightly: true },
    Role { name: "api",   cores: 8,  memory_mb: 16_384, disk_gb: 120,   os: UBUNTU, arch: "x86_64",  cpu_idle: 6.0,  cpu_day: 41.0, ram: 48.0, traffic: 5.0e6, nightly: false },
    Role { name: "cache", cores: 2,  memory_mb: 24_576, disk_gb: 40,    os: ALPINE, arch: "aarch64", cpu_idle: 5.0,  cpu_day: 21.0, ram: 81.0, traffic: 1.1e7, nightly: false },
];

static SITES: [Site; 4] = [
    Site { name: "berlin", latency: 1.4 },
    Site { name: "lisbon", latency: 34.0 },
    Site { name: "oslo", latency: 22.0 },
    Site { name: "singapore", latency: 158.0 },
];

/// Roles (by their place above) and parts of the first machines.
const FIRST: [(usize, Part); CAST_MIN] = [
    (0, Part::Well),
    (1, Part::Filling),
    (2, Part::Busy),
    (3, Part::Late),
    (3, Part::Silent),
    (4, Part::Slow),
    (5, Part::Failing),
    (6, Part::Restarting),
];
/// Roles of all others, in turn.
const OTHERS: [usize; 10] = [0, 5, 0, 1, 0, 6, 2, 3, 5, 4];
/// Sites of all, in turn.
const AT: [usize; 7] = [0, 1, 0, 2, 3, 0, 1];

/// A machine.
#[derive(Debug)]
pub(super) struct Machine {
    /// What people call it.
    pub(super) name: String,
    pub(super) role: &'static Role,
    pub(super) site: &'static Site,
    pub(super) part: Part,
    /// Whether it scans its network.
    pub(super) scans: bool,
    /// What its figures follow from.
    pub(super) seed: u64,
    place: usize,
}

/// The first `count` machines.
pub(super) fn cast(count: usize, seed: u64) -> Vec<Machine> {
    let mut numbers = BTreeMap::<&str, usize>::new();
    let machine = |place: usize| {
        let (role, part) = FIRST.get(place).copied().unwrap_or((OTHERS[place % OTHERS.len()], Part::Well));
        let role = &ROLES[role];
        let number = numbers.entry(role.name).or_default();
        *number += 1;
        Machine {
            name: format!("{}-{number}", role.name),
            role,
            site: &SITES[AT[place % AT.len()]],
            part,
            scans: place.is_multiple_of(SCANS_ONE_OF),
            seed: mix(seed ^ mix(place as u64)),
            place,
        }
    };
    (0..count).map(machine).collect()
}

impl Machine {
    /// What its agent says of it.
    pub(super) fn introduction(&self) -> HostInfo {
        let Role { name, cores, memory_mb, disk_gb, os, arch, .. } = *self.role;
        let labels = [("role", name), ("site", self.site.name)];
        HostInfo {
            hostname: Some(format!("{}.{}.example", self.name, self.site.name)),
            ip_address: Some(format!(
                "10.{}.{}.{}",
                self.place % AT.len(),
                self.place / 250,
                self.place % 250 + 1
            )),
            os: Some(os.to_owned()),
            arch: Some(arch.to_owned()),
            kernel: Some("6.8.0".to_owned()),
            agent_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            cpu_cores: Some(cores),
            memory_mb: Some(memory_mb),
            disk_gb: Some(disk_gb),
            labels: labels
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect::<Labels>(),
            ..HostInfo::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_part_is_played_once_and_no_two_have_one_name() {
        for count in [CAST_MIN, 50, 400] {
            let cast = cast(count, 7);
            let names: BTreeSet<_> = cast.iter().map(|machine| &machine.name).collect();
            assert_eq!(
                (names.len(), cast[0].name.as_str(), cast[4].name.as_str()),
                (count, "web-1", "edge-2")
            );
            let troubled = cast.iter().filter(|machine| machine.part != Part::Well).count();
            assert_eq!(troubled, CAST_MIN - 1);
            assert!(
                cast[0].scans && cast.iter().filter(|machine| machine.scans).count() == count.div_ceil(10)
            );
        }
    }
}
