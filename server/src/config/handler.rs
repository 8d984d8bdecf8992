//! Configurations over HTTP: an agent fetches its own, signed; operators read and set them.

use super::{ConfigError, ConfigView, Draft, store};
use crate::{
    auth::{AgentCaller, Caller, OperatorBody},
    clock::Clock,
    deed::{Act, By, Deed, Record, digest},
    http::{
        cursor,
        problem::Refusal,
        query::Params,
        respond::{self, LIST_LIMIT, LIST_LIMIT_DEFAULT, Page},
    },
    standing::{NotLiving, Standing},
    storage::Sqlite,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::StatusCode;
use pingup_protocol::{
    config::{ConfigAnswer, ConfigBody},
    ids::{AgentId, is_nonce},
    problem::ProblemType,
    time::Timestamp,
};
use rusqlite::Connection;
use std::{fmt, sync::Arc};

/// What this room needs of others.
pub struct Neighbours {
    /// Where an agent id stands.
    pub standing: fn(&Connection, &str) -> rusqlite::Result<Standing>,
    /// Told of every agent whose configuration changed, once the change is on disk.
    pub changed: Arc<dyn Fn(&AgentId) + Send + Sync>,
    /// Writes down what is done; runs inside this room's transaction.
    pub record: Record,
}

/// The room of configurations.
pub struct Configs {
    sqlite: Sqlite,
    clock: Clock,
    neighbours: Neighbours,
}

impl fmt::Debug for Configs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Configs(…)")
    }
}

impl Configs {
    /// The room over these records.
    pub const fn new(sqlite: Sqlite, clock: Clock, neighbours: Neighbours) -> Self {
        Self { sqlite, clock, neighbours }
    }

    /// Reads for an operator, who may name agents that do not live.
    async fn read_of_living<T: Send + 'static>(
        &self,
        agent_id: &AgentId,
        work: impl FnOnce(&Connection, &AgentId) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ConfigError> {
        let (agent_id, standing) = (agent_id.clone(), self.neighbours.standing);
        self.sqlite
            .read(move |connection| {
                standing(connection, agent_id.as_str())?.living(agent_id.as_str())?;
                Ok(work(connection, &agent_id)?)
            })
            .await
    }

    async fn answer_agent(&self, agent: &AgentCaller, params: &Params) -> Result<Response, Refusal> {
        let nonce = params.required("nonce")?;
        if !is_nonce(nonce) {
            return Err(Refusal::parameter("nonce", "1 to 128 visible ASCII characters expected"));
        }
        let agent_id = agent.agent_id().clone();
        let view = self
            .sqlite
            .read(move |connection| Ok::<_, ConfigError>(store::current(connection, &agent_id)?))
            .await?;
        let answer = ConfigAnswer {
            agent_id: view.agent_id,
            nonce: nonce.to_owned(),
            version: view.version,
            issued_at: view.updated_at.unwrap_or_else(|| self.clock.now()),
            config: view.config,
        };
        Ok(respond::signed(StatusCode::OK, agent.keys().sign(&answer)?))
    }
}

/// `GET /api/v1/config/:agentId`: the configuration in force; signed, with the nonce echoed, for the agent itself.
pub async fn get(
    State(room): State<Arc<Configs>>,
    Path(agent_id): Path<String>,
    caller: Caller,
    params: Params,
) -> Result<Response, Refusal> {
    match caller {
        Caller::Agent(agent) => room.answer_agent(&agent, &params).await,
        Caller::Operator(_) => {
            let view = room.read_of_living(&addressed(&agent_id)?, store::current).await?;
            Ok(respond::json(StatusCode::OK, &view))
        }
    }
}

/// `POST /api/v1/config/:agentId`: a new version. 200 means it is on disk and the agent is being told.
pub async fn post(
    State(room): State<Arc<Configs>>,
    Path(agent_id): Path<String>,
    by: By,
    body: OperatorBody,
) -> Result<Response, Refusal> {
    let agent_id = addressed(&agent_id)?;
    let ConfigBody { config, expected_version } = body.read()?;
    let draft = Draft::new(config, expected_version)?;
    let (now, Neighbours { standing, record, .. }) = (room.clock.now(), &room.neighbours);
    let (standing, record) = (*standing, *record);
    let (subject, operator) = (agent_id.clone(), by.name().to_owned());
    let view: ConfigView = room
        .sqlite
        .write(move |connection| {
            standing(connection, subject.as_str())?.living(subject.as_str())?;
            let view = store::set(connection, &subject, &draft, by.name(), now)?;
            record(connection, &deed(&view, &draft, &by, now))?;
            Ok::<_, ConfigError>(view)
        })
        .await?;
    (room.neighbours.changed)(&agent_id);
    tracing::info!(agent = %agent_id, version = view.version, ?operator, "configuration set");
    Ok(respond::json(StatusCode::OK, &view))
}

/// Of the configuration itself there is a digest: it may hold what nobody is to read.
fn deed<'a>(view: &ConfigView, draft: &Draft, by: &'a By, now: Timestamp) -> Deed<'a> {
    let deed = Deed::new(Act::ConfigSet, by, now).agent(view.agent_id.as_str());
    deed.with("version", view.version).with("configSha256", digest(draft.config.as_bytes()))
}

/// `GET /api/v1/config/:agentId/versions`: what was set when and by whom, the newest first.
pub async fn versions(
    State(room): State<Arc<Configs>>,
    Path(agent_id): Path<String>,
    params: Params,
) -> Result<Response, Refusal> {
    let agent_id = addressed(&agent_id)?;
    let limit = params.number("limit", LIST_LIMIT, LIST_LIMIT_DEFAULT)?;
    let before = params.text("cursor").map(cursor::decode::<i64>).transpose()?;
    let found = room
        .read_of_living(&agent_id, move |connection, id| store::versions(connection, id, before, limit))
        .await?;
    Ok(respond::json(StatusCode::OK, &Page::new(found, |last| cursor::encode(&last.version))))
}

/// The agent that a path names. What cannot be an id was never given out.
fn addressed(agent_id: &str) -> Result<AgentId, ConfigError> {
    AgentId::parse(agent_id).map_err(|_| NotLiving::Unknown(agent_id.to_owned()).into())
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::NotLiving(error) => Self::new(error.problem(), error.to_string()),
            ConfigError::VersionConflict { current } => {
                Self::new(ProblemType::VersionConflict, error.to_string()).current_version(current)
            }
            ConfigError::Storage(error) => error.into(),
        }
    }
}
