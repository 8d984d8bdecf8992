//! Builds the rooms, and hands each what it needs of another.

use super::{Cellar, Common, agents, news, sql_rows, written};
use crate::{
    audit::{self, Audit},
    commands::{self, Commands},
    config::{self, Configs},
    discovery::Discovery,
    events,
    figures::{FiguresRoom, KeeperFigures},
    health::{Health, Probe},
    history::History,
    http::{body::Budget, router::Rooms},
    ingest::{Ingest, Queue},
    prometheus::Prometheus,
    registry::{self, Registry},
    series::{Doors, Series},
    settings::{Bytes, CONNECTIONS_MAX_DEFAULT, Settings},
    sql::{self, Sql},
    storage::{Duck, StorageError},
    tokens::handler::TokensRoom,
    tsdb::{Keeping, Tsdb},
};
use pingup_protocol::ids::AgentId;
use std::{future, sync::Arc};
use tokio::task::spawn_blocking;

// An agent that waits must find places for what else it says, and operators for theirs.
const _: () = assert!(((2 * commands::WAITERS_MAX + events::STREAMS_MAX) as u64) < CONNECTIONS_MAX_DEFAULT);

/// How many requests may wait for commands where there are so many connections: a quarter is left for those who push, and
/// for operators.
fn waiters_max(connections_max: usize) -> usize {
    (connections_max - connections_max / 4).min(commands::WAITERS_MAX)
}

pub(super) fn build(
    settings: &Settings,
    cellar: &Cellar,
    common: &Common,
    queue: &Arc<Queue>,
    senders_bodies: &Budget,
) -> Rooms {
    let Cellar { sqlite, duck, tsdb, register, keyring, .. } = cellar;
    let Common { clock, figures, latest, events, stopping } = common;
    let standing = registry::store::standing;
    let config_version = config::store::version;
    let record = audit::store::record;

    let neighbours = commands::Neighbours {
        standing,
        select: registry::store::select,
        config_version,
        config_reported: registry::store::config_reported,
        record,
    };
    let teller = news::teller(events);
    let commands = Arc::new(Commands::new(
        sqlite.clone(),
        clock.clone(),
        neighbours,
        teller,
        waiters_max(settings.connections_max),
        stopping.clone(),
    ));
    let (waiting, waiting_too) = (Arc::clone(&commands), Arc::clone(&commands));
    let changed = Arc::new(move |agent_id: &AgentId| waiting.wake(agent_id.as_str()));
    let configs =
        Configs::new(sqlite.clone(), clock.clone(), config::Neighbours { standing, changed, record });
    let neighbours = registry::Neighbours {
        cancel_open: news::cancelling(commands.teller().clone()),
        count_pending: commands::store::count_pending,
        config_version,
        call: Arc::new(move |agent_id| waiting_too.wake(agent_id)),
        tell: news::agents(events),
        record,
    };
    let registry = Registry::new(
        sqlite.clone(),
        keyring.clone(),
        clock.clone(),
        Arc::clone(latest),
        settings.enrolments_per_minute,
        neighbours,
    );
    let (kept, keys, counted) = (tsdb.clone(), keyring.clone(), Arc::clone(register));
    let figures = FiguresRoom::new(
        Arc::clone(figures),
        sqlite.clone(),
        registry::store::count_by_status,
        commands::store::count_by_status,
        Arc::new(move |connection| keys.figures(connection)),
        Box::new(move || keeper_figures(&kept)),
        Box::new(move || written::figures(&counted)),
    );
    let ingest = Arc::new(Ingest::new(Arc::clone(queue), tsdb.clone()));
    let series = Arc::new(Series::new(Arc::clone(register), tsdb.clone(), written::commit(&ingest), record));
    let known = written::Known { register: Arc::clone(register), told: Arc::clone(series.told()) };
    Rooms {
        audit: Arc::new(Audit::new(sqlite.clone(), clock.clone())),
        commands,
        configs: Arc::new(configs),
        discovery: Arc::new(Discovery::new(tsdb.clone(), duck.readers().clone(), sqlite.clone(), standing)),
        doors: Arc::new(Doors::new(Arc::clone(&series), senders_bodies.clone())),
        events: Arc::clone(events),
        figures: Arc::new(figures),
        health: Arc::new(Health::new(probes(cellar, queue))),
        history: Arc::new(History::new(
            tsdb.clone(),
            duck.readers().clone(),
            sqlite.clone(),
            clock.clone(),
            Arc::clone(latest),
            standing,
        )),
        ingest,
        prometheus: Arc::new(Prometheus::new(
            tsdb.clone(),
            duck.readers().clone(),
            sqlite.clone(),
            clock.clone(),
            agents::NEIGHBOURS,
            Arc::new(known),
        )),
        registry: Arc::new(registry),
        series,
        sql: Arc::new(sql(settings, cellar, common)),
        tokens: Arc::new(TokensRoom::new(keyring.operators().clone(), sqlite.clone(), clock.clone(), record)),
    }
}

