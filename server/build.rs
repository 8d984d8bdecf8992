//! Makes the built programs find libduckdb without a variable being set.
//!
//! The prebuilt library (`make setup`) is copied beside the programs, into the profile's folder
//! (`target/release`, say), and they get run paths relative to themselves. So `cargo run`,
//! `cargo test` and a release folder copied elsewhere all work. Promises: copies only what differs,
//! by one rename, and never leaves half a library. Refuses to go on when there is no library, with
//! one line that says what to do. With the feature `bundled` DuckDB is inside the program and
//! nothing happens here.
#![allow(clippy::print_stdout)] // standard output is how a build script talks to cargo

use std::env;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::process;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_BUNDLED").is_some() {
        return;
    }
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    if let Err(problem) = link_prebuilt() {
        // Cargo shows this as one line of its own and stops the build.
        println!("cargo::error={problem}");
    }
}

/// Copies the library beside the programs and tells the linker where they will look for it.
fn link_prebuilt() -> Result<(), String> {
    let macos = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "macos");
    let (name, origin) =
        if macos { ("libduckdb.dylib", "@loader_path") } else { ("libduckdb.so", "$ORIGIN") };

    let source = library_dir()?.join(name);
    // Cargo counts a watched file that is missing as changed, so `make setup` is noticed.
    println!("cargo::rerun-if-changed={}", source.display());
    let beside_programs = profile_dir()?;
    let copy = beside_programs.join(name);
    println!("cargo::rerun-if-changed={}", copy.display());

    let wanted = fs::metadata(&source)
        .map_err(|_| format!("there is no {}; run `make setup` once", source.display()))?;
    if !is_same(&wanted, &copy) {
        copy_whole(&source, &wanted, &copy)
            .map_err(|e| format!("cannot copy {} to {}: {e}", source.display(), copy.display()))?;
    }

    // Within the target folder, so cargo also hands it to doc tests, which get no link arguments.
    println!("cargo::rustc-link-search=native={}", beside_programs.display());
    // The programs themselves; test and bench programs in `deps/`; an installed `bin/` with `lib/`.
    // All kinds of targets at once: the narrower keys leave out the library's own unit tests.
    // The library calls itself `libduckdb.so` (its soname). On macOS this counts on its install
    // name being `@rpath/libduckdb.dylib`; `otool -D` shows it, `install_name_tool -id` mends it.
    for place in ["", "/..", "/../lib"] {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{origin}{place}");
    }
    Ok(())
}

/// The folder with the library: `DUCKDB_LIB_DIR`, which `.cargo/config.toml` sets to `.duckdb`.
/// Cargo reads that file only when called from within the checkout, hence the fallback.
fn library_dir() -> Result<PathBuf, String> {
    match env::var_os("DUCKDB_LIB_DIR") {
        Some(dir) if !dir.is_empty() => Ok(PathBuf::from(dir)),
        _ => Ok(cargo_path("CARGO_MANIFEST_DIR")?.join("../.duckdb")),
    }
}

/// The profile's folder (`target/debug`): the parent of the `build` folder that `OUT_DIR` lies in.
fn profile_dir() -> Result<PathBuf, String> {
    let out_dir = cargo_path("OUT_DIR")?;
    out_dir
        .ancestors()
        .find(|dir| dir.file_name().is_some_and(|name| name == "build"))
        .and_then(Path::parent)
        .map(Path::to_path_buf)
        .ok_or_else(|| format!("cannot tell the profile's folder from {}", out_dir.display()))
}

fn cargo_path(variable: &str) -> Result<PathBuf, String> {
    env::var_os(variable)
        .map(PathBuf::from)
        .ok_or_else(|| format!("{variable} is not set; this script is for cargo to run"))
}

/// Whether the copy has the library's size and time: `copy_whole` gives it both.
fn is_same(wanted: &Metadata, copy: &Path) -> bool {
    let Ok(found) = fs::metadata(copy) else { return false };
    found.len() == wanted.len() && matches!((found.modified(), wanted.modified()), (Ok(a), Ok(b)) if a == b)
}

/// Copies under a name of its own and renames: a program that starts meanwhile, or one that runs
/// with the old library mapped, sees a whole library.
fn copy_whole(source: &Path, wanted: &Metadata, copy: &Path) -> io::Result<()> {
    let mut partial = copy.as_os_str().to_owned();
    partial.push(format!(".{}", process::id()));
    let partial = PathBuf::from(partial);
    let done = fs::copy(source, &partial).and_then(|_| {
        File::options().write(true).open(&partial)?.set_modified(wanted.modified()?)?;
        fs::rename(&partial, copy)
    });
    if done.is_err() {
        // What is left of a failed copy is of no use; the first error is the one to tell.
        let _ = fs::remove_file(&partial);
    }
    done
}
