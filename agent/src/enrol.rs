//! Enrolment: a machine that has a join token becomes an agent.
//!
//! The token's secret never leaves the machine: the request is signed under a key derived from it, and so is
//! the answer, which carries back our nonce. Only then is anything of the answer believed. A hub that is away, busy, or not
//! trusted yet is asked again; one that says no is not.

use crate::{
    backoff::{Backoff, ENROLLING, random},
    clock::Clock,
    transport::{ANSWER_WITHIN, Connection, Failure, Hub, Method, Refusal, nonce, verified},
};
use pingup_protocol::{
    enrol::{Credentials, EnrolAnswer, EnrolBody, HostInfo, JoinToken},
    keys::derive_enrolment,
    limits::FUTURE_SECONDS_MAX,
    problem::ProblemType,
    signing::{self, Key},
    time::Timestamp,
};

const ROUTE: &str = "/api/v1/agents";

/// Why a machine is not enrolled, and will not be by trying again.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The hub said no.
    #[error("{refusal}; {advice}")]
    Refused {
        /// What it said.
        refusal: Box<Refusal>,
        /// What to do.
        advice: &'static str,
    },
    /// What answered is not the hub that made the token, or something in between changed the answer.
    #[error("{0}; the answer is not from the hub that made this join token: check the hub's address")]
    NotTheHub(Failure),
    /// It could not even be asked.
    #[error("{0}")]
    Local(Failure),
}

/// What is said of the machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// A name for people.
    pub name: Option<String>,
    /// What tells it from others.
    pub machine_id: Option<String>,
    /// What it is.
    pub info: HostInfo,
}

/// Asks until the hub has decided.
pub async fn enrol(hub: &Hub, token: &JoinToken, machine: &Machine) -> Result<Credentials, EnrolError> {
    let key = Key::new(&derive_enrolment(&token.secret));
    let clock = Clock::default();
    let mut backoff = Backoff::new(ENROLLING);
    // What the log has last said: that nobody is there, that somebody else is, or that the hub refuses.
    let mut logged = None;
    loop {
        let asked = clock.hub_now();
        let failure = match attempt(hub, token, &key, machine, asked).await {
            Ok(credentials) => return Ok(credentials),
            Err(failure) => failure,
        };
        // A machine whose clock is wrong may enrol all the same: by the hub's clock.
        let hub_time = failure.refusal().and_then(|refusal| told_instead(refusal, asked));
        if let Some(hub_time) = hub_time {
            clock.learn(hub_time);
        }
        match failure {
            Failure::Refused(refusal) if !refusal.is_passing() && hub_time.is_none() => {
                let advice = advice(refusal.kind);
                return Err(EnrolError::Refused { refusal, advice });
            }
            Failure::Unverified(_) => return Err(EnrolError::NotTheHub(failure)),
            Failure::Local(_) => return Err(EnrolError::Local(failure)),
            Failure::Refused(_) | Failure::Unreachable { .. } | Failure::Untrusted { .. } => {
                let kind = std::mem::discriminant(&failure);
                if logged.replace(kind) != Some(kind) {
                    tracing::warn!("not enrolled yet, trying again: {failure}");
                }
                tokio::time::sleep(backoff.after_failure(failure.retry_after(), random())).await;
            }
        }
    }
}

async fn attempt(
    hub: &Hub,
    token: &JoinToken,
    key: &Key,
    machine: &Machine,
    timestamp: Timestamp,
) -> Result<Credentials, Failure> {
    let nonce = nonce()?;
    let body = EnrolBody {
        token_id: token.token_id.clone(),
        nonce: nonce.clone(),
        name: machine.name.clone(),
        machine_id: machine.machine_id.clone(),
        info: machine.info.clone(),
        timestamp,
    };
    let body = signing::sign(key, &body)?;
    // A connection of its own each time: asking twice over a kept one could use the token twice.
    let mut connection = Connection::new(hub.clone());
    let (answer, _) = connection.call(Method::Post(body.into()), ROUTE, None, ANSWER_WITHIN).await?;
    let answer: EnrolAnswer = verified(key, &answer)?;
    if answer.nonce != nonce {
        return Err(Failure::Unverified("it answers another request".to_owned()));
    }
    Ok(answer.credentials)
}

/// The hub's time, where it may be for the moment `asked` that the hub refused. One too far behind is a schema's matter,
/// as much else is: only a clock that is off shows which it was, and one that is not is no reason to ask again.
fn told_instead(refusal: &Refusal, asked: Timestamp) -> Option<Timestamp> {
    let hub = refusal.server_time?;
    let apart = asked.as_micros().abs_diff(hub.as_micros()) / 1_000_000;
    match refusal.kind? {
        ProblemType::TimestampInFuture => Some(hub),
        ProblemType::SchemaInvalid if apart > FUTURE_SECONDS_MAX.unsigned_abs() => Some(hub),
        _ => None,
    }
}

const fn advice(kind: Option<ProblemType>) -> &'static str {
    match kind {
        Some(
            ProblemType::JoinTokenInvalid | ProblemType::JoinTokenExhausted | ProblemType::JoinTokenExpired,
        ) => "make a new one with `pingup-server join-token create`",
        Some(ProblemType::MachineAlreadyEnrolled) => {
            "if this machine is a copy of that one (a cloned disk), call `pingup-agent reset` here, and start it again. \
             If it is that one and lost its state, take a token that removes the old agent and puts this one in its place: \
             `pingup-server join-token create --replace ID`"
        }
        Some(_) => "the hub will not enrol this machine as it is",
        None => "check the hub's address",
    }
}
