//! The arrows that must not be: which room may import which, read from the sources themselves.

use std::{
    fs,
    path::{Path, PathBuf},
};

const ROOMS: [&str; 14] = [
    "audit",
    "registry",
    "commands",
    "config",
    "ingest",
    "history",
    "discovery",
    "events",
    "figures",
    "health",
    "prometheus",
    "series",
    "sql",
    "tokens",
];

/// The hub's house from its cellar up: what stands on one floor may use that floor and those below. Rooms are on a floor of their own,
/// between the porch and what builds them.
const BELOW_ROOMS: [&[&str]; 3] = [
    &[
        "address",
        "allocator",
        "brake",
        "bucket",
        "clock",
        "csv",
        "generations",
        "joining",
        "latest",
        "standing",
        "storage",
    ],
    &["reach", "selector", "tls", "tsdb"],
    &["auth", "deed", "figures", "http", "settings"],
];
const ABOVE_ROOMS: [&[&str]; 3] = [&["app"], &["cli"], &["lib", "main"]];
/// Where the porch is told which rooms there are: the route table, and the words for it.
const TABLE: [&str; 2] = ["http/router.rs", "http/openapi/routes.rs"];

/// How high a part of the hub stands.
fn floor(part: &str) -> usize {
    let on = |floors: &[&[&str]]| floors.iter().position(|floor| floor.contains(&part));
    let is_room = ROOMS.contains(&part) || part == "sweep";
    let above = |at| BELOW_ROOMS.len() + 1 + at;
    let found = on(&BELOW_ROOMS).or(is_room.then_some(BELOW_ROOMS.len())).or(on(&ABOVE_ROOMS).map(above));
    found.unwrap_or_else(|| panic!("{part} is on no floor: say here what may use it"))
}

/// Every source but those that only tests are made of.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let test = path.file_stem().is_some_and(|stem| stem == "tests" || stem == "testing");
        if path.is_dir() && !test {
            found.extend(sources(&path));
        } else if !test && path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

/// The code of a file: without the tests at its end, its comments, and its documentation.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").or_else(|| text.find("#[cfg(test)]\nmod rules {"));
    let code = &text[..end.unwrap_or(text.len())];
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// What a file imports of this crate: the words behind `crate::`, also inside braces.
fn imports(text: &str) -> Vec<String> {
    let code = code(text);
    let mut found = Vec::new();
    for behind in code.split("crate::").skip(1) {
        let word = |text: &str| {
            text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
        };
        match behind.strip_prefix('{') {
            None => found.push(word(behind)),
            Some(list) => {
                let (mut depth, mut start) = (1, true);
                for (at, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 1 => start = true,
                        c if start && depth == 1 && c.is_ascii_alphabetic() => {
                            found.push(word(&list[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                }
            }
        }
    }
    found
}

fn hub() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn rooms_never_import_rooms() {
    for room in ROOMS {
        for (path, text) in sources(&hub().join(room)) {
            for import in imports(&text) {
                let other = import != room
                    && (ROOMS.contains(&import.as_str()) || import == "app" || import == "cli");
                // Every room counts; figures are where they count.
                assert!(!other || import == "figures", "{} imports the room {import}", path.display());
            }
        }
    }
}

#[test]
fn arrows_point_down() {
    for (path, text) in sources(&hub()) {
        let name = path.strip_prefix(hub()).unwrap().to_string_lossy().into_owned();
        let part = name.split(['/', '.']).next().unwrap();
        for import in imports(&text) {
            let is_down = floor(&import) <= floor(part) || TABLE.contains(&name.as_str());
            assert!(is_down, "{name} uses {import}, which stands above it");
        }
    }
}

#[test]
fn the_cellar_knows_no_domain() {
    for (path, text) in sources(&hub().join("storage")) {
        for import in imports(&text) {
            assert_eq!(import, "storage", "{}", path.display());
        }
        for word in ["heartbeat", "Sample", "axum", "hyper"] {
            assert!(!code(&text).contains(word), "{} speaks of {word}", path.display());
        }
    }
}

#[test]
fn rules_know_neither_http_nor_sql() {
    for room in ROOMS {
        let Ok(text) = fs::read_to_string(hub().join(room).join("mod.rs")) else { continue };
        for word in ["StatusCode", "axum::", "hyper::", "SELECT ", "INSERT "] {
            assert!(!code(&text).contains(word), "{room}/mod.rs speaks of {word}");
        }
    }
}

#[test]
fn stores_know_no_http_and_handlers_no_sql() {
    for room in ROOMS {
        for (path, text) in sources(&hub().join(room)) {
            let name = path.strip_prefix(hub()).unwrap().to_string_lossy().into_owned();
            let words: &[&str] = match () {
                () if name.contains("store") => &["crate::http", "axum", "hyper", "crate::auth"],
                () if name.contains("handler") => &["SELECT ", "INSERT ", "UPDATE ", "DELETE FROM"],
                () => &[],
            };
            for word in words {
                assert!(!code(&text).contains(word), "{name} speaks of {word}");
            }
        }
    }
}

#[test]
fn only_the_porch_and_handlers_know_status_codes() {
    for (path, text) in sources(&hub()) {
        let name = path.strip_prefix(hub()).unwrap().to_string_lossy().into_owned();
        let may = name.starts_with("http/") || name.ends_with("handler.rs") || name.contains("/handler/");
        assert!(may || !code(&text).contains("StatusCode"), "{name} speaks of status codes");
    }
}

#[test]
fn the_contract_is_pure_and_the_agent_does_not_know_the_hub() {
    let root = hub().join("../..");
    for (path, text) in sources(&root.join("protocol/src")) {
        for word in ["std::fs", "std::net::Tcp", "SystemTime", "Instant", "tokio", "rusqlite", "duckdb"] {
            assert!(!code(&text).contains(word), "{} speaks of {word}", path.display());
        }
    }
    for program in ["agent", "loadtest"] {
        let manifest = fs::read_to_string(root.join(program).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dev-dependencies]").next().unwrap();
        assert!(!dependencies.contains("pingup-server"), "{program} depends on the hub");
    }
}

#[test]
fn every_file_says_what_it_is() {
    let root = hub().join("../..");
    for folder in ["protocol/src", "server/src", "agent/src", "loadtest/src"] {
        for (path, text) in sources(&root.join(folder)) {
            assert!(text.starts_with("//!"), "{} does not open with //!", path.display());
            let lines = text.lines().count();
            assert!(lines <= 500, "{} has {lines} lines: a file is a step", path.display());
        }
    }
}

/// The names in code on the page's lines: `a/` and `a` both name a.
fn named(page: &str) -> Vec<&str> {
    page.split('`').skip(1).step_by(2).map(|name| name.trim_end_matches('/')).collect()
}

#[test]
fn the_map_names_every_room() {
    let root = hub().join("../..");
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let named = named(&page);
    for program in ["server", "agent", "loadtest", "promql", "protocol"] {
        for entry in fs::read_dir(root.join(program).join("src")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let is_door = ["lib", "main"].contains(&name.as_str());
            assert!(
                is_door || named.contains(&name.as_str()),
                "ARCHITECTURE.md does not name {}",
                path.display()
            );
        }
    }
}
