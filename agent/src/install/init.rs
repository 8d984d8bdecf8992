//! The service managers that are known: how one is found, what it reads, and what it is told.

use super::layout::Root;

/// A service manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// systemd.
    Systemd,
    /// OpenRC.
    OpenRc,
    /// macOS's launchd.
    Launchd,
}

/// A command for a service manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The program and its arguments.
    pub argv: &'static [&'static str],
    /// Whether it may end with an error: what it would undo is not there.
    pub may_fail: bool,
}

const fn must(argv: &'static [&'static str]) -> Step {
    Step { argv, may_fail: false }
}

const fn may(argv: &'static [&'static str]) -> Step {
    Step { argv, may_fail: true }
}

/// Makes the account that OpenRC's service runs as, with whichever program there is. One that is there stays.
const MAKE_ACCOUNT: &str = "id pingup >/dev/null 2>&1 || \
    if command -v useradd >/dev/null; then \
    useradd --system --user-group --no-create-home --home-dir /var/lib/pingup-agent --shell /sbin/nologin pingup; \
    else addgroup -S pingup && adduser -S -D -H -h /var/lib/pingup-agent -s /sbin/nologin -G pingup pingup; fi";
/// macOS makes no account in passing: someone must choose its number.
const FIND_ACCOUNT: &str = "id _pingup >/dev/null 2>&1 || { echo 'there is no account _pingup; make one with \
    `sysadminctl -addUser _pingup -roleAccount -UID 370` (any free number from 200 to 400)' >&2; exit 1; }";

impl Init {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Systemd, Self::OpenRc, Self::Launchd];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::OpenRc => "openrc",
            Self::Launchd => "launchd",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|init| init.name() == name.trim())
    }

    /// The one that is in charge of this machine; of a folder that is none, the one whose program is in it.
    pub fn detect(root: &Root) -> Option<Self> {
        let is_there = |marks: &[&str]| marks.iter().any(|mark| root.path(mark).exists());
        Self::ALL.into_iter().find(|init| match (init, root.is_machine()) {
            (Self::Systemd, true) => is_there(&["/run/systemd/system"]),
            (Self::Systemd, false) => is_there(&["/usr/lib/systemd/systemd", "/lib/systemd/systemd"]),
            (Self::OpenRc, true) => is_there(&["/run/openrc"]),
            (Self::OpenRc, false) => is_there(&["/sbin/openrc-run", "/usr/sbin/openrc-run"]),
            (Self::Launchd, _) => is_there(&["/System/Library/LaunchDaemons"]),
        })
    }

    /// Where it reads what the service is.
    pub const fn service_path(self) -> &'static str {
        match self {
            Self::Systemd => "/etc/systemd/system/pingup-agent.service",
            Self::OpenRc => "/etc/init.d/pingup-agent",
            Self::Launchd => "/Library/LaunchDaemons/dev.pingup.agent.plist",
        }
    }

    /// What the service is, as it stands in `deploy/`.
    pub const fn service(self) -> &'static str {
        match self {
            Self::Systemd => include_str!("../../../deploy/systemd/pingup-agent.service"),
            Self::OpenRc => include_str!("../../../deploy/openrc/pingup-agent"),
            Self::Launchd => include_str!("../../../deploy/launchd/dev.pingup.agent.plist"),
        }
    }

    /// The mode of that file.
    pub const fn service_mode(self) -> u32 {
        match self {
            Self::OpenRc => 0o755,
            Self::Systemd | Self::Launchd => 0o644,
        }
    }

    /// What lets actions run as root: where it stands, and what it says. launchd has nothing of the kind.
    pub const fn actions(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Systemd => Some((
                "/etc/systemd/system/pingup-agent.service.d/actions.conf",
                include_str!("../../../deploy/systemd/actions.conf"),
            )),
            Self::OpenRc => Some((
                "/etc/pingup-agent/openrc-actions.conf",
                include_str!("../../../deploy/openrc/actions.conf"),
            )),
            Self::Launchd => None,
        }
    }

    /// What must be, before anything is written.
    pub const fn before(self) -> &'static [Step] {
        match self {
            Self::Systemd => &[],
            Self::OpenRc => const { &[must(&["sh", "-c", MAKE_ACCOUNT])] },
            Self::Launchd => const { &[must(&["sh", "-c", FIND_ACCOUNT])] },
        }
    }

    /// What makes it start the service, now and with the machine. A service that runs is started anew.
    pub const fn start(self) -> &'static [Step] {
        match self {
            Self::Systemd => {
                const {
                    &[
                        must(&["systemctl", "daemon-reload"]),
                        must(&["systemctl", "enable", "pingup-agent.service"]),
                        must(&["systemctl", "restart", "pingup-agent.service"]),
                    ]
                }
            }
            Self::OpenRc => {
                const {
                    &[
                        must(&["rc-update", "add", "pingup-agent", "default"]),
                        must(&["rc-service", "pingup-agent", "restart"]),
                    ]
                }
            }
            Self::Launchd => {
                const {
                    &[
                        must(&["chown", "-R", "_pingup", "/var/lib/pingup-agent"]),
                        may(&["launchctl", "bootout", "system/dev.pingup.agent"]),
                        must(&["launchctl", "enable", "system/dev.pingup.agent"]),
                        must(&[
                            "launchctl",
                            "bootstrap",
                            "system",
                            "/Library/LaunchDaemons/dev.pingup.agent.plist",
                        ]),
                    ]
                }
            }
        }
    }

    /// What makes it stop the service for good.
    pub const fn stop(self) -> &'static [Step] {
        match self {
            Self::Systemd => const { &[may(&["systemctl", "disable", "--now", "pingup-agent.service"])] },
            Self::OpenRc => {
                const {
                    &[
                        may(&["rc-service", "pingup-agent", "stop"]),
                        may(&["rc-update", "del", "pingup-agent", "default"]),
                    ]
                }
            }
            Self::Launchd => const { &[may(&["launchctl", "bootout", "system/dev.pingup.agent"])] },
        }
    }

    /// What makes it see that the service is gone.
    pub const fn forget(self) -> &'static [Step] {
        match self {
            Self::Systemd => const { &[must(&["systemctl", "daemon-reload"])] },
            Self::OpenRc | Self::Launchd => &[],
        }
    }

    /// What asks it how the service does.
    pub const fn ask(self) -> &'static [&'static str] {
        match self {
            Self::Systemd => &["systemctl", "is-active", "pingup-agent.service"],
            Self::OpenRc => &["rc-service", "pingup-agent", "status"],
            Self::Launchd => &["launchctl", "print", "system/dev.pingup.agent"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_name_and_by_what_is_in_a_folder() {
        for (init, mark) in [
            (Init::Systemd, "usr/lib/systemd"),
            (Init::OpenRc, "sbin/openrc-run"),
            (Init::Launchd, "System/Library/LaunchDaemons"),
        ] {
            assert_eq!(Init::named(init.name()), Some(init));
            let home = tempfile::tempdir().unwrap();
            let root = Root::at(home.path());
            assert_eq!(Init::detect(&root), None);
            std::fs::create_dir_all(home.path().join(mark)).unwrap();
            if init == Init::Systemd {
                std::fs::write(home.path().join("usr/lib/systemd/systemd"), "").unwrap();
            }
            assert_eq!(Init::detect(&root), Some(init));
        }
        assert_eq!(Init::named("runit"), None);
    }
}
