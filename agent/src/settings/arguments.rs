//! The command line and the environment, as they come: texts, not checked yet.

use super::{
    common_arguments::CommonArguments,
    install_arguments::{InstallArguments, Place},
};
use clap::{Args, Parser};
use std::path::PathBuf;

/// Measures this machine, tells a pingup hub, and runs what the hub may ask of it.
#[derive(Parser)]
#[command(name = "pingup-agent", version, about)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) subcommand: Subcommand,
}

#[derive(clap::Subcommand)]
pub(super) enum Subcommand {
    /// Enrols where that was not done yet, then measures, pushes and pulls until it is stopped
    Run(Box<RunArguments>),
    /// Prints one sample of this machine as JSON
    Sample,
    /// Scans networks once and prints the hosts as they are found; needs no hub and no privilege
    Scan(ScanArguments),
    /// Makes this program a service that starts with the machine; a second time, updates that
    Install(Box<InstallArguments>),
    /// Stops the service and removes what install made; the state stays
    Uninstall {
        #[command(flatten)]
        place: Place,
        /// Remove the state as well: identity, spool, journal
        #[arg(long)]
        purge: bool,
    },
    /// Says how the agent on this machine does; 0 well, 1 trouble, 3 not running, 4 not known
    Status(StatusArguments),
    /// Examines what an agent needs, as `run` with the same settings would find it; 0 well, 1 not
    Doctor {
        #[command(flatten)]
        settings: Box<RunArguments>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Makes a cloned machine an agent of its own: moves the copied state aside, deletes nothing
    #[command(
        after_help = "Stop the agent first. Afterwards start it with a new join token; no hub is needed for this."
    )]
    Reset(StateArguments),
}

