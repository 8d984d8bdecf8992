//! Becoming a service, below a folder of the test's own: what is written, what stays, and what is refused.

mod unwritten;

use crate::harness::{Agent, Hub, program};
use std::{
    collections::BTreeMap,
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

pub(crate) const UNIT: &str = "etc/systemd/system/pingup-agent.service";
pub(crate) const ACTIONS: &str = "etc/systemd/system/pingup-agent.service.d/actions.conf";
pub(crate) const CONFIG: &str = "etc/pingup-agent/agent.toml";
pub(crate) const STATE: &str = "var/lib/pingup-agent";
const TOKEN: &str = "var/lib/pingup-agent/join-token";
pub(crate) const PROGRAM: &str = "usr/local/bin/pingup-agent";
pub(crate) const HUB: [&str; 2] = ["--hub", "http://127.0.0.1:1"];

pub(crate) fn called(root: &Path, arguments: &[&str], stdin: &str) -> Output {
    let mut child = program()
        .args(arguments)
        .arg("--root")
        .arg(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who does not want it may close it.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

pub(crate) fn done(root: &Path, arguments: &[&str]) -> String {
    let output = called(root, arguments, "");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

pub(crate) fn install(root: &Path, arguments: &[&str]) -> String {
    let all: Vec<&str> = ["install", "--init", "systemd"].iter().chain(arguments).copied().collect();
    done(root, &all)
}

pub(crate) fn refused(root: &Path, arguments: &[&str], stdin: &str) -> String {
    let output = called(root, arguments, stdin);
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

/// Every file below `root` with its mode and content, folders with their mode.
pub(crate) fn tree(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = std::fs::symlink_metadata(&path).unwrap();
            let content = if metadata.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
            found.insert(path.strip_prefix(root).unwrap().to_owned(), (metadata.mode() & 0o7777, content));
            if metadata.is_dir() {
                left.push(path);
            }
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

pub(crate) fn text(root: &Path, path: &str) -> String {
    std::fs::read_to_string(root.join(path)).unwrap()
}

pub(crate) fn some_token() -> String {
    let secret = pingup_protocol::keys::Secret::new([7; 32]);
    pingup_protocol::enrol::JoinToken { token_id: "t9".into(), secret }.to_text()
}

#[test]
fn operators_keys_are_kept_in_the_machines_own_file() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    let key = |name: &str| format!("pok_F0VTtFbd38aQjsqxwQH-arIeK6oGF3lbfUOmNIKZP9{name}");
    let (ada, bob) = (format!("{} ada", key("U")), "pok_11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo bob");
    let keys = ["--operator-key", &ada, "--operator-key", bob, "--signed-actions", "run_discovery"];
    install(root, &[&HUB[..], &keys[..]].concat());
    let kept = text(root, CONFIG);
    assert!(kept.contains(&format!("operator_keys = [\"{ada}\", \"{bob}\"]\n")), "{kept}");
    assert!(kept.contains("signed_actions = [\"run_discovery\"]\n"), "{kept}");
    install(root, &["--name", "x"]);
    assert!(text(root, CONFIG).contains(bob), "what is not named stays");
    let bad = refused(root, &["install", "--init", "systemd", "--operator-key", &key("")], "");
    assert!(bad.contains("operator-key"), "{bad}");
    assert!(text(root, CONFIG).contains(bob), "and nothing was changed");
}

#[test]
fn a_service_is_written_once_and_then_only_where_it_differs() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    let said = install(root, &HUB);
    assert!(said.contains("made         /etc/pingup-agent/agent.toml (0644)"), "{said}");
    assert!(said.contains("the service manager was not spoken to"), "{said}");
    assert_eq!(text(root, UNIT), include_str!("../../../deploy/systemd/pingup-agent.service"));
    assert_eq!(
        (mode(&root.join(UNIT)), mode(&root.join(STATE)), mode(&root.join(PROGRAM))),
        (0o644, 0o700, 0o755)
    );
    assert!(!root.join(ACTIONS).exists() && !root.join(TOKEN).exists());
    let before = tree(root);

    let again = install(root, &[]);
    assert!(
        !again.contains("made ") && !again.contains("updated ") && again.contains("unchanged "),
        "{again}"
    );
    assert!(tree(root) == before, "a second time changes nothing");

    std::fs::write(root.join(UNIT), "# an older version's\n").unwrap();
    let line = "# a word of the operator's\n";
    std::fs::write(root.join(CONFIG), format!("{line}{}", text(root, CONFIG))).unwrap();
    let updated = install(root, &["--hub", "http://127.0.0.1:2", "--allow", "ping,restart_service"]);
    assert_eq!(updated.matches("updated ").count(), 2, "{updated}");
    assert_eq!(text(root, UNIT), include_str!("../../../deploy/systemd/pingup-agent.service"));
    let settings = text(root, CONFIG);
    assert!(settings.starts_with(line) && settings.contains("http://127.0.0.1:2"), "{settings}");
    assert!(settings.contains(r#"allow = ["ping", "restart_service"]"#), "{settings}");
}

#[test]
fn what_is_written_is_what_an_agent_runs_with() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    let token = hub.state.lock().token.to_text();
    let arguments =
        ["install", "--init", "openrc", "--hub", &hub.url(), "--name", "kitchen \"2\"", "--join-token", "-"];
    let output = called(root, &arguments, &format!("{token}\n"));
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && !said.contains("pjt_"), "{said}");
    assert_eq!((text(root, TOKEN), mode(&root.join(TOKEN))), (token, 0o600));
    for (path, (_, content)) in tree(root) {
        let is_program = path == Path::new(PROGRAM);
        assert!(
            is_program || path == Path::new(TOKEN) || !String::from_utf8_lossy(&content).contains("pjt_"),
            "{path:?}"
        );
    }
    let agent = Agent::installed(&root.join(CONFIG), &root.join(STATE));
    hub.until("a heartbeat", |hub| !hub.beats.is_empty());
    assert_eq!(hub.state.lock().enrolments[0].name.as_deref(), Some("kitchen \"2\""));
    assert!(!root.join(TOKEN).exists(), "used, and gone");
    assert!(agent.terminate().0.success());

    let before = tree(root);
    let other_hub = ["install", "--init", "openrc", "--join-token", "-", "--hub", "http://127.0.0.1:2"];
    for arguments in [&other_hub[..], &other_hub[..5]] {
        let line = refused(root, arguments, &some_token());
        assert!(line.contains("enrolled already") && line.contains("pingup-agent reset"), "{line}");
        assert!(
            tree(root) == before,
            "no token is kept, and no agent is sent to a hub that does not know it"
        );
    }
    done(root, &["install", "--init", "openrc"]);
}

#[test]
fn actions_as_root_stay_as_they_are_until_it_is_said() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    install(root, &[HUB[0], HUB[1], "--actions-as-root"]);
    install(root, &[]);
    assert!(root.join(ACTIONS).exists());
    let said = install(root, &["--actions-as-root=false"]);
    assert!(said.contains("removed ") && !root.join(ACTIONS).exists(), "{said}");
    let line = refused(root, &["install", "--init", "launchd", HUB[0], HUB[1], "--actions-as-root"], "");
    assert!(line.contains("not with launchd"), "{line}");
}

#[test]
fn a_folder_says_itself_what_starts_its_services() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    std::fs::create_dir_all(root.join("sbin")).unwrap();
    std::fs::write(root.join("sbin/openrc-run"), "").unwrap();
    done(root, &["install", HUB[0], HUB[1]]);
    assert_eq!(mode(&root.join("etc/init.d/pingup-agent")), 0o755);
}

#[test]
fn what_would_be_told_to_the_service_manager_is_said() {
    let arguments = ["install", "--dry-run", "--init", "systemd", HUB[0], HUB[1]];
    let output = program().args(arguments).env("PINGUP_JOIN_TOKEN", some_token()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !said.contains("pjt_"), "{said}");
    assert!(said.contains("would run    systemctl restart pingup-agent.service"), "{said}");
}
