//! The programs that tests run, as they were built beside the tests.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

/// The hub program.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pingup-server"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PINGUP_")) {
        command.env_remove(name);
    }
    command
}

/// A program of another crate of the workspace, built with the same profile. `cargo test --workspace` has built it; where only
/// the hub's tests are run, and it is not there or older than what it is made of, it is built first.
pub fn sibling(name: &str) -> PathBuf {
    static BUILT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let program = PathBuf::from(env!("CARGO_BIN_EXE_pingup-server")).with_file_name(name);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if built.insert(name.to_owned()) && !is_new(&program) {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--locked", "--package", name]);
        if program.components().any(|part| part.as_os_str() == "release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "{name} must build");
    }
    program
}

/// Whether it was built after the last change to any crate that programs are made of.
fn is_new(program: &Path) -> bool {
    let Ok(built) = program.metadata().and_then(|data| data.modified()) else { return false };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    ["agent/src", "loadtest/src", "promql/src", "protocol/src"]
        .iter()
        .all(|folder| last_changed(&workspace.join(folder)) < built)
}

fn last_changed(path: &Path) -> SystemTime {
    let changed = path.metadata().unwrap().modified().unwrap();
    match path.is_dir() {
        true => fs::read_dir(path)
            .unwrap()
            .map(|entry| last_changed(&entry.unwrap().path()))
            .fold(changed, SystemTime::max),
        false => changed,
    }
}
