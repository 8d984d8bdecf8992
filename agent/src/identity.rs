//! Who this agent is: what the hub handed over at enrolment or later, kept in `identity.json`. Which keys are used where
//! there are others is said in [`crate::keys`].
//!
//! The stream of samples (boot and sequence numbers) is not part of it: that lives and dies with the spool
//! it numbers, so that emptying the spool can never lead to a number being used twice.

use crate::{
    keys::{FILE, FORMER_FILE},
    state::{StateDir, StateError, read_json, write_json},
};
use pingup_protocol::{enrol::Credentials, ids::AgentId, keys::Secret, signing::Key};
use std::{fmt, fs, io};

/// An identity that can be used: its keys are ready.
pub struct Identity {
    /// The agent's id.
    pub agent_id: AgentId,
    /// The key that it signs with.
    pub up: Key,
    /// The key that the hub signs with.
    pub down: Key,
    /// What was handed over. Secret.
    pub credentials: Credentials,
}

impl Identity {
    /// Readies `credentials`; `None` when their keys are no keys.
    pub fn new(credentials: &Credentials) -> Option<Self> {
        Some(Self {
            agent_id: credentials.agent_id.clone(),
            up: Key::new(&Secret::from_base64(&credentials.keys.up)?),
            down: Key::new(&Secret::from_base64(&credentials.keys.down)?),
            credentials: credentials.clone(),
        })
    }

    /// The identity in `state`; `None` while the machine is not enrolled.
    pub fn load(state: &StateDir) -> Result<Option<Self>, StateError> {
        let path = state.join(FILE);
        let Some(credentials) = read_json::<Credentials>(&path)? else { return Ok(None) };
        let damaged = || StateError::Damaged { path, reason: "its keys are no keys".to_owned() };
        Self::new(&credentials).ok_or_else(damaged).map(Some)
    }

    /// Keeps `credentials` of a machine that has enrolled in `state`: once this returns, a crash cannot lose them. Others
    /// of before are of no use any more.
    pub fn save(state: &StateDir, credentials: &Credentials) -> Result<(), StateError> {
        write_json(&state.join(FILE), credentials)?;
        let former = state.join(FORMER_FILE);
        match fs::remove_file(&former) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StateError::io(&former)(error)),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, generation {}, …)", self.agent_id, self.credentials.generation)
    }
}
