//! The state folder: there, its owner's alone, and all of it of one owner.

use super::Check;
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

const NAME: &str = "permissions";
/// What others may do: nothing.
const OTHERS: u32 = 0o077;
/// What must be closed to others, beside the folder itself. What is not there is for other checks to say.
const CLOSED: [&str; 5] = ["identity.json", "identity.former.json", "join-token", "spool", "results"];

/// Examines the folder at `path`, and the settings `file`, where it holds a secret.
pub(super) fn check(path: &Path, file: Option<&Path>) -> Check {
    match find_fault(path) {
        Ok(Some(check)) => check,
        Ok(None) => match file.filter(|file| tells_a_token(file)) {
            Some(file) => Check::warn(
                NAME,
                format!("{} holds a join token and is for others to read", file.display()),
                "take it out: `pingup-agent install --join-token` keeps it in the state folder, closed to others",
            ),
            None => Check::ok(NAME, format!("{} is its owner's alone", path.display())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Check::warn(
            NAME,
            format!("{} is not there", path.display()),
            "the agent makes it at its first start; if it has run before, --state-dir names another folder",
        ),
        Err(error) => Check::fail(
            NAME,
            format!("{} cannot be looked into: {error}", path.display()),
            "call this as root, or as the user that the agent runs as",
        ),
    }
}

fn find_fault(path: &Path) -> io::Result<Option<Check>> {
    let folder = fs::metadata(path)?;
    if !folder.is_dir() {
        let remedy = "name a folder with --state-dir, or move what is there away";
        return Ok(Some(Check::fail(NAME, format!("{} is no folder", path.display()), remedy)));
    }
    let mut found: Vec<(PathBuf, fs::Metadata)> = vec![(path.to_owned(), folder.clone())];
    for name in CLOSED {
        let path = path.join(name);
        match fs::metadata(&path) {
            Ok(metadata) => found.push((path, metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let fault = found.iter().find_map(|(found, metadata)| {
        let (mode, shown) = (metadata.mode() & 0o7777, found.display());
        if mode & OTHERS != 0 {
            return Some(Check::fail(
                NAME,
                format!("{shown} has mode {mode:04o}: others than its owner may look in"),
                format!("`chmod -R go= {}`; if others use this machine, enrol anew with a token made with --replace", path.display()),
            ));
        }
        (metadata.uid() != folder.uid()).then(|| {
            let owner = folder.uid();
            Check::fail(
                NAME,
                format!("{shown} is of user {}, and the state folder of {owner}", metadata.uid()),
                format!("stop the agent, then `chown -R {owner} {}`", path.display()),
            )
        })
    });
    Ok(fault)
}

fn tells_a_token(file: &Path) -> bool {
    let is_open = fs::metadata(file).is_ok_and(|metadata| metadata.mode() & OTHERS != 0);
    is_open && fs::read_to_string(file).is_ok_and(|text| text.contains("pjt_"))
}
