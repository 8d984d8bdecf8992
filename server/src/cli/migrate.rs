//! `migrate`: brings the database to what this program needs, with no hub running.

use super::{CliError, print};
use crate::{
    clock::Clock,
    settings::Settings,
    storage::{DataFolder, DiskSpace, Duck, DuckSettings, Faults, Sqlite},
    tsdb::{Places, Retention, Tsdb, former::TakenOver},
};
use std::slice;

pub(super) fn migrate(settings: &Settings, clock: &Clock) -> Result<(), CliError> {
    let folder = DataFolder::open_or_create(&settings.data_dir)?.with_master(settings.master.clone());
    let _lock = folder.lock()?;
    // The key comes before the records, always: records without a key are taken for a loss.
    folder.master_or_create()?;
    let disk = DiskSpace::watch(folder.path(), settings.disk_reserve_bytes)?;
    let sqlite = Sqlite::open(&folder.sqlite_path(), disk.clone(), clock.now())?;
    report("pingup.db", sqlite.migrated())?;
    if !folder.duckdb_path().exists() {
        return Ok(());
    }
    match take_over(settings, &folder, sqlite, disk, clock)? {
        Some(TakenOver { samples, scans }) => {
            print(&format!("analytics.duckdb: {samples} samples and {scans} scans taken over"))
        }
        None => print("analytics.duckdb: taken over before, set aside now"),
    }
}

fn take_over(
    settings: &Settings,
    folder: &DataFolder,
    sqlite: Sqlite,
    disk: DiskSpace,
    clock: &Clock,
) -> Result<Option<TakenOver>, CliError> {
    let places = Places::below(folder.path());
    places.create()?;
    let duckdb = DuckSettings { memory: settings.duckdb_memory.clone(), ..DuckSettings::default() };
    let engine = Duck::open(duckdb, &places.scratch, slice::from_ref(&places.parts))?;
    let retention = Retention {
        raw: settings.retention_raw,
        minute: settings.retention_minute,
        hour: settings.retention_hour,
    };
    let opened = Tsdb::open(places, sqlite, engine, clock.clone(), retention, disk, Faults::none())?;
    Ok(opened.tsdb.take_over_former(folder)?)
}

fn report(database: &str, migrated: &[&str]) -> Result<(), CliError> {
    if migrated.is_empty() {
        return print(&format!("{database}: nothing to do"));
    }
    print(&format!("{database}: applied {}", migrated.join(", ")))
}
