//! No path is ever made of what came over the wire: not by the code that reads it, and not by ids that look like one.

use crate::harness::{Hub, agent::now};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Words by which paths are made and files are opened.
const FILES: [&str; 9] = [
    "fs::",
    "PathBuf::from",
    "Path::new",
    "File::open",
    "File::create",
    "File::options",
    "OpenOptions",
    "with_file_name",
    "with_extension",
];
/// Rooms and files that read what comes over the wire, and name no file.
const HUB: [&str; 15] = [
    "http",
    "auth",
    "audit",
    "registry",
    "commands",
    "config",
    "events",
    "figures",
    "health",
    "discovery",
    "history",
    "prometheus",
    "series",
    "ingest",
    "sweep",
];
const AGENT: [&str; 8] =
    ["transport", "pull", "push", "report.rs", "enrol.rs", "heartbeat.rs", "clock", "backoff.rs"];
/// Beside them, and reads a file: the one that the machine's own settings name, before anybody is spoken to.
const OF_SETTINGS: &str = "agent/src/transport/tls/authorities.rs";

fn sources(path: &Path, found: &mut Vec<PathBuf>) {
    let is_test = path.file_stem().is_some_and(|stem| stem == "tests" || stem == "testing");
    if path.is_dir() && !is_test {
        fs::read_dir(path).unwrap().for_each(|entry| sources(&entry.unwrap().path(), found));
    } else if !is_test && path.extension().is_some_and(|extension| extension == "rs") {
        found.push(path.to_owned());
    }
}

#[test]
fn what_reads_the_wire_names_no_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let hub = HUB.map(|room| root.join("server/src").join(room));
    let agent = AGENT.map(|room| root.join("agent/src").join(room));
    let mut files = Vec::new();
    hub.iter().chain(&agent).for_each(|path| {
        let before = files.len();
        sources(path, &mut files);
        assert!(files.len() > before, "{} is there", path.display());
    });
    let before = files.len();
    files.retain(|file| !file.ends_with(OF_SETTINGS));
    assert_eq!(files.len(), before - 1, "{OF_SETTINGS} is there");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in FILES {
            assert!(!code.contains(word), "{} speaks of {word}", file.display());
        }
    }
}

/// All that lies below a folder, by its path in there.
fn below(folder: &Path, found: &mut Vec<String>, at: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{at}/{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            below(&path, found, &name);
        }
        found.push(name);
    }
}

#[test]
fn ids_that_look_like_paths_are_no_files() {
    let mut hub = Hub::start();
    let ids = ["..", ".", "...", "a:b", "-rf", "CON", "C:", "pingup.db", "hub.lock"];
    let operator = hub.operator("operator");
    for id in ids {
        let agent = hub.register(id);
        agent.post("/api/v1/metrics", &agent.sample(now().plus_seconds(-5), 1.0)).expect(200);
        operator.get(&format!("/api/v1/metrics/{id}")).expect(200);
        operator.post("/api/v1/commands", &serde_json::json!({"agentId": id, "action": "ping"})).expect(201);
        assert_eq!(agent.pending("")["commands"].as_array().unwrap().len(), 1);
    }
    for id in ["a/b", "../x", "a\\b", "", "a\0", "%2e%2e/x", "é"] {
        let answer = operator.post("/api/v1/agents", &serde_json::json!({ "id": id }));
        assert_eq!(answer.status, 422, "{id}");
    }
    hub.stop();
    for id in ids {
        let table = hub.line(&["export", &format!("--agent={id}"), "--format", "csv"]);
        assert_eq!(table.lines().count(), 2, "{id}: {table}");
    }
    let mut found = Vec::new();
    below(hub.beside(), &mut found, "");
    let known = [
        "data",
        "pingup.db",
        "hub.lock",
        "master.key",
        "reach.json",
        "journal",
        "history",
        "scratch",
        "raw",
        "minute",
        "hour",
        "scans",
        "points",
    ];
    for path in found {
        let name = path.rsplit('/').next().unwrap();
        let base = name.split("-wal").next().unwrap().split("-shm").next().unwrap();
        let is_numbered = name.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        assert!(known.contains(&base) || is_numbered, "{path}");
    }
}
