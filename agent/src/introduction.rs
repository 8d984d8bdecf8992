//! What the machine says of itself with its heartbeats: after each start, until the hub has heard it, and again when
//! the labels in its settings file have changed.
//!
//! The file is looked at once a heartbeat, and read when it is not the one that was read before. What cannot be read is
//! said in the log, once, and changes nothing: the labels of before stay until there are others.

use crate::settings::LabelsFile;
use pingup_protocol::enrol::HostInfo;
use std::{fs::Metadata, os::unix::fs::MetadataExt};

/// What tells one content of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self { inode: file.ino(), bytes: file.size(), modified: (file.mtime(), file.mtime_nsec()) }
    }
}

/// What the machine says of itself.
#[derive(Debug)]
pub struct Introduction {
    info: HostInfo,
    file: Option<LabelsFile>,
    /// Of the file as it was read last; none before it was, and while it cannot be found.
    seen: Option<Stamp>,
    is_heard: bool,
}

impl Introduction {
    /// `info`, with labels that may change in `file`.
    pub const fn new(info: HostInfo, file: Option<LabelsFile>) -> Self {
        Self { info, file, seen: None, is_heard: false }
    }

    /// What is to be said now, if anything.
    pub fn due(&mut self) -> Option<HostInfo> {
        self.look();
        (!self.is_heard).then(|| self.info.clone())
    }

    /// The hub has heard it.
    pub const fn heard(&mut self) {
        self.is_heard = true;
    }

    fn look(&mut self) {
        let Some(file) = &self.file else { return };
        let stamp = std::fs::metadata(file.path()).ok().map(|metadata| Stamp::of(&metadata));
        if stamp.is_none() || stamp == self.seen {
            return;
        }
        self.seen = stamp;
        match file.labels() {
            Ok(labels) if labels != self.info.labels => {
                tracing::info!("the labels in the settings file have changed; the hub is told");
                self.info.labels = labels;
                self.is_heard = false;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("the labels of before stay: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingup_protocol::labels::Labels;
    use std::{fs, path::Path};

    fn written(path: &Path, text: &str) {
        let whole = path.with_extension("new");
        fs::write(&whole, text).unwrap();
        fs::rename(whole, path).unwrap();
    }

    #[test]
    fn labels_are_told_once_and_again_when_their_file_has_changed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("agent.toml");
        written(&path, "labels = [\"role=web\"]\n");
        let info = HostInfo { labels: Labels::one("role", "web"), ..HostInfo::default() };
        let mut introduction = Introduction::new(info, Some(LabelsFile::new(path.clone(), None)));
        assert!(introduction.due().is_some() && introduction.due().is_some(), "until it was heard");
        introduction.heard();
        assert!(introduction.due().is_none());

        written(&path, "interval = \"5s\"\nlabels = [\"role=web\"]\n");
        assert!(introduction.due().is_none(), "other settings are read at the next start");
        written(&path, "labels = [\"role=\n");
        assert!(introduction.due().is_none(), "what cannot be read changes nothing");
        written(&path, "labels = [\"role=db\"]\n");
        assert_eq!(introduction.due().unwrap().labels, Labels::one("role", "db"));
        introduction.heard();
        fs::remove_file(&path).unwrap();
        assert!(introduction.due().is_none());
        written(&path, "");
        assert!(introduction.due().unwrap().labels.is_empty(), "none is a change too");
    }

    #[test]
    fn labels_that_were_given_outright_stay() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("agent.toml");
        let said = Some(vec!["role=web".to_owned()]);
        let info = HostInfo { labels: Labels::one("role", "web"), ..HostInfo::default() };
        let mut introduction = Introduction::new(info, Some(LabelsFile::new(path.clone(), said)));
        introduction.heard();
        written(&path, "labels = [\"role=db\"]\n");
        assert!(introduction.due().is_none());
    }
}
