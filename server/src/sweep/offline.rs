//! Agents that have not been heard from for three heartbeats are offline.

use super::{Job, TICK};
use crate::{
    clock::Clock,
    standing::{AgentChange, TellAgents},
    storage::{Sqlite, StorageError},
};
use pingup_protocol::{
    ids::AgentId,
    limits::{HEARTBEAT_SECONDS, MISSED_HEARTBEATS_MAX},
    time::Timestamp,
};
use rusqlite::Connection;
use std::sync::Arc;

/// How long an agent may be silent.
const SILENCE_SECONDS_MAX: i64 = (HEARTBEAT_SECONDS * MISSED_HEARTBEATS_MAX) as i64;

/// Sets agents offline that are online and were last heard from before the given moment; says which.
pub type MarkOffline = fn(&Connection, Timestamp) -> rusqlite::Result<Vec<AgentId>>;

/// The job. What it marked is told to `tell`.
pub fn job(sqlite: Sqlite, clock: Clock, mark_offline: MarkOffline, tell: TellAgents) -> Job {
    Job::new("offline", TICK, move || {
        let (sqlite, now, tell) = (sqlite.clone(), clock.now(), Arc::clone(&tell));
        async move { mark(&sqlite, now, mark_offline, tell).await }
    })
}

async fn mark(
    sqlite: &Sqlite,
    now: Timestamp,
    mark_offline: MarkOffline,
    tell: TellAgents,
) -> Result<(), StorageError> {
    let silent_since = now.plus_seconds(-SILENCE_SECONDS_MAX);
    let work = move |connection: &Connection| Ok::<_, StorageError>(mark_offline(connection, silent_since)?);
    let told = move |marked: &Vec<AgentId>| {
        if !marked.is_empty() {
            tell(AgentChange::Offline, marked.clone(), now);
        }
    };
    let marked = sqlite.write_then(work, told).await?;
    if !marked.is_empty() {
        tracing::info!(agents = marked.len(), "silent for three heartbeats: offline now");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::scratch::Scratch;
    use std::sync::Mutex;

    #[tokio::test]
    async fn the_third_missed_heartbeat_counts() {
        let sqlite = Scratch::new().sqlite();
        let now = Timestamp::from_micros(1_000_000_000);
        let expected = now.plus_seconds(-90);
        assert_eq!(expected.as_micros(), 910_000_000);
        // Answers by failing unless asked for exactly that moment.
        let asked: MarkOffline = |_, since| match since.as_micros() {
            910_000_000 => Ok(vec![AgentId::parse("a").unwrap()]),
            _ => Err(rusqlite::Error::InvalidQuery),
        };
        let told = Arc::new(Mutex::new(Vec::new()));
        let hearing = Arc::clone(&told);
        let tell: TellAgents = Arc::new(move |change, agents, at| {
            hearing.lock().unwrap().push((change, agents.len(), at));
        });
        mark(&sqlite, now, asked, Arc::clone(&tell)).await.unwrap();
        assert_eq!(*told.lock().unwrap(), [(AgentChange::Offline, 1, now)]);
        assert!(mark(&sqlite, now.plus_seconds(1), asked, Arc::clone(&tell)).await.is_err());
        mark(&sqlite, now, |_, _| Ok(Vec::new()), tell).await.unwrap();
        assert_eq!(told.lock().unwrap().len(), 1, "nothing to tell");
    }
}
