//! What `install` and `uninstall` may be told, as it comes: texts, not checked yet.

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
    /// The hub, e.g. https://hub.example:8443
    #[arg(long, env = "PINGUP_HUB", value_name = "URL")]
    pub(super) hub: Option<String>,
    /// The hub's key over https, as the hub prints it: sha256//…; may be said more than once
    #[arg(long, env = "PINGUP_HUB_PIN", value_name = "PIN", value_delimiter = ',')]
    pub(super) hub_pin: Option<Vec<String>>,
    /// A PEM file: only who is certified by this is the hub. Copied to /etc/pingup-agent, unless it lies below /etc, /usr
    /// or /opt already
    #[arg(long, env = "PINGUP_HUB_CA", value_name = "FILE")]
    pub(super) hub_ca: Option<String>,
    /// A file with what to enrol with, or - for stdin; else PINGUP_JOIN_TOKEN holds the token itself
    #[arg(long, value_name = "FILE")]
    pub(super) join_token: Option<String>,
    /// A name for people, given at enrolment
    #[arg(long, env = "PINGUP_NAME")]
    pub(super) name: Option<String>,
    /// Between two samples
    #[arg(long, env = "PINGUP_INTERVAL", value_name = "DURATION")]
    pub(super) interval: Option<String>,
    /// Speak plain HTTP to a hub that is not on this machine
    #[arg(
        long, env = "PINGUP_INSECURE_HTTP", value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true"
    )]
    pub(super) insecure_http: Option<String>,
    /// Actions that may run, of ping, collect_now, run_discovery, restart_service, exec
    #[arg(long, env = "PINGUP_ALLOW", value_name = "ACTION,…", value_delimiter = ',')]
    pub(super) allow: Option<Vec<String>>,
    /// An operator's public key, pok_… and perhaps a name: then restart_service and exec run only by an order that it signed.
    /// One flag for each; in the file, the list operator_keys
    #[arg(long = "operator-key", env = "PINGUP_OPERATOR_KEYS", value_name = "KEY", value_delimiter = ',')]
    pub(super) operator_keys: Option<Vec<String>>,
    /// What else runs only by a signed order; needs an operator key
    #[arg(long, env = "PINGUP_SIGNED_ACTIONS", value_name = "ACTION,…", value_delimiter = ',')]
    pub(super) signed_actions: Option<Vec<String>>,
    /// Run the agent as root, without the service manager's walls around it, for restart_service and exec
    #[arg(
        long, value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true"
    )]
    pub(super) actions_as_root: Option<String>,
}
