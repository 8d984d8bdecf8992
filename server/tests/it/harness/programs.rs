//! The programs that tests run, as they were built beside the tests.

use std::{path::PathBuf, process::Command};

/// The hub program.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pingup-server"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PINGUP_")) {
        command.env_remove(name);
    }
    command
}

/// A program of another crate of the workspace, built with the same profile.
pub fn sibling(name: &str) -> PathBuf {
    static BUILT: std::sync::OnceLock<()> = std::sync::OnceLock::new();
    let hub = PathBuf::from(env!("CARGO_BIN_EXE_pingup-server"));
    BUILT.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--locked", "--package", "pingup-agent"]);
        if hub.components().any(|part| part.as_os_str() == "release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "the agent must build");
    });
    hub.with_file_name(name)
}

/// The load generator, which `cargo test --workspace` has built; where only the hub's tests are run, it is built first.
pub fn loadtest() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_pingup-server")).with_file_name("pingup-loadtest");
    static BUILT: std::sync::Once = std::sync::Once::new();
    BUILT.call_once(|| {
        if !program.is_file() {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--locked", "--package", "pingup-loadtest"]);
            if program.components().any(|part| part.as_os_str() == "release") {
                cargo.arg("--release");
            }
            assert!(cargo.status().unwrap().success(), "the load generator must build");
        }
    });
    program
}