fn sql(settings: &Settings, cellar: &Cellar, common: &Common) -> Sql {
    let memory = settings.duckdb_memory.clone();
    let bounds = sql::Bounds {
        time_max: settings.sql_time_max,
        // It was read as a size of memory before.
        memory_bytes: memory.parse().map_or(0, Bytes::get),
        memory,
    };
    Sql::new(
        cellar.tsdb.clone(),
        cellar.sqlite.clone(),
        common.clock.clone(),
        cellar.duck.readers().outbox().clone(),
        sql_rows::neighbours(&common.latest),
        cellar.parts.clone(),
        bounds,
    )
}

fn keeper_figures(tsdb: &Tsdb) -> KeeperFigures {
    let Keeping { unwell, held, files } = tsdb.keeping();
    KeeperFigures { files: files as u64, held_seconds: held.as_secs(), unwell_seconds: unwell.as_secs() }
}

fn probes(cellar: &Cellar, queue: &Arc<Queue>) -> Vec<Probe> {
    let (sqlite, queue) = (cellar.sqlite.clone(), Arc::clone(queue));
    let (duck, tsdb, keeper) = (cellar.duck.clone(), cellar.tsdb.clone(), cellar.tsdb.clone());
    let ask_sqlite = move || {
        let sqlite = sqlite.clone();
        async move { sqlite.probe().await.map_err(|error| outward(&error)) }
    };
    let ask_queue = move || {
        let (taking, full) = (queue.is_taking(), queue.is_full());
        async move {
            match (taking, full) {
                (true, false) => Ok(()),
                (true, true) => Err("it is full: agents keep their samples and come back"),
                (false, _) => Err("nothing is taken in: the hub is stopping, or its writer died"),
            }
        }
    };
    let mut probes = vec![
        Probe::new("sqlite", ask_sqlite),
        Probe::new("history", move || probe_history(duck.clone(), tsdb.clone())),
        Probe::with_remarks("keeper", move || future::ready(keeper.keeping().verdict())),
        Probe::new("queue", ask_queue),
    ];
    if let Some(tls) = cellar.tls.clone() {
        probes.push(Probe::with_remarks("tls", move || future::ready(tls.verdict())));
    }
    probes
}

async fn probe_history(duck: Duck, tsdb: Tsdb) -> Result<(), &'static str> {
    let probe = move || tsdb.probe().and_then(|()| duck.probe());
    let probed = spawn_blocking(probe).await.unwrap_or(Err(StorageError::Panicked));
    probed.map_err(|error| outward(&error))
}

/// Health is for everyone to read.
fn outward(error: &StorageError) -> &'static str {
    tracing::debug!(%error, "a probe failed");
    error.outward()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_wait_leave_a_quarter_of_the_places() {
        assert_eq!(waiters_max(49_152), commands::WAITERS_MAX);
        assert_eq!(waiters_max(19_488), 14_616);
        assert_eq!([1, 2, 4].map(waiters_max), [1, 2, 3]);
    }
}
