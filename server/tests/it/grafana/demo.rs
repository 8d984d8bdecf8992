//! The demo (`pingup-loadtest demo`), a small one: every panel of every dashboard has something to show, each alert has
//! its case and no other, and it ends when it is told to.

use super::{
    dashboards::{expressions, of},
    expressions::{all_have_data, fired, has_data},
    rules, scraped,
};
use crate::harness::{agent::now, program, refused, sibling, signal, wire::Wire};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

/// As few days and agents as make every alert's case, and one that scans.
const SMALL: [&str; 8] = ["--agents", "9", "--days", "2", "--interval", "60", "--seed", "5"];
/// Whom each alert is for: silent, busy, its clock off, its disk full within a day.
const MEANT: [&str; 4] = ["edge-2", "ci-1", "edge-1", "db-1"];
/// The last line of what it says when it is ready.
const READY: &str = "The agents go on. Ctrl-C ends them and the hub.";

/// The load generator, with this hub's program.
fn load() -> Command {
    let mut command = Command::new(sibling("pingup-loadtest"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PINGUP_")) {
        command.env_remove(name);
    }
    command.arg("--server").arg(env!("CARGO_BIN_EXE_pingup-server"));
    command
}

fn demo(folder: &Path, more: &[&str]) -> Command {
    let mut command = load();
    command.args(["demo", "--data-dir"]).arg(folder).args(SMALL).args(more);
    command
}

/// A demo that goes on.
struct Demo {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// What it said until it was ready.
    said: String,
}

impl Demo {
    fn start(folder: &Path) -> Self {
        let mut command = demo(folder, &["--port", "0"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while stdout.read_line(&mut said).unwrap() > 0 && !said.ends_with(&format!("{READY}\n")) {}
        assert!(said.contains(READY), "{said}");
        Self { child, stdout, said }
    }

    /// What stands behind a word at the beginning of a line.
    fn word(&self, name: &str) -> &str {
        let line = self.said.lines().find_map(|line| line.trim_start().strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} in {}", self.said)).trim()
    }

    fn wire(&self) -> Wire {
        Wire::new(self.word("hub ").strip_prefix("http://").unwrap().parse().unwrap())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn made(folder: &Path, role: &str) -> String {
    let token = ["token", "create", "--role", role, "--data-dir"];
    let output = program().args(token).arg(folder.join("hub")).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_demo_has_something_in_every_panel_a_case_for_each_alert_and_an_end() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("demo");
    let mut demo = Demo::start(&folder);
    let wire = demo.wire();
    let viewer = wire.with_token(demo.word("token "));
    all_have_data(&viewer);
    for (rule, meant) in rules::each_for(MEANT) {
        assert_eq!(fired(&viewer, &rule.expr), [meant], "{}", rule.expr);
    }
    the_hubs_own_dashboard_has_data(&wire.with_token(&made(&folder, "scrape")));
    what_a_grafana_is_given_is_there(&folder, &viewer);
    let commands = viewer.get("/api/v1/commands").expect(200);
    let words: Vec<_> =
        commands["items"].as_array().unwrap().iter().map(|c| c["status"].as_str().unwrap()).collect();
    for word in ["succeeded", "failed", "rejected", "pending"] {
        assert!(words.contains(&word), "{word} in {words:?}");
    }

    signal(demo.child.id(), "INT");
    let mut rest = String::new();
    demo.stdout.read_to_string(&mut rest).unwrap();
    assert!(demo.child.wait().unwrap().success(), "{rest}");
    assert!(rest.contains("The demo has ended") && rest.contains(folder.to_str().unwrap()), "{rest}");
    let migrated = program().args(["migrate", "--data-dir"]).arg(folder.join("hub")).status().unwrap();
    assert!(migrated.success(), "the hub has ended with it: nobody else has the folder");
}

/// Since a hub begins its counters at nothing, that is what was scraped before it was there.
fn the_hubs_own_dashboard_has_data(scraper: &Wire) {
    refused(&scraper.get("/api/v1/agents"), 403, "scope-denied");
    let lately = scraped::figures(scraper);
    let line = |line: &str| match line.rsplit_once(' ') {
        Some((series, _)) if !line.starts_with('#') => format!("{series} 0\n"),
        _ => String::new(),
    };
    let before: String = lately.lines().map(line).collect();
    let now_ms = now().as_micros() / 1_000;
    let source = scraped::as_scraped(now_ms, &before, &lately);
    for (expression, is_instant) in expressions(&of("pingup-hub")) {
        assert!(has_data(&source, now_ms, expression, is_instant), "{expression}");
    }
}

fn what_a_grafana_is_given_is_there(folder: &Path, viewer: &Wire) {
    let token = fs::read_to_string(folder.join("viewer.token")).unwrap();
    assert_eq!(token.trim(), viewer.token());
    let mode = |path: &str| fs::metadata(folder.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("viewer.token"), mode("grafana/provisioning/datasources/pingup.yaml")), (0o600, 0o600));
    let source = fs::read_to_string(folder.join("grafana/provisioning/datasources/pingup.yaml")).unwrap();
    let url = format!("http://{}/prometheus", viewer.address);
    assert!(source.contains(&url) && source.contains(viewer.token()) && source.contains("timeInterval: 60s"));
    assert!(folder.join("grafana/dashboards/pingup-fleet.json").is_file());
}

#[test]
fn once_it_tells_all_and_ends() {
    let place = tempfile::tempdir().unwrap();
    let json = place.path().join("told.json");
    let more = ["--once", "--port", "0", "--json", json.to_str().unwrap()];
    let output = demo(&place.path().join("demo"), &more).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for words in ["count(pingup_agent_up)\n        ", "edge-2", "  10  ", "resets(pingup_uptime_seconds[7d])"]
    {
        assert!(said.contains(words), "{words} in {said}");
    }
    assert!(!said.contains("nothing") && !said.contains(READY), "{said}");
    let told: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!((&told["agents"], &told["unanswered"]), (&9.into(), &0.into()), "{told}");
    let rows = told["rows"].as_u64().unwrap();
    assert!((9 * 2 * 1_400..=9 * 2 * 1_441).contains(&rows), "{rows}");
}

#[test]
fn what_is_in_the_way_is_one_plain_line() {
    let place = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let full = place.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("note"), "mine").unwrap();
    for (folder, port, word) in [("full", "0", "--data-dir"), ("new", &*port, "--port")] {
        let output = demo(&place.path().join(folder), &["--once", "--port", port]).output().unwrap();
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), line.lines().count()), (Some(1), 1), "{line}");
        assert!(line.contains(word), "{word} in {line}");
    }
    assert_eq!(fs::read_dir(&full).unwrap().count(), 1, "what was there is left alone");
    assert!(!place.path().join("new").exists(), "nothing stays behind");
}

#[test]
fn what_dashboards_ask_first_is_timed_of_every_agent() {
    let place = tempfile::tempdir().unwrap();
    let json = place.path().join("told.json");
    let few = ["labels", "--agents", "20", "--queries", "3", "--json", json.to_str().unwrap()];
    let output = load().args(few).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let told: Value = serde_json::from_str(&fs::read_to_string(json).unwrap_or(said.clone())).unwrap();
    assert_eq!(told["asked"].as_array().unwrap().len(), 6, "{said}");
    let bytes = |place: usize| told["asked"][place]["bytes"].as_u64().unwrap();
    assert!(bytes(1) > 20 * 10 && bytes(5) > 20 * 60, "of all agents: {told}");
    let judged: Vec<_> = told["verdicts"].as_array().unwrap().iter().map(|line| &line["note"]).collect();
    assert_eq!(judged, ["20 of 10000 agents, 3 of 100 questions"; 2], "{said}");
}
