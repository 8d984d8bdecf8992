//! Restarting a service with whatever this machine manages its services with.

use std::path::{Path, PathBuf};

/// Where the managers' programs are, also when the agent's own PATH is short.
const DIRECTORIES: [&str; 6] =
    ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/local/sbin"];

/// A manager: its program, and what must exist when it is the one in charge.
struct Manager {
    program: &'static str,
    in_charge: Option<&'static str>,
    arguments: fn(&str) -> Vec<String>,
}

/// In the order they are looked for. systemd's program is found on machines that it does not run, too.
const MANAGERS: [Manager; 4] = [
    Manager {
        program: "systemctl",
        in_charge: Some("/run/systemd/system"),
        arguments: |service| words(&["restart", "--", service]),
    },
    Manager {
        program: "rc-service",
        in_charge: Some("/run/openrc"),
        arguments: |service| words(&["--", service, "restart"]),
    },
    Manager {
        program: "launchctl",
        in_charge: None,
        arguments: |service| words(&["kickstart", "-k", &format!("system/{service}")]),
    },
    Manager { program: "service", in_charge: None, arguments: |service| words(&[service, "restart"]) },
];

/// What to run to restart `service`; `None` when no manager is found. The name was checked: it holds no space,
/// no slash, and does not start with a dash.
pub(super) fn restart_argv(service: &str) -> Option<Vec<String>> {
    choose(service, &|path| path.exists())
}

fn choose(service: &str, exists: &dyn Fn(&Path) -> bool) -> Option<Vec<String>> {
    MANAGERS.iter().find_map(|manager| {
        if manager.in_charge.is_some_and(|mark| !exists(Path::new(mark))) {
            return None;
        }
        let candidates = DIRECTORIES.iter().map(|directory| Path::new(directory).join(manager.program));
        let program: PathBuf = candidates.into_iter().find(|path| exists(path))?;
        let mut argv = vec![program.to_str()?.to_owned()];
        argv.extend((manager.arguments)(service));
        Some(argv)
    })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().copied().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(there: &[&str]) -> Option<String> {
        choose("nginx", &|path| there.iter().any(|one| Path::new(one) == path)).map(|argv| argv.join(" "))
    }

    #[test]
    fn the_manager_in_charge_is_asked() {
        let both = ["/usr/bin/systemctl", "/usr/sbin/service"];
        assert_eq!(
            chosen(&both).as_deref(),
            Some("/usr/sbin/service nginx restart"),
            "systemd is not running"
        );
        let systemd = ["/usr/bin/systemctl", "/run/systemd/system"];
        assert_eq!(chosen(&systemd).as_deref(), Some("/usr/bin/systemctl restart -- nginx"));
        let openrc = ["/sbin/rc-service", "/run/openrc"];
        assert_eq!(chosen(&openrc).as_deref(), Some("/sbin/rc-service -- nginx restart"));
        assert_eq!(chosen(&["/bin/launchctl"]).as_deref(), Some("/bin/launchctl kickstart -k system/nginx"));
        assert_eq!(chosen(&[]), None);
    }
}
