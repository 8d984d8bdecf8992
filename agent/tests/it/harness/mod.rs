//! What every story needs: a hub, an agent, a place for its state.

mod agent;
mod hub;
mod routes;
mod shared;
mod state;
mod tls;

pub(crate) use agent::{Agent, program};
pub(crate) use hub::Hub;
pub(crate) use state::{HubState, Offered, Reply};
pub(crate) use tls::{Authority, Shows};

use std::{path::Path, time::Duration};

/// How long anything may take that is waited for: far more than it ever does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of records in the spool of the agent with state in `state`: how a test sees that it measures.
pub(crate) fn spooled_bytes(state: &Path) -> u64 {
    let files = std::fs::read_dir(state.join("spool")).into_iter().flatten().flatten();
    let records =
        files.filter(|file| file.path().extension().is_some_and(|extension| extension == "records"));
    records.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}
