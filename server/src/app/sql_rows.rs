//! From the records of agents and commands to what questions in SQL see of them.

use crate::{
    commands::store::{self, CommandFacts},
    latest::Latest,
    prometheus::agents::AGENTS_MAX,
    registry::{self, AgentRecord, AgentView, Newest},
    sql::{AgentNow, CommandNow, Neighbours, TakeCommand},
};
use pingup_protocol::{enrol::HostInfo, time::Timestamp};
use rusqlite::Connection;
use std::sync::Arc;

/// What the room of questions asks of registry and commands.
pub(super) fn neighbours(latest: &Arc<Latest>) -> Neighbours {
    let latest = Arc::clone(latest);
    let agents = move |connection: &Connection| {
        let tell = |record: AgentRecord, _farewells: Vec<Timestamp>| {
            record.removed_at.is_none().then(|| agent(record, &latest))
        };
        Ok(registry::store::everyone(connection, AGENTS_MAX, tell)?.into_iter().flatten().collect())
    };
    Neighbours { agents: Arc::new(agents), commands }
}

fn commands(connection: &Connection, now: Timestamp, take: TakeCommand<'_>) -> rusqlite::Result<()> {
    store::each(connection, now, &mut |facts| take(command(facts)))
}

fn command(facts: CommandFacts) -> CommandNow {
    CommandNow {
        command_id: facts.command_id,
        agent_id: facts.agent_id.to_string(),
        seq: facts.seq,
        batch_id: facts.batch_id,
        action: facts.action,
        status: facts.status.as_str(),
        timeout_seconds: facts.timeout_seconds,
        created_at: facts.created_at,
        expires_at: facts.expires_at,
        delivered_at: facts.delivered_at,
        cancel_asked_at: facts.cancel_asked_at,
        started_at: facts.started_at,
        finished_at: facts.finished_at,
        exit_code: facts.exit_code,
        signed_by: facts.signed_by,
    }
}

fn agent(record: AgentRecord, latest: &Latest) -> AgentNow {
    // What another program wrote there tells nothing.
    let info: HostInfo = serde_json::from_str(record.info.get()).unwrap_or_default();
    let held = latest.get(record.id.as_str());
    let held = held.map(|sample| Newest {
        timestamp: sample.timestamp,
        status: sample.status,
        metrics: sample.metrics,
    });
    // Of its configuration nothing is told here.
    let view = AgentView::new(record, 0, held);
    let own = view.latest.as_ref().map(|newest| &newest.metrics);
    AgentNow {
        agent_id: view.id.to_string(),
        name: view.name,
        status: view.status.as_str(),
        last_seen: view.last_seen,
        created_at: view.created_at,
        hostname: info.hostname,
        os: info.os,
        arch: info.arch,
        version: info.agent_version,
        ip_address: info.ip_address,
        labels: view.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        latest_at: view.latest.as_ref().map(|newest| newest.timestamp),
        own: own.map(|own| [own.cpu, own.ram, own.disk, own.latency]).unwrap_or_default(),
    }
}
