//! Registration of a run's agents, by an operator: the hub takes few enrolments by join token from one address.

use super::{FleetAgent, now};
use crate::{
    answer::CREATED,
    client::Client,
    error::LoadError,
    measured::mix,
    request,
    settings::{Bearer, Hub},
};
use indicatif::ProgressBar;
use pingup_protocol::enrol::{Credentials, RegisterBody};
use serde::Deserialize;
use std::sync::Arc;
use tokio::{task::JoinSet, time::sleep};

/// Registrations under way at once: quick, and still not what is being measured.
const REGISTRATIONS_IN_FLIGHT: usize = 16;
/// Times that one registration is tried when the hub asks to wait.
const REGISTRATION_TRIES_MAX: u32 = 10;

/// A name that no other run has: `<label>-<milliseconds since 1970>`.
pub(crate) fn run_name(label: &str) -> String {
    format!("{label}-{}", milliseconds_now())
}

/// Registers `agents` with `hub`, a few at once, as `<run>-<number>`; `bearer` is an operator's. Their figures follow
/// from `seed`.
pub(crate) async fn register(
    hub: &Arc<Hub>,
    bearer: &Bearer,
    run: &str,
    agents: usize,
    seed: u64,
    bar: &ProgressBar,
) -> Result<Vec<FleetAgent>, LoadError> {
    let boot = milliseconds_now();
    let mut clerks = JoinSet::new();
    for clerk in 0..REGISTRATIONS_IN_FLIGHT.min(agents) {
        let numbers = (clerk..agents).step_by(REGISTRATIONS_IN_FLIGHT);
        let (hub, bearer, bar) = (Arc::clone(hub), bearer.clone(), bar.clone());
        let run = run.to_owned();
        clerks.spawn(async move {
            let mut client = Client::new(Arc::clone(&hub));
            let mut registered = Vec::with_capacity(numbers.len());
            for number in numbers {
                let credentials = register_one(&mut client, &hub, &bearer, format!("{run}-{number}")).await?;
                registered.push(FleetAgent::new(&credentials, boot, mix(seed ^ number as u64))?);
                bar.inc(1);
            }
            Ok::<_, LoadError>(registered)
        });
    }
    let mut fleet = Vec::with_capacity(agents);
    while let Some(registered) = clerks.join_next().await {
        fleet.extend(registered??);
    }
    bar.finish_and_clear();
    Ok(fleet)
}

fn milliseconds_now() -> u64 {
    u64::try_from(now().as_micros() / 1_000).unwrap_or_default()
}

/// What of a registration's answer is needed here.
#[derive(Deserialize)]
struct Registered {
    credentials: Credentials,
}

/// Registers one agent with that name; its credentials.
pub(crate) async fn register_one(
    client: &mut Client,
    hub: &Hub,
    bearer: &Bearer,
    name: String,
) -> Result<Credentials, LoadError> {
    let wanted = RegisterBody { id: None, name: Some(name), metadata: None };
    let body = serde_json::to_vec(&wanted).map_err(|error| LoadError::Credentials(error.to_string()))?;
    let request = request::post_with(hub, "/api/v1/agents", Some(bearer), &body);
    let mut tries = 0;
    loop {
        tries += 1;
        let answer = client.exchange(&request).await?;
        if answer.status == CREATED {
            return serde_json::from_slice(answer.body)
                .map(|Registered { credentials }| credentials)
                .map_err(|error| LoadError::Credentials(error.to_string()));
        }
        let problem = answer.problem();
        match answer.retry_after(problem.as_ref().and_then(|problem| problem.problem_type())) {
            Some(wait) if tries < REGISTRATION_TRIES_MAX => sleep(wait).await,
            _ => return Err(LoadError::refused("registering agents", &answer)),
        }
    }
}
