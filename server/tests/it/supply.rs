//! What the programs are made of: what is written down of it is so.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The files that may have code in them which the compiler does not check, each with its reasons inside.
const UNCHECKED: [&str; 3] = ["agent/src/memory.rs", "fuzz/src/main.rs", "server/src/allocator.rs"];
/// The programs that are released.
const PROGRAMS: [&str; 3] = ["pingup-agent", "pingup-loadtest", "pingup-server"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn manifest(folder: &str) -> toml::Table {
    fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap().parse().unwrap()
}

/// The members of the workspace, by their folders.
fn members() -> Vec<(String, toml::Table)> {
    let workspace = manifest(".");
    let folders = workspace["workspace"]["members"].as_array().unwrap();
    folders
        .iter()
        .map(|folder| folder.as_str().unwrap())
        .map(|name| (name.to_owned(), manifest(name)))
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false => Vec::from_iter(path.extension().is_some_and(|kind| kind == "rs").then_some(path)),
        })
        .collect()
}

#[test]
fn code_that_the_compiler_does_not_check_stands_in_named_files_only() {
    // Put together here, or this file would have to be named too.
    let word = ["un", "safe"].concat();
    let marks = [format!("{word}_code"), format!("{word} "), format!("({word}("), format!("[{word}(")];
    let mut found = BTreeSet::new();
    for (folder, manifest) in members() {
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{folder} has lints of its own");
        for path in rust_files(&root().join(&folder)) {
            let text = fs::read_to_string(&path).unwrap();
            let passes = |line: &str| line.trim_start().starts_with("//") || line.starts_with("#![forbid(");
            let mut code = text.lines().filter(|line| !passes(line));
            if code.any(|line| marks.iter().any(|mark| line.contains(mark))) {
                found.insert(path.strip_prefix(root()).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    assert_eq!(found, UNCHECKED.map(str::to_owned).into());
    let lints = manifest(".")["workspace"]["lints"]["rust"].clone();
    assert_eq!(lints[&format!("{word}_code")].as_str(), Some("deny"));
}

/// Every crate that a manifest names, but for the workspace's own; with the manifests that do.
fn direct() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::<_, BTreeSet<_>>::new();
    for (folder, manifest) in members() {
        let elsewhere = manifest.get("target").and_then(toml::Value::as_table);
        let targets =
            elsewhere.into_iter().flat_map(|targets| targets.values().filter_map(toml::Value::as_table));
        for table in targets.chain([&manifest]) {
            for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
                let names = table
                    .get(kind)
                    .and_then(toml::Value::as_table)
                    .into_iter()
                    .flat_map(|names| names.keys());
                for name in names.filter(|name| !name.starts_with("pingup-")) {
                    found.entry(name.clone()).or_default().insert(folder.clone());
                }
            }
        }
    }
    found
}

#[test]
fn the_page_of_dependencies_lists_exactly_those_of_the_manifests() {
    let page = fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let mut listed = BTreeMap::new();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 6, "{row}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{row}");
        let by = cells[1].split(", ").map(str::to_owned).collect::<BTreeSet<_>>();
        assert!(listed.insert(cells[0].trim_matches('`').to_owned(), by).is_none(), "twice: {row}");
    }
    assert_eq!(listed, direct());
    // What the workspace names and nobody uses is not there for a reason.
    let workspace = manifest(".");
    let named = workspace["workspace"]["dependencies"].as_table().unwrap().keys();
    let named: BTreeSet<_> = named.filter(|name| !name.starts_with("pingup-")).cloned().collect();
    assert_eq!(named, listed.into_keys().collect());
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("{member} in {value}"))
}

/// What CycloneDX 1.5's schema asks of the parts that are written.
fn conforms(list: &Value) {
    assert_eq!((text(list, "bomFormat"), text(list, "specVersion")), ("CycloneDX", "1.5"));
    let serial = text(list, "serialNumber").strip_prefix("urn:uuid:").unwrap();
    let lengths: Vec<_> = serial.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    assert!(serial.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f' | '-')), "{serial}");
    assert!(list["version"].as_u64().unwrap() >= 1);
    assert_eq!(text(&list["metadata"], "timestamp"), "2026-01-01T00:00:00Z");
    let main = &list["metadata"]["component"];
    let mut references = BTreeSet::from([text(main, "bom-ref").to_owned()]);
    for component in list["components"].as_array().unwrap() {
        assert!(matches!(text(component, "type"), "application" | "library"), "{component}");
        assert!(matches!(text(component, "scope"), "required" | "excluded"), "{component}");
        assert!(!text(component, "name").is_empty() && !text(component, "version").is_empty());
        assert!(text(component, "purl").starts_with("pkg:"), "{component}");
        let licences = component["licenses"].as_array().unwrap();
        assert!(licences.len() == 1 && !text(&licences[0], "expression").contains('/'), "{component}");
        for hash in component["hashes"].as_array().into_iter().flatten() {
            let content = text(hash, "content");
            assert!(text(hash, "alg") == "SHA-256" && content.len() == 64, "{component}");
        }
        for link in component["externalReferences"].as_array().into_iter().flatten() {
            assert!(text(link, "type") == "vcs" && text(link, "url").starts_with("https://"), "{component}");
        }
        assert!(references.insert(text(component, "bom-ref").to_owned()), "twice: {component}");
    }
    let mut described = BTreeSet::new();
    for dependency in list["dependencies"].as_array().unwrap() {
        assert!(described.insert(text(dependency, "ref").to_owned()), "twice: {dependency}");
        for on in dependency["dependsOn"].as_array().unwrap() {
            assert!(references.contains(on.as_str().unwrap()), "{on} is not described");
        }
    }
    assert_eq!(described, references);
}

#[test]
fn the_list_with_a_release_says_what_is_in_the_programs() {
    if !Command::new("python3").args(["-c", "import tomllib"]).output().is_ok_and(|out| out.status.success())
    {
        eprintln!("there is no python3 with tomllib: no list is made");
        return;
    }
    let output = Command::new(root().join("scripts/sbom"))
        .env("CARGO", env!("CARGO"))
        .env("SOURCE_DATE_EPOCH", "1767225600")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    conforms(&list);

    let components = list["components"].as_array().unwrap();
    let required = |name: &str| components.iter().any(|c| c["name"] == name && c["scope"] == "required");
    for name in
        PROGRAMS.into_iter().chain(["rustls", "aws-lc-sys", "duckdb", "libduckdb", "libsqlite3-sys", "tokio"])
    {
        assert!(required(name), "{name}");
    }
    // Those of tests and benches are in no program, and what only builds is said to.
    assert!(!components.iter().any(|c| c["name"] == "criterion" || c["name"] == "pingup-benches"));
    assert!(!required("cc") && components.iter().any(|c| c["name"] == "cc"));
    let whole = list["dependencies"].as_array().unwrap().iter().find(|d| d["ref"] == "pingup").unwrap();
    assert_eq!(whole["dependsOn"].as_array().unwrap().len(), PROGRAMS.len());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains(env!("CARGO_MANIFEST_DIR")), "the list tells where it was made");
}
