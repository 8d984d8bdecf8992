//! Where everything of an installed agent lies, the same below every service manager; and below which folder.

use std::path::{Path, PathBuf};

/// The program, where it was not in a place for programs already.
pub(super) const PROGRAM: &str = "/usr/local/bin/pingup-agent";
/// Its settings.
pub const CONFIG: &str = "/etc/pingup-agent/agent.toml";
/// The authorities that certify its hub, where they were not in a place that stays.
pub(super) const AUTHORITIES: &str = "/etc/pingup-agent/hub-ca.pem";
/// What install made, a path a line: what uninstall removes.
pub(super) const MADE: &str = "/etc/pingup-agent/installed";
/// Its state. systemd makes a link of it to [`PRIVATE_STATE`] while the service's user is made up.
pub const STATE: &str = "/var/lib/pingup-agent";
/// Where systemd keeps the state of users that are made up.
pub(super) const PRIVATE_STATE: &str = "/var/lib/private/pingup-agent";
/// What OpenRC's service logs to.
pub(super) const LOG: &str = "/var/log/pingup-agent.log";

/// The folder that everything lies below: `/`, unless told otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Root {
    /// The machine itself.
    pub fn machine() -> Self {
        Self("/".into())
    }

    /// What lies in `folder`: an image, a test.
    pub fn at(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Whether it is the machine itself: only there is a service manager spoken to.
    pub fn is_machine(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// Where the `absolute` path lies.
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.0.join(absolute.trim_start_matches('/'))
    }
}
