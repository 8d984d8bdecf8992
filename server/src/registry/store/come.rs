//! How agents come: by an operator's word, or with a join token.

use super::{change::remove, standing};
use crate::{
    generations::{self, KeyRow},
    joining::KeptSecret,
    registry::RegistryError,
    standing::{CancelOpen, Standing, Untold},
};
use pingup_protocol::{ids::AgentId, time::Timestamp};
use rusqlite::{Connection, OptionalExtension};

/// Which of an agent's keys it gets when it comes.
pub const FIRST_GENERATION: u32 = 1;

/// A join token as it is kept. What never changes can be looked at before the write that uses it.
#[derive(Clone, Debug)]
pub struct JoinTokenRow {
    /// What proves possession of it.
    pub secret: KeptSecret,
    /// The id that the agent gets.
    pub agent_id: Option<String>,
    /// The agent whose place the new one takes.
    pub replaces: Option<String>,
    /// The agent that gets keys anew, and stays who it is.
    pub rekeys: Option<String>,
}

/// An agent to be made.
#[derive(Clone, Debug)]
pub struct NewAgent {
    /// Its id.
    pub id: AgentId,
    /// Its name for people.
    pub name: Option<String>,
    /// What the machine says of itself, JSON.
    pub info: String,
    /// What operators keep with it, JSON.
    pub metadata: String,
    /// Which machine it is on.
    pub machine_id: Option<String>,
    /// What its keys are made from.
    pub key: KeyRow,
}

/// An enrolment whose signature was verified.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// With which join token.
    pub token_id: String,
    /// The agent whose place the new one takes.
    pub replaces: Option<String>,
    /// The machine is this agent, which has its id, and gets keys anew.
    pub rekeys: bool,
    /// The new agent.
    pub agent: NewAgent,
}

/// What came of an enrolment.
pub struct Enrolled {
    /// The keys that it gave.
    pub key: KeyRow,
    /// The agent that was removed for it, and what is to be told of its commands.
    pub replaced: Option<(AgentId, Untold)>,
}

/// The join token of this id.
pub fn join_token(connection: &Connection, token_id: &str) -> Result<Option<JoinTokenRow>, RegistryError> {
    let row = connection
        .prepare_cached("SELECT secret, master, agent_id, replaces, rekeys FROM join_tokens WHERE id = ?1")?
        .query_row([token_id], |row| {
            let secret = KeptSecret::read(row, 0)?;
            Ok(JoinTokenRow { secret, agent_id: row.get(2)?, replaces: row.get(3)?, rekeys: row.get(4)? })
        })
        .optional()?;
    Ok(row)
}

/// Takes a use of the join token and makes the agent, or gives one keys anew; all or nothing.
pub fn enrol(
    connection: &Connection,
    enrolment: &Enrolment,
    now: Timestamp,
    cancel_open: &CancelOpen,
) -> Result<Enrolled, RegistryError> {
    check_expiry(connection, &enrolment.token_id, now)?;
    check_machine(connection, enrolment)?;
    take_use(connection, &enrolment.token_id)?;
    if enrolment.rekeys {
        return Ok(Enrolled { key: rekey(connection, &enrolment.agent)?, replaced: None });
    }
    let replaced = match &enrolment.replaces {
        Some(id) if standing(connection, id)? == Standing::Living => {
            let (removed, cancelled) = remove(connection, id, now, cancel_open)?;
            Some((removed.id, cancelled))
        }
        _ => None,
    };
    register(connection, &enrolment.agent, now)?;
    Ok(Enrolled { key: enrolment.agent.key.clone(), replaced })
}

/// Gives a living agent keys of a number that it never had, and ends all others at once. What operators keep with it stays;
/// the machine may be another.
fn rekey(connection: &Connection, agent: &NewAgent) -> Result<KeyRow, RegistryError> {
    let id = agent.id.as_str();
    standing(connection, id)?.living(id)?;
    generations::end_all(connection, id)?;
    let key = KeyRow { generation: generations::number_next(connection, id)?, ..agent.key.clone() };
    generations::insert(connection, id, &key)?;
    connection
        .prepare_cached(
            "UPDATE agents SET name = coalesce(?2, name), info = ?3, machine_id = coalesce(?4, machine_id)
             WHERE id = ?1",
        )?
        .execute((id, &agent.name, &agent.info, &agent.machine_id))?;
    Ok(key)
}

/// Makes an agent under an id that was never used.
pub fn register(connection: &Connection, agent: &NewAgent, now: Timestamp) -> Result<(), RegistryError> {
    if standing(connection, agent.id.as_str())? != Standing::Unknown {
        return Err(RegistryError::IdRetired(agent.id.to_string()));
    }
    connection
        .prepare_cached(
            "INSERT INTO agents (id, name, info, metadata, machine_id, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            agent.id.as_str(),
            &agent.name,
            &agent.info,
            &agent.metadata,
            &agent.machine_id,
            now.as_micros(),
        ))?;
    Ok(generations::insert(connection, agent.id.as_str(), &agent.key)?)
}

fn check_expiry(connection: &Connection, token_id: &str, now: Timestamp) -> Result<(), RegistryError> {
    let expires_at: Option<i64> = connection
        .prepare_cached("SELECT expires_at FROM join_tokens WHERE id = ?1")?
        .query_row([token_id], |row| row.get(0))
        .optional()?;
    match expires_at {
        None => Err(RegistryError::JoinTokenInvalid),
        Some(expires_at) if expires_at <= now.as_micros() => Err(RegistryError::JoinTokenExpired),
        Some(_) => Ok(()),
    }
}

/// Comes before the token's use is taken: who lost the answer to a one-use token must hear that it worked.
fn check_machine(connection: &Connection, enrolment: &Enrolment) -> Result<(), RegistryError> {
    let Some(machine_id) = &enrolment.agent.machine_id else { return Ok(()) };
    let holder: Option<String> = connection
        .prepare_cached("SELECT id FROM agents WHERE machine_id = ?1 AND removed_at IS NULL")?
        .query_row([machine_id], |row| row.get(0))
        .optional()?;
    match holder {
        Some(agent_id)
            if enrolment.replaces.as_ref() != Some(&agent_id)
                && !(enrolment.rekeys && agent_id == enrolment.agent.id.as_str()) =>
        {
            Err(RegistryError::MachineEnrolled { agent_id })
        }
        _ => Ok(()),
    }
}

/// One conditional update, so that no two enrolments can both have a last use.
fn take_use(connection: &Connection, token_id: &str) -> Result<(), RegistryError> {
    let taken = connection
        .prepare_cached("UPDATE join_tokens SET uses_left = uses_left - 1 WHERE id = ?1 AND uses_left > 0")?
        .execute([token_id])?;
    if taken == 1 { Ok(()) } else { Err(RegistryError::JoinTokenExhausted) }
}
