//! Files that are there, were changed, or belong to somebody.

use super::*;
use std::path::PathBuf;
use tempfile::TempDir;
use zeroize::Zeroizing;

fn file(path: &'static str, text: &str) -> Outgoing {
    Outgoing { path, text: Zeroizing::new(text.to_owned()), is_secret: path == "secret.yaml" }
}

fn files(text: &str) -> [Outgoing; 2] {
    [file("a/b/open.json", text), file("secret.yaml", "token")]
}

/// So many files written, and so many as they were; none of somebody's.
fn done(written: usize, unchanged: usize) -> Put {
    Put { written, unchanged, left: Vec::new() }
}

/// A folder that these files were written into once.
fn written() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("deep/grafana");
    assert_eq!(put(&folder, &files("one"), false).unwrap(), done(2, 0));
    (place, folder)
}

fn mode(path: PathBuf) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn what_is_open_can_be_read_by_all_and_what_is_secret_by_its_owner() {
    let (_place, folder) = written();
    for (path, expected) in [
        ("", 0o755),
        ("a", 0o755),
        ("a/b", 0o755),
        ("a/b/open.json", 0o644),
        (SUMS, 0o644),
        ("secret.yaml", 0o600),
    ] {
        assert_eq!(mode(folder.join(path)), expected, "{path}");
    }
    assert!(!folder.join("secret.yaml.partial").exists());
}

#[test]
fn what_was_written_here_is_written_anew_and_only_where_it_differs() {
    let (_place, folder) = written();
    assert_eq!(put(&folder, &files("one"), false).unwrap(), done(0, 2));
    assert_eq!(put(&folder, &files("two"), false).unwrap(), done(1, 1));
    assert_eq!(fs::read_to_string(folder.join("a/b/open.json")).unwrap(), "two");
}

#[test]
fn what_somebody_changed_stays_until_force() {
    let (_place, folder) = written();
    let theirs = folder.join("a/b/open.json");
    fs::write(&theirs, "mine").unwrap();
    fs::remove_file(folder.join("secret.yaml")).unwrap();
    for _ in 0..2 {
        let Put { written, left, .. } = put(&folder, &files("two"), false).unwrap();
        assert_eq!((written, left), (usize::from(!folder.join("again").exists()), vec!["a/b/open.json"]));
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "mine");
        assert!(folder.join("secret.yaml").exists(), "what is ours is written beside it");
        fs::write(folder.join("again"), "").unwrap();
    }
    assert_eq!(put(&folder, &files("two"), true).unwrap(), done(1, 1));
    assert_eq!(fs::read_to_string(theirs).unwrap(), "two");
}

#[test]
fn what_was_there_before_is_somebodys() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("secret.yaml"), "theirs").unwrap();
    assert_eq!(put(place.path(), &files("one"), false).unwrap().left, ["secret.yaml"]);
    fs::write(place.path().join("secret.yaml"), "token").unwrap();
    assert_eq!(put(place.path(), &files("one"), false).unwrap(), done(0, 2));
}

#[test]
fn a_file_that_is_replaced_hands_on_its_mode() {
    let (_place, folder) = written();
    let path = folder.join("secret.yaml");
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let anew = [file("secret.yaml", "another token")];
    assert_eq!(put(&folder, &anew, false).unwrap(), done(1, 0));
    assert_eq!(mode(path), 0o640);
}

#[test]
fn a_secret_in_the_place_of_what_everyone_could_read_is_not_for_everyone() {
    let (_place, folder) = written();
    let secret = Outgoing { is_secret: true, ..file("a/b/open.json", "token") };
    put(&folder, &[secret], false).unwrap();
    assert_eq!(mode(folder.join("a/b/open.json")), 0o640);
}

#[test]
fn what_is_too_long_was_not_written_here() {
    let (_place, folder) = written();
    let path = folder.join("secret.yaml");
    let length = usize::try_from(FILE_BYTES_MAX).unwrap();
    for (bytes, named) in [(length, false), (length + 1, true)] {
        fs::write(&path, vec![b'x'; bytes]).unwrap();
        let found = found(&path).unwrap();
        assert_eq!(found.is_some_and(|sum| sum.is_empty()), named, "{bytes}");
    }
    assert_eq!(put(&folder, &files("one"), false).unwrap().left, ["secret.yaml"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let place = tempfile::tempdir().unwrap();
    let taken = place.path().join("taken");
    fs::write(&taken, "a file").unwrap();
    let refused = put(&taken.join("grafana"), &files("one"), false).unwrap_err().to_string();
    assert!(refused.contains("taken"), "{refused}");
}
