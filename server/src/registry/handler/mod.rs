//! Agents over HTTP: operators list them. How they are changed is [`change`]'s, how they come is [`register`]'s, how they are
//! heard is [`heartbeat`]'s, how they get other keys [`rotate`]'s.

mod beat;
mod change;
mod come;
mod rotate;

pub use beat::heartbeat;
pub use change::{patch, remove};
pub use come::{Registered, register};
pub use rotate::rotate;

use super::{
    AgentRecord, AgentStatus, AgentView, Newest, RegistryError,
    store::{self, Filter},
};
use crate::{
    auth::Keyring,
    brake::RateLimit,
    clock::Clock,
    deed::Record,
    http::{
        cursor,
        problem::Refusal,
        query::Params,
        respond::{self, LIST_LIMIT, LIST_LIMIT_DEFAULT, Page},
    },
    latest::Latest,
    standing::{AgentChange, CancelOpen, TellAgents},
    storage::{Found, Sqlite},
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use pingup_protocol::{
    labels::{Labels, is_label_name, is_label_value},
    problem::ProblemType,
    schema::SchemaError,
    time::Timestamp,
};
use rusqlite::Connection;
use std::{
    fmt,
    sync::{Arc, Mutex},
};

/// What this room needs of others. What takes a connection runs inside this room's transaction.
#[derive(Clone)]
pub struct Neighbours {
    /// Cancels what is open for an agent.
    pub cancel_open: CancelOpen,
    /// How many commands wait to be pulled by an agent.
    pub count_pending: fn(&Connection, &str, Timestamp) -> rusqlite::Result<u64>,
    /// The version of an agent's configuration; 0 when it has none.
    pub config_version: fn(&Connection, &str) -> rusqlite::Result<u64>,
    /// Answers the agent's held-open request: of keys that are dead, or that it is to have, it hears at once.
    pub call: Arc<dyn Fn(&str) + Send + Sync>,
    /// Told of every agent that came or went.
    pub tell: TellAgents,
    /// Writes down what is done.
    pub record: Record,
}

/// The room of agents.
pub struct Registry {
    sqlite: Sqlite,
    keyring: Keyring,
    clock: Clock,
    latest: Arc<Latest>,
    enrolments: Mutex<RateLimit>,
    neighbours: Neighbours,
}

/// What the records know of an agent.
struct Known {
    record: AgentRecord,
    /// Of the configuration that is in force.
    config_version: u64,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registry(…)")
    }
}

impl Registry {
    /// The room over these records; one address may try to enrol `enrolments_per_minute_max` times a minute.
    pub fn new(
        sqlite: Sqlite,
        keyring: Keyring,
        clock: Clock,
        latest: Arc<Latest>,
        enrolments_per_minute_max: u32,
        neighbours: Neighbours,
    ) -> Self {
        let enrolments = Mutex::new(RateLimit::new(enrolments_per_minute_max));
        Self { sqlite, keyring, clock, latest, enrolments, neighbours }
    }

    /// Ends what an agent still holds whose keys are dead; to be called before whoever did that is answered.
    fn gone(&self, agent_id: &str) {
        self.keyring.forget(agent_id);
        (self.neighbours.call)(agent_id);
    }

    /// Tells of the agent that a write changed so.
    fn telling(&self, change: AgentChange, at: Timestamp) -> impl FnOnce(&Known) + Send + 'static {
        let tell = Arc::clone(&self.neighbours.tell);
        move |known| tell(change, vec![known.record.id.clone()], at)
    }

    /// An agent as the records have it, with the version of its configuration, for [`Self::view`].
    fn versioned(
        &self,
    ) -> impl Fn(&Connection, AgentRecord) -> rusqlite::Result<Known> + Send + Sync + 'static {
        let config_version = self.neighbours.config_version;
        move |connection, record| {
            let config_version = config_version(connection, record.id.as_str())?;
            Ok(Known { record, config_version })
        }
    }

    fn view(&self, known: Known) -> AgentView {
        let Known { record, config_version } = known;
        let held = self.latest.get(record.id.as_str());
        let held = held.map(|sample| Newest {
            timestamp: sample.timestamp,
            status: sample.status,
            metrics: sample.metrics,
        });
        AgentView::new(record, config_version, held)
    }
}

