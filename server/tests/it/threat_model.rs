//! The threat model is kept true: each row of its tables names a file that is there and a test that is there.

use std::{
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

#[test]
fn every_row_of_the_threat_model_names_a_file_and_a_test_that_are_there() {
    let page = fs::read_to_string(root().join("docs/threat-model.md")).unwrap();
    let mut sources = String::new();
    SOURCES.iter().for_each(|folder| rust_sources(&root().join(folder), &mut sources));
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
        let missing = files.iter().filter(|file| !root().join(file).exists());
        untrue.extend(missing.map(|file| format!("no such file: {file}")));
        let missing = tests.iter().filter(|test| !sources.contains(&format!("fn {test}(")));
        untrue.extend(missing.map(|test| format!("no such test: {test}")));
    }
    assert!(untrue.is_empty(), "docs/threat-model.md:\n{}", untrue.join("\n"));
    assert!(rows >= ROWS_MIN, "{rows} rows");
}
