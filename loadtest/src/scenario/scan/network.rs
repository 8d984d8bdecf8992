//! A /24 in network namespaces (`scripts/scan-bed`), with this program at its far end holding the ports open.

use crate::settings::number;
use clap::Args;
use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// Builds the network.
const SCRIPT: &str = include_str!("../../../../scripts/scan-bed");
/// The machine that scans.
pub(super) const THIS_MACHINE: Ipv4Addr = Ipv4Addr::new(198, 18, 77, 1);
/// The last number of the first host's address.
const FIRST: usize = 10;
/// Hosts that fit.
pub(super) const HOSTS_MAX: u64 = 240;
/// How long the network may take until it is there.
const BUILT_WITHIN: Duration = Duration::from_secs(30);
/// How to make namespaces and how to enter them: as root, and as anyone.
const WAYS: [(&[&str], &[&str]); 2] = [
    (&["--net", "--mount"], &["--net", "--mount"]),
    (
        &["--user", "--map-root-user", "--net", "--mount"],
        &["--user", "--preserve-credentials", "--net", "--mount"],
    ),
];

/// The address of a host.
pub(super) const fn address(host: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 18, 77, (FIRST + host) as u8)
}

/// The ports that are tried.
pub(super) const fn port(index: usize) -> u16 {
    8_000 + 7 * index as u16
}

/// Whether a host takes connections on a port: each does on a third of them.
pub(super) const fn is_open(host: usize, port: u16) -> bool {
    (host + port as usize).is_multiple_of(3)
}

/// The network. It goes when this is dropped.
pub(super) struct Network {
    // Its standard input is what keeps it: at its end, the far side ends, and all of it.
    child: Child,
    enter: &'static [&'static str],
}

impl Network {
    /// Builds it, or says why that is not to be had here.
    pub(super) async fn build(hosts: usize, ports: usize) -> Result<Self, String> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut why = Vec::new();
        for (unshare, enter) in WAYS {
            let mut command = Command::new("unshare");
            command.args(unshare).args(["sh", "-c", SCRIPT, "scan-bed"]);
            command.args([FIRST.to_string(), (FIRST + hosts - 1).to_string()]).arg(&this);
            command.args(["far-side", &hosts.to_string(), &ports.to_string()]);
            match Self::start(command, enter).await {
                Ok(network) => return Ok(network),
                Err(reason) => why.push(reason),
            }
        }
        Err(format!("no network namespaces here: {}", why.join("; ")))
    }

    async fn start(mut command: Command, enter: &'static [&'static str]) -> Result<Self, String> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("unshare: {error}"))?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err("its output cannot be read".to_owned());
        };
        let (mut said, mut complaint) = (String::new(), String::new());
        let _ = timeout(BUILT_WITHIN, BufReader::new(stdout).read_line(&mut said)).await;
        if said.trim_end() == READY {
            return Ok(Self { child, enter });
        }
        let _ = timeout(BUILT_WITHIN, BufReader::new(stderr).read_line(&mut complaint)).await;
        Err(complaint.trim_end().to_owned())
    }

    /// How to start `program` where the machine that scans is.
    pub(super) fn inside(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        let pid = self.child.id().unwrap_or_default();
        command.args(["--target", &pid.to_string()]).args(self.enter).arg(program);
        command
    }
}

/// What the far side says when all ports are open.
const READY: &str = "ready";

/// The far side itself, as a program of its own.
#[derive(Args)]
pub(crate) struct FarSide {
    #[arg(value_parser = number::<1, HOSTS_MAX>)]
    hosts: usize,
    #[arg(value_parser = number::<1, { super::PORTS_MAX }>)]
    ports: usize,
}

impl FarSide {
    /// Opens the ports, says so, and holds them until standard input ends.
    pub(crate) fn hold(&self) -> io::Result<()> {
        let places = (0..self.hosts).flat_map(|host| (0..self.ports).map(move |index| (host, port(index))));
        let open = places.filter(|(host, port)| is_open(*host, *port));
        let held: Vec<TcpListener> =
            open.map(|(host, port)| TcpListener::bind((address(host), port))).collect::<Result<_, _>>()?;
        writeln!(io::stdout(), "{READY}")?;
        io::stdin().read_to_end(&mut Vec::new())?;
        drop(held);
        Ok(())
    }
}
