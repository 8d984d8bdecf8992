//! The demo's folder: the hub's data, a token, and the files for a Grafana.

use crate::{
    error::LoadError,
    hub::{Stage, file},
    settings::Bearer,
};
use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Where it is unless said otherwise.
const DEFAULT: &str = "pingup-demo";
/// How long the token is good for.
const TOKEN_TTL: &str = "30d";

/// The folder, by its absolute path.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes it; one that has something in it is left alone, and is no place for a demo.
    pub(super) fn make(wanted: Option<&Path>) -> Result<Self, LoadError> {
        let wanted = wanted.unwrap_or(Path::new(DEFAULT));
        let path = std::path::absolute(wanted).map_err(|source| file(wanted, source))?;
        fs::create_dir_all(&path).map_err(|source| file(&path, source))?;
        let mut entries = fs::read_dir(&path).map_err(|source| file(&path, source))?;
        match entries.next() {
            None => Ok(Self(path)),
            Some(_) => {
                let taken = "there is something in it: remove it, or name another folder (--data-dir)";
                Err(file(&path, std::io::Error::new(ErrorKind::AlreadyExists, taken)))
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The hub's data.
    pub(super) fn data(&self) -> PathBuf {
        self.0.join("hub")
    }

    /// What a Grafana is given.
    pub(super) fn grafana(&self) -> PathBuf {
        self.0.join("grafana")
    }

    /// A file with a token that sees everything and changes nothing.
    pub(super) fn token(&self) -> PathBuf {
        self.0.join("viewer.token")
    }

    /// Makes the token and writes it, for its owner alone, and has the hub's program write all for a Grafana.
    pub(super) async fn fill(&self, stage: &Stage, interval: i64) -> Result<Bearer, LoadError> {
        let (data, grafana, token, url) = (self.data(), self.grafana(), self.token(), stage.hub.url());
        let create =
            ["token", "create", "--role", "viewer", "--name", "demo", "--ttl", TOKEN_TTL, "--data-dir"];
        let mut create: Vec<&OsStr> = create.iter().map(OsStr::new).collect();
        create.push(data.as_os_str());
        let made = stage.told_by(&create).await?;
        write_secret(&token, &made).map_err(|source| file(&token, source))?;
        let interval = format!("{interval}s");
        let export =
            ["grafana", "export", "--url", url.as_str(), "--interval", interval.as_str(), "--token-file"];
        let mut export: Vec<&OsStr> = export.iter().map(OsStr::new).collect();
        export.extend([token.as_os_str(), grafana.as_os_str()]);
        stage.told_by(&export).await?;
        Bearer::new(&made).ok_or(LoadError::Nothing("the hub's program made no token"))
    }
}

fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let wanted = place.path().join("a/demo");
        assert_eq!(Folder::make(Some(&wanted)).unwrap().path(), wanted);
        assert!(Folder::make(Some(&wanted)).is_ok(), "an empty one is a place for a demo");
        fs::write(wanted.join("note"), "mine").unwrap();
        let refused = Folder::make(Some(&wanted)).err().unwrap().to_string();
        assert!(
            refused.contains("a/demo") && refused.contains("--data-dir") && !refused.contains('\n'),
            "{refused}"
        );
        assert_eq!(fs::read_to_string(wanted.join("note")).unwrap(), "mine");
    }
}
