//! Handing commands out: what is due to an agent is looked for, signed, and marked as delivered on disk before its answer
//! leaves.
//!
//! A batch wakes thousands. So many are served at once as [`HAND_OUTS_MAX`] says; the records are asked, and written, for
//! those together who come together.

use super::{Commands, Neighbours, agents::After, change, together::Together};
use crate::{
    auth::AgentKeys,
    clock::Clock,
    commands::{
        Change, CommandsError, Teller,
        store::{self, Deliverable, Delivery, Due},
    },
    generations,
    http::problem::Refusal,
    standing::Standing,
    storage::{Sqlite, StorageError},
};
use futures_util::FutureExt;
use pingup_protocol::{command::CommandStatus, ids::AgentId, time::Timestamp};
use rusqlite::Connection;
use serde_json::Value;
use std::{collections::HashSet, sync::Arc};
use tokio::sync::Semaphore;

/// Agents that commands are handed out to at once; the others wait for their turn. What is handed out is in memory twice
/// until it has left.
const HAND_OUTS_MAX: usize = 256;
/// Agents for whom the records are read, or written, together: a millisecond or two, for which others wait.
const TOGETHER_MAX: usize = 64;

const _: () = assert!(TOGETHER_MAX <= HAND_OUTS_MAX, "more are never asked for at once");

/// Versions of an agent's configuration.
struct Config {
    /// The one in force.
    version: u64,
    /// The newest that the agent said it has, or will not have.
    reported: u64,
}

/// What an agent asks the records for.
struct Question {
    agent_id: AgentId,
    generation: u32,
    after: u64,
}

/// What the records have for an agent.
struct Looked {
    due: Due,
    config: Config,
}

/// What is said to an agent.
#[derive(Debug, Default)]
pub(super) struct HandedOut {
    pub(super) commands: Vec<Value>,
    pub(super) cancel: Vec<String>,
    pub(super) config_version: u64,
    /// Whether the agent has neither been told of that version nor said anything of it.
    is_config_new: bool,
}

impl HandedOut {
    /// Whether it is worth an answer at once. An agent that asks for commands runs none, and so has none to end.
    pub(super) fn is_news(&self, after: After) -> bool {
        let is_order = match after {
            After::Busy => !self.cancel.is_empty(),
            After::Unsaid | After::Taken(_) => !self.commands.is_empty(),
        };
        is_order || self.is_config_new
    }
}

/// What is to be marked as handed out to an agent.
struct Handed {
    agent_id: AgentId,
    deliveries: Vec<Delivery>,
}

/// Those who are being served, and what they ask of the records.
#[derive(Debug)]
pub(super) struct HandOuts {
    turns: Semaphore,
    looks: Arc<Together<Question, Result<Looked, CommandsError>>>,
    /// Answered with the ids of those that could be handed out.
    marks: Arc<Together<Handed, Result<Vec<String>, CommandsError>>>,
}

impl HandOuts {
    pub(super) fn new(sqlite: &Sqlite, clock: &Clock, neighbours: Neighbours, teller: &Teller) -> Self {
        let (records, by) = (sqlite.clone(), clock.clone());
        let looks = Together::new(TOGETHER_MAX, move |questions: Vec<Question>| {
            let (records, now) = (records.clone(), by.now());
            async move {
                let count = questions.len();
                let looked = records.read(move |connection| look(connection, neighbours, &questions, now));
                looked.await.unwrap_or_else(|error| all_are_told(error, count))
            }
            .boxed()
        });
        let (records, by, teller) = (sqlite.clone(), clock.clone(), teller.clone());
        let marks = Together::new(TOGETHER_MAX, move |handed: Vec<Handed>| {
            let (records, teller, now) = (records.clone(), teller.clone(), by.now());
            async move {
                let count = handed.len();
                let work = move |connection: &Connection| mark(connection, &handed, now);
                match change(&records, &teller, work).await {
                    Ok(marked) => marked.into_iter().map(Ok).collect(),
                    Err(error) => all_are_told(error, count),
                }
            }
            .boxed()
        });
        Self { turns: Semaphore::new(HAND_OUTS_MAX), looks, marks }
    }
}

