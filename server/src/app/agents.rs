//! From the registry's records of agents to what series are named by.

use crate::{
    prometheus::{Agent, Neighbours, agents::AGENTS_MAX},
    registry::{AgentRecord, store},
};
use pingup_protocol::{enrol::HostInfo, labels::Labels, time::Timestamp};
use rusqlite::Connection;

/// What the room of series asks of the registry.
pub(super) const NEIGHBOURS: Neighbours = Neighbours { version: store::version, agents };

fn agents(connection: &Connection) -> rusqlite::Result<Vec<Agent>> {
    store::everyone(connection, AGENTS_MAX, agent)
}

fn agent(record: AgentRecord, farewells: Vec<Timestamp>) -> Agent {
    // What another program wrote there tells nothing.
    let info: HostInfo = serde_json::from_str(record.info.get()).unwrap_or_default();
    let facts = [
        ("hostname", info.hostname),
        ("os", info.os),
        ("arch", info.arch),
        ("version", info.agent_version),
        ("ip", info.ip_address),
        ("lima_vm", info.lima_vm_name),
    ];
    let labels: Labels = record.labels.or(info.labels);
    Agent {
        id: record.id,
        name: record.name,
        facts: facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        labels: labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        created_at: record.created_at,
        removed_at: record.removed_at,
        farewells,
    }
}
