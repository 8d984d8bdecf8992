//! `POST /api/v1/agents`: by an operator, or with a join token.
//!
//! A join token's order of checks: the address's tries (429), a signature of the right form (400), the token and
//! the signature, which are one question with one answer (401); only then is anything typed read (422), and then
//! come the rules that need the records (403, 409).

use super::{Known, Registry};
use crate::{
    auth::{Operator, RawBody, Stay},
    deed::{Act, By, Deed, Who},
    generations::{self, KeyRow},
    http::{Peer, problem::Refusal, respond},
    joining::KeptSecret,
    registry::{
        AgentView, MADE_ID_CHARS, RegistryError, check_enrolment_time, made_id, metadata_text,
        store::{self, Enrolled, Enrolment, JoinTokenRow, NewAgent},
    },
    standing::{AgentChange, Untold},
};
use axum::{Extension, extract::State, response::Response};
use http::StatusCode;
use pingup_protocol::{
    enrol::{Credentials, EnrolAnswer, EnrolBody, RegisterBody},
    ids::AgentId,
    keys::{KEY_BYTES, Secret, derive_enrolment},
    problem::ProblemType,
    schema,
    signing::{self, Key},
};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    cell::Cell,
    net::IpAddr,
    sync::{Arc, PoisonError},
};

/// The answer to a registration by an operator.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Registered {
    /// The new agent.
    pub agent: AgentView,
    /// What it needs to speak; shown this once.
    pub credentials: Credentials,
}

/// What an enrolment left in the records.
struct Came {
    known: Known,
    key: KeyRow,
    replaced: Option<AgentId>,
}

/// `POST /api/v1/agents`. 201: the agent is on disk. A second try for the same machine is 409, also when the
/// first one's answer was lost: credentials are handed out once.
pub async fn register(
    State(room): State<Arc<Registry>>,
    operator: Option<Operator>,
    stay: Option<Extension<Stay>>,
    Extension(peer): Extension<Peer>,
    body: RawBody,
) -> Result<Response, Refusal> {
    match operator {
        Some(operator) => {
            let token = stay.as_ref().and_then(|stay| stay.token_id());
            let by = By::over(Who::operator(operator, token), peer.address.ip());
            room.register(by, body.bytes()).await
        }
        None => {
            room.count_try(peer.address.ip())?;
            room.enrol(body.bytes(), peer.address.ip()).await
        }
    }
}

impl Registry {
    fn count_try(&self, address: IpAddr) -> Result<(), Refusal> {
        let mut enrolments = self.enrolments.lock().unwrap_or_else(PoisonError::into_inner);
        enrolments
            .take(address, self.clock.now())
            .map_err(|seconds| Refusal::too_often("enrolments from this address", seconds))
    }

    async fn register(&self, by: By, body: &[u8]) -> Result<Response, Refusal> {
        let RegisterBody { id, name, metadata } = schema::read(body)?;
        let id = id.map_or_else(fresh_id, Ok)?;
        let metadata = metadata_text(metadata)?;
        self.keyring.check_vouched().await?;
        let fresh = self.keyring.fresh(&id, store::FIRST_GENERATION)?;
        let agent = NewAgent { id, name, info: "{}".to_owned(), metadata, machine_id: None, key: fresh.row };
        let now = self.clock.now();
        let (versioned, write_down, operator) =
            (self.versioned(), self.neighbours.record, by.name().to_owned());
        let work = move |connection: &Connection| {
            store::register(connection, &agent, now)?;
            let deed = Deed::new(Act::AgentRegistered, &by, now).agent(agent.id.as_str());
            write_down(connection, &deed.with("generation", store::FIRST_GENERATION))?;
            let record = store::find_living(connection, agent.id.as_str())?;
            Ok::<_, RegistryError>(versioned(connection, record)?)
        };
        let known = self.sqlite.write_then(work, self.telling(AgentChange::Registered, now)).await?;
        tracing::info!(agent = %known.record.id, ?operator, "agent registered");
        let answer = Registered { agent: self.view(known), credentials: fresh.credentials };
        Ok(respond::json(StatusCode::CREATED, &answer))
    }

    async fn enrol(&self, body: &[u8], address: IpAddr) -> Result<Response, Refusal> {
        let token_id = named_token(body)?;
        let scanned =
            signing::scan(body).map_err(|error| Refusal::new(error.problem(), error.to_string()))?;
        let wanted = token_id.clone();
        let token = self.sqlite.read(move |connection| store::join_token(connection, &wanted)).await?;
        // An unknown token is taken through the same work, and told the same.
        let nobody = KeptSecret::of_nobody(self.keyring.tokens().master());
        let kept = token.as_ref().map_or(&nobody, |token| &token.secret);
        let secret = self.keyring.join_secret(&token_id, kept);
        let key = Key::new(&derive_enrolment(secret.as_ref().unwrap_or(&Secret::new([0; KEY_BYTES]))));
        let verified = scanned.verify(&key) && secret.is_some();
        let token = token.filter(|_| verified).ok_or(RegistryError::JoinTokenInvalid)?;
        let rewritten = scanned.into_rewritten();
        let body: EnrolBody = schema::read(rewritten.as_deref().unwrap_or(body))?;
        let now = self.clock.now();
        check_enrolment_time(body.timestamp, now)?;
        let by = By::over(Who::JoinToken(token_id), address);
        self.admit(by, token, body, &key).await
    }