/// `GET /api/v1/agents`: those that live, by id; removed ones with `status=revoked`.
pub async fn list(State(room): State<Arc<Registry>>, params: Params) -> Result<Response, Refusal> {
    let limit = params.number("limit", LIST_LIMIT, LIST_LIMIT_DEFAULT)?;
    let status = params.text("status").map(status_of).transpose()?;
    let filter = Filter {
        status,
        text: params.text("q").map(str::to_owned),
        labels: params.text("label").map(label_of).transpose()?.unwrap_or_default(),
        after: params.text("cursor").map(cursor::decode::<String>).transpose()?,
    };
    let versioned = room.versioned();
    let work = move |connection: &Connection| {
        let Found { items, more } = store::list(connection, filter, limit)?;
        let items =
            items.into_iter().map(|record| versioned(connection, record)).collect::<Result<_, _>>()?;
        Ok::<_, RegistryError>(Found { items, more })
    };
    let found = room.sqlite.read(work).await?;
    let Page { items, next_cursor } = Page::new(found, |last: &Known| cursor::encode(&last.record.id));
    // A sample of this second may know better than the records, by which was filtered.
    let fits = |view: &AgentView| status.is_none_or(|status| view.status == status);
    let items: Vec<_> = items.into_iter().map(|known| room.view(known)).filter(fits).collect();
    Ok(respond::json(StatusCode::OK, &Page { items, next_cursor }))
}

fn status_of(word: &str) -> Result<AgentStatus, Refusal> {
    AgentStatus::from_word(word).ok_or_else(|| {
        let words = AgentStatus::ALL.map(AgentStatus::as_str).join(", ");
        Refusal::parameter("status", format!("one of {words} expected"))
    })
}

fn label_of(text: &str) -> Result<Labels, Refusal> {
    let label = text.split_once(':').filter(|(name, value)| is_label_name(name) && is_label_value(value));
    label
        .map(|(name, value)| Labels::one(name, value))
        .ok_or_else(|| Refusal::parameter("label", "a label as name:value expected, such as role:web"))
}

/// `GET /api/v1/agents/:id`.
pub async fn get(State(room): State<Arc<Registry>>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let versioned = room.versioned();
    let work = move |connection: &Connection| {
        Ok::<_, RegistryError>(versioned(connection, store::find_living(connection, &id)?)?)
    };
    let known = room.sqlite.read(work).await?;
    Ok(respond::json(StatusCode::OK, &room.view(known)))
}

impl From<RegistryError> for Refusal {
    fn from(error: RegistryError) -> Self {
        let detail = error.to_string();
        let kind = match error {
            RegistryError::NotLiving(error) => error.problem(),
            RegistryError::NoKeys(_) => ProblemType::Gone,
            RegistryError::JoinTokenInvalid => ProblemType::JoinTokenInvalid,
            RegistryError::JoinTokenExpired => ProblemType::JoinTokenExpired,
            RegistryError::JoinTokenExhausted => ProblemType::JoinTokenExhausted,
            RegistryError::MachineEnrolled { .. } => ProblemType::MachineAlreadyEnrolled,
            RegistryError::IdRetired(_) => ProblemType::AgentIdRetired,
            RegistryError::TimestampInFuture => ProblemType::TimestampInFuture,
            RegistryError::TooManyLabels(_) => return SchemaError::at("/labels", detail).into(),
            RegistryError::EnrolmentTooOld => return SchemaError::at("/timestamp", detail).into(),
            RegistryError::Storage(error) => return error.into(),
        };
        Self::new(kind, detail)
    }
}
