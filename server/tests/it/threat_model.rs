//! The threat model is kept true: each row of its tables names a file that is there and a test that is there, and is run as one.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Folders with sources, from the workspace's root.
const SOURCES: [&str; 7] = ["protocol", "promql", "server", "agent", "loadtest", "benches", "fuzz"];
/// Rows that a threat model of this house has at least: one that lost its tables would else pass.
const ROWS_MIN: usize = 60;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rust_sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            rust_sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// What stands in backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Names of the functions that are run as tests: what stands above one is attributes and comments, one of which says so.
fn tests_in(sources: &str) -> BTreeSet<&str> {
    let (mut names, mut is_test) = (BTreeSet::new(), false);
    for line in sources.lines().map(str::trim_start) {
        let called = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        let name = called.and_then(|rest| rest.split_once('(')).map(|(name, _)| name);
        names.extend(name.filter(|_| is_test));
        let says_so = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        is_test = says_so || is_test && (line.starts_with("#[") || line.starts_with("//"));
    }
    names
}

#[test]
fn what_is_no_test_is_not_taken_for_one() {
    let sources = "#[test]\nfn first() {}\n\nfn second() {}\n#[tokio::test]\n// why\n#[ignore = \"x\"]\nasync fn third() {}";
    assert_eq!(tests_in(sources), BTreeSet::from(["first", "third"]));
}

/// Files that the page leads to by a link.
#[test]
fn every_link_of_the_threat_model_leads_somewhere() {
    let page = fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let links: Vec<_> =
        page.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(to, _)| to).collect();
    assert!(!links.is_empty());
    for link in links {
        let file = link.split('#').next().unwrap();
        assert!(file.is_empty() || root().join("docs").join(file).is_file(), "{link}");
    }
}

#[test]
fn every_row_of_the_threat_model_names_a_file_and_a_test_that_are_there() {
    let page = fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let mut sources = String::new();
    SOURCES.iter().for_each(|folder| rust_sources(&root().join(folder), &mut sources));
    let all = tests_in(&sources);
    let mut rows = 0;
    let mut untrue = Vec::new();
    let lines = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what "));
    for line in lines {
        rows += 1;
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let &[_attempt, _defence, files, tests] = &cells[..] else {
            untrue.push(format!("four cells expected: {line}"));
            continue;
        };
        let (files, tests) = (quoted(files), quoted(tests));
        if files.is_empty() || tests.is_empty() {
            untrue.push(format!("a file and a test expected: {line}"));
        }
        let missing = files.iter().filter(|file| !root().join(file).is_file());
        untrue.extend(missing.map(|file| format!("no such file: {file}")));
        let missing = tests.iter().filter(|test| !all.contains(**test));
        untrue.extend(missing.map(|test| format!("no such test: {test}")));
    }
    assert!(untrue.is_empty(), "docs/threat-model.md:\n{}", untrue.join("\n"));
    assert!(rows >= ROWS_MIN, "{rows} rows");
}
