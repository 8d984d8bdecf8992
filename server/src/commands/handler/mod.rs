//! Commands over HTTP: operators queue, read and cancel them. How agents pull them is [`pending`]'s, how they report
//! [`progress`]'s and [`result()`]'s; batches are [`get_batch`]'s and [`cancel_batch`]'s.

mod agents;
mod batches;
mod create;
mod hand_out;
mod refuse;
mod reports;
mod together;

pub use agents::pending;
pub use batches::{cancel_batch, get_batch};
pub use create::create;
pub use reports::{progress, result};

use self::hand_out::HandOuts;
use super::{
    Change, CommandsError, Teller, deeds,
    store::{self, Filter, Place},
    waiters::Waiters,
};
use crate::{
    clock::Clock,
    deed::{By, Record},
    http::{
        cursor,
        problem::Refusal,
        query::Params,
        respond::{self, LIST_LIMIT, LIST_LIMIT_DEFAULT, Page},
    },
    selector::Selector,
    standing::Standing,
    storage::{Sqlite, StorageError},
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use pingup_protocol::{command::CommandStatus, ids::AgentId};
use rusqlite::Connection;
use std::{cell::Cell, fmt, sync::Arc};
use tokio::sync::{Semaphore, watch};

/// Signed batches whose signatures are verified at once: each takes a processor for up to a second or two.
const PROOFS_MAX: usize = 1;

/// What this room needs of others. Each runs inside this room's transaction.
#[derive(Clone, Copy)]
pub struct Neighbours {
    /// Where an agent id stands.
    pub standing: fn(&Connection, &str) -> rusqlite::Result<Standing>,
    /// Up to so many living agents that a selector means, ordered by id.
    pub select: fn(&Connection, &Selector, usize) -> rusqlite::Result<Vec<AgentId>>,
    /// The version of an agent's configuration; 0 when it has none.
    pub config_version: fn(&Connection, &str) -> rusqlite::Result<u64>,
    /// The newest version of it that the agent said anything of.
    pub config_reported: fn(&Connection, &str) -> rusqlite::Result<u64>,
    /// Writes down what is done.
    pub record: Record,
}

/// The room of commands.
pub struct Commands {
    sqlite: Sqlite,
    clock: Clock,
    neighbours: Neighbours,
    teller: Teller,
    waiters: Arc<Waiters>,
    hand_outs: HandOuts,
    /// Whose turn it is to have the signatures of a batch verified.
    proofs: Semaphore,
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commands({} waiting)", self.waiters.count())
    }
}

impl Commands {
    /// The room over these records, whose changes `teller` tells. At most `waiters_max` requests are held open at once,
    /// and none any more once `stopping` turns true.
    pub fn new(
        sqlite: Sqlite,
        clock: Clock,
        neighbours: Neighbours,
        teller: Teller,
        waiters_max: usize,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            hand_outs: HandOuts::new(&sqlite, &clock, neighbours, &teller),
            sqlite,
            clock,
            neighbours,
            teller,
            waiters: Waiters::new(waiters_max, stopping),
            proofs: Semaphore::new(PROOFS_MAX),
        }
    }

    /// Answers the agent's held-open request, if there is one: something changed that it should know.
    pub fn wake(&self, agent_id: &str) {
        self.waiters.wake(agent_id);
    }

    /// Who tells what changes.
    pub const fn teller(&self) -> &Teller {
        &self.teller
    }

    /// How many requests are held open.
    pub fn waiting(&self) -> usize {
        self.waiters.count()
    }

    /// Writes, and tells what changed by it once that is on disk.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<(T, Vec<Change>), CommandsError> + Send + 'static,
    ) -> Result<T, CommandsError> {
        change(&self.sqlite, &self.teller, work).await
    }
}

/// Writes, and has `teller` tell what changed by it once that is on disk.
async fn change<T, E>(
    sqlite: &Sqlite,
    teller: &Teller,
    work: impl FnOnce(&Connection) -> Result<(T, Vec<Change>), E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StorageError> + Send + 'static,
{
    let teller = teller.clone();
    let work = |connection: &Connection| work(connection).map(|(done, changes)| (done, Cell::new(changes)));
    let (done, _) = sqlite.write_then(work, move |(_, changes)| teller.tell(changes.take())).await?;
    Ok(done)
}

/// `GET /api/v1/commands`: the newest first.
pub async fn list(State(room): State<Arc<Commands>>, params: Params) -> Result<Response, Refusal> {
    let limit = params.number("limit", LIST_LIMIT, LIST_LIMIT_DEFAULT)?;
    let filter = Filter {
        agent_id: params.text("agentId").map(str::to_owned),
        status: params.text("status").map(status_of).transpose()?,
        batch_id: params.text("batchId").map(str::to_owned),
        action: params.text("action").map(str::to_owned),
        since: params.time("since")?,
        after: params.text("cursor").map(cursor::decode::<Place>).transpose()?,
    };
    let now = room.clock.now();
    let found = room
        .sqlite
        .read(move |connection| Ok::<_, CommandsError>(store::list(connection, filter, limit, now)?))
        .await?;
    let page = Page::new(found, |last| cursor::encode(&(last.created_at.as_micros(), &last.command_id)));
    Ok(respond::json(StatusCode::OK, &page))
}

fn status_of(word: &str) -> Result<CommandStatus, Refusal> {
    CommandStatus::from_word(word).ok_or_else(|| {
        let words = CommandStatus::ALL.map(CommandStatus::as_str).join(", ");
        Refusal::parameter("status", format!("one of {words} expected"))
    })
}

/// `GET /api/v1/commands/:id`.
pub async fn get(
    State(room): State<Arc<Commands>>,
    Path(command_id): Path<String>,
) -> Result<Response, Refusal> {
    let now = room.clock.now();
    let view = room
        .sqlite
        .read(move |connection| {
            store::find(connection, &command_id, now)?.ok_or(CommandsError::Unknown(command_id))
        })
        .await?;
    Ok(respond::json(StatusCode::OK, &view))
}

/// `DELETE /api/v1/commands/:id`: 200: nobody had it, and it is cancelled; 202: its agent is told to end it. Again is no
/// error until it is over, and changes nothing.
pub async fn cancel(
    State(room): State<Arc<Commands>>,
    Path(command_id): Path<String>,
    by: By,
) -> Result<Response, Refusal> {
    let (now, record, operator) = (room.clock.now(), room.neighbours.record, by.name().to_owned());
    let work = move |connection: &Connection| {
        let view = store::cancel(connection, &command_id, now)?;
        // Again is no deed.
        if view.cancel_asked_at == Some(now) {
            record(connection, &deeds::cancelled(&view, &by, now))?;
        }
        let is_over = view.status == CommandStatus::Cancelled;
        let changes = if is_over { vec![Change::of(&view, now)] } else { Vec::new() };
        Ok((view, changes))
    };
    let view = room.change(work).await?;
    let command = &view.command_id;
    if view.status == CommandStatus::Cancelled {
        tracing::info!(agent = %view.agent_id, command, ?operator, "command cancelled");
        return Ok(respond::json(StatusCode::OK, &view));
    }
    room.wake(view.agent_id.as_str());
    tracing::info!(agent = %view.agent_id, command, ?operator, "command is to be ended");
    Ok(respond::json(StatusCode::ACCEPTED, &view))
}
