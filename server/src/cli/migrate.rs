//! `migrate`: brings both databases to what this program needs, with no hub running.

use super::{CliError, print};
use crate::{
    clock::Clock,
    settings::Settings,
    storage::{DataFolder, DiskSpace, Duck, DuckSettings, Sqlite},
};

pub(super) fn migrate(settings: &Settings, clock: &Clock) -> Result<(), CliError> {
    let folder = DataFolder::open_or_create(&settings.data_dir)?;
    let _lock = folder.lock()?;
    // The key comes before the records, always: records without a key are taken for a loss.
    folder.master_or_create()?;
    let disk = DiskSpace::watch(folder.path(), settings.disk_reserve_bytes)?;
    let sqlite = Sqlite::open(&folder.sqlite_path(), disk.clone(), clock.now())?;
    report("pingup.db", sqlite.migrated())?;
    let duckdb = DuckSettings { memory: settings.duckdb_memory.clone(), ..DuckSettings::default() };
    let duck = Duck::open(&folder.duckdb_path(), duckdb, disk, clock.now())?;
    report("analytics.duckdb", duck.migrated())
}

fn report(database: &str, migrated: &[&str]) -> Result<(), CliError> {
    if migrated.is_empty() {
        return print(&format!("{database}: nothing to do"));
    }
    print(&format!("{database}: applied {}", migrated.join(", ")))
}
