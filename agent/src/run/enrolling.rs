//! Becoming an agent, at the first start: with the token that was given, or the one that an installation left.

use super::RunError;
use crate::{
    enrol::{Machine, enrol},
    host,
    identity::Identity,
    join_token,
    keys::Keys,
    reset,
    settings::Settings,
    state::{StateDir, StateError},
    transport::Hub,
};

/// Enrols, and keeps the keys that the hub gave.
pub(super) async fn become_agent(hub: &Hub, settings: &Settings, state: &StateDir) -> Result<Keys, RunError> {
    let given = settings.join_token.clone();
    let waiting = || join_token::waiting(state).transpose();
    let Some(token) = given.map(Ok).or_else(waiting).transpose()? else {
        return Err(RunError::NoJoinToken(settings.state_dir.clone()));
    };
    let machine = Machine {
        name: settings.name.clone(),
        machine_id: host::machine_id(reset::salt(state)?.as_deref()),
        info: host::info(&settings.ssh, &settings.labels).await,
    };
    let credentials = enrol(hub, &token, &machine).await?;
    Identity::save(state, &credentials)?;
    tracing::info!(agent = %credentials.agent_id, "enrolled");
    let damaged = || StateError::Damaged {
        path: state.join("identity.json"),
        reason: "the hub handed out keys that are no keys".to_owned(),
    };
    let identity = Identity::new(&credentials).ok_or_else(damaged)?;
    Ok(Keys::enrolled(state, identity))
}
