//! The arrows that must not be: this library knows no database, no network, no files and no runtime.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// A function that no story tells of is a function that nobody has seen work.
#[test]
fn every_function_is_in_a_story() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("src/plan/function.rs")).unwrap();
    let (_, table) = table.split_once("static TABLE").unwrap();
    let (table, _) = table.split_once("#[cfg(test)]").unwrap();
    let stories: String =
        sources(&root.join("tests/it")).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let names: Vec<&str> = table.split('"').skip(1).step_by(2).collect();
    assert_eq!(names.len(), 73);
    for name in names {
        assert!(stories.contains(&format!("{name}(")), "no story tells of {name}");
    }
}

#[test]
fn the_library_is_by_itself_and_its_files_are_steps() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in sources(&root.join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.display();
        assert!(text.starts_with("//!"), "{shown} does not open with //!");
        assert!(text.lines().count() <= 270, "{shown} is longer than a step");
        for word in [
            "std::fs",
            "std::net",
            "std::thread",
            "SystemTime::now",
            "tokio",
            "duckdb",
            "arrow::",
            "pingup_server",
        ] {
            assert!(!text.contains(word), "{shown} speaks of {word}");
        }
    }
}