/// What the records have for each, all as of one moment.
fn look(
    connection: &Connection,
    Neighbours { standing, config_version, config_reported, .. }: Neighbours,
    questions: &[Question],
    now: Timestamp,
) -> Result<Vec<Result<Looked, CommandsError>>, StorageError> {
    // Of a transaction each, as statements have by themselves, the system calls alone took as long as the rows.
    let _view = connection.unchecked_transaction()?;
    let look = |Question { agent_id, generation, after }: &Question| {
        // The key that this is signed with may have died while the request waited.
        let lives = standing(connection, agent_id.as_str())? == Standing::Living
            && generations::look(connection, agent_id.as_str(), *generation, now)?.is_some();
        if !lives {
            return Err(CommandsError::Revoked(agent_id.to_string()));
        }
        let due = store::due(connection, agent_id, *after, now)?;
        let config = Config {
            version: config_version(connection, agent_id.as_str())?,
            reported: config_reported(connection, agent_id.as_str())?,
        };
        Ok(Looked { due, config })
    };
    Ok(questions.iter().map(look).collect())
}

/// Marks deliveries on disk, and says for each agent which of its commands still could be handed out.
fn mark(
    connection: &Connection,
    handed: &[Handed],
    now: Timestamp,
) -> Result<(Vec<Vec<String>>, Vec<Change>), StorageError> {
    let (mut all, mut changes) = (Vec::with_capacity(handed.len()), Vec::new());
    for Handed { agent_id, deliveries } in handed {
        let marked = store::mark_delivered(connection, deliveries, now)?;
        let new = marked.iter().filter(|(_, new)| *new).map(|(command_id, _)| Change {
            command_id: command_id.clone(),
            agent_id: agent_id.clone(),
            status: CommandStatus::Delivered,
            at: now,
        });
        changes.extend(new);
        all.push(marked.into_iter().map(|(command_id, _)| command_id).collect());
    }
    Ok((all, changes))
}

/// The one error for all who shared the work.
fn all_are_told<T>(error: StorageError, count: usize) -> Vec<Result<T, CommandsError>> {
    let error = Arc::new(error);
    (0..count).map(|_| Err(CommandsError::Shared(Arc::clone(&error)))).collect()
}

/// Whoever was to answer ended in the middle.
fn unanswered() -> CommandsError {
    StorageError::Panicked.into()
}

impl Commands {
    /// Hands out what is due to the agent: signed, and marked as delivered on disk. Also says which version of
    /// its configuration is in force.
    pub(super) async fn hand_out(&self, keys: &AgentKeys, after: After) -> Result<HandedOut, Refusal> {
        let _turn = self.hand_outs.turns.acquire().await;
        let (agent_id, generation) = (keys.agent_id().clone(), keys.generation());
        let question = Question { agent_id, generation, after: after.seq() };
        let looked = self.hand_outs.looks.ask(question).await;
        let Looked { due, config } = looked.ok_or_else(unanswered)??;
        if due.forgone && matches!(after, After::Taken(_)) {
            self.conclude(keys.agent_id(), after.seq()).await?;
        }
        let mut signed = Vec::with_capacity(due.commands.len());
        let mut unmarked = Vec::new();
        for Deliverable { command, handed_out_with } in due.commands {
            let value = keys.sign_command(&command)?;
            let signature = value["signature"].as_str().unwrap_or_default().to_owned();
            if handed_out_with.as_ref() != Some(&signature) {
                unmarked.push(Delivery { command_id: command.command_id.clone(), signature });
            }
            signed.push((command.command_id, value));
        }
        let withheld = self.mark(keys.agent_id(), unmarked).await?;
        let commands = signed.into_iter().filter(|(id, _)| !withheld.contains(id)).map(|(_, value)| value);
        let known = config.reported.max(self.waiters.told(keys.agent_id()));
        Ok(HandedOut {
            commands: commands.collect(),
            cancel: due.cancel,
            config_version: config.version,
            is_config_new: config.version > known,
        })
    }

    /// Ends what the agent was handed, has not begun by its own word, and must not begin any more.
    async fn conclude(&self, agent_id: &AgentId, after: u64) -> Result<(), CommandsError> {
        let (agent_id, now) = (agent_id.clone(), self.clock.now());
        self.change(move |connection| Ok(((), store::conclude(connection, &agent_id, after, now)?))).await
    }

    /// Marks deliveries on disk, and returns those that may not be handed out after all.
    async fn mark(
        &self,
        agent_id: &AgentId,
        deliveries: Vec<Delivery>,
    ) -> Result<HashSet<String>, CommandsError> {
        let mut unmarked: HashSet<_> =
            deliveries.iter().map(|delivery| delivery.command_id.clone()).collect();
        if deliveries.is_empty() {
            return Ok(unmarked);
        }
        let handed = Handed { agent_id: agent_id.clone(), deliveries };
        for id in self.hand_outs.marks.ask(handed).await.ok_or_else(unanswered)?? {
            unmarked.remove(&id);
        }
        Ok(unmarked)
    }
}
