//! The row of a join token, as it is written into the records.

use super::Order;
use crate::{
    audit::store::record,
    cli::CliError,
    deed::{Act, By, Deed},
    joining::KeptSecret,
    storage::StorageError,
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

/// Writes the row of the token of that id and secret for what was ordered, and who did it.
pub(super) fn insert(
    connection: &Connection,
    (id, secret): (&str, &KeptSecret),
    order: &Order,
    (by, now): (&By, Timestamp),
) -> Result<(), CliError> {
    for (agent_id, what) in [(&order.replace, "replace"), (&order.rekey, "give keys anew")] {
        if let Some(agent_id) = agent_id
            && !is_living(connection, agent_id)?
        {
            return Err(CliError::Failed(format!("there is no agent {agent_id} to {what}")));
        }
    }
    let expires = now.plus_seconds(i64::try_from(order.ttl.as_secs()).unwrap_or(i64::MAX));
    connection
        .execute(
            "INSERT INTO join_tokens (id, secret, master, uses_left, agent_id, replaces, rekeys, created_at, expires_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                id,
                secret.bytes,
                secret.master,
                order.uses,
                order.agent_id.as_ref().map(AgentId::as_str),
                order.replace.as_ref().map(AgentId::as_str),
                order.rekey.as_ref().map(AgentId::as_str),
                now.as_micros(),
                expires.as_micros(),
            ],
        )
        .map_err(StorageError::from)?;
    let deed = Deed::new(Act::JoinTokenCreated, by, now)
        .on(id)
        .with("uses", order.uses)
        .with("expiresAt", expires.to_string())
        .with("agentId", order.agent_id.as_ref().map(AgentId::as_str))
        .with("replaces", order.replace.as_ref().map(AgentId::as_str))
        .with("rekeys", order.rekey.as_ref().map(AgentId::as_str));
    Ok(record(connection, &deed).map_err(StorageError::from)?)
}

fn is_living(connection: &Connection, agent_id: &AgentId) -> Result<bool, StorageError> {
    let sql = "SELECT 1 FROM agents WHERE id = ? AND removed_at IS NULL";
    Ok(connection.query_row(sql, [agent_id.as_str()], |_| Ok(())).optional()?.is_some())
}
