//! What many commands are told: every setting of the hub, or where its data lies and what opens it.

use super::{CliError, join_token, token};
use crate::{
    settings::{Layer, Settings},
    storage::DataFolder,
};
use std::{fmt::Display, path::PathBuf};

/// Everything that can be set.
#[derive(clap::Args)]
pub(super) struct SettingsArguments {
    /// A TOML file with settings
    #[arg(long, env = "PINGUP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) layer: Layer,
}

/// Where the data is, for commands that need to know no more.
#[derive(Default, clap::Args)]
pub(super) struct PlaceArguments {
    /// A TOML file with settings, of which data_dir and those of the master key count here
    #[arg(long, env = "PINGUP_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The data folder [default: ./data]
    #[arg(long, env = "PINGUP_DATA_DIR", value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) master: MasterArguments,
}

/// Where the master key is, and what opens it.
#[derive(Clone, Default, clap::Args)]
pub(super) struct MasterArguments {
    /// The master key's file [default: master.key in the data folder]
    #[arg(long, env = "PINGUP_MASTER_KEY_FILE", value_name = "FILE")]
    master_key_file: Option<PathBuf>,
    /// A file with the passphrase that the master key is sealed with
    #[arg(long, env = "PINGUP_MASTER_PASSPHRASE_FILE", value_name = "FILE")]
    master_passphrase_file: Option<PathBuf>,
}

impl SettingsArguments {
    pub(super) fn resolve(self) -> Result<Settings, CliError> {
        // The whole file counts, also what only other commands would use.
        let file = self.config.as_deref().map(Layer::from_file).transpose()?.unwrap_or_default();
        token::check_keys(&file.token)?;
        join_token::check_keys(&file.join_token)?;
        Ok(Settings::resolve(self.layer, self.config.as_deref())?)
    }
}

impl PlaceArguments {
    /// What the file says, with what was named over it.
    pub(super) fn settings(&self) -> Result<Layer, CliError> {
        let file = self.config.as_deref().map(Layer::from_file).transpose()?.unwrap_or_default();
        let MasterArguments { master_key_file, master_passphrase_file } = self.master.clone();
        let data_dir = self.data_dir.clone();
        let said = Layer { data_dir, master_key_file, master_passphrase_file, ..Layer::default() };
        Ok(said.over(file))
    }

    /// The data folder, which must be there.
    pub(super) fn folder(&self) -> Result<DataFolder, CliError> {
        let said = self.settings()?;
        Ok(DataFolder::open(&said.data_dir())?.with_master(said.master()))
    }

    pub(super) fn data_dir(&self) -> Result<PathBuf, CliError> {
        Ok(self.settings()?.data_dir())
    }
}

/// What a flag says, else what its key in the file's `section` says, read in the same way.
pub(super) fn said_or<T, E: Display>(
    flag: Option<T>,
    (section, key): (&str, &str),
    value: Option<&str>,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, CliError> {
    let from_file = |text| read(text).map_err(|error| CliError::Usage(format!("[{section}] {key}: {error}")));
    flag.map_or_else(|| value.map(from_file).transpose(), |flag| Ok(Some(flag)))
}