/// What `scan` may be told.
#[derive(Args, Clone, Default)]
pub(super) struct ScanArguments {
    /// Networks, e.g. 192.168.1.0/24, or interfaces, e.g. eth0 [default: the machine's own networks, without those of
    /// containers, virtual machines and tunnels]
    #[arg(value_name = "NETWORK", env = "PINGUP_SCAN_NETWORKS", value_delimiter = ',')]
    pub(super) networks: Option<Vec<String>>,
    /// TCP ports to try, e.g. 22,80,443 [default: twenty that commonly answer]
    #[arg(long, env = "PINGUP_PORTS", value_name = "PORT,…", value_delimiter = ',')]
    pub(super) ports: Option<Vec<String>>,
    /// Attempts a second at most [default: 2000]
    #[arg(long, env = "PINGUP_SCAN_RATE", value_name = "N")]
    pub(super) rate: Option<String>,
    /// Scan more than 32768 addresses, e.g. a /16; it takes minutes
    #[arg(long)]
    pub(super) force: bool,
    /// Print all of it in the end, as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Which agent's state is meant.
#[derive(Args, Clone, Default)]
pub(super) struct StateArguments {
    /// Where the agent keeps its state
    #[arg(long, env = "PINGUP_STATE_DIR", value_name = "DIR")]
    pub(super) state_dir: Option<String>,
    /// The TOML file that the agent was given
    #[arg(long, env = "PINGUP_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// What `status` may be told.
#[derive(Args, Clone, Default)]
pub(super) struct StatusArguments {
    #[command(flatten)]
    pub(super) folder: StateArguments,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Every setting of `run`. Each is a key of the file as well, with _ for -.
#[derive(Args, Clone, Default)]
pub(super) struct RunArguments {
    #[command(flatten)]
    pub(super) common: CommonArguments,
    /// A PEM file: only who is certified by this is the hub [default, without a pin: the system's authorities]
    #[arg(long, env = "PINGUP_HUB_CA", value_name = "FILE")]
    pub(super) hub_ca: Option<String>,
    /// What to enrol with, once: pjt_… (others can see a process's flags: better the variable or the file)
    #[arg(long, env = "PINGUP_JOIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(super) join_token: Option<String>,
    /// Where to keep identity, spool and journal [default: /var/lib/pingup-agent for root, else
    /// ~/.local/state/pingup-agent]
    #[arg(long, env = "PINGUP_STATE_DIR", value_name = "DIR")]
    pub(super) state_dir: Option<String>,
    /// Between two samples [default: 30s]
    #[arg(long, env = "PINGUP_INTERVAL", value_name = "DURATION")]
    pub(super) interval: Option<String>,
    /// A TOML file with settings
    #[arg(long, env = "PINGUP_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Actions that may run, of ping, collect_now, run_discovery, restart_service, exec [default: the first three]
    #[arg(long, env = "PINGUP_ALLOW", value_name = "ACTION,…", value_delimiter = ',')]
    pub(super) allow: Option<Vec<String>>,
    /// Bytes that may wait on disk for the hub [default: 67108864]
    #[arg(long, env = "PINGUP_SPOOL_BYTES_MAX", value_name = "BYTES")]
    pub(super) spool_bytes_max: Option<String>,
    /// How long anything may wait for the hub [default: 30d]
    #[arg(long, env = "PINGUP_SPOOL_AGE_MAX", value_name = "DURATION")]
    pub(super) spool_age_max: Option<String>,
    /// TCP ports that a scan tries, e.g. 22,80,443 [default: twenty that commonly answer]
    #[arg(long, env = "PINGUP_PORTS", value_delimiter = ',')]
    pub(super) ports: Option<Vec<String>>,
    /// Networks or interfaces that a scan looks at where the hub names none [default: the machine's own networks,
    /// without those of containers, virtual machines and tunnels]
    #[arg(long, env = "PINGUP_SCAN_NETWORKS", value_name = "NETWORK,…", value_delimiter = ',')]
    pub(super) scan_networks: Option<Vec<String>>,
    /// Attempts that a scan makes each second at most [default: 2000]
    #[arg(long, env = "PINGUP_SCAN_RATE", value_name = "N")]
    pub(super) scan_rate: Option<String>,
    /// Where SSH reaches this machine, told to the hub
    #[arg(long, env = "PINGUP_SSH_HOST", value_name = "HOST")]
    pub(super) ssh_host: Option<String>,
    /// The port of that
    #[arg(long, env = "PINGUP_SSH_PORT", value_name = "PORT")]
    pub(super) ssh_port: Option<String>,
    /// The user of that
    #[arg(long, env = "PINGUP_SSH_USER", value_name = "USER")]
    pub(super) ssh_user: Option<String>,
    /// By what the hub may group this machine, e.g. role=web,site=ber; an operator's labels count for more
    #[arg(long, env = "PINGUP_LABELS", value_name = "NAME=VALUE,…", value_delimiter = ',')]
    pub(super) labels: Option<Vec<String>>,
    /// What to log: error, warn, info or debug [default: info]
    #[arg(long, env = "PINGUP_LOG", value_name = "LEVEL")]
    pub(super) log: Option<String>,
}

impl RunArguments {
    /// These, and where they are silent, `other`.
    pub(super) fn or(self, other: Self) -> Self {
        let said = super::values::given;
        let listed = super::values::list;
        Self {
            common: self.common.or(other.common),
            hub_ca: said(self.hub_ca).or(other.hub_ca),
            join_token: said(self.join_token).or(other.join_token),
            state_dir: said(self.state_dir).or(other.state_dir),
            interval: said(self.interval).or(other.interval),
            config: self.config,
            allow: listed(self.allow).or(other.allow),
            spool_bytes_max: said(self.spool_bytes_max).or(other.spool_bytes_max),
            spool_age_max: said(self.spool_age_max).or(other.spool_age_max),
            ports: listed(self.ports).or(other.ports),
            scan_networks: listed(self.scan_networks).or(other.scan_networks),
            scan_rate: said(self.scan_rate).or(other.scan_rate),
            ssh_host: said(self.ssh_host).or(other.ssh_host),
            ssh_port: said(self.ssh_port).or(other.ssh_port),
            ssh_user: said(self.ssh_user).or(other.ssh_user),
            labels: listed(self.labels).or(other.labels),
            log: said(self.log).or(other.log),
        }
    }
}