    async fn admit(
        &self,
        by: By,
        token: JoinTokenRow,
        body: EnrolBody,
        key: &Key,
    ) -> Result<Response, Refusal> {
        self.keyring.check_vouched().await?;
        let id = match token.rekeys.as_ref().or(token.agent_id.as_ref()) {
            Some(bound) => AgentId::parse(bound)
                .map_err(|error| Refusal::internal("a join token is bound to what is no agent id", &error))?,
            None => fresh_id()?,
        };
        let fresh = self.keyring.fresh(&id, store::FIRST_GENERATION)?;
        let info = serde_json::to_string(&body.info).map_err(|error| {
            Refusal::internal("what a machine says of itself could not be written", &error)
        })?;
        let agent = NewAgent {
            id,
            name: body.name,
            info,
            metadata: metadata_text(None)?,
            machine_id: body.machine_id,
            key: fresh.row,
        };
        let rekeys = token.rekeys.is_some();
        let token_id = by.name().to_owned();
        let enrolment = Enrolment { token_id, replaces: token.replaces, rekeys, agent };
        let (now, cancel_open) = (self.clock.now(), Arc::clone(&self.neighbours.cancel_open));
        let (versioned, write_down) = (self.versioned(), self.neighbours.record);
        let work = move |connection: &Connection| {
            // Of the agent whose keys this ends, if there is one.
            let other = enrolment.replaces.as_deref().or(rekeys.then_some(enrolment.agent.id.as_str()));
            let keys = other.map_or(Ok(0), |other| generations::count(connection, other))?;
            let Enrolled { key, replaced } = store::enrol(connection, &enrolment, now, &cancel_open)?;
            let (replaced, cancelled) = replaced.unzip();
            let id = enrolment.agent.id.as_str();
            if let Some(replaced) = &replaced {
                let deed = Deed::new(Act::AgentRemoved, &by, now).agent(replaced.as_str());
                write_down(connection, &deed.with("replacedBy", id).with("keysEnded", keys))?;
            }
            let deed = match rekeys {
                true => Deed::new(Act::AgentRekeyed, &by, now).with("keysEnded", keys),
                false => Deed::new(Act::AgentEnrolled, &by, now),
            };
            write_down(connection, &deed.agent(id).with("generation", key.generation))?;
            let record = store::find_living(connection, enrolment.agent.id.as_str())?;
            let came = Came { known: versioned(connection, record)?, key, replaced };
            Ok::<_, RegistryError>((came, Cell::new(cancelled)))
        };
        let tell = Arc::clone(&self.neighbours.tell);
        let told = move |(Came { known, replaced, .. }, cancelled): &(Came, Cell<Option<Untold>>)| {
            cancelled.take().into_iter().for_each(|cancelled| cancelled());
            if let Some(replaced) = replaced {
                tell(AgentChange::Removed, vec![replaced.clone()], now);
            }
            if !rekeys {
                tell(AgentChange::Registered, vec![known.record.id.clone()], now);
            }
        };
        let (Came { known, key: row, replaced }, _) = self.sqlite.write_then(work, told).await?;
        let agent = known.record.id.clone();
        let others = replaced.as_ref().or(rekeys.then_some(&agent));
        others.into_iter().for_each(|id| self.gone(id.as_str()));
        let replaced = replaced.as_ref().map(AgentId::as_str);
        tracing::info!(%agent, replaced, rekeyed = rekeys, generation = row.generation, "agent enrolled");
        let credentials = self.keyring.credentials(&agent, &row)?;
        let answer = EnrolAnswer {
            agent: serde_json::to_value(self.view(known))
                .map_err(|error| Refusal::internal("an agent could not be written", &error))?,
            credentials,
            nonce: body.nonce,
            server_time: now,
        };
        let signed = signing::sign(key, &answer)
            .map_err(|error| Refusal::internal("an answer could not be signed", &error))?;
        Ok(respond::signed(StatusCode::CREATED, signed))
    }
}

/// The join token that a body names, before anything vouches for it. A body that names none is not an
/// enrolment, so what it lacks is an operator's token.
fn named_token(body: &[u8]) -> Result<String, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        token_id: Value,
    }
    match serde_json::from_slice(body) {
        Ok(Named { token_id: Value::String(token_id) }) => Ok(token_id),
        // Not an id that a token can have: as unknown as any.
        Ok(Named { .. }) => Ok(String::new()),
        Err(_) => Err(Refusal::new(
            ProblemType::TokenMissing,
            "register with an operator's Authorization: Bearer <token>, or enrol with a join token: the body then \
             has tokenId and signature",
        )),
    }
}

fn fresh_id() -> Result<AgentId, Refusal> {
    let mut random = [0; MADE_ID_CHARS];
    getrandom::fill(&mut random).map_err(|error| Refusal::internal("no random bytes to be had", &error))?;
    AgentId::parse(&made_id(random))
        .map_err(|error| Refusal::internal("an agent id could not be made", &error))
}
