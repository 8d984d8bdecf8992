//! `backup` and `restore`; what they promise is said in [`crate::tsdb::backup`] and [`crate::tsdb::restore`].
//!
//! Ctrl-C may end either at any time: what is not whole does not have the name that was asked for.

use super::{CliError, PlaceArguments, print, progress, user};
use crate::{
    audit::store,
    clock::Clock,
    deed::{Act, Deed},
    tsdb::{
        backup::{Made, back_up},
        restore,
    },
};
use pingup_protocol::plain;
use rusqlite::{Connection, params};
use std::path::PathBuf;

/// Numbers that a restored hub leaves out: more commands than were made since the backup.
const SKIPPED_COMMANDS: u32 = 10_000;
/// The same of each agent's configurations.
const SKIPPED_VERSIONS: u32 = 1_000;
/// The same of each agent's keys.
const SKIPPED_GENERATIONS: u32 = 100;
/// Farther than any version is.
const FAR_AWAY: u32 = 1 << 31;

#[derive(clap::Args)]
pub(super) struct BackupArguments {
    /// The folder to be made, best on another disk
    #[arg(value_name = "DIR")]
    target: PathBuf,
    #[command(flatten)]
    place: PlaceArguments,
}

#[derive(clap::Args)]
pub(super) struct RestoreArguments {
    /// A folder that `backup` made
    #[arg(value_name = "DIR")]
    backup: PathBuf,
    #[command(flatten)]
    place: PlaceArguments,
}

pub(super) fn backup(arguments: &BackupArguments, clock: &Clock) -> Result<(), CliError> {
    let folder = arguments.place.folder()?;
    let bar = progress::of_bytes("backup");
    let made = back_up(&folder, &arguments.target, clock.now(), &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let Made { files, bytes, linked_bytes } = made?;
    let target = arguments.target.display();
    let master = match folder.masters_inside().is_empty() {
        true => format!(
            "; WITHOUT the master key {}: keep a copy of that elsewhere",
            folder.master_path().display()
        ),
        false => String::new(),
    };
    print(&format!(
        "{target}: {files} files, {bytes} bytes, {linked_bytes} of them shared with the data folder{master}"
    ))
}

pub(super) fn restore(arguments: &RestoreArguments, clock: &Clock) -> Result<(), CliError> {
    let target = arguments.place.data_dir()?;
    let bar = progress::of_bytes("restore");
    let (now, by) = (clock.now(), user::by());
    let amend = |records: &Connection| {
        skip_numbers(records)?;
        // Of a former version, the audit begins with the next start.
        if !store::is_kept(records)? {
            return Ok(());
        }
        let from = arguments.backup.display().to_string();
        store::record(records, &Deed::new(Act::RecordsRestored, &by, now).with("backup", from))
    };
    let restored = restore::restore(&arguments.backup, &target, amend, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let manifest = restored?;
    print(&format!(
        "{}: {} files, {} bytes, as they were at {} (made by pingup-server {})",
        target.display(),
        manifest.files.len(),
        manifest.bytes(),
        manifest.made,
        plain::line(&manifest.program)
    ))
}

/// Agents run no command whose number is not above that of their last one, and take no configuration that is not newer;
/// what they know is newer than the backup. So the hub goes on with numbers that it cannot have given yet.
fn skip_numbers(records: &Connection) -> rusqlite::Result<()> {
    records.execute("UPDATE command_numbers SET last = last + ?", [SKIPPED_COMMANDS])?;
    // Agents may have had since the backup what waits in it. Of a former version, the update marks it.
    let has_mark = "SELECT EXISTS (SELECT 1 FROM pragma_table_info('command_seqs') WHERE name = 'restored')";
    if records.query_row(has_mark, [], |row| row.get(0))? {
        records.execute("UPDATE command_seqs SET restored = last", [])?;
    }
    records.execute(
        "INSERT INTO command_seqs (agent_id, last) SELECT id, ?1 FROM agents WHERE true
         ON CONFLICT (agent_id) DO UPDATE SET last = last + ?1",
        params![SKIPPED_COMMANDS],
    )?;
    // A token of a generation that was made since then must not be taken for that of another.
    records.execute("UPDATE agents SET key_generation = key_generation + ?1", [SKIPPED_GENERATIONS])?;
    // An agent may have a version of the same number with other words: the hub's are to be in force, so each comes anew.
    // By way of numbers that none has: two of one agent never have the same.
    records.execute("UPDATE configs SET version = version + ?1", [FAR_AWAY])?;
    records.execute("UPDATE configs SET version = version - ?1", [FAR_AWAY - SKIPPED_VERSIONS])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{migrate::SQLITE, scratch::Scratch};

    #[test]
    fn a_restored_hub_gives_no_number_that_it_may_have_given() {
        let scratch = Scratch::new();
        drop(scratch.sqlite());
        let records = Connection::open(scratch.folder.sqlite_path()).unwrap();
        let before = "INSERT INTO agents (id, created_at) VALUES ('a', 0), ('b', 0);
                      INSERT INTO command_seqs (agent_id, last) VALUES ('a', 3); INSERT INTO command_numbers VALUES (2026, 7);
                      INSERT INTO configs VALUES ('a', 1, '{}', 0, ''), ('a', 1001, '{}', 0, ''),
                          ('b', 4, '{}', 0, '');";
        records.execute_batch(before).unwrap();
        skip_numbers(&records).unwrap();
        let last = |sql: &str| records.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!(last("SELECT last FROM command_numbers"), SKIPPED_COMMANDS + 7);
        assert_eq!(last("SELECT last FROM command_seqs WHERE agent_id = 'a'"), SKIPPED_COMMANDS + 3);
        assert_eq!(last("SELECT last FROM command_seqs WHERE agent_id = 'b'"), SKIPPED_COMMANDS);
        assert_eq!(
            last("SELECT restored FROM command_seqs WHERE agent_id = 'a'"),
            3,
            "these it may have had"
        );
        assert_eq!(last("SELECT restored FROM command_seqs WHERE agent_id = 'b'"), 0, "it had none");
        assert_eq!(last("SELECT key_generation FROM agents WHERE id = 'a'"), SKIPPED_GENERATIONS + 1);
        assert_eq!(last("SELECT max(version) FROM configs WHERE agent_id = 'a'"), SKIPPED_VERSIONS + 1_001);
        assert_eq!(last("SELECT min(version) FROM configs WHERE agent_id = 'a'"), SKIPPED_VERSIONS + 1);
        assert_eq!(last("SELECT version FROM configs WHERE agent_id = 'b'"), SKIPPED_VERSIONS + 4);
    }

    #[test]
    fn a_backup_of_before_the_mark_gets_it_with_the_update() {
        let records = Connection::open_in_memory().unwrap();
        let (before, after) = SQLITE.split_at(16);
        before.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
        let given = "INSERT INTO agents (id, created_at) VALUES ('a', 0), ('b', 0);
                     INSERT INTO command_seqs (agent_id, last) VALUES ('a', 3);";
        records.execute_batch(given).unwrap();
        skip_numbers(&records).unwrap();
        after.iter().for_each(|step| records.execute_batch(step.sql).unwrap());
        let restored = |id: &str| {
            let mark = "SELECT restored FROM command_seqs WHERE agent_id = ?1";
            records.query_row(mark, [id], |row| row.get::<_, u32>(0)).unwrap()
        };
        assert_eq!((restored("a"), restored("b")), (3, 0));
    }
}
