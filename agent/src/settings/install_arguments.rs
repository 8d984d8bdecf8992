//! What `install` and `uninstall` may be told, as it comes: texts, not checked yet.

use super::common_arguments::CommonArguments;
use clap::Args;
use std::path::PathBuf;

/// Where to install, and whether at all.
#[derive(Args, Clone, Default)]
pub(super) struct Place {
    /// Write below this folder, and speak to no service manager
    #[arg(long, value_name = "DIR")]
    pub(super) root: Option<PathBuf>,
    /// Only print what would be done
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// What `install` may be told. Settings that are not named stay as the file has them.
#[derive(Args, Clone, Default)]
pub(super) struct InstallArguments {
    #[command(flatten)]
    pub(super) place: Place,
    /// systemd, openrc or launchd [default: the one that is found]
    #[arg(long, value_name = "MANAGER")]
    pub(super) init: Option<String>,
    #[command(flatten)]
    pub(super) common: CommonArguments,
    /// A PEM file: only who is certified by this is the hub. Copied to /etc/pingup-agent, unless it lies below /etc, /usr
    /// or /opt already
    #[arg(long, env = "PINGUP_HUB_CA", value_name = "FILE")]
    pub(super) hub_ca: Option<String>,
    /// A file with what to enrol with, or - for stdin; else PINGUP_JOIN_TOKEN holds the token itself
    #[arg(long, value_name = "FILE")]
    pub(super) join_token: Option<String>,
    /// Between two samples
    #[arg(long, env = "PINGUP_INTERVAL", value_name = "DURATION")]
    pub(super) interval: Option<String>,
    /// Actions that may run, of ping, collect_now, run_discovery, restart_service, exec
    #[arg(long, env = "PINGUP_ALLOW", value_name = "ACTION,…", value_delimiter = ',')]
    pub(super) allow: Option<Vec<String>>,
    /// Run the agent as root, without the service manager's walls around it, for restart_service and exec
    #[arg(
        long, value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true"
    )]
    pub(super) actions_as_root: Option<String>,
}
