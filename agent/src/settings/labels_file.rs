//! The one setting that is read again while the agent works: its labels.

use super::{SettingsError, arguments::RunArguments, file, values};
use pingup_protocol::labels::Labels;
use std::path::{Path, PathBuf};

/// The settings file, and what was said of labels outright, which counts for more.
#[derive(Clone, Debug)]
pub struct LabelsFile {
    path: PathBuf,
    said: Option<Vec<String>>,
}

impl LabelsFile {
    /// The file at `path`, beside labels that flags or the environment `said`.
    pub const fn new(path: PathBuf, said: Option<Vec<String>>) -> Self {
        Self { path, said }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The labels that hold now.
    pub fn labels(&self) -> Result<Labels, SettingsError> {
        let said = RunArguments { labels: self.said.clone(), ..RunArguments::default() };
        let refused = |SettingsError(what)| SettingsError(format!("{}: {what}", self.path.display()));
        values::labels(said.or(file::read(&self.path)?).labels).map_err(refused)
    }
}
