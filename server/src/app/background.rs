//! The background jobs, each with the function of the room whose rows it touches.

use super::{Cellar, Common, deeds, news};
use crate::{
    auth::{Keyring, operators::store as tokens, rotation::Tended},
    commands, history,
    http::{moderate::Moderator, router::Rooms},
    latest::LatestSample,
    registry,
    settings::Settings,
    storage::{DataFolder, Sqlite},
    sweep::{self, Believed, Job, JobError, Sweep, TICK},
    tsdb::Judged,
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use std::{convert::Infallible, future::ready, sync::Arc, time::Duration};

/// Writes an agent's newest sample down, unless a newer one is.
pub(super) const NOTE_NEWEST: sweep::latest::Upsert<(AgentId, LatestSample)> = history::note;

pub(super) fn sweep(
    settings: &Settings,
    cellar: &Cellar,
    common: &Common,
    rooms: &Rooms,
    moderator: &Moderator,
) -> Sweep {
    let (sqlite, clock) = (&cellar.sqlite, &common.clock);
    let (latest, teller) = (Arc::clone(&common.latest), rooms.commands.teller().clone());
    let told = move |changes| teller.tell(changes);
    let tell = news::agents(&common.events);
    let tsdb = cellar.tsdb.clone();
    let believed: Believed = Arc::new(move || {
        let Judged { now, is_believed } = tsdb.judge_clock();
        is_believed.then_some(now)
    });
    let (register, series) = (Arc::clone(&cellar.register), Arc::clone(&rooms.series));
    let tidy = move || {
        let register = Arc::clone(&register);
        async move { register.tidy().await }
    };
    let operators = cellar.keyring.operators().clone();
    let (keyring, folder, period) = (cellar.keyring.clone(), cellar.folder.clone(), settings.key_rotation);
    let records = sqlite.clone();
    let tend = move |now| {
        let (keyring, folder, records) = (keyring.clone(), folder.clone(), records.clone());
        async move { tend_keys(&keyring, folder, &records, now, period).await }
    };
    let health = Arc::clone(&rooms.health);
    let examine = move || {
        let health = Arc::clone(&health);
        async move {
            health.examine().await;
            Ok::<_, Infallible>(())
        }
    };
    let audit = Arc::clone(&rooms.audit);
    let write_attempts = move || {
        let audit = Arc::clone(&audit);
        async move { audit.write_attempts(false).await }
    };
    let (moderator, now) = (moderator.clone(), clock.clone());
    let tell_floods = move || {
        moderator.tell(now.now());
        ready(Ok::<_, Infallible>(()))
    };
    Sweep::new()
        .with(sweep::disk::job(cellar.disk.clone()))
        .with(Job::new("health", TICK, examine))
        .with(sweep::offline::job(sqlite.clone(), clock.clone(), registry::store::mark_offline, tell))
        .with(sweep::expire::job(sqlite.clone(), Arc::clone(&believed), deeds::lapse, told))
        .with(sweep::tokens::note(sqlite.clone(), move || operators.take_uses(), tokens::note_uses))
        .with(sweep::tokens::forget(sqlite.clone(), Arc::clone(&believed), tokens::forget))
        .with(sweep::forget::job(
            sqlite.clone(),
            Arc::clone(&believed),
            settings.retention_commands,
            commands::store::forget,
        ))
        .with(sweep::keys::job(believed, tend))
        .with(sweep::batches::job(sqlite.clone(), clock.clone(), commands::store::over, deeds::end_batch))
        .with(Job::new("attempts", TICK, write_attempts))
        .with(Job::new("floods", TICK, tell_floods))
        .with(sweep::series::forget(move || series.forget()))
        .with(sweep::series::tidy(tidy))
        .with(sweep::latest::job(sqlite.clone(), move |count| latest.take_dirty(count), NOTE_NEWEST))
}

/// Does what time brings about for agents' keys; the former master key goes once nothing comes from it.
async fn tend_keys(
    keyring: &Keyring,
    folder: DataFolder,
    records: &Sqlite,
    now: Timestamp,
    period: Option<Duration>,
) -> Result<(), JobError> {
    let Tended { ended, offered, is_former_idle } = keyring.tend(now, period).await?;
    if ended + offered > 0 {
        tracing::info!(
            ended,
            offered,
            "generations of keys came to their end, or are offered since others are old"
        );
    }
    if is_former_idle {
        records.write(move |connection| deeds::retire_master(connection, &folder, now)).await?;
        keyring.forget_former();
        tracing::warn!(
            "nothing comes from the former master key any more: its file was overwritten and removed"
        );
    }
    Ok(())
}
