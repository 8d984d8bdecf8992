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
