//! `master-key`: another master key, and how its file lies on the disk. With no hub running: it has the key in memory.
//!
//! `rotate` puts a new one in its place; agents get keys of it as they beat, and the former one goes when the last of them
//! has. `retire` does not wait for them. `seal` and `unseal` leave the key as it is.

use super::{CliError, PlaceArguments, print, user};
use crate::{
    audit::store::record,
    auth::operators::store,
    clock::Clock,
    deed::{Act, Deed},
    generations::{self, MasterId},
    joining,
    storage::{DataFolder, DiskSpace, FolderLock, Sqlite, StorageError},
};
use clap::Subcommand;
use rusqlite::Connection;
use tokio::runtime::Builder;

#[derive(Subcommand)]
pub(super) enum MasterKeyCommand {
    /// Make a new master key; agents get keys of it as they beat. Operators' tokens stay good
    Rotate(PlaceArguments),
    /// Drop the former master key now, and the keys of agents that have none of the new one yet
    Retire(RetireArguments),
    /// Seal its file with the passphrase in --master-passphrase-file
    Seal(PlaceArguments),
    /// Take the seal away: then whoever reads the file has the key
    Unseal(PlaceArguments),
}

#[derive(clap::Args)]
pub(super) struct RetireArguments {
    /// Do it; without this it is only said how many agents it cuts off
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

pub(super) fn run(command: MasterKeyCommand, clock: &Clock) -> Result<(), CliError> {
    match command {
        MasterKeyCommand::Rotate(place) => print(&rotate(&place, clock)?),
        MasterKeyCommand::Retire(RetireArguments { yes, place }) => print(&retire(&place, yes, clock)?),
        MasterKeyCommand::Seal(place) => {
            let (folder, lock) = alone(&place)?;
            change(&folder, clock, Act::MasterKeySealed, move |folder| folder.seal_master(&lock))?;
            print(&format!(
                "sealed: {} opens with the passphrase alone; keep both, without either nobody is known any more",
                folder.master_path().display()
            ))
        }
        MasterKeyCommand::Unseal(place) => {
            let (folder, lock) = alone(&place)?;
            change(&folder, clock, Act::MasterKeyUnsealed, move |folder| folder.unseal_master(&lock))?;
            print(&format!("the seal is off: whoever reads {} has the key", folder.master_path().display()))
        }
    }
}

fn rotate(place: &PlaceArguments, clock: &Clock) -> Result<String, CliError> {
    let (folder, lock) = alone(place)?;
    let masters = folder.masters(&lock)?;
    let current = MasterId::of(&masters.current);
    if masters.former.is_some() {
        let left = count_others(&folder, clock, current, true)?;
        if left > 0 {
            return Err(CliError::Failed(format!(
                "the last rotation is not over: {left} keys of agents come from the former master key; wait until they \
                 have beaten, or drop it with `pingup-server master-key retire`"
            )));
        }
        retire_former(&folder, clock, (current, true))?;
    }
    // Both before the key: a rotation that dies in between leaves no former token good, and from then on there are two
    // master keys, so that each of the agents' keys must say which is its own.
    let now = clock.now();
    let revoked = on_records(&folder, clock, move |connection| {
        generations::adopt(connection, current)?;
        Ok(store::revoke_former(connection, now)?)
    })?;
    change(&folder, clock, Act::MasterKeyRotated, move |folder| folder.rotate_master(&lock).map(drop))?;
    let mut told = "a new master key is in force, the former one lies beside it until no agent needs it.\n\
                    Agents go on as they are, and get keys of the new one with a heartbeat over TLS or loopback.\n\
                    Operators' tokens stay good: no master key makes one without its row.\n\
                    If pingup.db may be stolen too, this does not heal: whoever signs as an agent is handed its new keys. \
                    Then, before the hub is started: `pingup-server master-key retire --yes`, and `pingup-server \
                    join-token create --rekey ID` for each agent."
        .to_owned();
    if revoked > 0 {
        told.push_str(&format!(
            "\n{revoked} TOKENS THAT WERE MADE BEFORE TOKENS HAD ROWS ARE REVOKED, since the former key can write them: \
             make new ones with `pingup-server token create`."
        ));
    }
    Ok(told)
}

fn retire(place: &PlaceArguments, yes: bool, clock: &Clock) -> Result<String, CliError> {
    let (folder, lock) = alone(place)?;
    let masters = folder.masters(&lock)?;
    let (current, has_former) = (MasterId::of(&masters.current), masters.former.is_some());
    let left = count_others(&folder, clock, current, has_former)?;
    if left == 0 && !has_former {
        return Ok(
            "nothing to do: there is no former master key, and no agent's keys come from one".to_owned()
        );
    }
    if !yes {
        return Err(CliError::Failed(format!(
            "nothing was changed; the same with --yes ends {left} keys of agents, and agents without others need \
             `pingup-server join-token create --rekey ID` each"
        )));
    }
    let left = retire_former(&folder, clock, (current, has_former))?;
    let gone = match has_former {
        true => format!("the former master key is overwritten and gone, and {left} keys of agents with it"),
        // Such as those that were made while another file lay there by mistake.
        false => format!(
            "{left} keys of agents that came from another master key are gone; no former master key was there to drop"
        ),
    };
    Ok(format!("{gone}; agents without others come back by `pingup-server join-token create --rekey ID`"))
}

/// How many keys come from another master key than this one.
fn count_others(
    folder: &DataFolder,
    clock: &Clock,
    current: MasterId,
    has_former: bool,
) -> Result<u64, CliError> {
    on_records(folder, clock, move |connection| {
        Ok(generations::count_of_others(connection, current, has_former)?)
    })
}

/// Ends what comes from another master key than this one, and destroys the former; how many keys that ended.
fn retire_former(
    folder: &DataFolder,
    clock: &Clock,
    (current, has_former): (MasterId, bool),
) -> Result<u64, CliError> {
    let (by, now, files) = (user::by(), clock.now(), folder.clone());
    on_records(folder, clock, move |connection| {
        let ended = generations::end_others(connection, current, has_former)? as u64;
        joining::end_others(connection, current)?;
        record(connection, &Deed::new(Act::MasterKeyRetired, &by, now).with("keysEnded", ended))?;
        files.destroy_former_master()?;
        Ok(ended)
    })
}

/// Does something with the key's file, and writes it down: the row waits for its commit meanwhile. So there is none of what
/// failed; of what was done there is none if the machine dies between the two.
fn change(
    folder: &DataFolder,
    clock: &Clock,
    act: Act,
    work: impl FnOnce(&DataFolder) -> Result<(), StorageError> + Send + 'static,
) -> Result<(), CliError> {
    // Records without a key would be taken for a loss.
    folder.master_form()?;
    let (by, now, files) = (user::by(), clock.now(), folder.clone());
    on_records(folder, clock, move |connection| {
        record(connection, &Deed::new(act, &by, now))?;
        work(&files)
    })
}

/// The folder, with no hub on it.
fn alone(place: &PlaceArguments) -> Result<(DataFolder, FolderLock), CliError> {
    let folder = place.folder()?;
    let lock = folder.lock()?;
    Ok((folder, lock))
}

/// Does something with the records, migrated first.
fn on_records<T: Send + 'static>(
    folder: &DataFolder,
    clock: &Clock,
    work: impl FnOnce(&Connection) -> Result<T, StorageError> + Send + 'static,
) -> Result<T, CliError> {
    let runtime = Builder::new_current_thread()
        .build()
        .map_err(|error| CliError::Failed(format!("cannot start the runtime: {error}")))?;
    let sqlite = Sqlite::open(&folder.sqlite_path(), DiskSpace::watch(folder.path(), 0)?, clock.now())?;
    Ok(runtime.block_on(async {
        let done = sqlite.write(work).await;
        sqlite.close().await;
        done
    })?)
}
