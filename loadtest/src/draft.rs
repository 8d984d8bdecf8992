//! The report's file: opened before the run, put in its place after it.
//!
//! Nobody wants to learn after an hour that the result has no place to go, nor to lose the last report to a run
//! that failed.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// A file beside the one that was named, which it replaces once it is whole.
pub(crate) struct Draft {
    file: File,
    beside: PathBuf,
    place: PathBuf,
}

impl Draft {
    /// Opens a draft of the file `place`.
    pub(crate) fn open(place: &Path) -> Result<Self, String> {
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let beside = place.with_file_name(name);
        let open = || match place.is_dir() {
            true => Err(io::ErrorKind::IsADirectory.into()),
            false => File::create(&beside),
        };
        let file = open().map_err(|error: io::Error| format!("--json {}: {error}", place.display()))?;
        Ok(Self { file, beside, place: place.to_owned() })
    }

    /// Writes the report and puts it in its place.
    pub(crate) fn finish(self, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        write(&self.file)?;
        fs::rename(&self.beside, &self.place)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Of a run that failed; after one that did not there is nothing left to remove.
        let _ = fs::remove_file(&self.beside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_last_report_stays_until_the_next_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("report.json");
        fs::write(&place, "old").unwrap();
        drop(Draft::open(&place).unwrap());
        assert_eq!(fs::read_to_string(&place).unwrap(), "old");
        Draft::open(&place).unwrap().finish(|mut file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(Draft::open(folder.path()).is_err() && Draft::open(&folder.path().join("no/x")).is_err());
    }
}
