//! What lies in `deploy/`, looked at by the programs that know it best, where these are.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// What the unit may be exposed at most, of 10: `systemd-analyze security`.
const EXPOSURE_MAX: f64 = 4.0;

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(path)
}

/// What `program` says; nothing, and a loud word, where it is not installed.
fn asked(program: &str, arguments: &[&str], file: &Path) -> Option<Output> {
    match Command::new(program).args(arguments).arg(file).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED: {program} is not here to look at {}: {error}", file.display());
            None
        }
    }
}

#[test]
fn the_unit_is_known_to_systemd_and_well_hardened() {
    let unit = deploy("systemd/pingup-agent.service");
    let Some(output) = asked("systemd-analyze", &["security", "--offline=true", "--no-pager"], &unit) else {
        return;
    };
    let said = String::from_utf8(output.stdout).unwrap();
    let overall =
        said.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_else(|| panic!("{said}"));
    let exposure: f64 = overall.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!(exposure <= EXPOSURE_MAX, "{said}");

    let Some(output) = asked("systemd-analyze", &["verify", "--man=no"], &unit) else { return };
    let said = String::from_utf8(output.stderr).unwrap();
    let complaints: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("pingup-agent.service") && !line.contains("is not executable"))
        .collect();
    assert!(complaints.is_empty(), "{said}");
}

#[test]
fn openrcs_scripts_are_shell() {
    for path in ["openrc/pingup-agent", "openrc/actions.conf"] {
        let output = asked("sh", &["-n"], &deploy(path)).expect("a shell is everywhere");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        if let Some(output) = asked("shellcheck", &[], &deploy(path)) {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

#[test]
fn launchds_list_is_one() {
    let script = "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
    let plist = deploy("launchd/dev.pingup.agent.plist");
    let Some(output) = asked("python3", &["-c", script], &plist) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list["Label"], "dev.pingup.agent");
    assert_eq!(list["ProgramArguments"][1], "run");
    assert_eq!(list["Umask"], 0o077);
    assert_eq!(list["KeepAlive"]["SuccessfulExit"], false);
}
